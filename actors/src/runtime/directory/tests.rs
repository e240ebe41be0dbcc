//! Sessions in use on a whole node: when their actors are there, and what their loss costs.

use identity::{
    clients::{BY_CLIENT_ID, Client},
    command::Command,
    id::{ClientId, SessionId, UserId},
    oauth::{self, Login},
    secret::Digest,
    sessions::{self, Session},
    stamp::Placement,
    table::{self, Record as _},
    users::{BY_USERNAME, User},
};
use tempfile::TempDir;

use super::*;
use crate::{
    context::{Asker, Settings},
    demo,
    runtime::{
        fetcher,
        session::{self, Purpose, Turn},
        timekeeper,
    },
    system::{Config, System, fresh_root_secret},
};

pub(crate) struct Node {
    system: System,
    pub(crate) clock: Clock,
    pub(crate) tenant: TenantId,
    _folder: TempDir,
}

impl Node {
    pub(crate) async fn start() -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), Clock::manual(1_790_000_000_000));
        let config = Config {
            data_dir: folder.path().join("data"),
            settings: Settings {
                external_url: "http://localhost:8080".into(),
                secure_cookies: false,
                access_token_lifetime_s: 3600,
                refresh_token_lifetime_s: 86_400,
                license_issuers: Vec::new(),
                node: None,
                backups: Default::default(),
            },
            root_secret: fresh_root_secret(),
            previous_root_secret: None,
            hash_slots: 1,
            hash_memory_kib: 19_456,
            hash_passes: 2,
            log_budget_bytes: 1 << 30,
            egress: fetcher::Policy::default(),
            cluster: None,
        };
        let mut system = System::start_at(config, clock.clone()).await.unwrap();
        let bootstrap = system.take_bootstrap().unwrap();
        demo::seed(system.context(), bootstrap).await.unwrap();
        let tenant = system.context().tenant_at(&Address::Slug(demo::TENANT.into())).unwrap();
        Self { system, clock, tenant, _folder: folder }
    }

    /// Ends it in order: its tasks are gone before the process is.
    pub(crate) async fn stop(self) {
        self.system.stop().await;
    }

    /// Ends what it does by itself.
    pub(crate) async fn rest(&self) {
        self.system.rest().await;
    }

    pub(crate) fn ctx(&self) -> &Context {
        self.system.context()
    }

    pub(crate) fn unique(&self, table: table::Table, index: u8, name: &str) -> [u8; 16] {
        let reading = self.ctx().local();
        let view = reading.view().unwrap();
        table::unique(&view, self.tenant, table, index, name.as_bytes()).unwrap().unwrap()
    }

    /// A session of `alice`.
    async fn session(&self) -> SessionId {
        let random = self.ctx().random();
        let session = random.id(SessionId::from_bytes);
        let login = Login {
            user: UserId::from_bytes(self.unique(User::TABLE, BY_USERNAME, "alice")),
            credential_revision: 1,
            session,
            cookie: Digest::of(&random.bytes::<32>()),
            address: String::new(),
            user_agent: String::new(),
            code: Digest::of(&random.bytes::<32>()),
            client: ClientId::from_bytes(self.unique(Client::TABLE, BY_CLIENT_ID, "web-demo")),
            redirect_uri: "http://localhost:3000/callback".into(),
            scopes: ["openid".into()].into(),
            nonce: None,
            challenge: None,
            api: false,
        };
        let command = Command::Oauth(oauth::Command::CompleteLogin(Box::new(login)));
        self.write(command).await;
        session
    }

    pub(crate) async fn write(&self, command: Command) {
        let placement = Placement::Tenant(self.tenant);
        self.ctx().write(&Asker::system(), placement, command).await.unwrap();
    }

    async fn turn(&self, session: SessionId) -> Turn {
        self.ctx().turn(self.tenant, session, Purpose::Use).await.unwrap()
    }

    async fn observe(&self, session: SessionId) -> Option<session::Observed> {
        self.ctx().observe_session(self.tenant, session).await.unwrap()
    }

    fn alive(&self) -> usize {
        self.ctx().observe().sessions_alive
    }

    /// Looks for sessions that are over, and waits until that was done: mailboxes are in order.
    async fn passivate(&self) {
        let directory = &self.ctx().0.directory;
        directory.passivate();
        let (cell, actor) = directory.start_tenant(self.tenant).await.unwrap();
        tenant::refresh(&cell, &actor).await.unwrap();
    }

    fn pass_ms(&self, elapsed_ms: u64) {
        self.clock.advance_ms(elapsed_ms);
        timekeeper::check_clock(self.ctx());
    }
}

