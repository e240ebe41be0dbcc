//! One tenant in use on this node: its hot state as an immutable snapshot.
//!
//! The actor rebuilds the snapshot when it is asked for a newer one; request tasks read the
//! published one without a mailbox hop. Invariant: a snapshot is used only if it was built from a
//! view at least as new as the last write to what it is built from ([`raft::Freshness`]).

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use identity::{
    clients::Client,
    id::TenantId,
    keys::{self, Algorithm, State},
    outcome::Rejection,
    table::{self, Tables},
    tenants::Tenant,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    clock::Clock,
    kept::Kept,
    keyring::Keyring,
    random::Random,
    sealer::Field,
    signer::SigningKey,
    verifier::{KeySet, VerifyingKey},
};
use crate::error::Error;

/// Most requests waiting in one tenant's mailbox.
const MAILBOX_MAX: usize = 1024;

/// Most clients kept in memory per tenant.
const CLIENTS_MAX: usize = 4096;

/// Most origins of clients kept in memory per tenant.
const ORIGINS_MAX: usize = 1024;

/// What a request needs of a tenant all the time.
pub struct TenantSnapshot {
    /// Applied index of the view it was built from.
    pub as_of: u64,
    /// The tenant.
    pub tenant: Tenant,
    /// Active signing keys, parsed.
    pub signers: BTreeMap<Algorithm, Arc<SigningKey>>,
    /// Every published key, parsed for verification.
    pub verifiers: KeySet,
    /// The published key set, rendered.
    pub jwks: Bytes,
}

/// What the tenant's actor and its readers share.
pub struct TenantCell {
    id: TenantId,
    published: ArcSwapOption<TenantSnapshot>,
    /// Live clients by `client_id`.
    pub(super) clients: Kept<String, Arc<Client>>,
    /// Origins at which live clients run.
    pub(super) origins: Kept<String, ()>,
    used_boot_ms: AtomicU64,
    entrance: Semaphore,
}

impl TenantCell {
    pub(super) fn new(id: TenantId) -> Self {
        Self {
            id,
            published: ArcSwapOption::empty(),
            clients: Kept::new(CLIENTS_MAX),
            origins: Kept::new(ORIGINS_MAX),
            used_boot_ms: AtomicU64::new(0),
            entrance: Semaphore::new(MAILBOX_MAX),
        }
    }

    /// The published snapshot if it is new enough.
    pub(super) fn usable(&self, required: u64, boot_ms: u64) -> Option<Arc<TenantSnapshot>> {
        self.used_boot_ms.store(boot_ms, Ordering::Relaxed);
        self.published.load_full().filter(|snapshot| snapshot.as_of >= required)
    }

    /// When it was last asked for, boot clock milliseconds.
    pub(super) fn used_boot_ms(&self) -> u64 {
        self.used_boot_ms.load(Ordering::Relaxed)
    }
}

/// What the actor is asked.
pub enum Message {
    /// A snapshot at least as new as everything applied when it is built.
    Refresh(RpcReplyPort<Result<Arc<TenantSnapshot>, Error>>),
}

/// The actor's definition.
pub struct TenantActor;

/// What the actor starts with and keeps.
pub struct TenantState {
    pub(super) cell: Arc<TenantCell>,
    pub(super) raft: raft::Handle,
    pub(super) keyring: Keyring,
    pub(super) random: Random,
    pub(super) clock: Clock,
}

impl Actor for TenantActor {
    type Msg = Message;
    type State = TenantState;
    type Arguments = TenantState;

    async fn pre_start(
        &self,
        _me: ActorRef<Message>,
        state: TenantState,
    ) -> Result<TenantState, ActorProcessingErr> {
        Ok(state)
    }

    async fn handle(
        &self,
        _me: ActorRef<Message>,
        message: Message,
        state: &mut TenantState,
    ) -> Result<(), ActorProcessingErr> {
        let Message::Refresh(reply) = message;
        let required = state.raft.freshness().required(state.cell.id);
        let boot_ms = state.clock.boot_ms();
        // Requests that queued behind one rebuild are answered by it.
        let answer = match state.cell.usable(required, boot_ms) {
            Some(snapshot) => Ok(snapshot),
            None => state.rebuild(),
        };
        drop(reply.send(answer));
        Ok(())
    }
}

impl TenantState {
    fn rebuild(&self) -> Result<Arc<TenantSnapshot>, Error> {
        let pinned = self.raft.pin();
        let view = pinned.view()?;
        let snapshot = build(&view, view.as_of()?, self.cell.id, &self.keyring, &self.random)?;
        let snapshot = Arc::new(snapshot);
        self.cell.published.store(Some(Arc::clone(&snapshot)));
        Ok(snapshot)
    }
}

/// Reads, unseals and parses what a snapshot holds.
fn build(
    tables: &impl Tables,
    as_of: u64,
    id: TenantId,
    keyring: &Keyring,
    random: &Random,
) -> Result<TenantSnapshot, Error> {
    let tenant: Tenant = table::record(tables, id, id.bytes())?.ok_or(Rejection::NotFound)?;
    let mut signers = BTreeMap::new();
    let mut verifiers = KeySet::new();
    let mut published = Vec::new();
    for key in keys::all(tables, id)?.into_iter().filter(keys::SigningKey::published) {
        let field = private_field(id, key.id);
        let unreadable = |what: String| Error::Internal(format!("signing key {}: {what}", key.kid));
        let der =
            keyring.unseal(&field, &key.private).map_err(|error| unreadable(error.to_string()))?;
        let signer = SigningKey::parse(key.algorithm, key.kid.clone(), &der, random.clone())
            .map_err(|error| unreadable(error.to_string()))?;
        let verifier = VerifyingKey::parse(key.algorithm, signer.public())
            .map_err(|error| unreadable(error.to_string()))?;
        verifiers.insert(key.kid.clone(), verifier);
        let jwk: Value =
            serde_json::from_str(&key.public_jwk).map_err(|error| unreadable(error.to_string()))?;
        published.push(jwk);
        if key.state == State::Active {
            signers.insert(key.algorithm, Arc::new(signer));
        }
    }
    let jwks = Bytes::from(json!({ "keys": published }).to_string());
    Ok(TenantSnapshot { as_of, tenant, signers, verifiers, jwks })
}

/// Where a private signing key is sealed to.
pub fn private_field(tenant: TenantId, key: identity::id::SigningKeyId) -> Field<'static> {
    Field { tenant, table: keys::KEYS, record: key.bytes(), name: "private" }
}

/// Asks a tenant's actor for a new snapshot, refusing when too many ask.
pub(super) async fn refresh(
    cell: &TenantCell,
    actor: &ActorRef<Message>,
) -> Result<Arc<TenantSnapshot>, Error> {
    let Ok(_entered) = cell.entrance.try_acquire() else {
        return Err(Error::Overloaded { retry_after_s: 1 });
    };
    match actor.call(Message::Refresh, None).await {
        Ok(ractor::rpc::CallResult::Success(answer)) => answer,
        Ok(_) | Err(_) => Err(Error::Unavailable("the tenant's actor is restarting".into())),
    }
}
