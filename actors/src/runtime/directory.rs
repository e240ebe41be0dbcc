//! Starts, finds and passivates tenant actors: only tenants in use are alive on this node.
//!
//! Readers look cells up without a mailbox hop; starting, restarting after a panic and stopping an
//! idle one go through this actor, which supervises them. Invariant: at most one live actor per
//! tenant.

mod rights;
mod sessions;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use identity::{
    clients::{Client, origins},
    id::TenantId,
    outcome::Rejection,
};
use ractor::{
    Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent, rpc::CallResult,
};
use tokio::sync::Semaphore;

use super::{
    alive::{self, Alive},
    clock::Clock,
    kept::Kept,
    keyring::Keyring,
    random::Random,
    tenant::{self, TenantActor, TenantCell, TenantSnapshot, TenantState},
};
use crate::{
    clients,
    context::Context,
    error::Error,
    tenants::{self, Address},
};

/// Most addresses kept in memory.
const ADDRESSES_MAX: usize = 16_384;
/// How often idle tenants are looked for.
const PASSIVATE_EVERY: Duration = Duration::from_secs(30);

type Live = alive::Live<TenantCell, tenant::Message>;
type Cells = Alive<TenantId, TenantCell, tenant::Message>;

/// The handle requests use. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    cells: Arc<Cells>,
    addresses: Arc<Kept<Address, TenantId>>,
    /// Places for sessions with an actor, and how many there are.
    sessions: (Arc<Semaphore>, usize),
    actor: ActorRef<Message>,
}

/// What the actor is asked.
pub enum Message {
    /// Starts a tenant's actor unless it runs.
    Start(TenantId, RpcReplyPort<()>),
    /// Stops tenants, and in the others sessions, that were idle for long.
    Passivate,
}

/// The actor's definition.
pub struct DirectoryActor;

/// What the actor keeps.
pub struct DirectoryState {
    cells: Arc<Cells>,
    sessions: Arc<Semaphore>,
    parts: Parts,
}

/// What every tenant actor gets.
#[derive(Clone)]
pub struct Parts {
    /// Agreement.
    pub raft: raft::Handle,
    /// Opens signing keys.
    pub keyring: Keyring,
    /// For signatures that draw.
    pub random: Random,
    /// For idleness.
    pub clock: Clock,
    /// A tenant unused for this long is passivated, milliseconds.
    pub idle_ms: u64,
    /// Most sessions with an actor; those beyond go without.
    pub sessions_max: usize,
}

impl Directory {
    /// Starts the actor.
    ///
    /// # Errors
    /// When the actor cannot be spawned.
    pub async fn start(parts: Parts) -> Result<Self, ractor::SpawnErr> {
        let cells = Arc::new(Cells::default());
        let sessions = (Arc::new(Semaphore::new(parts.sessions_max)), parts.sessions_max);
        let (cells_of, places) = (Arc::clone(&cells), Arc::clone(&sessions.0));
        let state = DirectoryState { cells: cells_of, sessions: places, parts };
        let (actor, _) = Actor::spawn(None, DirectoryActor, state).await?;
        actor.send_interval(PASSIVATE_EVERY, || Message::Passivate);
        Ok(Self { cells, addresses: Arc::new(Kept::new(ADDRESSES_MAX)), sessions, actor })
    }

    /// A tenant's hot state, at least as new as everything applied here.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] for a tenant that does not exist.
    pub async fn snapshot(
        &self,
        ctx: &Context,
        tenant: TenantId,
    ) -> Result<Arc<TenantSnapshot>, Error> {
        if tenant == TenantId::CLUSTER {
            return Err(Rejection::NotFound.into());
        }
        let (cell, actor) = self.live(tenant).await?;
        let required = ctx.0.raft.freshness().required(tenant);
        if let Some(snapshot) = cell.usable(required, ctx.0.clock.boot_ms()) {
            return Ok(snapshot);
        }
        tenant::refresh(&cell, &actor).await
    }

    /// The tenant behind an address, if it answers: as new as everything applied here.
    ///
    /// # Errors
    /// As [`tenants::find`].
    pub fn find(&self, ctx: &Context, address: &Address) -> Result<TenantId, Error> {
        let required = ctx.0.raft.freshness().required_of_directory();
        if let Some(tenant) = self.addresses.get(address, required) {
            return Ok(tenant);
        }
        let reading = ctx.local();
        let view = reading.view()?;
        let tenant = tenants::find(&view, address)?;
        self.addresses.put(address.clone(), view.as_of()?, tenant);
        Ok(tenant)
    }

