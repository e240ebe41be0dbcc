//! Creating, deleting and restoring a tenant spans two placements, so it is a saga: the first step
//! stores the whole request (hashes, sealed bytes and drawn ids only), every step may be repeated,
//! and the leader finishes open sagas when their client is gone. See also
//! [`restore`](super::restore).

use serde::{Deserialize, Serialize};

use super::{
    Lifetimes, Settings, Tenant, WRITE,
    directory::{BY_ISSUER, BY_SLUG, Directory, State},
    old, own, restore,
};
use crate::{
    applying::Applying,
    authorize, changes,
    clients::{self, old::ClientV2},
    cluster, codec,
    codec::Persisted,
    id::{RoleId, SagaId, SigningKeyId, TenantId, UserId},
    keys::{self, Algorithm, SigningKey},
    name,
    oauth::refresh,
    outcome::{Outcome, Rejection, Stop},
    secret::{Digest, PasswordHash, Sealed},
    table::{Record, Row, Table, TablesMut, record_by},
    users::{self, User},
};

/// A signing key drawn by the flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySeed {
    /// Its id.
    pub id: SigningKeyId,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// Public JWK as JSON text.
    pub public_jwk: String,
    /// Private key, sealed.
    pub private: Sealed,
    /// `Active` or `Pending`.
    pub state: keys::State,
}

/// A first administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSeed {
    /// Its id.
    pub id: UserId,
    /// Canonical user name.
    pub username: String,
    /// E-mail address, may be empty.
    pub email: String,
    /// Hash of the password.
    pub password: PasswordHash,
}

/// Everything a new tenant needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Its id.
    pub tenant: TenantId,
    /// In paths.
    pub slug: String,
    /// Its issuer.
    pub issuer: String,
    /// For people.
    pub name: String,
    /// First signing keys.
    pub keys: Vec<KeySeed>,
    /// Built-in clients.
    pub clients: Vec<ClientV2>,
    /// The first administrator, only by setup.
    pub administrator: Option<UserSeed>,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Its refresh tokens.
    pub refresh: refresh::Policy,
    /// How old its signing keys get, seconds.
    pub key_rotation_s: Option<u32>,
}

impl Seed {
    /// What the saga of a tenant that is there already has to know.
    pub(super) fn of_line(line: &Directory, keys: Vec<KeySeed>) -> Self {
        Self {
            tenant: line.id,
            slug: line.slug.clone(),
            issuer: line.issuer.clone(),
            name: line.slug.clone(),
            keys,
            clients: Vec::new(),
            administrator: None,
            lifetimes: Lifetimes::default(),
            refresh: refresh::Policy::default(),
            key_rotation_s: None,
        }
    }
}

/// What setup adds to the creation of the default tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupProof {
    /// Digest of the presented bootstrap secret.
    pub bootstrap: Digest,
    /// HMAC of the request, so that only the same request resumes.
    pub body: Digest,
}

/// A tenant's creation under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saga {
    /// Its id.
    pub id: SagaId,
    /// One more with every write.
    pub revision: u64,
    /// What is being made.
    pub seed: Seed,
    /// Set for the default tenant.
    pub setup: Option<SetupProof>,
    /// A deletion instead of a creation.
    pub deleting: bool,
}

impl Persisted for Saga {
    const KIND: [u8; 2] = *b"sa";
    const VERSION: u16 = 2;

    fn upgrade(version: u16, body: &[u8]) -> Result<Self, codec::Error> {
        match version {
            1 => codec::body_from::<old::SagaV1>(body).map(Self::from),
            _ => Err(codec::Error::Version { kind: Self::KIND, version }),
        }
    }
}

impl Record for Saga {
    const HISTORY: bool = false;

    record_by!(id, never deleted);
}

/// Finds the open saga of a tenant.
pub const BY_TENANT: u8 = 1;

