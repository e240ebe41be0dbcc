//! Finding tenants, and making, deleting and restoring them through sagas.
//!
//! The draft of a creation holds hashes, sealed bytes and drawn ids only. Invariant: until the saga
//! is closed the tenant answers 404.

use std::collections::BTreeSet;

use identity::{
    changes::TENANTS_RETURN,
    clients::{Authentication, Client, GrantType, Settings, old::ClientV2},
    cluster as replicated,
    command::Command,
    id::{SagaId, TenantId},
    keys::{Algorithm, State},
    oauth::refresh,
    outcome::{Outcome, Rejection, Reply},
    stamp::Placement,
    table::{self, Record, Row, Span, Tables},
    tenants::{self, Directory, KeySeed, Lifetimes, Saga, Seed, Tenant, directory, saga},
};

use crate::{
    context::{Asker, Context},
    error::Error,
    runtime::{signer, tenant::private_field},
};

/// The `client_id` of the built-in command line client.
pub const CLI_CLIENT: &str = "vaultara-cli";

/// How a request names its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// The brief's root routes: the default tenant.
    Default,
    /// `/t/{slug}`.
    Slug(String),
}

/// A new tenant as an administrator describes it.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// In paths.
    pub slug: String,
    /// For people.
    pub name: String,
    /// How long things live; none means the defaults.
    pub lifetimes: Option<Lifetimes>,
    /// Its refresh tokens; none means the defaults.
    pub refresh: Option<refresh::Policy>,
    /// How old its signing keys get, seconds; none means only when somebody says so.
    pub key_rotation_s: Option<u32>,
}

/// The cluster's replicated settings.
///
/// # Errors
/// A fault of this node; [`Error::Unavailable`] before the first start has written them.
pub fn cluster_settings(tables: &impl Tables) -> Result<identity::cluster::Settings, Error> {
    table::record(tables, TenantId::CLUSTER, identity::cluster::SETTINGS_ID)?
        .ok_or_else(|| Error::Unavailable("the cluster has no settings yet".into()))
}

/// The tenant behind an address, if it answers.
///
/// # Errors
/// [`Rejection::NotFound`] for one that does not exist, is being made or was deleted.
pub fn find(tables: &impl Tables, address: &Address) -> Result<TenantId, Error> {
    match address {
        Address::Default => {
            cluster_settings(tables)?.default_tenant.ok_or_else(|| Rejection::NotFound.into())
        }
        Address::Slug(slug) => {
            let table = Directory::TABLE;
            let found = table::unique(
                tables,
                TenantId::CLUSTER,
                table,
                directory::BY_SLUG,
                slug.as_bytes(),
            )?;
            let tenant = TenantId::from_bytes(found.ok_or(Rejection::NotFound)?);
            exists(tables, tenant)?;
            Ok(tenant)
        }
    }
}

/// The record of a tenant that answers or was deleted; none while something is under way.
///
/// # Errors
/// A fault of this node.
pub fn settled(tables: &impl Tables, tenant: TenantId) -> Result<Option<Tenant>, Error> {
    let line = table::record::<Directory>(tables, TenantId::CLUSTER, tenant.bytes())?;
    match line.map(|line| line.state) {
        Some(directory::State::Open | directory::State::Deleted) => {
            Ok(table::record(tables, tenant, tenant.bytes())?)
        }
        Some(
            directory::State::Opening | directory::State::Closing | directory::State::Restoring,
        )
        | None => Ok(None),
    }
}

/// Refuses a tenant that does not answer.
///
/// # Errors
/// [`Rejection::NotFound`].
pub fn exists(tables: &impl Tables, tenant: TenantId) -> Result<Directory, Error> {
    table::record::<Directory>(tables, TenantId::CLUSTER, tenant.bytes())?
        .filter(|line| line.state == directory::State::Open)
        .ok_or_else(|| Rejection::NotFound.into())
}

