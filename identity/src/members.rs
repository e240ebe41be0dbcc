//! The nodes of the cluster as records: who belongs to it, who vouches for them, who may join.
//!
//! A node is a [`Member`] from the moment its join is applied; what agreement knows of voters and
//! learners follows the wanted roles that stand here, not the other way round. Node ids are given
//! out in `apply` and never again, and neither a removed node nor its key ever comes back.
//! Invariant: there are never fewer wanted voters than the cluster's least, and at least one.

mod anew;
mod apply;
pub mod old;
mod tokens;

use serde::{Deserialize, Serialize};

use crate::{
    authorize::Permission,
    changes,
    codec::{self, Layout, Persisted},
    fault::Fault,
    id::{JoinTokenId, TenantId},
    name,
    outcome::Rejection,
    secret::{Digest, Sealed},
    table::{self, FoundRow, Record, Span, Tables, record_by},
};

pub(crate) use anew::alone;
pub use tokens::{BY_DIGEST, JoinToken, TOKEN_LIFETIME_MAX_S, TOKENS, TOKENS_MAX, token};

/// Seeing the cluster's nodes.
pub const READ: Permission = Permission::read("cluster").of_platform();
/// Letting nodes in, moving them and removing them.
pub const WRITE: Permission = Permission::write("cluster").of_platform();

/// The node that founded the cluster.
pub const FIRST_NODE: u64 = 1;
/// The authority's one id.
pub const AUTHORITY_ID: [u8; 16] = [0; 16];
/// Most nodes of a cluster.
pub const MEMBERS_MAX: usize = 64;

/// Unique index of members over their keys, in hexadecimal; a removed member keeps its entry.
pub const BY_KEY: u8 = 1;
/// List of members that were not removed, by [`Role::name`].
pub const BY_ROLE: u8 = 2;
/// What a node is to be in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It votes, once it has caught up.
    Voter,
    /// It follows and answers, and never votes.
    Learner,
}

impl Role {
    /// As interfaces and the index name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Voter => "voter",
            Self::Learner => "learner",
        }
    }
}

/// What a node says of itself when it joins and at each start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// For people.
    pub name: String,
    /// Where other nodes reach its cluster port, `host:port`.
    pub address: String,
    /// Where it stands; empty if nobody said.
    pub zone: String,
    /// Its program's version.
    pub version: String,
    /// The highest feature level that its program reads.
    pub feature_level: u16,
}

impl Presence {
    /// Every rule about it.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        word("/name", &self.name)?;
        address("/address", &self.address)?;
        if !self.zone.is_empty() {
            word("/zone", &self.zone)?;
        }
        name::text("/version", &self.version)
    }
}

/// A name as the configuration takes them: 1 to 63 letters, digits, `.`, `-`, `_`.
fn word(field: &str, value: &str) -> Result<(), Rejection> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if value.is_empty() || value.len() > 63 || !value.chars().all(fine) {
        let reason = "must be 1 to 63 letters, digits, `.`, `-` or `_`";
        return Err(Rejection::invalid(field, reason));
    }
    Ok(())
}

/// Where a node is reached: `host:port`, IPv6 addresses in brackets.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn address(field: &str, value: &str) -> Result<(), Rejection> {
    let (host, port) = name::split_port(value);
    let digits = |port: &&str| port.chars().all(|c| c.is_ascii_digit());
    let port = port.filter(digits).and_then(|port| port.parse::<u16>().ok());
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let fine = match inner {
        Some(inner) => inner.chars().all(|c| c.is_ascii_hexdigit() || ":.".contains(c)),
        None => host.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)),
    };
    if host.is_empty() || host.len() > 253 || !fine || port.is_none_or(|port| port == 0) {
        return Err(Rejection::invalid(field, "must be host:port, as other nodes reach it"));
    }
    Ok(())
}