/// Step 1 of creation: reserves the names and remembers the request.
pub(crate) fn begin<T: TablesMut>(at: &mut Applying<'_, T>, saga: &Saga) -> Result<Outcome, Stop> {
    let seed = &saga.seed;
    at.target(Directory::TABLE, seed.tenant.bytes());
    check(seed)?;
    let id = seed.tenant.bytes();
    at.claim(Directory::TABLE, BY_SLUG, &seed.slug, id, "slug")?;
    at.claim(Directory::TABLE, BY_ISSUER, &seed.issuer, id, "issuer")?;
    at.create(Directory {
        id: seed.tenant,
        revision: 0,
        slug: seed.slug.clone(),
        issuer: seed.issuer.clone(),
        state: State::Opening,
        deleted_at_ms: None,
    })?;
    remember(at, saga.clone())
}

fn check(seed: &Seed) -> Result<(), Rejection> {
    name::slug("/slug", &seed.slug)?;
    let settings = Settings {
        name: seed.name.clone(),
        enabled: true,
        lifetimes: seed.lifetimes.clone(),
        refresh: seed.refresh,
        key_rotation_s: seed.key_rotation_s,
    };
    settings.check()?;
    if seed.tenant == TenantId::CLUSTER {
        return Err(Rejection::invalid("/id", "is reserved"));
    }
    if let Some(user) = &seed.administrator {
        name::username("/admin/username", &user.username)?;
        if !user.email.is_empty() {
            name::email("/admin/email", &user.email)?;
        }
    }
    Ok(())
}

/// Step 2 of creation: the tenant's own rows; a second time changes nothing.
pub(crate) fn open<T: TablesMut>(at: &mut Applying<'_, T>, seed: &Seed) -> Result<Outcome, Stop> {
    at.require_system()?;
    at.target(Tenant::TABLE, seed.tenant.bytes());
    if at.record::<Tenant>(seed.tenant.bytes())?.is_some() {
        return Ok(Outcome::Done);
    }
    let outcome = at.create(Tenant {
        id: seed.tenant,
        revision: 0,
        slug: seed.slug.clone(),
        issuer: seed.issuer.clone(),
        name: seed.name.clone(),
        enabled: true,
        deleted_at_ms: None,
        created_at_ms: at.now_ms,
        updated_at_ms: at.now_ms,
        lifetimes: seed.lifetimes.clone(),
        refresh: seed.refresh,
        key_rotation_s: seed.key_rotation_s,
    })?;
    for key in &seed.keys {
        at.create(SigningKey::from_seed(key, at.now_ms))?;
    }
    for client in &seed.clients {
        clients::insert(at, client.clone().into())?;
    }
    if let Some(user) = &seed.administrator {
        let mut record = User::new(user.id, user.username.clone(), at.now_ms);
        record.email = (!user.email.is_empty()).then(|| user.email.clone());
        record.password = Some(user.password.clone());
        record.roles.insert(RoleId::ADMINISTRATOR);
        users::insert(at, record)?;
    }
    Ok(outcome)
}

/// Step 3 of creation: the tenant answers, and setup closes if this was setup.
pub(crate) fn publish<T: TablesMut>(
    at: &mut Applying<'_, T>,
    tenant: TenantId,
) -> Result<Outcome, Stop> {
    at.require_system()?;
    at.target(Directory::TABLE, tenant.bytes());
    // A late repetition must not undo a deletion that began after the creation was complete.
    let Some(saga) = of_tenant(at, tenant)?.filter(|saga| !saga.deleting) else {
        return Ok(Outcome::Done);
    };
    let line = at.record::<Directory>(tenant.bytes())?.ok_or(Rejection::NotFound)?;
    // Nor may it end a restoration, which comes after that.
    if line.state == State::Restoring {
        return Ok(Outcome::Done);
    }
    set_state(at, line, State::Open);
    if saga.setup.is_some() {
        let settings = cluster::settings(at)?;
        let after = cluster::Settings {
            default_tenant: Some(tenant),
            bootstrap: None,
            setup_closed_at_ms: Some(at.now_ms),
            ..settings.clone()
        };
        at.update(&settings, after);
    }
    end(at, &saga);
    Ok(Outcome::Done)
}

