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
use futures::future::BoxFuture;
use identity::{
    authorize::{Held, Standing},
    branding::{self, Branding, Logo, Look, Shown},
    client_scopes::{self, ClientScope},
    clients::Client,
    id::{SessionId, TenantId},
    keys::{self, Algorithm, State},
    languages,
    licenses::{self, Feature, License},
    outcome::Rejection,
    sign_in_notices::{self, SignInNotice},
    source_blocks::{self, Blocked},
    table::{self, Tables},
    tenants::Tenant,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    alive::Alive,
    clock::Clock,
    kept::Kept,
    keyring::Keyring,
    random::Random,
    sealer::Field,
    session::{self, Purpose, SessionActor, SessionCell},
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

/// Most different sets of roles and groups, of those that anybody asks with, whose rights are kept
/// in memory per tenant.
const RIGHTS_MAX: usize = 256;

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
    /// What scopes add to tokens.
    pub scopes: Vec<ClientScope>,
    /// How pages look, if the license allows it.
    pub branding: Branding,
    /// The logo of pages, likewise.
    pub logo: Logo,
    /// The languages of pages.
    pub languages: languages::Rules,
    /// What people are to read before they sign in, by name; those of another time too.
    pub notices: Vec<SignInNotice>,
    /// Networks from which nobody is let in.
    pub blocked: Blocked,
    /// What may be used.
    pub license: License,
}

impl TenantSnapshot {
    /// How pages look at a state time; none where the license does not include it.
    pub fn look(&self, now_ms: u64) -> Option<(&Look, Option<Shown>)> {
        let allowed = self.license.terms(now_ms).features.contains(&Feature::Branding);
        allowed.then_some((&self.branding.look, self.logo.shown))
    }

    /// What pages call the tenant at a state time.
    pub fn shown_name(&self, now_ms: u64) -> &str {
        let chosen = self.look(now_ms).and_then(|(look, _)| look.display_name.as_deref());
        chosen.unwrap_or(&self.tenant.name)
    }
}

/// What the tenant's actor and its readers share.
pub struct TenantCell {
    id: TenantId,
    published: ArcSwapOption<TenantSnapshot>,
    /// Live clients by `client_id`.
    pub(super) clients: Kept<String, Arc<Client>>,
    /// Origins at which live clients run.
    pub(super) origins: Kept<String, ()>,
    /// What whoever stands so holds.
    pub(super) rights: Kept<Standing, Arc<Held>>,
    /// Sessions in use.
    sessions: Alive<SessionId, SessionCell, session::Message>,
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
            rights: Kept::new(RIGHTS_MAX),
            sessions: Alive::default(),
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

    /// Comes to the actor of a session. Who is in keeps it alive.
    pub(super) fn enter(&self, id: SessionId, purpose: Purpose, boot_ms: u64) -> Entered {
        self.used_boot_ms.store(boot_ms, Ordering::Relaxed);
        self.sessions.look(id, |live| match live {
            Some((cell, actor)) => match cell.enter(purpose, boot_ms) {
                Some(place) => Entered::In(actor.clone(), place),
                None => Entered::Full,
            },
            None => Entered::Absent,
        })
    }

    /// The actor of a session, if it is alive.
    pub(super) fn session(&self, id: SessionId) -> Option<ActorRef<session::Message>> {
        self.sessions.get(id).map(|(_, actor)| actor)
    }

    /// Forgets a session's actor that does not answer any more.
    pub(super) fn forget(&self, actor: &ActorRef<session::Message>) {
        self.sessions.remove_where(|live| live.1.get_id() == actor.get_id());
    }
}

/// What came of coming to the actor of a session.
pub(super) enum Entered {
    /// A place among those who are there.
    In(ActorRef<session::Message>, OwnedSemaphorePermit),
    /// Too many are there.
    Full,
    /// It has none.
    Absent,
}

