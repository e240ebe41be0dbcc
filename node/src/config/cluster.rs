//! The cluster port: where other nodes reach this one, and which cluster it joins.
//!
//! Rules across its settings and what they come to; forms are in `value`. Whether a node still has
//! to join is known to its data directory alone, so a missing join token is kept as the reason why
//! there is none. Invariant: what is advertised names one host and one port.

use std::net::SocketAddr;

use crate::config::{
    Problem, Secret,
    checks::Values,
    layers::{Origin, Resolved, origin_of},
};

/// The cluster port of a node.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Where it listens for other nodes.
    pub bind: SocketAddr,
    /// Where they reach it, host and port.
    pub advertise: String,
    /// Where it stands; empty if nobody said.
    pub zone: String,
    /// The cluster that it joins at its first start.
    pub join: Option<Join>,
}

/// A cluster to join.
#[derive(Debug, Clone)]
pub struct Join {
    /// Host and cluster port of any of its nodes.
    pub host: String,
    /// The join token, or why there is none, which only a node without data needs to know.
    pub token: Result<Secret, String>,
}

/// What is advertised if nobody says: where it listens, by name where that is every address.
pub(super) fn advertised(bind: &str, name: &str) -> Option<String> {
    let address: SocketAddr = bind.parse().ok()?;
    if address.ip().is_unspecified() {
        return Some(format!("{name}:{}", address.port()));
    }
    Some(address.to_string())
}

/// Finds what does not go together.
pub(super) fn check(values: &Values, resolved: &Resolved, problems: &mut Vec<Problem>) {
    let (join, token) = (values.text("JOIN"), values.text("JOIN_TOKEN"));
    if join.is_none() {
        problems.extend(resolved.token_gone.clone());
    }
    let mut wrong = |name: &str, message: &str| {
        problems.push(Problem::at(name, &origin_of(resolved, name), message));
    };
    if let Some(bind) = values.listen("CLUSTER_BIND") {
        if bind.port() == 0 {
            wrong("CLUSTER_BIND", "must name a port: other nodes keep this node's address");
        }
        let advertised = values.text("CLUSTER_ADVERTISE");
        let address = advertised.and_then(|text| text.parse().ok());
        if address.is_some_and(|address: SocketAddr| address.ip().is_unspecified()) {
            wrong("CLUSTER_ADVERTISE", "must be an address that other nodes can call");
        }
        // One that was given and is none has its own problem.
        let given = origin_of(resolved, "CLUSTER_ADVERTISE") != Origin::Default;
        if advertised.is_none() && !given {
            wrong("CLUSTER_ADVERTISE", "must be set, because NODE_NAME is not a host name");
        }
    } else if join.is_some() {
        wrong("JOIN", "needs CLUSTER_BIND: the cluster calls this node, too");
    }
    if join.is_none() && token.is_some() {
        wrong("JOIN_TOKEN", "needs JOIN: the host and cluster port of a node of the cluster");
    }
}

/// What the settings come to.
pub(super) fn built(values: &Values, resolved: &Resolved) -> Option<Cluster> {
    Some(Cluster {
        bind: values.listen("CLUSTER_BIND")?,
        advertise: values.text("CLUSTER_ADVERTISE")?.to_owned(),
        zone: values.text("ZONE").unwrap_or_default().to_owned(),
        join: values
            .text("JOIN")
            .map(|host| Join { host: host.to_owned(), token: token(values, resolved) }),
    })
}

fn token(values: &Values, resolved: &Resolved) -> Result<Secret, String> {
    match (values.text("JOIN_TOKEN"), &resolved.token_gone) {
        (Some(token), _) => Ok(Secret::new(token.to_owned())),
        (None, Some(gone)) => Err(gone.to_string()),
        (None, None) => Err("JOIN_TOKEN is not set".to_owned()),
    }
}
