//! Consents: what a person allowed a client, remembered per client and scope.
//!
//! Third-party clients need one for everything that is issued to them in a person's name; the gate
//! of issuing asks [`given`], and so does whoever looks at what was issued. First-party clients,
//! the tenant's own, need none: they have no [`Requirement`].
//! Invariant: there is one consent of a user for a client, found by an id that is made of both.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    clients::{self, Client},
    codec::Persisted,
    fault::Fault,
    id::{ClientId, ConsentId, TenantId, UserId},
    outcome::{Outcome, Rejection, Stop},
    secret::Digest,
    sessions::{self, Presented},
    table::{self, Record, Table, Tables, TablesMut, record_by},
    users::User,
};

/// List of consents by user id.
pub const BY_USER: u8 = 1;

/// Reading consents.
pub const READ: Permission = Permission::read("consents");
/// Withdrawing consents of others; everybody may withdraw their own.
pub const WRITE: Permission = Permission::write("consents");

/// What a person allowed a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Its id, made of user and client.
    pub id: ConsentId,
    /// One more with every write.
    pub revision: u64,
    /// Who allowed it.
    pub user: UserId,
    /// To whom.
    pub client: ClientId,
    /// What.
    pub scopes: BTreeSet<String>,
    /// When it was last given, state time in milliseconds.
    pub given_at_ms: u64,
    /// When it was withdrawn, state time in milliseconds.
    pub withdrawn_at_ms: Option<u64>,
}

impl Consent {
    /// Whether it allows all of these now.
    pub fn covers(&self, scopes: &BTreeSet<String>) -> bool {
        self.withdrawn_at_ms.is_none() && scopes.is_subset(&self.scopes)
    }
}

impl Persisted for Consent {
    const KIND: [u8; 2] = *b"co";
}

impl Record for Consent {
    record_by!(id, never deleted);

    fn given_at_ms(&self) -> Option<u64> {
        Some(self.given_at_ms)
    }

    fn outlived(self) -> Option<Self> {
        let withdrawn_at_ms = self.withdrawn_at_ms.or(Some(self.given_at_ms));
        Some(Self { withdrawn_at_ms, ..self })
    }
}

/// Whether a client must have consent. One without this record is the tenant's own and need not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Of which client.
    pub client: ClientId,
    /// One more with every write.
    pub revision: u64,
    /// Whether it is third-party.
    pub required: bool,
}

impl Requirement {
    /// That of a client that has none.
    pub const fn none(client: ClientId) -> Self {
        Self { client, revision: 0, required: false }
    }
}

impl Persisted for Requirement {
    const KIND: [u8; 2] = *b"cr";
}

impl Record for Requirement {
    record_by!(client, never deleted);
}

/// The table of consents.
pub const CONSENTS: Table = Table(Consent::KIND);

