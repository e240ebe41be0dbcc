//! Tells others what the state says they must be told: today clients, of the end of sessions.
//!
//! One actor per node; only the leader works. What is due stands in the state, so it remembers
//! nothing that matters: the apply loop wakes it, and a new leader reads every tenant once. Each
//! client of a tenant has one task at a time, so that one who hangs delays nobody else. Invariant:
//! no request runs inside the mailbox loop, and at most [`TASKS_MAX`] tasks run at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use identity::{
    command::Command,
    id::{ClientId, TenantId, UserId},
    logout,
    outcome::{Outcome, Rejection},
    sessions,
    stamp::Placement,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::JoinSet;

use super::housekeeper::placements;
use crate::{
    context::{Asker, Context},
    error::Error,
    oauth::backchannel::{self, End},
};

/// How often it looks for what is due again.
const TURN_EVERY: Duration = Duration::from_secs(1);
/// Notices of a tenant looked at together; as long as they are for clients that are being told
/// already, it looks further.
const NOTICES_MAX: usize = 250;
/// Such pages in one turn.
const PAGES_MAX: usize = 20;
/// Users of a tenant whose sessions are settled in one turn.
const LEAVING_MAX: usize = 16;
/// Most tasks at once; each makes a few requests at a time.
const TASKS_MAX: usize = 64;
/// Most of them that tell clients of one tenant.
const TENANT_TASKS_MAX: usize = 24;

/// What the actor is asked.
pub enum Message {
    /// Look for what is due.
    Turn,
    /// These tenants have something new to tell.
    Woken(BTreeSet<TenantId>),
    /// A task ended.
    Ended(Task),
}

/// Something that is done apart from the mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Ends the listed sessions of a user, one by one.
    Settle(TenantId, UserId),
    /// Tells one client.
    Tell(TenantId, ClientId),
}

impl Task {
    const fn tenant(self) -> TenantId {
        match self {
            Self::Settle(tenant, _) | Self::Tell(tenant, _) => tenant,
        }
    }
}

/// The actor's definition.
pub struct Deliverer;

/// What the actor keeps.
pub struct State {
    ctx: Context,
    leads: bool,
    /// When each tenant is looked at next, state time in milliseconds.
    due: BTreeMap<TenantId, u64>,
    running: BTreeSet<Task>,
    /// Ends with the actor, and so do the tasks: whoever comes next reads anew.
    tasks: JoinSet<()>,
}

impl Actor for Deliverer {
    type Msg = Message;
    type State = State;
    type Arguments = Context;

    async fn pre_start(
        &self,
        me: ActorRef<Message>,
        ctx: Context,
    ) -> Result<State, ActorProcessingErr> {
        let mut tasks = JoinSet::new();
        let (waking, to) = (ctx.clone(), me.clone());
        tasks.spawn(async move {
            loop {
                let tenants = waking.0.raft.wakes().take().await;
                if to.cast(Message::Woken(tenants)).is_err() {
                    return;
                }
            }
        });
        drop(me.send_after(TURN_EVERY, || Message::Turn));
        let (due, running) = (BTreeMap::new(), BTreeSet::new());
        Ok(State { ctx, leads: false, due, running, tasks })
    }

    async fn handle(
        &self,
        me: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let mut again = false;
        match message {
            Message::Turn => again = true,
            Message::Woken(tenants) => state.due.extend(tenants.into_iter().map(|one| (one, 0))),
            Message::Ended(task) => {
                state.running.remove(&task);
                // What could not be done stays due; more may have come meanwhile.
                state.due.insert(task.tenant(), 0);
            }
        }
        while state.tasks.try_join_next().is_some() {}
        if let Err(error) = state.turn(&me) {
            tracing::warn!(%error, "deliveries were interrupted");
        }
        if again {
            drop(me.send_after(TURN_EVERY, || Message::Turn));
        }
        Ok(())
    }
}