/// The issuer of a tenant with this slug.
pub fn issuer_of(external_url: &str, slug: &str) -> String {
    format!("{external_url}/t/{slug}")
}

/// Makes a tenant and waits until it answers.
///
/// # Errors
/// As [`Context::write`].
pub async fn create(
    ctx: &Context,
    asker: &Asker,
    new: NewTenant,
) -> Result<(TenantId, Reply), Error> {
    let tenant = ctx.random().id(TenantId::from_bytes);
    let lifetimes = new.lifetimes.unwrap_or_else(|| default_lifetimes(ctx));
    let seed = Seed {
        tenant,
        issuer: issuer_of(&ctx.settings().external_url, &new.slug),
        slug: new.slug,
        name: new.name,
        keys: key_pair(ctx, tenant, Algorithm::Es256).await?,
        clients: built_in_clients(ctx),
        administrator: None,
        lifetimes,
        refresh: new.refresh.unwrap_or_else(|| default_refresh(ctx)),
        key_rotation_s: new.key_rotation_s,
    };
    // The saga has its tenant's id, so that a repeated request finds the tenant by it even after
    // the saga has closed.
    let id = SagaId::from_bytes(tenant.bytes());
    let saga = Saga { id, revision: 0, seed, setup: None, deleting: false };
    let command = Command::Tenants(tenants::Command::Begin(Box::new(saga)));
    let (outcome, reply) = ctx.write(asker, Placement::Cluster, command).await?;
    let Outcome::Saga(saga) = outcome else {
        return Err(Error::Internal("a creation answered with another outcome".into()));
    };
    finish(ctx, saga).await?;
    Ok((TenantId::from_bytes(saga.bytes()), reply))
}

/// Deletes a tenant, softly, and waits until that is complete.
///
/// # Errors
/// As [`Context::write`].
pub async fn delete(ctx: &Context, asker: &Asker, tenant: TenantId) -> Result<Reply, Error> {
    let saga = ctx.random().id(SagaId::from_bytes);
    let command = Command::Tenants(tenants::Command::BeginDelete { tenant, saga });
    let (_, reply) = ctx.write(asker, Placement::Cluster, command).await?;
    finish(ctx, saga).await?;
    Ok(reply)
}

/// Brings a deleted tenant back, under another slug if one is given, and waits until it answers.
///
/// # Errors
/// As [`Context::write`].
pub async fn restore(
    ctx: &Context,
    asker: &Asker,
    tenant: TenantId,
    slug: Option<String>,
) -> Result<Reply, Error> {
    let saga = ctx.random().id(SagaId::from_bytes);
    let address = slug.map(|slug| {
        let issuer = issuer_of(&ctx.settings().external_url, &slug);
        tenants::restore::Address { slug, issuer }
    });
    let keys = key_pair(ctx, tenant, Algorithm::Es256).await?;
    let request = tenants::restore::Request { tenant, saga, address, keys };
    let command = Command::Tenants(tenants::Command::BeginRestore(Box::new(request)));
    let (outcome, reply) = ctx.write(asker, Placement::Cluster, command).await?;
    let Outcome::Saga(saga) = outcome else {
        return Err(Error::Internal("a restoration answered with another outcome".into()));
    };
    finish(ctx, saga).await?;
    Ok(reply)
}

/// Runs the remaining steps of a saga; none if it is not open any more.
///
/// # Errors
/// As [`Context::write`].
pub async fn finish(ctx: &Context, id: SagaId) -> Result<Option<TenantId>, Error> {
    let level = feature_level(ctx)?;
    finish_from(ctx, id, level).await
}

