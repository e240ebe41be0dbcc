//! What a planted fault makes of what another node sends. Only under the cargo feature `planted`.

use identity::planted::{self, Planted};
use openraft::{EntryPayload, entry::RaftEntry as _, raft::AppendEntriesRequest};

use crate::types::Binding;

/// Every so manieth entry is a hole.
const EVERY: u64 = 8;

/// Entries of which some were lost and nobody looks.
pub(super) fn with_holes(
    mut request: AppendEntriesRequest<Binding>,
) -> AppendEntriesRequest<Binding> {
    if planted::shows(Planted::HoleAccepted) {
        for entry in &mut request.entries {
            let index = entry.index();
            let ours = matches!(entry.payload, EntryPayload::Normal(_));
            if ours && index.is_multiple_of(EVERY) {
                entry.payload = EntryPayload::Blank;
            }
        }
    }
    request
}