impl State {
    fn turn(&mut self, me: &ActorRef<Message>) -> Result<(), Error> {
        if !self.ctx.is_leader() {
            self.leads = false;
            self.due.clear();
            return Ok(());
        }
        if !self.leads {
            let tenants = placements(&self.ctx)?;
            self.due.extend(tenants.into_iter().map(|tenant| (tenant, 0)));
            self.leads = true;
        }
        let now_ms = self.ctx.now_ms();
        let due = self.due.iter().filter(|(_, at_ms)| **at_ms <= now_ms);
        let due: Vec<TenantId> = due.map(|(tenant, _)| *tenant).collect();
        for tenant in due {
            let (work, next_ms) = look(&self.ctx, tenant, now_ms, &self.running)?;
            self.due.remove(&tenant);
            if let Some(next_ms) = next_ms {
                self.due.insert(tenant, next_ms);
            }
            for (task, ends) in work {
                self.begin(me, task, ends, now_ms);
            }
        }
        Ok(())
    }

    fn begin(&mut self, me: &ActorRef<Message>, task: Task, ends: Vec<End>, now_ms: u64) {
        if self.running.contains(&task) {
            // When it ends, its tenant is looked at again.
            return;
        }
        let of_tenant = self.running.iter().filter(|it| it.tenant() == task.tenant()).count();
        let full = matches!(task, Task::Tell(..)) && of_tenant >= TENANT_TASKS_MAX;
        if full || self.running.len() >= TASKS_MAX {
            let later_ms = now_ms.saturating_add(1_000);
            let at_ms = self.due.entry(task.tenant()).or_insert(later_ms);
            *at_ms = later_ms.min(*at_ms);
            return;
        }
        self.running.insert(task);
        let (ctx, me) = (self.ctx.clone(), me.clone());
        self.tasks.spawn(async move {
            let ending = Ending { me, task };
            let result = match task {
                Task::Settle(tenant, user) => settle(&ctx, tenant, user).await,
                Task::Tell(tenant, client) => backchannel::tell(&ctx, tenant, client, &ends).await,
            };
            if let Err(error) = result {
                tracing::warn!(%error, ?task, "a delivery was interrupted");
                // Whatever kept it from going on shall have a moment to pass.
                tokio::time::sleep(TURN_EVERY).await;
            }
            drop(ending);
        });
    }
}

/// Says that a task ended when it is dropped, so that one that fails is not taken for running.
struct Ending {
    me: ActorRef<Message>,
    task: Task,
}

impl Drop for Ending {
    fn drop(&mut self) {
        // When the actor is gone as well, nobody waits for it.
        let _ = self.me.cast(Message::Ended(self.task));
    }
}

type Work = BTreeMap<Task, Vec<End>>;

/// What is due in a tenant and not under way, and when something is due again.
fn look(
    ctx: &Context,
    tenant: TenantId,
    now_ms: u64,
    running: &BTreeSet<Task>,
) -> Result<(Work, Option<u64>), Error> {
    let reading = ctx.local();
    let view = reading.view()?;
    let mut work = Work::new();
    for user in logout::leaving(&view, tenant, LEAVING_MAX)? {
        work.insert(Task::Settle(tenant, user), Vec::new());
    }
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let due = logout::due(&view, tenant, now_ms, (after, NOTICES_MAX))?;
        let mut new = false;
        for notice in due.notices {
            for (client, pending) in notice.pending {
                let task = Task::Tell(tenant, client);
                if pending.due_at_ms <= now_ms && !running.contains(&task) {
                    let (session, user) = (notice.session, notice.user);
                    let end = End { session, user, attempts: pending.attempts };
                    work.entry(task).or_default().push(end);
                    new = true;
                }
            }
        }
        after = due.more_after;
        if new || after.is_none() {
            return Ok((work, due.next_at_ms));
        }
    }
    Ok((work, None))
}

/// Ends what is listed of a user and counts no more, a few sessions with each command.
async fn settle(ctx: &Context, tenant: TenantId, user: UserId) -> Result<(), Error> {
    loop {
        let command = Command::Sessions(sessions::Command::Settle { user });
        let reply = ctx.propose(&Asker::system(), Placement::Tenant(tenant), command).await?;
        match reply.result {
            Ok(Outcome::Swept(ended)) if ended > 0 => {}
            // Nothing is left, or the user is not among those who leave any more.
            Ok(_) | Err(Rejection::NotFound) => return Ok(()),
            Err(rejection) => return Err(rejection.into()),
        }
    }
}