    /// A live client by its `client_id`: as new as everything applied here.
    ///
    /// # Errors
    /// Faults only.
    pub async fn client(
        &self,
        ctx: &Context,
        tenant: TenantId,
        client_id: &str,
    ) -> Result<Option<Arc<Client>>, Error> {
        let (cell, _) = self.live(tenant).await?;
        let required = ctx.0.raft.freshness().required_of_clients(tenant);
        if let Some(client) = cell.clients.get(client_id, required) {
            return Ok(Some(client));
        }
        let reading = ctx.local();
        let view = reading.view()?;
        let Some(client) = clients::find(&view, tenant, client_id)?.map(Arc::new) else {
            return Ok(None);
        };
        cell.clients.put(client_id.to_owned(), view.as_of()?, Arc::clone(&client));
        Ok(Some(client))
    }

    /// Whether a live client of a tenant runs at an origin: as new as everything applied here.
    ///
    /// # Errors
    /// Faults only.
    pub async fn knows_origin(
        &self,
        ctx: &Context,
        tenant: TenantId,
        origin: &str,
    ) -> Result<bool, Error> {
        let (cell, _) = self.live(tenant).await?;
        let required = ctx.0.raft.freshness().required_of_clients(tenant);
        if cell.origins.get(origin, required).is_some() {
            return Ok(true);
        }
        let reading = ctx.local();
        let view = reading.view()?;
        let known = origins::registered(&view, tenant, origin)?;
        if known {
            cell.origins.put(origin.to_owned(), view.as_of()?, ());
        }
        Ok(known)
    }

    async fn live(&self, tenant: TenantId) -> Result<Live, Error> {
        match self.cells.get(tenant) {
            Some(live) => Ok(live),
            None => self.start_tenant(tenant).await,
        }
    }

    fn start_tenant(&self, tenant: TenantId) -> BoxFuture<'_, Result<Live, Error>> {
        Box::pin(async move {
            let unavailable = || Error::Unavailable("the tenant directory is restarting".into());
            match self.actor.call(|reply| Message::Start(tenant, reply), None).await {
                Ok(CallResult::Success(())) => self.cells.get(tenant).ok_or_else(unavailable),
                Ok(_) | Err(_) => Err(unavailable()),
            }
        })
    }

    /// How many tenants are alive on this node.
    pub fn alive(&self) -> usize {
        self.cells.len()
    }

    /// How many sessions have an actor on this node.
    pub fn sessions_alive(&self) -> usize {
        let (places, sessions_max) = &self.sessions;
        sessions_max.saturating_sub(places.available_permits())
    }

    /// Looks for idle tenants and sessions now instead of at the next interval.
    pub fn passivate(&self) {
        drop(self.actor.cast(Message::Passivate));
    }

    /// Stops every tenant's actor and this one.
    pub async fn stop(&self) {
        for (_, actor) in self.cells.remove_where(|_| true) {
            actor.stop(None);
        }
        drop(self.actor.stop_and_wait(None, None).await);
    }
}

impl Actor for DirectoryActor {
    type Msg = Message;
    type State = DirectoryState;
    type Arguments = DirectoryState;

    async fn pre_start(
        &self,
        _me: ActorRef<Message>,
        state: DirectoryState,
    ) -> Result<DirectoryState, ActorProcessingErr> {
        Ok(state)
    }

    async fn handle(
        &self,
        me: ActorRef<Message>,
        message: Message,
        state: &mut DirectoryState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Start(tenant, reply) => {
                if state.cells.get(tenant).is_none() {
                    let live = spawn(&me, tenant, state).await?;
                    state.cells.put(tenant, live);
                }
                drop(reply.send(()));
            }
            Message::Passivate => {
                let now = state.parts.clock.boot_ms();
                let idle_ms = state.parts.idle_ms;
                let idle = |live: &Live| now.saturating_sub(live.0.used_boot_ms()) > idle_ms;
                for (_, actor) in state.cells.remove_where(idle) {
                    actor.stop(Some("idle".into()));
                }
                for (_, actor) in state.cells.all() {
                    drop(actor.cast(tenant::Message::Passivate));
                }
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _me: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut DirectoryState,
    ) -> Result<(), ActorProcessingErr> {
        // A panic restarts that tenant only: its cell goes, the next request starts it anew.
        if let SupervisionEvent::ActorFailed(who, error) = event {
            tracing::error!(%error, "a tenant's actor failed");
            state.cells.remove_where(|live| live.1.get_id() == who.get_id());
        }
        Ok(())
    }
}

async fn spawn(
    me: &ActorRef<Message>,
    tenant: TenantId,
    DirectoryState { sessions, parts, .. }: &DirectoryState,
) -> Result<Live, ActorProcessingErr> {
    let cell = Arc::new(TenantCell::new(tenant));
    let Parts { raft, keyring, random, clock, .. } = parts.clone();
    let alive = Arc::clone(sessions);
    // A cell that was never read must not look idle.
    drop(cell.usable(u64::MAX, clock.boot_ms()));
    let state = TenantState { cell: Arc::clone(&cell), raft, keyring, random, clock, alive };
    let (actor, _) = Actor::spawn_linked(None, TenantActor, state, me.get_cell()).await?;
    Ok((cell, actor))
}

#[cfg(test)]
pub(crate) mod tests;
