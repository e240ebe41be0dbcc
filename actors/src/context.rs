//! What every flow receives first: reading, proposing, and the services of this node.
//!
//! Cheap to clone. A flow can reach storage only through [`Reading`] and change it only through
//! [`Context::propose`], so no handler can bypass authorization, audit or the log.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use identity::{
    clients::Client,
    command::Command,
    id::{SessionId, TenantId},
    outcome::{Outcome, Reply},
    principal::{Principal, Source},
    sessions::Session,
    stamp::{Draft, Idempotency, Placement},
};
use storage::{Pinned, View};

use crate::{
    changes::Feeds,
    cluster,
    error::Error,
    licenses,
    runtime::{
        clock::{Clock, stamps::Stamps},
        denials::Denials,
        directory::Directory,
        fetcher::Fetcher,
        hasher::{self, Hasher},
        keyring::Keyring,
        limiter::Limiter,
        membership,
        pictures::Pictures,
        proposer::{self, Proposer},
        random::Random,
        seen::Seen,
        session::{self, Purpose, Turn},
        signer::RsaPool,
        tenant::TenantSnapshot,
    },
    tenants::Address,
};

/// How long a draft may wait for its turn, milliseconds of state time.
const DRAFT_LIFETIME_MS: u64 = 30_000;

/// Settings of this node that flows need; replicated settings are read from state.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The public URL, issuer of the default tenant, without a trailing slash.
    pub external_url: String,
    /// Whether cookies carry the `__Host-` prefix and `Secure`.
    pub secure_cookies: bool,
    /// Access token lifetime of new tenants, seconds.
    pub access_token_lifetime_s: u32,
    /// How long a refresh token of new tenants may lie unused, seconds.
    pub refresh_token_lifetime_s: u32,
    /// Issuers of license keys besides the cluster itself.
    pub license_issuers: Vec<licenses::key::PublicKey>,
    /// What this node says of itself to the others; nothing if it has no cluster port.
    pub node: Option<OwnNode>,
    /// What this node does about backups.
    pub backups: crate::backup::Settings,
}

/// What a node says of itself to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnNode {
    /// Its name, for people.
    pub name: String,
    /// Where the others reach its cluster port, host and port.
    pub address: String,
    /// Its zone, empty if it has none.
    pub zone: String,
    /// Its program's version.
    pub version: String,
}

/// The services of a node. See the module.
#[derive(Clone)]
pub struct Context(pub(crate) Arc<Services>);

pub(crate) struct Services {
    pub(crate) settings: Settings,
    pub(crate) raft: raft::Handle,
    pub(crate) proposer: Proposer,
    pub(crate) stamps: Stamps,
    pub(crate) directory: Directory,
    pub(crate) hasher: Hasher,
    pub(crate) keyring: Keyring,
    pub(crate) random: Random,
    pub(crate) clock: Clock,
    pub(crate) rsa_pool: RsaPool,
    pub(crate) denials: Denials,
    pub(crate) seen: Seen,
    pub(crate) fetcher: Option<Fetcher>,
    pub(crate) limiter: Limiter,
    pub(crate) pictures: Pictures,
    pub(crate) feeds: Feeds,
    pub(crate) skew: Skew,
    pub(crate) backups: crate::backup::Backups,
    /// One read index of this process was applied.
    pub(crate) open: AtomicBool,
}

/// How far this node's wall clock is ahead of the others' median, milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Skew(AtomicI64);

impl Skew {
    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, ahead_ms: i64) {
        self.0.store(ahead_ms, Ordering::Relaxed);
    }
}

/// One consistent state to read from.
pub struct Reading(pub(crate) Pinned);

impl Reading {
    /// The rows.
    ///
    /// # Errors
    /// A fault of this node.
    pub fn view(&self) -> Result<View<'_>, Error> {
        Ok(self.0.view()?)
    }
}