/// What the actor is asked.
pub enum Message {
    /// A snapshot at least as new as everything applied when it is built.
    Refresh(RpcReplyPort<Result<Arc<TenantSnapshot>, Error>>),
    /// Starts the actor of a session unless it runs or too many do.
    Start {
        /// Which.
        session: SessionId,
        /// Its absolute end, boot clock milliseconds.
        ends_boot_ms: u64,
        /// When that is done.
        reply: RpcReplyPort<()>,
    },
    /// Stops the actors of sessions that are over or were idle for long.
    Passivate,
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
    /// Places on this node for sessions with an actor.
    pub(super) alive: Arc<Semaphore>,
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
        me: ActorRef<Message>,
        message: Message,
        state: &mut TenantState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Refresh(reply) => drop(reply.send(state.refresh())),
            Message::Start { session, ends_boot_ms, reply } => {
                state.start(&me, session, ends_boot_ms).await;
                drop(reply.send(()));
            }
            Message::Passivate => {
                let boot_ms = state.clock.boot_ms();
                state.stop_where(|cell| cell.over(boot_ms));
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _me: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut TenantState,
    ) -> Result<(), ActorProcessingErr> {
        // Whoever waited there goes on without it; the next one starts it anew.
        if let SupervisionEvent::ActorFailed(who, error) = event {
            tracing::error!(%error, "a session's actor failed");
            state.cell.sessions.remove_where(|live| live.1.get_id() == who.get_id());
        }
        Ok(())
    }
}

impl TenantState {
    fn refresh(&self) -> Result<Arc<TenantSnapshot>, Error> {
        let required = self.raft.freshness().required(self.cell.id);
        // Requests that queued behind one rebuild are answered by it.
        match self.cell.usable(required, self.clock.boot_ms()) {
            Some(snapshot) => Ok(snapshot),
            None => self.rebuild(),
        }
    }

    async fn start(&self, me: &ActorRef<Message>, id: SessionId, ends_boot_ms: u64) {
        if self.cell.session(id).is_some() {
            return;
        }
        let Some(place) = self.place() else { return };
        let cell = SessionCell::new(place, ends_boot_ms, self.clock.boot_ms());
        match Actor::spawn_linked(None, SessionActor, (), me.get_cell()).await {
            Ok((actor, _)) => self.cell.sessions.put(id, (Arc::new(cell), actor)),
            Err(error) => tracing::warn!(%error, "a session's actor could not be started"),
        }
    }

    /// A place for one more session with an actor; who uses none gives way to who would.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = || Arc::clone(&self.alive).try_acquire_owned().ok();
        place().or_else(|| {
            self.stop_where(SessionCell::free);
            place()
        })
    }

    fn stop_where(&self, gone: impl Fn(&SessionCell) -> bool) {
        for (_, actor) in self.cell.sessions.remove_where(|(cell, _)| gone(cell)) {
            actor.stop(None);
        }
    }

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
    let scopes = client_scopes::all(tables, id)?;
    Ok(TenantSnapshot {
        as_of,
        tenant,
        signers,
        verifiers,
        jwks,
        scopes,
        branding: branding::of(tables, id)?,
        logo: branding::logo(tables, id)?,
        languages: languages::rules(tables, id)?,
        notices: sign_in_notices::all(tables, id)?,
        blocked: source_blocks::blocked(tables, id)?,
        license: licenses::of(tables, id)?,
    })
}

/// Where a private signing key is sealed to.
pub fn private_field(tenant: TenantId, key: identity::id::SigningKeyId) -> Field<'static> {
    Field { tenant, table: keys::KEYS, record: key.bytes(), name: "private" }
}

/// Has the actor of a session started. When too many ask, or the tenant's actor is restarting, it
/// goes without.
pub(super) fn start_session<'a>(
    cell: &'a TenantCell,
    actor: &'a ActorRef<Message>,
    session: SessionId,
    ends_boot_ms: u64,
) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let Ok(_entered) = cell.entrance.try_acquire() else { return };
        let start = |reply| Message::Start { session, ends_boot_ms, reply };
        if let Err(error) = actor.call(start, None).await {
            tracing::debug!(%error, "a session's actor was not started");
        }
    })
}

/// Asks a tenant's actor for a new snapshot, refusing when too many ask.
pub(super) fn refresh<'a>(
    cell: &'a TenantCell,
    actor: &'a ActorRef<Message>,
) -> BoxFuture<'a, Result<Arc<TenantSnapshot>, Error>> {
    Box::pin(async move {
        let Ok(_entered) = cell.entrance.try_acquire() else {
            return Err(Error::Overloaded { retry_after_s: 1 });
        };
        match actor.call(Message::Refresh, None).await {
            Ok(ractor::rpc::CallResult::Success(answer)) => answer,
            Ok(_) | Err(_) => Err(Error::Unavailable("the tenant's actor is restarting".into())),
        }
    })
}
