//! The connections of this node to every other one, by node and class, shared by whoever asks.
//!
//! A node whose address changes gets new connections; one that left is forgotten when the pinger
//! finds it gone.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{connection::Connection, local::Local, message::Class, transfer::Outgoing};

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
    /// Where each member is, by the newest membership; whoever asks may hold an older address.
    addresses: Mutex<BTreeMap<u64, String>>,
    outgoing: Outgoing,
}

impl Roster {
    pub(crate) fn new(local: Arc<Local>) -> Self {
        Self {
            local,
            peers: Mutex::default(),
            addresses: Mutex::default(),
            outgoing: Outgoing::default(),
        }
    }

    pub(crate) fn local(&self) -> &Arc<Local> {
        &self.local
    }

    /// The snapshots that this node sends, whomever to.
    pub(crate) const fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// Where a node is, or where somebody believes it to be.
    pub(crate) fn address(&self, node: u64, believed: &str) -> String {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.get(&node).map_or_else(|| believed.to_owned(), Clone::clone)
    }

    /// The connection to a node; made, not yet connected, if there is none.
    pub(crate) fn to(&self, node: u64, believed: &str, class: Class) -> Arc<Connection> {
        let address = self.address(node, believed);
        let address = address.as_str();
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

    /// The members of now; every other node is forgotten.
    pub(crate) fn keep(&self, members: &[(u64, String)]) {
        let addressed = members.iter().filter(|(_, address)| !address.is_empty());
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) =
            addressed.cloned().collect();
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|node, _| members.iter().any(|(member, _)| member == node));
    }
}
