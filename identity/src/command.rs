//! Every command there is: one variant per slice. Variants are only ever appended, and appending
//! one raises the feature level.

use serde::{Deserialize, Serialize};

use crate::{
    apply::AUDIT_CHECKPOINT,
    applying::Applying,
    attempts, audit,
    authorize::Permission,
    backups, branding, changes, client_scopes, clients, cluster, codec, consents,
    event::{self, Checkpoint, Target},
    groups, incarnation, keys, languages, licenses, logout, members, oauth, outbox,
    outcome::{Outcome, Rejection, Stop},
    passwords, permissions, profiles, rates, restore, roles, sessions, setup, sign_in_notices,
    source_blocks,
    sweep::Sweep,
    table::{Row, TablesMut},
    tenants, users,
};

/// A change of the replicated state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Changes no record; what remains is exactly the cost of the mechanism.
    Noop,
    /// Cluster-wide settings.
    Cluster(cluster::Command),
    /// First-run setup.
    Setup(setup::Command),
    /// Tenants.
    Tenants(tenants::Command),
    /// Users.
    Users(users::Command),
    /// Clients.
    Clients(clients::Command),
    /// Signing keys.
    Keys(keys::Command),
    /// Logins, codes and tokens.
    Oauth(oauth::Command),
    /// Removal of what has expired.
    Sweep(Sweep),
    /// A signed statement about the audit chain.
    Checkpoint(Checkpoint),
    /// Attempts that were refused before any draft, counted per source, reason and minute.
    Denials(Denials),
    /// Login sessions.
    Sessions(sessions::Command),
    /// Password rules.
    Passwords(passwords::Command),
    /// Reservations of attempts.
    Attempts(attempts::Command),
    /// Something that was proven by an attempt.
    Proven(Box<attempts::Proven>),
    /// What people allowed clients.
    Consents(consents::Command),
    /// The end of sessions as clients hear of it.
    Logout(logout::Command),
    /// What people change of themselves.
    Profiles(profiles::Command),
    /// Licenses.
    Licenses(licenses::Command),
    /// Rates of requests.
    Rates(rates::Command),
    /// What scopes add to tokens.
    ClientScopes(client_scopes::Command),
    /// Permissions that tenants define.
    Permissions(permissions::Command),
    /// Roles, and who holds them.
    Roles(roles::Command),
    /// What was deleted comes back.
    Restore(restore::Command),
    /// How long audit trails are kept.
    Audit(audit::Command),
    /// Groups, and who is in them.
    Groups(groups::Command),
    /// The nodes of the cluster.
    Members(members::Command),
    /// Where the outbox begins.
    Outbox(outbox::Command),
    /// How pages look.
    Branding(branding::Command),
    /// The languages of pages.
    Languages(languages::Command),
    /// The lives of the cluster.
    Incarnation(incarnation::Command),
    /// Backups.
    Backups(backups::Command),
    /// What people are to read before they sign in.
    SignInNotices(sign_in_notices::Command),
    /// Networks from which nobody may sign in.
    SourceBlocks(source_blocks::Command),
}

/// The permissions that commands and reads of the administration API ask for. Their ids are made of
/// their names: a line is only ever added.
pub const PERMISSIONS: &[Permission] = &[
    tenants::READ,
    tenants::WRITE,
    users::READ,
    users::WRITE,
    clients::READ,
    clients::WRITE,
    keys::READ,
    keys::WRITE,
    sessions::READ,
    sessions::WRITE,
    passwords::READ,
    passwords::WRITE,
    profiles::READ,
    profiles::WRITE,
    consents::READ,
    consents::WRITE,
    licenses::READ,
    licenses::WRITE,
    licenses::PLATFORM,
    rates::READ,
    rates::WRITE,
    client_scopes::READ,
    client_scopes::WRITE,
    permissions::READ,
    permissions::WRITE,
    roles::READ,
    roles::WRITE,
    event::READ,
    event::READ_CLUSTER,
    event::PERSONAL,
    event::CHANGES,
    event::CHANGES_OF_ALL,
    audit::READ,
    audit::WRITE,
    groups::READ,
    groups::WRITE,
    members::READ,
    members::WRITE,
    branding::READ,
    branding::WRITE,
    languages::READ,
    languages::WRITE,
    attempts::READ,
    attempts::WRITE,
    profiles::schema::READ,
    profiles::schema::WRITE,
    backups::READ,
    backups::WRITE,
    sign_in_notices::READ,
    sign_in_notices::WRITE,
    source_blocks::READ,
    source_blocks::WRITE,
];

/// Refused attempts of one kind in one minute: a stranger cannot fill the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denials {
    /// What was tried, `slice.verb`.
    pub action: String,
    /// Why it was refused.
    pub reason: String,
    /// How often.
    pub count: u32,
    /// The minute it happened in, wall time in milliseconds.
    pub minute_ms: u64,
}