/// A node of the cluster, or one that was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// One more with every write.
    pub revision: u64,
    /// Its number; never given to another.
    pub node: u64,
    /// For people.
    pub name: String,
    /// Where other nodes reach its cluster port, `host:port`.
    pub address: String,
    /// Where it stands; empty if nobody said.
    pub zone: String,
    /// SHA-256 of its public key: the 65 bytes of an uncompressed point of P-256.
    pub key: Digest,
    /// What it is to be.
    pub role: Role,
    /// When it joined, state time in milliseconds.
    pub joined_at_ms: u64,
    /// When it was removed for good, state time in milliseconds.
    pub removed_at_ms: Option<u64>,
    /// Its program's version, as of its last start.
    pub version: String,
    /// The highest feature level that its program reads, as of its last start.
    pub feature_level: u16,
    /// Since when it is to get no traffic and not to lead, state time in milliseconds.
    pub drained_at_ms: Option<u64>,
}

impl Persisted for Member {
    const KIND: [u8; 2] = *b"mb";
    const VERSION: u16 = 2;

    fn reads() -> u16 {
        if changes::program_level() < changes::DRAINING { 1 } else { 2 }
    }

    fn earlier(&self, level: u16) -> Option<Layout> {
        (level < changes::DRAINING).then(|| Layout::new(1, &old::MemberV1::from(self)))
    }

    fn upgrade(version: u16, body: &[u8]) -> Result<Self, codec::Error> {
        match version {
            1 => codec::body_from::<old::MemberV1>(body).map(Self::from),
            _ => Err(codec::Error::Version { kind: Self::KIND, version }),
        }
    }
}

impl Record for Member {
    fn key(&self) -> [u8; 16] {
        member_id(self.node)
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn deleted_at_ms(&self) -> Option<u64> {
        self.removed_at_ms
    }

    fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }
}

impl Member {
    /// Whether this is what a node says of itself.
    pub fn says(&self, presence: &Presence) -> bool {
        let Presence { name, address, zone, version, feature_level } = presence;
        (&self.name, &self.address, &self.zone) == (name, address, zone)
            && (&self.version, &self.feature_level) == (version, feature_level)
    }
}

/// The id of a node's record.
pub fn member_id(node: u64) -> [u8; 16] {
    u128::from(node).to_be_bytes()
}

/// Whether whoever shows a key may speak as the node of a record: a removed one may not, nor may
/// one without a record.
pub fn admits(record: Option<&Member>, key: &Digest) -> bool {
    record.is_some_and(|member| member.removed_at_ms.is_none() && member.key.matches(key))
}

/// Whether a node without a record here joined after what this state knows: numbers are given in
/// order, and whoever is removed keeps its record.
///
/// # Errors
/// Faults only.
pub fn is_newer(tables: &impl Tables, node: u64) -> Result<bool, Fault> {
    let authority = table::record::<Authority>(tables, TenantId::CLUSTER, AUTHORITY_ID)?;
    Ok(authority.is_some_and(|authority| node >= authority.next_node))
}

/// Who vouches for the nodes, and what their cluster is to keep to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// One more with every write.
    pub revision: u64,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// Its private key (PKCS #8), sealed.
    pub key: Sealed,
    /// The number of the next node that joins.
    pub next_node: u64,
    /// Fewer wanted voters than this are never left.
    pub voters_min: u16,
    /// Where the leader had best stand.
    pub preferred_zone: Option<String>,
}

impl Persisted for Authority {
    const KIND: [u8; 2] = *b"ca";
}

impl Record for Authority {
    record_by!(= AUTHORITY_ID, never deleted);
}

/// What a cluster is founded with anew, on a node that goes on alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founding {
    /// The new authority's certificate, DER.
    pub certificate: Vec<u8>,
    /// Its private key, sealed.
    pub authority: Sealed,
    /// SHA-256 of the node's new public key.
    pub key: Digest,
    /// What the node says of itself.
    pub presence: Presence,
}

