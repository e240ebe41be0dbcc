//! Login sessions: who signed in, when, from where, and which clients they went on to.
//!
//! The browser's cookie names the session and carries a secret whose digest is inside the record,
//! because it changes at every rise of assurance while the session stays. A session ends by itself
//! (absolute end, not seen for too long), by a command, or with all others of its user when the
//! user's epoch moves. Invariant: whether it counts is only asked through [`Session::counts`].

mod apply;
mod rules;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    authorize::Permission,
    codec::{self, Persisted},
    id::{ClientId, SessionId, UserId},
    secret::Digest,
    table::{Record, Table, record_by},
    users::User,
};

pub(crate) use apply::{Beginning, any_listed, asked_from, begin, carry_over, presented, seen};

pub use rules::Rules;

/// List of live sessions by user id.
pub const BY_USER: u8 = 1;

/// Reading sessions.
pub const READ: Permission = Permission::read("sessions");
/// Ending sessions and changing their rules.
pub const WRITE: Permission = Permission::write("sessions");

/// Most clients that a session remembers; a further one is served, but not remembered.
pub const CLIENTS_MAX: usize = 128;

/// Longest stretch that a sign of life may go unrecorded, milliseconds.
const WINDOW_MAX_MS: u64 = 60_000;

/// How a person proved who they are. Variants are only ever appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A password.
    Password,
}

/// A login session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id, `sid` in ID tokens.
    pub id: SessionId,
    /// One more with every write.
    pub revision: u64,
    /// Who.
    pub user: UserId,
    /// The user's epoch it began in.
    pub epoch: u64,
    /// Digest of the browser's cookie.
    pub cookie: Digest,
    /// Address at the last sign-in.
    pub address: String,
    /// User agent at the last sign-in, at most 256 bytes.
    pub user_agent: String,
    /// When it began, state time in milliseconds.
    pub began_at_ms: u64,
    /// When the person last proved who they are, state time in milliseconds.
    pub authenticated_at_ms: u64,
    /// By what.
    pub methods: BTreeSet<Method>,
    /// When it was last used, to within [`Session::window_ms`], state time in milliseconds.
    pub seen_at_ms: u64,
    /// How long it may go unused, seconds.
    pub idle_s: u32,
    /// Absolute end, state time in milliseconds.
    pub expires_at_ms: u64,
    /// When it was ended, state time in milliseconds.
    pub ended_at_ms: Option<u64>,
    /// Clients that were given a code in it, at most [`CLIENTS_MAX`].
    pub clients: BTreeSet<ClientId>,
}

impl Session {
    /// Whether it still counts for its user at a state time.
    pub fn counts(&self, user: &User, now_ms: u64) -> bool {
        self.user == user.id && self.epoch == user.session_epoch && user.live() && self.live(now_ms)
    }

    /// Whether it has neither been ended nor ended by itself; its user is asked in
    /// [`Session::counts`].
    pub const fn live(&self, now_ms: u64) -> bool {
        self.ended_at_ms.is_none() && now_ms < self.ends_at_ms()
    }

    /// As it is after its person proved once more who they are. The cookie is a new one, so that
    /// whoever knew the old one gains nothing by it.
    pub(crate) fn raised(&self, cookie: Digest, method: Method, now_ms: u64) -> Self {
        let mut raised =
            Self { cookie, authenticated_at_ms: now_ms, seen_at_ms: now_ms, ..self.clone() };
        raised.methods.insert(method);
        raised
    }

    /// When it ends if it is not used any more, state time in milliseconds: what may have gone
    /// unrecorded is in its favor.
    pub const fn ends_at_ms(&self) -> u64 {
        let idle_ms = (self.idle_s as u64).saturating_mul(1000);
        let idle_at_ms = self.seen_at_ms.saturating_add(idle_ms).saturating_add(self.window_ms());
        if idle_at_ms < self.expires_at_ms { idle_at_ms } else { self.expires_at_ms }
    }

    /// Whether a sign of life at a state time is to be recorded.
    pub const fn unrecorded(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.seen_at_ms) >= self.window_ms()
    }

    /// How long signs of life are left unrecorded, so that not every use is a write.
    pub const fn window_ms(&self) -> u64 {
        let tenth_ms = (self.idle_s as u64).saturating_mul(100);
        if tenth_ms < WINDOW_MAX_MS { tenth_ms } else { WINDOW_MAX_MS }
    }
}

impl Persisted for Session {
    const KIND: [u8; 2] = *b"se";
    const VERSION: u16 = 2;

    fn upgrade(version: u16, body: &[u8]) -> Result<Self, codec::Error> {
        match version {
            1 => Ok(codec::body_from::<SessionV1>(body)?.into()),
            _ => Err(codec::Error::Version { kind: Self::KIND, version }),
        }
    }
}

impl Record for Session {
    const HISTORY: bool = false;

    record_by!(id, never deleted);

    fn issued_at_ms(&self) -> Option<u64> {
        Some(self.began_at_ms)
    }
}

/// The table of sessions.
pub const SESSIONS: Table = Table(Session::KIND);

/// A session before idle limits and participating clients.
#[derive(Serialize, Deserialize)]
struct SessionV1 {
    id: SessionId,
    revision: u64,
    user: UserId,
    cookie: Digest,
    address: String,
    user_agent: String,
    authenticated_at_ms: u64,
    expires_at_ms: u64,
    ended_at_ms: Option<u64>,
}