/// Who asks for a change, and how to recognize the request.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Who.
    pub principal: Principal,
    /// From where.
    pub source: Source,
    /// The caller's own request key.
    pub idempotency: Option<Idempotency>,
}

impl Asker {
    /// The cluster itself.
    pub fn system() -> Self {
        Self { principal: Principal::System, source: Source::default(), idempotency: None }
    }
}

impl Context {
    /// Settings of this node.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The audience of the administration API.
    pub fn api_audience(&self) -> String {
        format!("{}/api", self.0.settings.external_url)
    }

    /// State time now, milliseconds.
    pub fn now_ms(&self) -> u64 {
        // Another node's stamps may be ahead of this one's clock.
        self.0.stamps.observe(self.0.raft.last_stamp_ms());
        self.0.stamps.now_ms()
    }

    /// The one source of entropy.
    pub fn random(&self) -> &Random {
        &self.0.random
    }

    /// Keys that never leave this node.
    pub fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    /// The bounded Argon2id pool.
    pub fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    /// The few places in which uploaded pictures are drawn anew.
    pub(crate) fn pictures(&self) -> &Pictures {
        &self.0.pictures
    }

    /// Counts refused attempts.
    pub fn denials(&self) -> &Denials {
        &self.0.denials
    }

    /// The one way to call somebody else's address.
    ///
    /// # Errors
    /// [`Error::Unavailable`] on a system without certificate authorities.
    pub fn fetcher(&self) -> Result<&Fetcher, Error> {
        self.0
            .fetcher
            .as_ref()
            .ok_or_else(|| Error::Unavailable("no certificate authorities are installed".into()))
    }

    /// This node's applied state: for what may be a moment old.
    pub fn local(&self) -> Reading {
        Reading(self.0.raft.pin())
    }

    /// The log index up to which entries are applied on this node.
    ///
    /// # Errors
    /// A fault of this node.
    pub fn applied(&self) -> Result<u64, Error> {
        Ok(self.local().view()?.as_of()?)
    }

    /// The applied state after everything that was acknowledged anywhere before this call: for
    /// wherever staleness is a security answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`] without a leader.
    pub async fn fresh(&self) -> Result<Reading, Error> {
        self.0.raft.read_index().await.map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(self.local())
    }

    /// The hot state of a tenant, at least as new as everything applied here.
    ///
    /// # Errors
    /// [`identity::outcome::Rejection::NotFound`] for a tenant that does not exist.
    pub async fn tenant(&self, tenant: TenantId) -> Result<Arc<TenantSnapshot>, Error> {
        self.0.directory.snapshot(self, tenant).await
    }

    /// The tenant behind an address, at least as new as everything applied here.
    ///
    /// # Errors
    /// [`identity::outcome::Rejection::NotFound`] for one that does not answer.
    pub fn tenant_at(&self, address: &Address) -> Result<TenantId, Error> {
        self.0.directory.find(self, address)
    }

    /// A live client by its `client_id`, at least as new as everything applied here; after
    /// [`Context::fresh`], as everything acknowledged anywhere before that.
    ///
    /// # Errors
    /// Faults only.
    pub async fn client(
        &self,
        tenant: TenantId,
        client_id: &str,
    ) -> Result<Option<Arc<Client>>, Error> {
        self.0.directory.client(self, tenant, client_id).await
    }

    /// Whether a live client of a tenant runs in pages of this origin (CORS), as new as everything
    /// applied here.
    ///
    /// # Errors
    /// Faults only.
    pub async fn knows_origin(&self, tenant: TenantId, origin: &str) -> Result<bool, Error> {
        self.0.directory.knows_origin(self, tenant, origin).await
    }

    /// A turn in a session, for a proposal that concerns it; to be held until that is answered.
    /// Only who proved to be at home in the session may come here: they can keep others waiting.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when too many wait there; never for an end.
    pub async fn turn(
        &self,
        tenant: TenantId,
        session: SessionId,
        purpose: Purpose,
    ) -> Result<Turn, Error> {
        self.0.directory.turn(self, tenant, session, purpose).await
    }

