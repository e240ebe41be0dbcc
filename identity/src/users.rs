//! Users: accounts of people in one tenant.
//!
//! A password is only ever a hash here; whoever verified one outside names the credential revision
//! it was verified against, and `apply` answers `Stale` if that moved. Deletion is soft: invisible
//! to authentication, its names released.

mod apply;
mod old;
mod restore;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    authorize::{Assigned, Holder, Permission},
    codec::{self, Persisted},
    id::{GroupId, RoleId, SessionId, UserId},
    secret::{Digest, PasswordHash},
    sessions::Presented,
    table::{Record, record_by},
};

pub(crate) use apply::{change_roles, check_claim, insert, pointer, rewrite};

/// Unique index over canonical user names.
pub const BY_USERNAME: u8 = 1;
/// List by lower-case e-mail address.
pub const BY_EMAIL: u8 = 2;
/// List of users that hold a role, by role id.
pub const BY_ROLE: u8 = 3;
/// List of users in a group, by group id.
pub const BY_GROUP: u8 = 4;

/// Reading users.
pub const READ: Permission = Permission::read("users");
/// Changing users.
pub const WRITE: Permission = Permission::write("users");

/// Standard claims a user may carry besides name parts (OIDC Core §5.1), all texts.
pub const PROFILE_CLAIMS: &[&str] = &[
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
];

/// A person's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id, also the public subject.
    pub id: UserId,
    /// One more with every write.
    pub revision: u64,
    /// Canonical user name.
    pub username: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether it was shown to be theirs.
    pub email_verified: bool,
    /// Whether the phone number was shown to be theirs.
    pub phone_number_verified: bool,
    /// Standard claims by name, out of [`PROFILE_CLAIMS`], and fields of the tenant's schema.
    pub profile: BTreeMap<String, String>,
    /// Postal address members (OIDC Core §5.1.1).
    pub address: BTreeMap<String, String>,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Soft deletion, state time in milliseconds.
    pub deleted_at_ms: Option<u64>,
    /// Roles.
    pub roles: BTreeSet<RoleId>,
    /// Hash of the password, if it has one.
    pub password: Option<PasswordHash>,
    /// One more with every change of a credential.
    pub credential_revision: u64,
    /// Sessions of an earlier epoch have ended: moving it ends all of them. History from before
    /// there were any lacks it.
    #[serde(default)]
    pub session_epoch: u64,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it was last changed, state time in milliseconds.
    pub updated_at_ms: u64,
    /// Groups. History from before there were any lacks it.
    #[serde(default)]
    pub groups: BTreeSet<GroupId>,
}

impl User {
    /// An enabled account without credentials.
    pub fn new(id: UserId, username: String, now_ms: u64) -> Self {
        Self {
            id,
            revision: 0,
            username,
            email: None,
            email_verified: false,
            phone_number_verified: false,
            profile: BTreeMap::new(),
            address: BTreeMap::new(),
            enabled: true,
            deleted_at_ms: None,
            roles: BTreeSet::new(),
            password: None,
            credential_revision: 1,
            session_epoch: 0,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
            groups: BTreeSet::new(),
        }
    }

    /// Whether it may sign in and be issued to.
    pub const fn live(&self) -> bool {
        self.enabled && self.deleted_at_ms.is_none()
    }
}

impl Holder for User {
    fn assigned(&self) -> Assigned {
        let (roles, groups) = (self.roles.clone(), self.groups.clone());
        Assigned { roles, groups, ..Assigned::default() }
    }
}

impl Persisted for User {
    const KIND: [u8; 2] = *b"us";
    const VERSION: u16 = 3;

    fn upgrade(version: u16, body: &[u8]) -> Result<Self, codec::Error> {
        match version {
            1 => Ok(codec::body_from::<old::UserV1>(body)?.into()),
            2 => Ok(codec::body_from::<old::UserV2>(body)?.into()),
            _ => Err(codec::Error::Version { kind: Self::KIND, version }),
        }
    }
}

impl Record for User {
    record_by!(id, deleted softly);
}

/// What an administrator gives of a user; create and update share it and its checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Canonical user name.
    pub username: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether it was shown to be theirs.
    pub email_verified: bool,
    /// Whether the phone number was shown to be theirs.
    pub phone_number_verified: bool,
    /// Standard claims and fields of the tenant's schema, by name.
    pub profile: BTreeMap<String, String>,
    /// Postal address members.
    pub address: BTreeMap<String, String>,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Roles.
    pub roles: BTreeSet<RoleId>,
}

/// A person's wish for another password, after the one they have was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnPassword {
    /// What their browser showed.
    pub by: Presented,
    /// The credential revision the old password was verified against.
    pub credential_revision: u64,
    /// Hash of the new password.
    pub password: PasswordHash,
    /// Digest of the session's new cookie.
    pub cookie: Digest,
}

/// Changes of users. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Makes an account.
    Create {
        /// Its id.
        id: UserId,
        /// Its fields.
        settings: Settings,
        /// Hash of its password, if it gets one.
        password: Option<PasswordHash>,
    },
    /// Changes an account.
    Update {
        /// Which.
        id: UserId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Its fields.
        settings: Settings,
        /// A new password's hash; none leaves the old one.
        password: Option<PasswordHash>,
    },
    /// Deletes an account, softly.
    Delete {
        /// Which.
        id: UserId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
    },
    /// Replaces the hash of a password that stays the same: stronger parameters, or the canonical
    /// form. By the cluster itself, after the password was verified.
    Rehash {
        /// Whose.
        id: UserId,
        /// The credential revision the password was verified against.
        credential_revision: u64,
        /// The new hash of the same password.
        password: PasswordHash,
    },
    /// Forgets the failed attempts at an account.
    Unlock(UserId),
    /// A person changes their own password; every session but the one they do it in ends. Drafts of
    /// before the session's cookie was shown and changed with it.
    ChangePassword {
        /// Whose.
        id: UserId,
        /// The credential revision the old password was verified against.
        credential_revision: u64,
        /// Hash of the new password.
        password: PasswordHash,
        /// The session it happens in, which goes on.
        session: Option<SessionId>,
    },
    /// A person changes their own password; every session but the one they do it in ends, and that
    /// one gets another cookie: whoever knew the old one knows nothing any more.
    ChangeOwnPassword(Box<OwnPassword>),
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "users.create",
            Self::Update { .. } => "users.update",
            Self::Delete { .. } => "users.delete",
            Self::Rehash { .. } => "users.rehash",
            Self::Unlock(_) => "users.unlock",
            Self::ChangePassword { .. } | Self::ChangeOwnPassword(_) => "users.change_password",
        }
    }
}