impl From<SessionV1> for Session {
    fn from(old: SessionV1) -> Self {
        Self {
            id: old.id,
            revision: old.revision,
            user: old.user,
            epoch: 0,
            cookie: old.cookie,
            address: old.address,
            user_agent: old.user_agent,
            began_at_ms: old.authenticated_at_ms,
            authenticated_at_ms: old.authenticated_at_ms,
            methods: BTreeSet::from([Method::Password]),
            seen_at_ms: old.authenticated_at_ms,
            // It was promised no idle limit: only its absolute end counts.
            idle_s: u32::MAX,
            expires_at_ms: old.expires_at_ms,
            ended_at_ms: old.ended_at_ms,
            clients: BTreeSet::new(),
        }
    }
}

/// What a browser's cookie says: which session, and the digest of its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presented {
    /// Which session.
    pub session: SessionId,
    /// Digest of the cookie's secret.
    pub cookie: Digest,
}

impl Presented {
    /// Whether a session is the one whose cookie this is, in constant time.
    pub fn opens(&self, session: &Session) -> bool {
        self.session == session.id && self.cookie.matches(&session.cookie)
    }
}

/// A person who proved who they are, for their own account: no client asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Who.
    pub user: UserId,
    /// The credential revision the password was verified against.
    pub credential_revision: u64,
    /// The session's id, if a new one begins.
    pub session: SessionId,
    /// Digest of the session's new cookie.
    pub cookie: Digest,
    /// What the browser showed: this session goes on if it is the same person's, else it ends.
    pub presented: Option<Presented>,
    /// Address, for the session's own record.
    pub address: String,
    /// User agent, at most 256 bytes.
    pub user_agent: String,
}

/// Changes of sessions. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Ends one.
    End {
        /// Which.
        id: SessionId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
    },
    /// Ends all of a user, those that begin later excepted.
    EndAll {
        /// Whose.
        user: UserId,
    },
    /// Changes the tenant's rules.
    SetRules {
        /// Revision they were read at; none means whatever it is.
        expected: Option<u64>,
        /// How long a session may go unused, seconds.
        idle_s: u32,
        /// Most live sessions of one user.
        per_user_max: u16,
    },
    /// A person ends one of their own.
    EndOwn {
        /// What their browser showed.
        by: Presented,
        /// Which.
        id: SessionId,
    },
    /// A person ends all of their own but the one they ask from.
    EndOthers {
        /// What their browser showed.
        by: Presented,
    },
    /// A person signs in to their own account.
    SignIn(Box<SignIn>),
    /// One was used without anything else being written.
    Seen {
        /// Which.
        id: SessionId,
    },
    /// Ends, one by one, sessions of a user that ended all at once. By the cluster itself.
    Settle {
        /// Whose.
        user: UserId,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::End { .. } => "sessions.end",
            Self::EndAll { .. } => "sessions.end_all",
            Self::SetRules { .. } => "sessions.set_rules",
            Self::EndOwn { .. } => "sessions.end_own",
            Self::EndOthers { .. } => "sessions.end_others",
            Self::SignIn(_) => "sessions.sign_in",
            Self::Seen { .. } => "sessions.seen",
            Self::Settle { .. } => "sessions.settle",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(idle_s: u32) -> Session {
        let old = SessionV1 {
            id: SessionId::from_bytes([1; 16]),
            revision: 1,
            user: UserId::from_bytes([2; 16]),
            cookie: Digest::of(b"cookie"),
            address: String::new(),
            user_agent: String::new(),
            authenticated_at_ms: 1_000_000,
            expires_at_ms: 10_000_000,
            ended_at_ms: None,
        };
        Session { idle_s, ..old.into() }
    }

    #[test]
    fn a_session_ends_when_unused_and_absolutely_whichever_is_first() {
        // Idle limit, last moment it counts: a tenth of the limit, at most a minute, is in favor.
        for (idle_s, last_ms) in [
            (60, 1_000_000 + 60_000 + 6_000 - 1),
            (600, 1_000_000 + 600_000 + 60_000 - 1),
            (6_000, 1_000_000 + 6_000_000 + 60_000 - 1),
            (9_000, 10_000_000 - 1),
            (u32::MAX, 10_000_000 - 1),
        ] {
            let session = session(idle_s);
            assert!(session.live(last_ms), "{idle_s}");
            assert!(!session.live(last_ms + 1), "{idle_s}");
        }
        let ended = Session { ended_at_ms: Some(1_000_000), ..session(600) };
        assert!(!ended.live(1_000_000));
    }

    #[test]
    fn a_session_counts_for_its_live_user_of_its_epoch_only() {
        let session = session(600);
        let user = User::new(session.user, "bob".into(), 0);
        let table = [
            (user.clone(), true),
            (User { enabled: false, ..user.clone() }, false),
            (User { deleted_at_ms: Some(1), ..user.clone() }, false),
            (User { session_epoch: 1, ..user.clone() }, false),
            (User { id: UserId::from_bytes([3; 16]), ..user }, false),
        ];
        for (user, counts) in table {
            assert_eq!(session.counts(&user, 1_000_000), counts, "{user:?}");
        }
    }
}
