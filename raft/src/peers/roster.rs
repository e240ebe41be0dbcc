//! The connections of this node to every other one, by node and class, shared by whoever asks.
//!
//! A node whose address changes gets new connections; one that left is forgotten when the pinger
//! finds it gone.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{connection::Connection, local::Local, message::Class};

struct Peer {
    address: String,
    entries: Arc<Connection>,
    control: Arc<Connection>,
    drafts: Arc<Connection>,
}

/// See the module.
pub(crate) struct Roster {
    local: Arc<Local>,
    peers: Mutex<BTreeMap<u64, Peer>>,
}

impl Roster {
    pub(crate) fn new(local: Arc<Local>) -> Self {
        Self { local, peers: Mutex::default() }
    }

    pub(crate) fn local(&self) -> &Arc<Local> {
        &self.local
    }

    /// The connection to a node; made, not yet connected, if there is none.
    pub(crate) fn to(&self, node: u64, address: &str, class: Class) -> Arc<Connection> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |class| {
            Arc::new(Connection::new(Arc::clone(&self.local), node, address.to_owned(), class))
        };
        let make = || Peer {
            address: address.to_owned(),
            entries: fresh(Class::Entries),
            control: fresh(Class::Control),
            drafts: fresh(Class::Drafts),
        };
        let peer = peers.entry(node).or_insert_with(make);
        if peer.address != address {
            *peer = make();
        }
        Arc::clone(match class {
            Class::Entries => &peer.entries,
            Class::Control | Class::Snapshot => &peer.control,
            Class::Drafts => &peer.drafts,
        })
    }

    /// Forgets every node that is not one of these.
    pub(crate) fn keep(&self, nodes: &[u64]) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|node, _| nodes.contains(node));
    }
}
