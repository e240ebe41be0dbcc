//! What the cluster does by itself: unfinished sagas, expired rows, the oldest events of the
//! outbox, audit checkpoints, audit events whose time is over, signing keys that are due, counted
//! denials, licenses that expire, backups that are due.
//!
//! One actor per node; only the leader proposes, but for what each node counts. Every duty may be
//! repeated or skipped without harm: commands look again in `apply`. Invariant: one turn at a time,
//! the next is scheduled when it ends.

use std::{collections::HashMap, time::Duration};

use futures::{StreamExt as _, stream};
use identity::{
    apply::{AUDIT_CHECKPOINT, AUDIT_HEAD},
    codec,
    command::Command,
    event::{ChainHead, Checkpoint},
    id::TenantId,
    outcome::Outcome,
    principal::{Principal, Source},
    stamp::Placement,
    sweep::{SWEEP_MAX, Sweep},
    table::{FoundRow, Record as _, Row, Span, Tables},
    tenants::Directory,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::denials::Counted;
use crate::{
    audit::retention,
    backup,
    context::{Asker, Context},
    error::Error,
    keys, licenses,
    outbox::Ledger,
    tenants,
};

/// How often the actor takes its turn.
const TURN_EVERY: Duration = Duration::from_secs(1);
/// Counted denials that are proposed at a time.
const DENIALS_AT_ONCE: usize = 64;
/// Every how many turns expired rows are looked for.
const SWEEP_TURNS: u64 = 10;
/// Every how many turns the outbox is looked at.
const OUTBOX_TURNS: u64 = 10;
/// Every how many turns chains that grew are signed.
const CHECKPOINT_TURNS: u64 = 60;

/// Every how many turns audit events whose time is over are looked for.
const RETENTION_TURNS: u64 = 120;
/// Every how many turns signing keys are looked at.
const KEY_TURNS: u64 = 300;

/// Every how many turns licenses are looked at, from the first turn on.
const LICENSE_TURNS: u64 = 300;

/// Every how many turns it is looked whether a backup is due.
const BACKUP_TURNS: u64 = 10;

/// What the actor is asked.
pub enum Message {
    /// Take a turn.
    Turn,
}

/// The actor's definition.
pub struct Housekeeper;

/// What the actor keeps.
pub struct State {
    ctx: Context,
    turns: u64,
    /// Sequence covered by the last checkpoint of each chain, as far as this node remembers.
    signed: HashMap<TenantId, u64>,
    licenses: licenses::Watch,
    outbox: Ledger,
}

impl Actor for Housekeeper {
    type Msg = Message;
    type State = State;
    type Arguments = Context;

    async fn pre_start(
        &self,
        me: ActorRef<Message>,
        ctx: Context,
    ) -> Result<State, ActorProcessingErr> {
        drop(me.send_after(TURN_EVERY, || Message::Turn));
        let (licenses, outbox) = (licenses::Watch::default(), Ledger::default());
        Ok(State { ctx, turns: 0, signed: HashMap::new(), licenses, outbox })
    }

    async fn handle(
        &self,
        me: ActorRef<Message>,
        Message::Turn: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        if let Err(error) = state.turn().await {
            // The next turn tries again; without a leader this is the normal state of things.
            tracing::debug!(%error, "housekeeping was interrupted");
        }
        drop(me.send_after(TURN_EVERY, || Message::Turn));
        Ok(())
    }
}

impl State {
    async fn turn(&mut self) -> Result<(), Error> {
        self.turns = self.turns.wrapping_add(1);
        if !self.ctx.is_open() {
            return Ok(());
        }
        // What was counted here is known here only.
        record_denials(&self.ctx, false).await?;
        if self.turns.is_multiple_of(BACKUP_TURNS) {
            backup::tell(&self.ctx);
        }
        if !self.ctx.is_leader() {
            return Ok(());
        }
        finish_sagas(&self.ctx).await?;
        if self.turns.is_multiple_of(SWEEP_TURNS) {
            sweep(&self.ctx).await?;
        }
        if self.turns.is_multiple_of(OUTBOX_TURNS) || self.outbox.behind() {
            self.outbox.keep(&self.ctx).await?;
        }
        if self.turns.is_multiple_of(CHECKPOINT_TURNS) {
            self.sign_chains().await?;
        }
        if self.turns.is_multiple_of(RETENTION_TURNS) {
            keep_trails(&self.ctx).await?;
        }
        if self.turns.is_multiple_of(KEY_TURNS) {
            keep_keys(&self.ctx).await?;
        }
        if self.turns.is_multiple_of(BACKUP_TURNS) {
            backup::keep(&self.ctx);
        }
        if self.turns % LICENSE_TURNS == 1 {
            self.licenses.look(&self.ctx, &placements(&self.ctx)?)?;
        }
        Ok(())
    }

    async fn sign_chains(&mut self) -> Result<(), Error> {
        for tenant in placements(&self.ctx)? {
            if let Some(sequence) = sign_chain(&self.ctx, tenant, self.signed.get(&tenant)).await? {
                self.signed.insert(tenant, sequence);
            }
        }
        Ok(())
    }
}

async fn finish_sagas(ctx: &Context) -> Result<(), Error> {
    let sagas = {
        let reading = ctx.local();
        tenants::open_sagas(&reading.view()?)?
    };
    for saga in sagas {
        tenants::finish(ctx, saga).await?;
    }
    Ok(())
}

/// Proposes what was counted; everything when the node stops. Several at a time, so that many meet
/// in one entry of the log: a hundred sources must not hold up what else there is to do.
///
/// # Errors
/// As [`Context::propose`], the last one; what could not be written is counted still.
pub async fn record_denials(ctx: &Context, everything: bool) -> Result<(), Error> {
    let counted = ctx.denials().take(ctx.0.clock.wall_ms(), everything);
    let recording = counted.into_iter().map(|counted| record_denial(ctx, counted));
    let recorded: Vec<_> =
        stream::iter(recording).buffer_unordered(DENIALS_AT_ONCE).collect().await;
    recorded.into_iter().fold(Ok(()), Result::and)
}

async fn record_denial(ctx: &Context, counted: Counted) -> Result<(), Error> {
    let address = counted.address.clone();
    let source = Source { salt: ctx.random().salt(), address, user_agent: String::new() };
    let asker = Asker { principal: Principal::System, source, idempotency: None };
    let (placement, command) =
        (placement(counted.tenant), Command::Denials(counted.denials.clone()));
    match ctx.propose(&asker, placement, command).await {
        Ok(_) => Ok(()),
        Err(error @ (Error::Unavailable(_) | Error::Unknown | Error::Overloaded { .. })) => {
            ctx.denials().put_back(counted);
            Err(error)
        }
        Err(error) => {
            // As when its tenant is gone, which has no trail any more.
            tracing::warn!(%error, "a counted denial cannot be written down");
            Ok(())
        }
    }
}

async fn keep_keys(ctx: &Context) -> Result<(), Error> {
    let mut last = Ok(());
    for tenant in placements(ctx)?.into_iter().filter(|tenant| *tenant != TenantId::CLUSTER) {
        // One tenant's trouble must not keep the others' keys from rotating.
        if let Err(error) = keys::keep(ctx, tenant).await {
            tracing::warn!(%tenant, %error, "signing keys could not be looked after");
            last = Err(error);
        }
    }
    last
}

async fn keep_trails(ctx: &Context) -> Result<(), Error> {
    for tenant in placements(ctx)? {
        retention::keep(ctx, tenant).await?;
    }
    Ok(())
}

async fn sweep(ctx: &Context) -> Result<(), Error> {
    for tenant in placements(ctx)? {
        loop {
            let until_ms = ctx.now_ms();
            if !any_expired(ctx, tenant, until_ms)? {
                break;
            }
            let command = Command::Sweep(Sweep { until_ms });
            match ctx.write(&Asker::system(), placement(tenant), command).await? {
                (Outcome::Swept(swept), _) if swept >= u32::from(SWEEP_MAX) => {}
                _ => break,
            }
        }
    }
    Ok(())
}

fn any_expired(ctx: &Context, tenant: TenantId, until_ms: u64) -> Result<bool, Error> {
    let reading = ctx.local();
    let found = reading.view()?.scan(tenant, Span::Expiry { until_ms }, 1, false)?;
    Ok(!found.is_empty())
}

/// Signs a chain's end if it grew by more than the last checkpoint's own event.
///
/// # Errors
/// As [`Context::write`].
pub async fn sign_chain(
    ctx: &Context,
    tenant: TenantId,
    signed: Option<&u64>,
) -> Result<Option<u64>, Error> {
    let (head, last) = {
        let reading = ctx.local();
        let view = reading.view()?;
        let row = Row::Audit { part: AUDIT_HEAD, sequence: 0 };
        let Some(bytes) = view.get(tenant, row)? else {
            return Ok(None);
        };
        let head: ChainHead = codec::decode(&bytes).map_err(identity::fault::Fault::from)?;
        let last = match signed {
            Some(sequence) => *sequence,
            None => last_checkpoint(&view, tenant)?,
        };
        (head, last)
    };
    if head.sequence <= last.saturating_add(1) {
        return Ok(None);
    }
    let at_ms = ctx.now_ms();
    let bytes = Checkpoint::signed_bytes(tenant, head.sequence, &head.hash, at_ms);
    let Some(signature) = ctx.keyring().sign_checkpoint(&bytes) else {
        return Err(Error::Internal("a checkpoint could not be signed".into()));
    };
    let (sequence, hash) = (head.sequence, head.hash);
    let checkpoint = Checkpoint { tenant, sequence, hash, at_ms, signature: signature.to_vec() };
    let command = Command::Checkpoint(checkpoint);
    ctx.write(&Asker::system(), placement(tenant), command).await?;
    Ok(Some(sequence))
}

fn last_checkpoint(view: &impl Tables, tenant: TenantId) -> Result<u64, Error> {
    let span = Span::Audit { part: AUDIT_CHECKPOINT, from: 0 };
    let found = view.scan(tenant, span, 1, true)?;
    Ok(found.first().map_or(0, |found| match found.row {
        FoundRow::Audit { sequence, .. } => sequence,
        _ => 0,
    }))
}

fn placement(tenant: TenantId) -> Placement {
    if tenant == TenantId::CLUSTER { Placement::Cluster } else { Placement::Tenant(tenant) }
}

/// The cluster and every tenant of the directory.
///
/// # Errors
/// Faults only.
pub(super) fn placements(ctx: &Context) -> Result<Vec<TenantId>, Error> {
    let reading = ctx.local();
    let view = reading.view()?;
    let mut tenants = vec![TenantId::CLUSTER];
    let mut after = None;
    loop {
        let span = Span::Records { table: Directory::TABLE, after };
        let found = view.scan(TenantId::CLUSTER, span, 1000, false)?;
        after = None;
        for found in &found {
            if let FoundRow::Record { id, .. } = found.row {
                tenants.push(TenantId::from_bytes(id));
                after = Some(id);
            }
        }
        if after.is_none() {
            return Ok(tenants);
        }
    }
}
