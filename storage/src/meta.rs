//! The state's own values: how far it is applied, who belongs to it, what time it has reached.
//!
//! They are written in the same batch as the rows they describe. Membership and log id are opaque
//! here. Invariant: an item's code in the key is the kind in its envelope, and neither is reused.

use serde::{Deserialize, Serialize};

use identity::{
    codec::{self, Persisted},
    fault::Fault,
};

use crate::{engine::Batch, keys, view::Reads};

/// Layout of `state/` that this program writes and the newest it reads.
pub const STATE_FORMAT: u16 = 1;

/// The last applied entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Applied {
    /// Its log index.
    pub index: u64,
    /// Its whole log id, as `raft` encodes it.
    pub log_id: Vec<u8>,
}

/// What a commit records beside the rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// The last entry in the batch.
    pub applied: Applied,
    /// State time reached, milliseconds since 1970.
    pub last_stamp_ms: u64,
    /// The cluster's feature level.
    pub feature_level: u16,
    /// The membership, as `raft` encodes it, when the batch changes it.
    pub membership: Option<Vec<u8>>,
    /// The incarnation that begins behind the batch, when one does.
    pub incarnation: Option<u32>,
}

/// All values together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta {
    /// The last applied entry; `None` before the first.
    pub applied: Option<Applied>,
    /// The last applied membership.
    pub membership: Option<Vec<u8>>,
    /// State time reached, milliseconds since 1970.
    pub last_stamp_ms: u64,
    /// The cluster's feature level; 0 before the first entry.
    pub feature_level: u16,
    /// Raised when a cluster is recovered from lost quorum or restored from a backup.
    pub incarnation: u32,
    /// The cluster this state belongs to.
    pub cluster: Option<[u8; 16]>,
    /// What proves that a root secret is the cluster's.
    pub key_check: Option<Vec<u8>>,
    /// Layout of the state.
    pub format: u16,
}

macro_rules! items {
    ($($name:ident($value:ty) = $kind:literal),+ $(,)?) => {$(
        #[derive(Serialize, Deserialize)]
        struct $name($value);

        impl Persisted for $name {
            const KIND: [u8; 2] = *$kind;
        }
    )+};
}

items!(
    Membership(Vec<u8>) = b"_M",
    LastStamp(u64) = b"_S",
    FeatureLevel(u16) = b"_F",
    Incarnation(u32) = b"_I",
    Cluster([u8; 16]) = b"_C",
    KeyCheck(Vec<u8>) = b"_K",
    Format(u16) = b"_V",
);

impl Persisted for Applied {
    const KIND: [u8; 2] = *b"_A";
}

fn get<T: Persisted>(from: &impl Reads) -> Result<Option<T>, Fault> {
    match from.read(&keys::meta(from.space().shard, T::KIND))? {
        Some(bytes) => Ok(Some(codec::decode(&bytes)?)),
        None => Ok(None),
    }
}

fn put<T: Persisted>(batch: &mut Batch, shard: u32, value: &T) {
    batch.put(keys::meta(shard, T::KIND), codec::encode(value));
}

/// The last applied entry.
pub(crate) fn applied(from: &impl Reads) -> Result<Option<Applied>, Fault> {
    get(from)
}

/// Reads all values.
pub(crate) fn read(from: &impl Reads) -> Result<Meta, Fault> {
    Ok(Meta {
        applied: get::<Applied>(from)?,
        membership: get::<Membership>(from)?.map(|item| item.0),
        last_stamp_ms: get::<LastStamp>(from)?.map_or(0, |item| item.0),
        feature_level: get::<FeatureLevel>(from)?.map_or(0, |item| item.0),
        incarnation: get::<Incarnation>(from)?.map_or(0, |item| item.0),
        cluster: get::<Cluster>(from)?.map(|item| item.0),
        key_check: get::<KeyCheck>(from)?.map(|item| item.0),
        format: get::<Format>(from)?.map_or(0, |item| item.0),
    })
}

/// Adds a mark to its batch.
pub(crate) fn write_mark(batch: &mut Batch, shard: u32, mark: &Mark) {
    put(batch, shard, &mark.applied);
    put(batch, shard, &LastStamp(mark.last_stamp_ms));
    put(batch, shard, &FeatureLevel(mark.feature_level));
    if let Some(membership) = &mark.membership {
        put(batch, shard, &Membership(membership.clone()));
    }
    if let Some(incarnation) = mark.incarnation {
        put(batch, shard, &Incarnation(incarnation));
    }
}

/// Writes the layout's number into a new state.
pub(crate) fn write_format(batch: &mut Batch, shard: u32) {
    put(batch, shard, &Format(STATE_FORMAT));
}

/// Writes what says whose state it is.
pub(crate) fn write_identity(
    batch: &mut Batch,
    shard: u32,
    cluster: Option<[u8; 16]>,
    key_check: Option<&[u8]>,
) {
    if let Some(cluster) = cluster {
        put(batch, shard, &Cluster(cluster));
    }
    if let Some(key_check) = key_check {
        put(batch, shard, &KeyCheck(key_check.to_vec()));
    }
}

/// Whether a row of this family is the same on every replica at the same position.
///
/// Whose state it is and its layout are written outside the log, at each node's own time.
pub(crate) fn is_replicated(shard: u32, key: &[u8]) -> bool {
    [Applied::KIND, Membership::KIND, LastStamp::KIND, FeatureLevel::KIND, Incarnation::KIND]
        .into_iter()
        .any(|item| keys::meta(shard, item).bytes() == key)
}
