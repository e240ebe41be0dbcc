//! First-run setup: whoever holds the bootstrap secret makes the default tenant and its first
//! administrator, once. It closes for ever through a replicated flag; of two concurrent setups one
//! wins.

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    cluster,
    id::TenantId,
    outcome::{Outcome, Rejection, Stop},
    principal::Principal,
    table::{Record, Span, TablesMut},
    tenants::{Directory, Saga, old::SagaV1, saga},
};

/// Setup's one command. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// [`Command::Begin`] with a request of version 1.
    BeginV1(Box<SagaV1>),
    /// Begins the saga that makes the default tenant; the same request resumes it.
    Begin(Box<Saga>),
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::BeginV1(_) | Self::Begin(_) => "setup.begin",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::BeginV1(wanted) => begin(at, &Saga::from((**wanted).clone())),
            Self::Begin(wanted) => begin(at, wanted),
        }
    }
}

fn begin<T: TablesMut>(at: &mut Applying<'_, T>, wanted: &Saga) -> Result<Outcome, Stop> {
    at.require_placement(TenantId::CLUSTER)?;
    at.target(Directory::TABLE, wanted.seed.tenant.bytes());
    if !matches!(at.principal(), Principal::Bootstrap | Principal::System) {
        return Err(Rejection::Denied("setup".into()).into());
    }
    let settings = cluster::settings(at)?;
    if settings.setup_closed_at_ms.is_some() {
        return Err(Rejection::SetupClosed.into());
    }
    let proof = wanted.setup.as_ref().ok_or(Rejection::BootstrapSecret)?;
    let proven = settings.bootstrap.is_some_and(|digest| digest.matches(&proof.bootstrap));
    if !proven {
        return Err(Rejection::BootstrapSecret.into());
    }
    if let Some(open) = open(at)? {
        let same = open.setup.as_ref().is_some_and(|setup| setup.body.matches(&proof.body));
        return if same { Ok(Outcome::Saga(open.id)) } else { Err(Rejection::SetupOpen.into()) };
    }
    if wanted.seed.issuer != settings.external_url {
        return Err(Rejection::invalid("/tenant/issuer", "must be the external URL").into());
    }
    if wanted.deleting {
        return Err(Rejection::invalid("", "is not a setup").into());
    }
    if wanted.seed.administrator.is_none() {
        return Err(Rejection::invalid("/admin", "must be given").into());
    }
    saga::begin(at, wanted)
}

/// The open setup, if any; before setup has closed no other saga can exist.
fn open<T: TablesMut>(at: &Applying<'_, T>) -> Result<Option<Saga>, Stop> {
    let found = at.scan(Span::Records { table: saga::SAGAS, after: None }, 1)?;
    match found.first() {
        Some(found) => Ok(Some(saga::decode(&found.value).map_err(crate::fault::Fault::from)?)),
        None => Ok(None),
    }
}