/// Changes of who belongs to the cluster. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The authority and the first node, unless they are there. By the cluster itself.
    Found {
        /// The authority's certificate, DER.
        certificate: Vec<u8>,
        /// Its private key, sealed.
        authority: Sealed,
        /// SHA-256 of the first node's public key.
        key: Digest,
        /// What the first node says of itself.
        presence: Presence,
    },
    /// Makes a join token.
    CreateToken {
        /// Its id.
        id: JoinTokenId,
        /// Digest of its secret.
        digest: Digest,
        /// What the node is to be.
        role: Role,
        /// How long it lives, seconds.
        lifetime_s: u32,
    },
    /// Takes a join token back.
    RevokeToken(JoinTokenId),
    /// A node joins with a token. By the cluster itself, in the name of a stranger.
    Join {
        /// Digest of the token's secret.
        token: Digest,
        /// SHA-256 of the node's public key.
        key: Digest,
        /// What it says of itself.
        presence: Presence,
    },
    /// What a node is to be from now on.
    SetRole {
        /// Which.
        node: u64,
        /// What.
        role: Role,
    },
    /// A node belongs to the cluster no more, for good.
    Remove {
        /// Which.
        node: u64,
    },
    /// What the cluster is to keep to.
    SetSettings {
        /// Revision the authority was read at; none means whatever it is.
        expected: Option<u64>,
        /// Fewer wanted voters than this are never left.
        voters_min: u16,
        /// Where the leader had best stand.
        preferred_zone: Option<String>,
    },
    /// A node started as something else than it was. By the cluster itself.
    Announce {
        /// Which.
        node: u64,
        /// What it says of itself.
        presence: Presence,
    },
    /// Somebody wants another node to lead. Writes nothing but its audit event: whoever leads when
    /// it is applied hands over.
    TransferLeader {
        /// Which.
        node: u64,
    },
    /// A node gets no traffic and does not lead, or does again.
    SetDrained {
        /// Which.
        node: u64,
        /// Whether it gets none.
        drained: bool,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Found { .. } => "members.found",
            Self::CreateToken { .. } => "members.create_token",
            Self::RevokeToken(_) => "members.revoke_token",
            Self::Join { .. } => "members.join",
            Self::SetRole { .. } => "members.set_role",
            Self::Remove { .. } => "members.remove",
            Self::SetSettings { .. } => "members.set_settings",
            Self::Announce { .. } => "members.announce",
            Self::TransferLeader { .. } => "members.transfer_leader",
            Self::SetDrained { drained: true, .. } => "members.drain",
            Self::SetDrained { drained: false, .. } => "members.undrain",
        }
    }

    pub(crate) const fn feature_level(&self) -> u16 {
        match self {
            Self::SetDrained { .. } => changes::DRAINING,
            _ => changes::FIRST_LEVEL,
        }
    }
}

/// The record of a node, removed or not.
///
/// # Errors
/// Faults only.
pub fn get(tables: &impl Tables, node: u64) -> Result<Option<Member>, Fault> {
    table::record(tables, TenantId::CLUSTER, member_id(node))
}

/// Whoever belongs to the cluster now, by node.
///
/// # Errors
/// Faults only.
pub fn all(tables: &impl Tables) -> Result<Vec<Member>, Fault> {
    let (table, prefix, after) = (Member::TABLE, &b""[..], None);
    let span = Span::Index { table, index: BY_ROLE, prefix, after, unique: false };
    let mut members = Vec::new();
    for found in tables.scan(TenantId::CLUSTER, span, MEMBERS_MAX, false)? {
        if let FoundRow::Listed { id, .. } = found.row {
            members.extend(table::record::<Member>(tables, TenantId::CLUSTER, id)?);
        }
    }
    members.sort_by_key(|member| member.node);
    Ok(members)
}

/// Who vouches for the nodes, once the cluster was founded.
///
/// # Errors
/// Faults only.
pub fn authority(tables: &impl Tables) -> Result<Option<Authority>, Fault> {
    table::record(tables, TenantId::CLUSTER, AUTHORITY_ID)
}

pub(crate) fn hexadecimal(digest: &Digest) -> String {
    digest.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
