//! Who makes a request, and from where.
//!
//! A principal is what a verified token or the node itself says; what it may do is decided from
//! state by [`authorize`](crate::authorize), never from here.

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, TenantId, UserId};

/// Which parts of the administration API a token opens (`read`, `write`, `platform`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ApiScopes {
    /// Reading.
    pub read: bool,
    /// Changing.
    pub write: bool,
    /// Platform permissions (tenants, cluster, licences) of a default-tenant principal.
    pub platform: bool,
}

/// Whoever makes a request. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// Nobody is known yet.
    Anonymous,
    /// The cluster itself: sagas, sweeping, rotation, checkpoints.
    System,
    /// Whoever holds the bootstrap secret, until setup has closed.
    Bootstrap,
    /// A person, through a client.
    User {
        /// The tenant whose account it is.
        tenant: TenantId,
        /// The account.
        user: UserId,
        /// The client that holds the token.
        client: ClientId,
        /// What the token opens of the administration API.
        scopes: ApiScopes,
    },
    /// A service, as itself.
    Client {
        /// The tenant it is registered in.
        tenant: TenantId,
        /// The client.
        client: ClientId,
        /// What the token opens of the administration API.
        scopes: ApiScopes,
    },
    /// A person at their own account, by the session of their browser. What they may do there is
    /// decided by the session, and nothing else is theirs.
    Person {
        /// The tenant whose account it is.
        tenant: TenantId,
        /// The account.
        user: UserId,
    },
}

/// Where a request came from. Personal: stored only in erasable side rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Source {
    /// Drawn by the flow; salts the commitment that the audit chain hashes.
    pub salt: [u8; 16],
    /// The address as text, empty for the cluster itself.
    pub address: String,
    /// The user agent, at most 256 bytes.
    pub user_agent: String,
}