/// As [`finish`], for a node that takes the feature level for this one.
async fn finish_from(ctx: &Context, id: SagaId, level: u16) -> Result<Option<TenantId>, Error> {
    let tenant = take_steps(ctx, id, level).await?;
    // Where the level was raised in between, the last step of a deletion did nothing: it is one of
    // before. Those of now end it; a level is never lowered, so there is no third time.
    if tenant.is_some() && level < TENANTS_RETURN {
        let level = feature_level(ctx)?;
        if level >= TENANTS_RETURN {
            take_steps(ctx, id, level).await?;
        }
    }
    Ok(tenant)
}

/// Takes the remaining steps of a saga, as they are at a feature level; none if it is not open any
/// more.
async fn take_steps(ctx: &Context, id: SagaId, level: u16) -> Result<Option<TenantId>, Error> {
    let Some((saga, line)) = under_way(ctx, id).await? else {
        return Ok(None);
    };
    let (tenant, revision) = (saga.seed.tenant, line.revision);
    let seed = Box::new(saga.seed);
    let finish = tenants::Command::Finish { tenant, line: revision };
    let (own, last) = match line.state {
        directory::State::Opening => {
            (tenants::Command::Open(seed), tenants::Command::Publish(tenant))
        }
        directory::State::Closing if level < TENANTS_RETURN => {
            (tenants::Command::Close, tenants::Command::FinishDelete(tenant))
        }
        directory::State::Closing => (tenants::Command::CloseAt { line: revision }, finish),
        directory::State::Restoring => (tenants::Command::Reopen { line: revision, seed }, finish),
        directory::State::Open | directory::State::Deleted => return Ok(None),
    };
    let system = Asker::system();
    ctx.write(&system, Placement::Tenant(tenant), Command::Tenants(own)).await?;
    ctx.write(&system, Placement::Cluster, Command::Tenants(last)).await?;
    Ok(Some(tenant))
}

/// The feature level, as far as it is known here.
fn feature_level(ctx: &Context) -> Result<u16, Error> {
    Ok(replicated::feature_level(&ctx.local().view()?)?)
}

/// An open saga and the line of the directory that says what is under way.
async fn under_way(ctx: &Context, id: SagaId) -> Result<Option<(Saga, Directory)>, Error> {
    let reading = ctx.fresh().await?;
    let view = reading.view()?;
    let Some(saga) = table::record::<Saga>(&view, TenantId::CLUSTER, id.bytes())? else {
        return Ok(None);
    };
    let tenant = saga.seed.tenant;
    let line = table::record::<Directory>(&view, TenantId::CLUSTER, tenant.bytes())?;
    Ok(line.map(|line| (saga, line)))
}

/// Every open saga, for the leader to finish.
///
/// # Errors
/// A fault of this node.
pub fn open_sagas(tables: &impl Tables) -> Result<Vec<SagaId>, Error> {
    let span = Span::Records { table: saga::SAGAS, after: None };
    let found = tables.scan(TenantId::CLUSTER, span, 100, false)?;
    found
        .iter()
        .map(|found| saga::decode(&found.value).map(|saga| saga.id))
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Internal(error.to_string()))
}

/// Whether any row of the directory says the tenant exists at all.
///
/// # Errors
/// A fault of this node.
pub fn directory_row(tables: &impl Tables, tenant: TenantId) -> Result<Option<Vec<u8>>, Error> {
    let row = Row::Record { table: Directory::TABLE, id: tenant.bytes() };
    Ok(tables.get(TenantId::CLUSTER, row)?)
}

/// Lifetimes of a tenant that asks for none.
pub fn default_lifetimes(ctx: &Context) -> Lifetimes {
    Lifetimes { access_token_s: ctx.settings().access_token_lifetime_s, ..Lifetimes::default() }
}

/// Refresh tokens of a tenant that says nothing about them: what is configured is how long one may
/// lie unused.
pub fn default_refresh(ctx: &Context) -> refresh::Policy {
    let policy = refresh::Policy::default();
    let idle_s = ctx.settings().refresh_token_lifetime_s;
    refresh::Policy { idle_s, lifetime_s: policy.lifetime_s.max(idle_s), ..policy }
}

