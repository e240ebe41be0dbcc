//! The dated list of every change of a persisted format, and the feature levels that gate commands.
//!
//! A cluster is at one level, which every node of it reads; an operator raises it once all run the
//! new program. Until then nothing of a higher level is written: no command
//! ([`Command::feature_level`](crate::command::Command::feature_level)), no layout
//! ([`Persisted::earlier`](crate::codec::Persisted::earlier)), and a rule that decides otherwise
//! than before asks `Applying::level` first. So an old and a new program apply the same log to the
//! same bytes, and the old one can be put back.
//!
//! A number is never reused. Each has golden bytes in `identity/tests/golden/`, decoded for ever.

/// One change of a persisted format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Counted from 1.
    pub number: u16,
    /// When it was made.
    pub date: &'static str,
    /// What changed.
    pub what: &'static str,
    /// The feature level that allows it to be written.
    pub feature_level: u16,
}

/// Every change, oldest first.
pub const CHANGES: &[Change] = &[
    Change { number: 1, date: "2026-11-24", what: "the first formats", feature_level: 1 },
    Change { number: 2, date: "2026-11-25", what: "refresh tokens", feature_level: 1 },
    Change { number: 3, date: "2026-11-25", what: "keys are replaced by name", feature_level: 1 },
    Change {
        number: 4,
        date: "2026-11-25",
        what: "sessions have idle limits, clients and rules; users have session epochs; people act \
               on their own account",
        feature_level: 1,
    },
    Change { number: 5, date: "2026-11-25", what: "attempts, password rules", feature_level: 1 },
    Change { number: 6, date: "2026-11-25", what: "consents", feature_level: 1 },
    Change {
        number: 7,
        date: "2026-11-25",
        what: "grants end with their user's epoch and need no session; people sign in to their own \
               account and change their password under their session's cookie",
        feature_level: 1,
    },
    Change {
        number: 8,
        date: "2026-11-25",
        what: "signs of life of a session alone",
        feature_level: 1,
    },
    Change { number: 9, date: "2026-11-25", what: "logout", feature_level: 1 },
    Change {
        number: 10,
        date: "2026-11-25",
        what: "people edit their profile; passwords that clients hand in",
        feature_level: 1,
    },
    Change {
        number: 11,
        date: "2026-11-25",
        what: "codes end with the credential they were drawn under",
        feature_level: 1,
    },
    Change {
        number: 12,
        date: "2026-11-25",
        what: "codes, refresh tokens and commands of clients with a key",
        feature_level: 1,
    },
    Change { number: 13, date: "2026-11-25", what: "licenses", feature_level: 1 },
    Change { number: 14, date: "2026-11-25", what: "rates of requests", feature_level: 1 },
    Change {
        number: 15,
        date: "2026-11-25",
        what: "clients have origins, an earlier secret, and keys that they must show; client \
               scopes",
        feature_level: 1,
    },
    Change { number: 16, date: "2026-11-25", what: "permissions and roles", feature_level: 1 },
    Change {
        number: 17,
        date: "2026-11-25",
        what: "restoring, retention of the audit trail",
        feature_level: 1,
    },
    Change { number: 18, date: "2026-11-25", what: "groups", feature_level: 1 },
    Change {
        number: 19,
        date: "2026-11-25",
        what: "what was issued to a client ends with its deletion for good",
        feature_level: 1,
    },
    Change {
        number: 20,
        date: "2026-11-25",
        what: "nodes, their authority and join tokens",
        feature_level: 1,
    },
    Change { number: 21, date: "2026-11-25", what: "where the outbox begins", feature_level: 1 },
    Change {
        number: 22,
        date: "2026-11-26",
        what: "branding, languages, rules of attempts and fields of profiles that tenants set; \
               mappers of roles and groups",
        feature_level: 1,
    },
    Change { number: 23, date: "2026-11-26", what: "handing the lead over", feature_level: 1 },
    Change { number: 24, date: "2026-11-26", what: "nodes that get no traffic", feature_level: 2 },
    Change {
        number: 25,
        date: "2026-11-26",
        what: "incarnations of a cluster; backups",
        feature_level: 2,
    },
    Change {
        number: 26,
        date: "2026-11-26",
        what: "deleted tenants come back, and what was issued in them does not; names of requests \
               are counted; colours of pages beside the accent",
        feature_level: 2,
    },
    Change {
        number: 27,
        date: "2026-11-26",
        what: "what became of the last backups",
        feature_level: 2,
    },
    Change {
        number: 28,
        date: "2026-11-26",
        what: "what people read before they sign in",
        feature_level: 2,
    },
    Change {
        number: 29,
        date: "2026-11-26",
        what: "networks from which nobody signs in",
        feature_level: 2,
    },
];

/// The level of a cluster that was never upgraded from the first formats.
pub const FIRST_LEVEL: u16 = 1;
/// The level from which on nodes can be drained.
pub const DRAINING: u16 = 2;
/// The level from which on a role is given by who holds it.
pub const HOLDERS_GIVE: u16 = 2;
/// The level from which on the cluster's own audit trail has rules.
pub const CLUSTER_AUDIT_RULES: u16 = 2;
/// The level from which on clusters have incarnations and backups.
pub const INCARNATIONS: u16 = 2;
/// The level from which on attempts are forgiven what stricter rules of before made of them.
pub const FORGIVING: u16 = 2;
/// The level from which on a tenant's idempotency rows are counted and bounded.
pub const KEYS_COUNTED: u16 = 2;
/// The level from which on the pages of a tenant have colours beside the accent.
pub const PALETTES: u16 = 2;
/// The level from which on deleted tenants can be restored.
pub const TENANTS_RETURN: u16 = 2;
/// The level from which on sign-in pages have notices.
pub const SIGN_IN_NOTICES: u16 = 2;
/// The level from which on networks are blocked.
pub const SOURCE_BLOCKS: u16 = 2;

/// The highest feature level that this program reads; the one before where a test has this process
/// play the program before this one.
pub fn program_level() -> u16 {
    #[cfg(feature = "planted")]
    if crate::planted::is_previous() {
        return FIRST_LEVEL;
    }
    DRAINING
}