#[tokio::test]
async fn a_session_has_an_actor_while_it_is_used() {
    let node = Node::start().await;
    let session = node.session().await;
    assert_eq!((node.observe(session).await, node.alive()), (None, 0));
    drop(node.turn(session).await);
    let observed = node.observe(session).await.unwrap();
    assert_eq!((observed.turns, node.alive()), (1, 1));

    node.pass_ms(49_999);
    node.passivate().await;
    drop(node.turn(session).await);
    assert_eq!(node.observe(session).await.unwrap().turns, 2, "it is the same actor");
    node.pass_ms(50_000);
    node.passivate().await;
    assert_eq!((node.observe(session).await, node.alive()), (None, 0));
    let turn = node.turn(session).await;
    node.pass_ms(50_000);
    node.passivate().await;
    assert_eq!(node.observe(session).await.unwrap().turns, 1, "it is kept while somebody is in");
    drop(turn);
    node.system.stop().await;
}

#[tokio::test]
async fn a_session_that_is_not_there_or_has_ended_has_none() {
    let node = Node::start().await;
    drop(node.turn(SessionId::from_bytes([7; 16])).await);
    let session = node.session().await;
    node.write(Command::Sessions(sessions::Command::End { id: session, expected: None })).await;
    drop(node.turn(session).await);
    assert_eq!(node.alive(), 0);
    // An absolute end, while it is in use.
    let session = node.session().await;
    let lifetime_ms = {
        let reading = node.ctx().local();
        let view = reading.view().unwrap();
        let session = table::record::<Session>(&view, node.tenant, session.bytes()).unwrap();
        session.map(|session| session.expires_at_ms - session.began_at_ms).unwrap()
    };
    drop(node.turn(session).await);
    let steps = (lifetime_ms - 1) / 40_000;
    for _ in 0..steps {
        node.pass_ms(40_000);
        drop(node.turn(session).await);
    }
    node.passivate().await;
    node.pass_ms(lifetime_ms - steps * 40_000);
    assert_eq!(node.alive(), 1);
    node.passivate().await;
    assert_eq!(node.alive(), 0);
    node.system.stop().await;
}

#[tokio::test]
async fn an_actor_that_fails_loses_nothing_and_is_started_anew() {
    let node = Node::start().await;
    let (session, other) = (node.session().await, node.session().await);
    drop(node.turn(other).await);
    let held = node.turn(session).await;
    let (cell, _) = node.ctx().0.directory.live(node.tenant).await.unwrap();
    let actor = cell.session(session).unwrap();
    let waiting = node.turn(session);
    let ((), turn) =
        futures::future::join(async { actor.cast(session::Message::Fail).unwrap() }, waiting).await;
    drop((held, turn));
    while cell.session(session).is_some() {
        tokio::task::yield_now().await;
    }
    drop(node.turn(session).await);
    assert_eq!(node.observe(session).await.unwrap().turns, 1);
    assert_eq!(node.observe(other).await.unwrap().turns, 1, "the others stay as they are");
    node.system.stop().await;
}

#[tokio::test]
async fn beyond_the_limit_who_is_unused_gives_way_and_who_is_used_stays() {
    let node = Node::start().await;
    let ctx = node.ctx();
    let parts = Parts {
        raft: ctx.0.raft.clone(),
        keyring: ctx.0.keyring.clone(),
        random: ctx.0.random.clone(),
        clock: node.clock.clone(),
        idle_ms: u64::MAX,
        sessions_max: 2,
    };
    let directory = Directory::start(parts).await.unwrap();
    let turn = |session| directory.turn(ctx, node.tenant, session, Purpose::Use);
    let (one, two, three) = (node.session().await, node.session().await, node.session().await);
    let held = turn(one).await.unwrap();
    drop(turn(two).await.unwrap());
    assert_eq!(directory.sessions_alive(), 2);
    let also = turn(three).await.unwrap();
    let (cell, _) = directory.live(node.tenant).await.unwrap();
    let alive = [one, two, three].map(|session| cell.session(session).is_some());
    assert_eq!(alive, [true, false, true]);
    // Both are in use: the next goes without.
    drop(turn(two).await.unwrap());
    assert_eq!((directory.sessions_alive(), cell.session(two).is_some()), (2, false));
    drop((held, also));
    directory.stop().await;
    node.system.stop().await;
}

#[tokio::test]
async fn too_many_are_refused_and_an_end_is_not() {
    let node = Node::start().await;
    let session = node.session().await;
    let held = node.turn(session).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 1..session::TURNS_MAX {
        let (ctx, tenant) = (node.ctx().clone(), node.tenant);
        waiting.spawn(async move { ctx.turn(tenant, session, Purpose::Use).await.map(drop) });
    }
    while node.observe(session).await.unwrap().waiting < session::TURNS_MAX - 1 {
        tokio::task::yield_now().await;
    }
    let refused = node.ctx().turn(node.tenant, session, Purpose::Use).await.map(drop);
    assert!(matches!(refused, Err(Error::Overloaded { retry_after_s: 1 })), "{refused:?}");
    let end = node.ctx().turn(node.tenant, session, Purpose::End);
    let (end, ()) = futures::future::join(end, async { drop(held) }).await;
    drop(end.unwrap());
    while let Some(waited) = waiting.join_next().await {
        waited.unwrap().unwrap();
    }
    node.system.stop().await;
}