impl Command {
    /// `slice.verb`, as the audit trail shows it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Cluster(command) => command.name(),
            Self::Setup(command) => command.name(),
            Self::Tenants(command) => command.name(),
            Self::Users(command) => command.name(),
            Self::Clients(command) => command.name(),
            Self::Keys(command) => command.name(),
            Self::Oauth(command) => command.name(),
            Self::Sweep(_) => "sweep",
            Self::Checkpoint(_) => "audit.checkpoint",
            Self::Denials(_) => "audit.denials",
            Self::Sessions(command) => command.name(),
            Self::Passwords(command) => command.name(),
            Self::Attempts(command) => command.name(),
            Self::Proven(proven) => proven.name(),
            Self::Consents(command) => command.name(),
            Self::Logout(command) => command.name(),
            Self::Profiles(command) => command.name(),
            Self::Licenses(command) => command.name(),
            Self::Rates(command) => command.name(),
            Self::ClientScopes(command) => command.name(),
            Self::Permissions(command) => command.name(),
            Self::Roles(command) => command.name(),
            Self::Restore(command) => command.name(),
            Self::Audit(command) => command.name(),
            Self::Groups(command) => command.name(),
            Self::Members(command) => command.name(),
            Self::Outbox(command) => command.name(),
            Self::Branding(command) => command.name(),
            Self::Languages(command) => command.name(),
            Self::Incarnation(command) => command.name(),
            Self::Backups(command) => command.name(),
            Self::SignInNotices(command) => command.name(),
            Self::SourceBlocks(command) => command.name(),
        }
    }

    /// The feature level that a cluster must be at for this command to be written into its log: an
    /// earlier program would not know it. Appending a variant after a release adds a line here.
    pub const fn feature_level(&self) -> u16 {
        match self {
            Self::Members(command) => command.feature_level(),
            Self::Tenants(command) => command.feature_level(),
            Self::Branding(command) => command.feature_level(),
            Self::Restore(command) => command.feature_level(),
            Self::Backups(_) => changes::INCARNATIONS,
            Self::SignInNotices(_) => changes::SIGN_IN_NOTICES,
            Self::SourceBlocks(_) => changes::SOURCE_BLOCKS,
            _ => changes::FIRST_LEVEL,
        }
    }

    /// Whether it leaves an audit event when it is done. Reservations do not: strangers make them,
    /// and what came of one is counted, or is the event of the command that used the proof.
    pub const fn audited(&self) -> bool {
        !matches!(
            self,
            Self::Attempts(attempts::Command::Reserve(_) | attempts::Command::Release(_))
        )
    }

    /// What it is about, where that is known before it runs.
    pub const fn target(&self) -> Option<Target> {
        None
    }

    /// Applies it: total, pure, and refused or done as a whole.
    ///
    /// # Errors
    /// A rejection, which is part of the replicated result, or a fault, which stops the node.
    pub fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Noop => Ok(Outcome::Done),
            Self::Cluster(command) => command.apply(at),
            Self::Setup(command) => command.apply(at),
            Self::Tenants(command) => command.apply(at),
            Self::Users(command) => command.apply(at),
            Self::Clients(command) => command.apply(at),
            Self::Keys(command) => command.apply(at),
            Self::Oauth(command) => command.apply(at),
            Self::Sweep(command) => command.apply(at),
            Self::Checkpoint(checkpoint) => {
                at.require_system()?;
                if checkpoint.tenant != at.tenant {
                    return Err(Rejection::invalid("/tenant", "is another placement's").into());
                }
                let row = Row::Audit { part: AUDIT_CHECKPOINT, sequence: checkpoint.sequence };
                at.put(row, codec::encode_at(checkpoint, at.level));
                Ok(Outcome::Done)
            }
            Self::Denials(denials) => {
                at.require_system()?;
                at.detail(format!(
                    "action={} reason={} count={} minute_ms={}",
                    denials.action, denials.reason, denials.count, denials.minute_ms
                ));
                Ok(Outcome::Done)
            }
            Self::Sessions(command) => command.apply(at),
            Self::Passwords(command) => command.apply(at),
            Self::Attempts(command) => command.apply(at),
            Self::Proven(proven) => proven.apply(at),
            Self::Consents(command) => command.apply(at),
            Self::Logout(command) => command.apply(at),
            Self::Profiles(command) => command.apply(at),
            Self::Licenses(command) => command.apply(at),
            Self::Rates(command) => command.apply(at),
            Self::ClientScopes(command) => command.apply(at),
            Self::Permissions(command) => command.apply(at),
            Self::Roles(command) => command.apply(at),
            Self::Restore(command) => command.apply(at),
            Self::Audit(command) => command.apply(at),
            Self::Groups(command) => command.apply(at),
            Self::Members(command) => command.apply(at),
            Self::Outbox(command) => command.apply(at),
            Self::Branding(command) => command.apply(at),
            Self::Languages(command) => command.apply(at),
            Self::Incarnation(command) => command.apply(at),
            Self::Backups(command) => command.apply(at),
            Self::SignInNotices(command) => command.apply(at),
            Self::SourceBlocks(command) => command.apply(at),
        }
    }
}
