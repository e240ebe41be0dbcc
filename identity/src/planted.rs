//! Faults planted on purpose, to see that the tests of whole nodes notice each of them, and steps
//! at which a process ends as if it were killed just there.
//!
//! Only under the cargo feature `planted`, which no release has; a process shows at most one, the
//! one it was told at its start. Invariant: without a word nothing is different.

use std::sync::OnceLock;

/// What a node does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// The log acknowledges before it is on disk.
    AckBeforeSync,
    /// A request that comes again is done again.
    DedupOff,
    /// The state's families are flushed one by one.
    AtomicFlushOff,
    /// A vote is given before it is on disk.
    VoteUnsynced,
    /// A leader takes an entry for written that another node did not answer for yet.
    AckBeforeCommit,
    /// A fresh read does not ask whether anything newer was acknowledged.
    ReadWithoutBarrier,
    /// The expected revision of a change is not looked at.
    CasSkipped,
    /// A snapshot brings no membership along.
    MembershipDropped,
    /// What happened is told twice to those who follow the changes.
    OutboxDoubled,
    /// A node that was sent entries with a hole takes the hole for an empty entry.
    HoleAccepted,
    /// A leader that nobody answers goes on to read by its own word.
    StaleLease,
    /// A node redeems a code by its own state and tells the others later.
    CodeWithoutConsensus,
    /// A token that counted once counts for a minute.
    RevocationCached,
    /// A node issues a client's tokens by its own state and tells the others later.
    IssueWithoutConsensus,
}

/// Every fault by its name.
pub const NAMED: [(&str, Planted); 14] = [
    ("ack-before-sync", Planted::AckBeforeSync),
    ("dedup-off", Planted::DedupOff),
    ("atomic-flush-off", Planted::AtomicFlushOff),
    ("vote-unsynced", Planted::VoteUnsynced),
    ("ack-before-commit", Planted::AckBeforeCommit),
    ("read-without-barrier", Planted::ReadWithoutBarrier),
    ("cas-skipped", Planted::CasSkipped),
    ("membership-dropped", Planted::MembershipDropped),
    ("outbox-doubled", Planted::OutboxDoubled),
    ("hole-accepted", Planted::HoleAccepted),
    ("stale-lease", Planted::StaleLease),
    ("code-without-consensus", Planted::CodeWithoutConsensus),
    ("revocation-cached", Planted::RevocationCached),
    ("issue-without-consensus", Planted::IssueWithoutConsensus),
];

static SHOWN: OnceLock<Planted> = OnceLock::new();
static ENDS_AT: OnceLock<String> = OnceLock::new();
static PREVIOUS: OnceLock<()> = OnceLock::new();

/// The name of no fault: the process plays the program before this one, of the feature level below.
pub const PREVIOUS_PROGRAM: &str = "previous-program";

/// Has this process show a fault, play [`PREVIOUS_PROGRAM`], or end at a step (`ends-at-` and its
/// name); false for a name that no fault has.
pub fn show(name: &str) -> bool {
    if name == PREVIOUS_PROGRAM {
        PREVIOUS.get_or_init(|| ());
        return true;
    }
    if let Some(step) = name.strip_prefix("ends-at-") {
        return ENDS_AT.get_or_init(|| step.to_owned()) == step;
    }
    let found = NAMED.iter().find(|(known, _)| *known == name);
    found.is_some_and(|(_, fault)| *SHOWN.get_or_init(|| *fault) == *fault)
}

/// Ends this process if it was told to at this step: nothing is written, told or tidied up.
pub fn passes(step: &str) {
    if ENDS_AT.get().is_some_and(|ends_at| ends_at == step) {
        std::process::abort();
    }
}

/// Whether this process plays the program before this one.
pub fn is_previous() -> bool {
    PREVIOUS.get().is_some()
}

/// Whether this process shows a fault.
pub fn shows(fault: Planted) -> bool {
    SHOWN.get() == Some(&fault)
}
