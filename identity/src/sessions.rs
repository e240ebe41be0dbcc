//! Login sessions as records: who signed in, when, from where. The cookie's digest is inside the
//! record, because it changes at step-up while the session stays.

use serde::{Deserialize, Serialize};

use crate::{
    codec::Persisted,
    id::{SessionId, UserId},
    secret::Digest,
    table::{Record, Table},
};

/// List of sessions by user id.
pub const BY_USER: u8 = 1;

/// A login session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id, `sid` in ID tokens.
    pub id: SessionId,
    /// One more with every write.
    pub revision: u64,
    /// Who.
    pub user: UserId,
    /// Digest of the browser's cookie.
    pub cookie: Digest,
    /// Address at sign-in.
    pub address: String,
    /// User agent at sign-in, at most 256 bytes.
    pub user_agent: String,
    /// When the person proved who they are, state time in milliseconds.
    pub authenticated_at_ms: u64,
    /// Absolute end, state time in milliseconds.
    pub expires_at_ms: u64,
    /// When it was ended, state time in milliseconds.
    pub ended_at_ms: Option<u64>,
}

impl Session {
    /// Whether it still counts at a state time.
    pub const fn live(&self, now_ms: u64) -> bool {
        self.ended_at_ms.is_none() && now_ms < self.expires_at_ms
    }
}

impl Persisted for Session {
    const KIND: [u8; 2] = *b"se";
}

impl Record for Session {
    const HISTORY: bool = false;

    fn key(&self) -> [u8; 16] {
        self.id.bytes()
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }
}

/// The table of sessions.
pub const SESSIONS: Table = Table(Session::KIND);