/// Step 1 of deletion: 404 at once, the slug is free.
pub(crate) fn begin_delete<T: TablesMut>(
    at: &mut Applying<'_, T>,
    tenant: TenantId,
    saga: SagaId,
) -> Result<Outcome, Stop> {
    at.target(Directory::TABLE, tenant.bytes());
    at.require(WRITE)?;
    let line = at.record::<Directory>(tenant.bytes())?.filter(|line| line.state == State::Open);
    let line = line.ok_or(Rejection::NotFound)?;
    if authorize::is_default(at.tables, tenant)? {
        return Err(Rejection::Protected("the default tenant cannot be deleted".into()).into());
    }
    at.release(Directory::TABLE, BY_SLUG, &line.slug);
    at.release(Directory::TABLE, BY_ISSUER, &line.issuer);
    let seed = Seed::of_line(&line, Vec::new());
    set_state(at, line, State::Closing);
    remember(at, Saga { id: saga, revision: 0, seed, setup: None, deleting: true })
}

/// Keeps a saga until it is finished.
pub(super) fn remember<T: TablesMut>(
    at: &mut Applying<'_, T>,
    saga: Saga,
) -> Result<Outcome, Stop> {
    let (id, tenant) = (saga.id, saga.seed.tenant);
    at.create(saga)?;
    at.claim(Saga::TABLE, BY_TENANT, &tenant.to_string(), id.bytes(), "tenant")?;
    Ok(Outcome::Saga(id))
}

/// Step 2 of deletion: nothing is issued any more; the rows stay (soft deletion).
pub(crate) fn close<T: TablesMut>(at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
    at.require_system()?;
    let tenant = own(at)?;
    // One that was restored was closed by a step that says which deletion it is of.
    if tenant.deleted_at_ms.is_some() || restore::restored(at)?.is_some() {
        return Ok(Outcome::Done);
    }
    let after = Tenant { deleted_at_ms: Some(at.now_ms), ..tenant.clone() };
    Ok(at.update(&tenant, after))
}

/// Step 3 of deletion. It does not say of which, so it counts only while nothing can be restored:
/// later it may be of a deletion before a restoration, and [`restore::finish`] ends this one.
pub(crate) fn finish_delete<T: TablesMut>(
    at: &mut Applying<'_, T>,
    tenant: TenantId,
) -> Result<Outcome, Stop> {
    at.require_system()?;
    at.target(Directory::TABLE, tenant.bytes());
    if at.level >= changes::TENANTS_RETURN {
        return Ok(Outcome::Done);
    }
    let Some(saga) = of_tenant(at, tenant)?.filter(|saga| saga.deleting) else {
        return Ok(Outcome::Done);
    };
    let line = at.record::<Directory>(tenant.bytes())?.ok_or(Rejection::NotFound)?;
    set_state(at, line, State::Deleted);
    end(at, &saga);
    Ok(Outcome::Done)
}

pub(super) fn set_state<T: TablesMut>(at: &mut Applying<'_, T>, line: Directory, state: State) {
    let deleted_at_ms = match state {
        // Whoever is behind does not know the list that this would put it on.
        State::Deleted => (at.level >= changes::TENANTS_RETURN).then_some(at.now_ms),
        State::Opening | State::Open | State::Closing => None,
        State::Restoring => line.deleted_at_ms,
    };
    at.update(&line, Directory { state, deleted_at_ms, ..line.clone() });
}

pub(super) fn of_tenant<T: TablesMut>(
    at: &Applying<'_, T>,
    tenant: TenantId,
) -> Result<Option<Saga>, Stop> {
    match at.unique(Saga::TABLE, BY_TENANT, tenant.to_string().as_bytes())? {
        Some(id) => Ok(at.record::<Saga>(id)?),
        None => Ok(None),
    }
}

pub(super) fn end<T: TablesMut>(at: &mut Applying<'_, T>, saga: &Saga) {
    at.remove(Row::Record { table: Saga::TABLE, id: saga.id.bytes() });
    at.release(Saga::TABLE, BY_TENANT, &saga.seed.tenant.to_string());
}

/// Reads an open saga back from a scan.
///
/// # Errors
/// Bytes that are not a saga.
pub fn decode(bytes: &[u8]) -> Result<Saga, codec::Error> {
    codec::decode(bytes)
}

/// The table of open sagas.
pub const SAGAS: Table = Table(Saga::KIND);
