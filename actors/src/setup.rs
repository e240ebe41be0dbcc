//! First-run setup: the bootstrap secret is proven, the default tenant and its first administrator
//! are made. The same request resumes; another one while it is open is refused; afterwards it is
//! closed.

use identity::{
    command::Command,
    id::{SagaId, TenantId, UserId},
    keys::Algorithm,
    licenses, name,
    outcome::{Outcome, Rejection},
    passwords::Rules,
    principal::{Principal, Source},
    secret::Digest,
    setup,
    stamp::Placement,
    tenants::{Saga, Seed, UserSeed, saga::SetupProof},
};

use crate::{
    context::{Asker, Context},
    error::Error,
    passwords::{self, Owner},
    runtime::{
        keyring::MacPurpose,
        secret::{Password, Token},
    },
    tenants,
};

/// What setup asks for.
pub struct Request {
    /// The secret printed at start.
    pub bootstrap: Token,
    /// Slug of the default tenant.
    pub slug: String,
    /// Name of the default tenant.
    pub tenant_name: String,
    /// Canonical user name of the first administrator.
    pub username: String,
    /// E-mail address, may be empty.
    pub email: String,
    /// Their password.
    pub password: Password,
    /// A license key for the default tenant; none means everything may be used.
    pub license: Option<String>,
}

/// Where setup stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nobody has set this up.
    Required,
    /// A setup is under way.
    UnderWay,
    /// Closed for ever.
    Complete,
}

/// Where setup stands.
///
/// # Errors
/// [`Error::Unavailable`] without a leader.
pub async fn status(ctx: &Context) -> Result<Status, Error> {
    let reading = ctx.fresh().await?;
    let view = reading.view()?;
    if tenants::cluster_settings(&view)?.setup_closed_at_ms.is_some() {
        return Ok(Status::Complete);
    }
    let open = tenants::open_sagas(&view)?;
    Ok(if open.is_empty() { Status::Required } else { Status::UnderWay })
}

/// Sets the cluster up.
///
/// # Errors
/// [`Rejection::SetupClosed`], [`Rejection::SetupOpen`], [`Rejection::BootstrapSecret`], rule
/// violations with their field.
pub async fn perform(ctx: &Context, source: Source, request: Request) -> Result<TenantId, Error> {
    let settings = {
        let reading = ctx.fresh().await?;
        let view = reading.view()?;
        tenants::cluster_settings(&view)?
    };
    if settings.setup_closed_at_ms.is_some() {
        return Err(Rejection::SetupClosed.into());
    }
    // An early refusal: a stranger must not cost a password hash or a log entry.
    if !settings.bootstrap.is_some_and(|digest| request.bootstrap.matches(&digest)) {
        let wall_ms = ctx.0.clock.wall_ms();
        let what = ("setup.begin", "bootstrap_secret");
        ctx.denials().count(TenantId::CLUSTER, &source, what, wall_ms);
        return Err(Rejection::BootstrapSecret.into());
    }
    name::slug("/tenant/slug", &request.slug)?;
    name::text("/tenant/name", &request.tenant_name)?;
    name::username("/admin/username", &request.username)?;
    let owner = Owner {
        username: &request.username,
        email: &request.email,
        tenant_slug: &request.slug,
        tenant_name: &request.tenant_name,
    };
    passwords::check(&request.password, &Rules::default(), owner)
        .map_err(|violation| violation.at("/admin/password"))?;
    let license = license(ctx, request.license.as_deref())?;
    let proof = SetupProof { bootstrap: request.bootstrap.digest(), body: body(ctx, &request) };
    let saga = draw(ctx, request, proof).await?;
    let tenant = saga.seed.tenant;
    let asker = Asker { principal: Principal::Bootstrap, source, idempotency: None };
    let command = Command::Setup(setup::Command::Begin(Box::new(saga)));
    let (Outcome::Saga(saga), _) = ctx.write(&asker, Placement::Cluster, command).await? else {
        return Err(Error::Internal("a setup answered with another outcome".into()));
    };
    let tenant = tenants::finish(ctx, saga).await?.unwrap_or(tenant);
    if let Some(install) = license {
        // A node that ends here leaves the tenant without a key, which forbids nothing.
        let command = Command::Licenses(install);
        ctx.write(&Asker::system(), Placement::Tenant(tenant), command).await?;
    }
    Ok(tenant)
}

/// The key is read before anything is made: a tenant whose key was refused would be set up.
fn license(ctx: &Context, key: Option<&str>) -> Result<Option<licenses::Command>, Error> {
    let Some(text) = key else {
        return Ok(None);
    };
    let reading = ctx.local();
    // Nobody knows the tenant's id yet, so a key for one tenant only cannot be for it.
    let fits = crate::licenses::verified(ctx, &reading.view()?, text).and_then(|(key, claims)| {
        claims.fit(TenantId::CLUSTER, ctx.now_ms())?;
        Ok(licenses::Command::Install { expected: None, key, claims: Box::new(claims) })
    });
    match fits {
        Err(Error::Rejected(Rejection::Invalid { reason, .. })) => {
            Err(Rejection::invalid("/license", reason).into())
        }
        other => other.map(Some),
    }
}

/// By this the same request is known.
fn body(ctx: &Context, request: &Request) -> Digest {
    let mut parts = vec![
        request.slug.as_bytes(),
        request.tenant_name.as_bytes(),
        request.username.as_bytes(),
        request.email.as_bytes(),
        request.password.expose().as_bytes(),
    ];
    parts.extend(request.license.as_ref().map(String::as_bytes));
    let purpose = MacPurpose::Idempotency;
    Digest::from_bytes(ctx.keyring().mac(purpose, TenantId::CLUSTER, &parts))
}

async fn draw(ctx: &Context, request: Request, proof: SetupProof) -> Result<Saga, Error> {
    let tenant = ctx.random().id(TenantId::from_bytes);
    let password = ctx.hasher().hash(tenant, request.password).await?;
    let seed = Seed {
        tenant,
        slug: request.slug,
        issuer: ctx.settings().external_url.clone(),
        name: request.tenant_name,
        keys: tenants::key_pair(ctx, tenant, Algorithm::Es256).await?,
        clients: tenants::built_in_clients(ctx),
        administrator: Some(UserSeed {
            id: ctx.random().id(UserId::from_bytes),
            username: request.username,
            email: request.email,
            password,
        }),
        lifetimes: tenants::default_lifetimes(ctx),
        refresh: tenants::default_refresh(ctx),
        key_rotation_s: identity::tenants::key_rotation(),
    };
    let id = ctx.random().id(SagaId::from_bytes);
    Ok(Saga { id, revision: 0, seed, setup: Some(proof), deleting: false })
}