    /// Has it recorded, behind the answer, that a session was used without any other write.
    pub async fn seen(&self, tenant: TenantId, session: &Session) {
        if let Err(error) = self.0.directory.seen(self, tenant, session).await {
            // The next use is recorded.
            tracing::debug!(%error, "a sign of life is lost");
        }
    }

    /// What the actor of a session is doing on this node, if it has one here.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the tenant's actor cannot be started.
    pub async fn observe_session(
        &self,
        tenant: TenantId,
        session: SessionId,
    ) -> Result<Option<session::Observed>, Error> {
        self.0.directory.observe_session(tenant, session).await
    }

    /// Proposes a command and waits until it is applied here.
    ///
    /// # Errors
    /// [`Error::Overloaded`], [`Error::Unavailable`] or [`Error::Unknown`]; what the rules say is
    /// in the reply.
    pub async fn propose(
        &self,
        asker: &Asker,
        placement: Placement,
        command: Command,
    ) -> Result<Reply, Error> {
        self.0.proposer.propose(self.draft(asker, placement, command)).await
    }

    pub(crate) fn draft(&self, asker: &Asker, placement: Placement, command: Command) -> Draft {
        let Asker { principal, source, idempotency } = asker.clone();
        let request = self.0.random.request_id();
        let not_after_ms = self.now_ms().saturating_add(DRAFT_LIFETIME_MS);
        Draft { request, not_after_ms, placement, principal, source, idempotency, command }
    }

    /// As [`Context::propose`], taking a rejection as an error.
    ///
    /// # Errors
    /// As [`Context::propose`], and [`Error::Rejected`].
    pub async fn write(
        &self,
        asker: &Asker,
        placement: Placement,
        command: Command,
    ) -> Result<(Outcome, Reply), Error> {
        let reply = self.propose(asker, placement, command).await?;
        let outcome = reply.result.clone()?;
        Ok((outcome, reply))
    }

    /// Lets everybody go who waits for a change: this node is about to end.
    pub fn close_feeds(&self) {
        self.0.feeds.close();
    }

    /// Whether this node has caught up once since it began; until then it answers nobody.
    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Acquire)
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.0.raft.is_leader()
    }

    /// Why this node cannot serve now, as short stable names and sentences; empty when it can.
    pub fn unready(&self) -> Vec<(&'static str, String)> {
        let mut reasons = Vec::new();
        if !self.is_open() {
            reasons.push(("starting", "this node is not caught up yet".to_owned()));
        }
        if !matches!(self.0.raft.way(), raft::Way::Here(_) | raft::Way::There(_)) {
            reasons.push(("leader", "no leader is known".to_owned()));
        }
        reasons.extend(cluster::drained(self).map(|why| ("drained", why)));
        let skew_ms = self.0.skew.get();
        if skew_ms.unsigned_abs() > membership::SKEW_MAX_MS {
            reasons.push(("skew", format!("the clock is {skew_ms} ms ahead of the other nodes'")));
        }
        let health = self.0.stamps.health();
        reasons.extend((!health.ready()).then(|| ("clock", format!("{health:?}"))));
        reasons
    }

    /// Figures of this node, for metrics and benchmarks.
    pub fn observe(&self) -> Observed {
        Observed {
            raft: self.0.raft.observe(),
            proposer: self.0.proposer.observe(),
            hasher: self.0.hasher.observe(),
            tenants_alive: self.0.directory.alive(),
            sessions_alive: self.0.directory.sessions_alive(),
        }
    }
}

/// Figures of a node.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Agreement and log.
    pub raft: raft::Observed,
    /// Ordering and packing.
    pub proposer: proposer::Observed,
    /// Password hashing.
    pub hasher: hasher::Observed,
    /// Tenants with an actor on this node.
    pub tenants_alive: usize,
    /// Sessions with an actor on this node.
    pub sessions_alive: usize,
}