/// The id of the consent of a user to a client.
pub fn id_of(user: UserId, client: ClientId) -> ConsentId {
    let mut both = [0; 32];
    let (front, back) = both.split_at_mut(16);
    front.copy_from_slice(&user.bytes());
    back.copy_from_slice(&client.bytes());
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = Digest::of(&both).bytes();
    ConsentId::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// Whether a client may be issued these scopes in a user's name, as far as consent goes.
///
/// # Errors
/// Faults only.
pub fn given(
    tables: &impl Tables,
    tenant: TenantId,
    client: ClientId,
    user: UserId,
    scopes: &BTreeSet<String>,
) -> Result<bool, Fault> {
    let requirement = table::record::<Requirement>(tables, tenant, client.bytes())?;
    if !requirement.is_some_and(|requirement| requirement.required) {
        return Ok(true);
    }
    let consent = table::record::<Consent>(tables, tenant, id_of(user, client).bytes())?;
    let Some(consent) = consent.filter(|consent| {
        consent.user == user && consent.client == client && consent.covers(scopes)
    }) else {
        return Ok(false);
    };
    // A client that was deleted and came back is asked for again.
    let client = table::record::<Client>(tables, tenant, client.bytes())?;
    Ok(client.is_some_and(|client| client.keeps(consent.given_at_ms)))
}

/// Writes what a client must have; the revision is the one it was read at, if that is to count.
pub(crate) fn demand<T: TablesMut>(
    at: &mut Applying<'_, T>,
    wanted: Requirement,
    expected: Option<u64>,
) -> Result<Outcome, Stop> {
    let before = at.record::<Requirement>(wanted.client.bytes())?;
    let before = before.unwrap_or_else(|| Requirement::none(wanted.client));
    if expected.is_some_and(|revision| revision != before.revision) {
        return Err(Rejection::Stale.into());
    }
    if before.revision == 0 { at.create(wanted) } else { Ok(at.update(&before, wanted)) }
}

/// Remembers that a user allowed a client these scopes, besides those of before.
pub(crate) fn give<T: TablesMut>(
    at: &mut Applying<'_, T>,
    user: UserId,
    client: ClientId,
    scopes: &BTreeSet<String>,
) -> Result<(), Stop> {
    let id = id_of(user, client);
    let given_at_ms = at.now_ms;
    at.list(CONSENTS, BY_USER, &user.to_string(), id.bytes());
    let Some(before) = at.record::<Consent>(id.bytes())? else {
        let (scopes, withdrawn_at_ms) = (scopes.clone(), None);
        at.create(Consent { id, revision: 0, user, client, scopes, given_at_ms, withdrawn_at_ms })?;
        return Ok(());
    };
    let mut after = Consent { given_at_ms, withdrawn_at_ms: None, ..before.clone() };
    if before.withdrawn_at_ms.is_some() {
        after.scopes.clear();
    }
    after.scopes.extend(scopes.iter().cloned());
    at.update(&before, after);
    Ok(())
}

/// Changes of consents. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Withdraws one: nothing is issued on it any more, and what was does not count.
    Withdraw {
        /// Which.
        id: ConsentId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
    },
    /// Says whether a client must have consent.
    Require {
        /// Which.
        client: ClientId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Whether it is third-party.
        required: bool,
    },
    /// A person withdraws one of their own.
    WithdrawOwn {
        /// The session it happens in.
        by: Presented,
        /// Which.
        id: ConsentId,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Withdraw { .. } => "consents.withdraw",
            Self::Require { .. } => "consents.require",
            Self::WithdrawOwn { .. } => "consents.withdraw_own",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::Withdraw { id, expected } => withdraw(at, *id, *expected),
            Self::Require { client, expected, required } => {
                // As any change of the client.
                clients::find(at, *client, None)?;
                let wanted = Requirement { required: *required, ..Requirement::none(*client) };
                demand(at, wanted, *expected)
            }
            Self::WithdrawOwn { by, id } => {
                at.target(CONSENTS, id.bytes());
                let (_, user) = sessions::asked_from(at, by)?;
                let consent = at.record::<Consent>(id.bytes())?;
                let own = consent
                    .filter(|consent| consent.user == user.id && consent.withdrawn_at_ms.is_none());
                Ok(end(at, &own.ok_or(Rejection::NotFound)?))
            }
        }
    }
}

fn withdraw<T: TablesMut>(
    at: &mut Applying<'_, T>,
    id: ConsentId,
    expected: Option<u64>,
) -> Result<Outcome, Stop> {
    at.target(CONSENTS, id.bytes());
    let consent = at.record::<Consent>(id.bytes())?;
    let consent = consent.filter(|consent| consent.withdrawn_at_ms.is_none());
    let own = consent.as_ref().is_some_and(|it| at.principal_user() == Some(it.user));
    if !own {
        at.require(WRITE)?;
    }
    let consent = consent.ok_or(Rejection::NotFound)?;
    if expected.is_some_and(|revision| revision != consent.revision) {
        return Err(Rejection::Stale.into());
    }
    if !own && let Some(user) = at.record::<User>(consent.user.bytes())? {
        at.require_all_of(&user)?;
    }
    Ok(end(at, &consent))
}

fn end<T: TablesMut>(at: &mut Applying<'_, T>, consent: &Consent) -> Outcome {
    at.unlist(CONSENTS, BY_USER, &consent.user.to_string(), consent.id.bytes());
    let after = Consent { withdrawn_at_ms: Some(at.now_ms), ..consent.clone() };
    at.update(consent, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_covers_what_was_allowed_until_it_is_withdrawn() {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let (user, client) = (UserId::from_bytes([1; 16]), ClientId::from_bytes([2; 16]));
        let consent = Consent {
            id: id_of(user, client),
            revision: 1,
            user,
            client,
            scopes: set(&["openid", "email"]),
            given_at_ms: 1,
            withdrawn_at_ms: None,
        };
        assert!(consent.covers(&set(&["openid"])) && consent.covers(&set(&[])));
        assert!(!consent.covers(&set(&["openid", "phone"])));
        let withdrawn = Consent { withdrawn_at_ms: Some(2), ..consent };
        assert!(!withdrawn.covers(&set(&["openid"])) && !withdrawn.covers(&set(&[])));
    }

    #[test]
    fn each_pair_of_user_and_client_has_an_id_of_its_own() {
        let (a, b) = ([1; 16], [2; 16]);
        let id = |user, client| id_of(UserId::from_bytes(user), ClientId::from_bytes(client));
        assert_eq!(id(a, b), id(a, b));
        assert_ne!(id(a, b), id(b, a));
        assert_ne!(id(a, a), id(a, b));
    }
}