/// An active and a pending key, sealed.
///
/// # Errors
/// When no key can be made.
pub async fn key_pair(
    ctx: &Context,
    tenant: TenantId,
    algorithm: Algorithm,
) -> Result<Vec<KeySeed>, Error> {
    Ok(vec![
        key_seed(ctx, tenant, algorithm, State::Active).await?,
        key_seed(ctx, tenant, algorithm, State::Pending).await?,
    ])
}

/// One key, sealed.
///
/// # Errors
/// When no key can be made.
pub(crate) async fn key_seed(
    ctx: &Context,
    tenant: TenantId,
    algorithm: Algorithm,
    state: State,
) -> Result<KeySeed, Error> {
    let internal = |error: &dyn std::error::Error| Error::Internal(error.to_string());
    let padding = match algorithm {
        Algorithm::Rs256 => Some(signer::Padding::Pkcs1),
        Algorithm::Ps256 => Some(signer::Padding::Pss),
        Algorithm::Es256 | Algorithm::EdDsa => None,
    };
    let key = match padding {
        Some(padding) => ctx.0.rsa_pool.take(padding).await.map_err(|e| internal(&e))?,
        None => signer::generate(algorithm, ctx.random()).map_err(|e| internal(&e))?,
    };
    let id = ctx.random().id(identity::id::SigningKeyId::from_bytes);
    let field = private_field(tenant, id);
    Ok(KeySeed {
        id,
        algorithm,
        kid: key.kid.clone(),
        public_jwk: key.jwk.to_string(),
        private: ctx.keyring().seal(&field, &key.der).map_err(|e| internal(&e))?,
        state,
    })
}

/// Clients every tenant has.
pub fn built_in_clients(ctx: &Context) -> Vec<ClientV2> {
    let settings = Settings {
        client_id: CLI_CLIENT.into(),
        name: "Vaultara command line".into(),
        enabled: true,
        authentication: Authentication::None,
        native: true,
        redirect_uris: vec!["http://127.0.0.1/callback".into(), "http://[::1]/callback".into()],
        grant_types: BTreeSet::from([GrantType::AuthorizationCode, GrantType::RefreshToken]),
        scopes: ["read", "write", "platform"].map(str::to_owned).into(),
        id_token_algorithm: Algorithm::Rs256,
        access_token_algorithm: Algorithm::Es256,
        access_token_lifetime_s: Some(900),
        admin_api: true,
        roles: BTreeSet::new(),
        refresh: refresh::ClientPolicy::default(),
        cors_origins: BTreeSet::new(),
        dpop_bound_access_tokens: false,
    };
    let id = ctx.random().id(identity::id::ClientId::from_bytes);
    let client = Client { built_in: true, ..Client::new(id, &settings, None, ctx.now_ms()) };
    vec![client.into()]
}

#[cfg(test)]
mod tests {
    use identity::changes::FIRST_LEVEL;

    use super::*;
    use crate::runtime::directory::tests::Node;

    #[tokio::test]
    async fn a_deletion_that_an_upgrade_overtakes_is_done_when_it_is_answered() {
        let node = Node::start().await;
        let (ctx, tenant) = (node.ctx(), node.tenant);
        let saga = ctx.random().id(SagaId::from_bytes);
        let begin = Command::Tenants(tenants::Command::BeginDelete { tenant, saga });
        ctx.write(&Asker::system(), Placement::Cluster, begin).await.unwrap();
        // What this node took for the level before the upgrade reached it.
        assert_eq!(finish_from(ctx, saga, FIRST_LEVEL).await.unwrap(), Some(tenant));
        let reading = ctx.local();
        let line =
            table::record::<Directory>(&reading.view().unwrap(), TenantId::CLUSTER, tenant.bytes());
        assert_eq!(line.unwrap().unwrap().state, directory::State::Deleted);
        drop(reading);
        node.stop().await;
    }
}
