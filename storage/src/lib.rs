//! Bytes: the applied state of a node, what reads and writes it, and its raft log.
//!
//! [`Store`] keeps the state of one shard in an engine; [`View`] reads it at one position,
//! [`Overlay`] is what commands write to, [`Pending`] what the leader rehearses on. Only `keys`
//! knows the order of bytes. What rows mean is in `identity`, who agrees on them in `raft`.

mod adopting;
mod checksum;
mod disk;
pub mod engine;
mod generation;
mod kept;
pub mod keys;
mod layout;
pub mod log;
pub mod manifest;
mod memory;
pub mod meta;
mod opening;
mod overlay;
mod pending;
mod refusal;
mod rocks;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod view;

pub use adopting::adopt;
pub use checksum::{FamilySum, StateSum, checksum};
pub use engine::{Batch, Kind, Tuning};
pub use generation::Pinned;
pub use kept::{STATE_IS_DAMAGED, Snapshot};
pub use keys::{Family, Key, Range, Space};
pub use layout::Owner;
pub use manifest::Manifest;
pub use meta::{Applied, Mark, Meta};
pub use opening::{OnDisk, applied_on_disk};
pub use overlay::{Overlay, WriteSet};
pub use pending::Pending;
pub use refusal::Refusal;
pub use snapshot::MANIFEST;
pub use store::{Failpoint, Options, Step, Store};
pub use view::{Event, Live, Reads, View};
