//! What planted faults make of flows. Only under the cargo feature `planted`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use identity::{
    apply,
    applying::Mode,
    cluster, codec,
    command::Command,
    oauth,
    outcome::Reply,
    planted::{self, Planted},
    stamp::{Draft, Placement, Stamp},
};
use serde_json::Value;
use storage::Pending;

use crate::{
    context::{Asker, Context},
    error::Error,
};

/// How long a token counts that counted once, milliseconds.
const CACHED_MS: u64 = 60_000;

static CACHED: Mutex<BTreeMap<String, (u64, Value)>> = Mutex::new(BTreeMap::new());

/// Decides a command by this node's own state and proposes it behind the answer, if the fault of
/// this process concerns it.
pub(crate) fn without_consensus(
    ctx: &Context,
    asker: &Asker,
    placement: Placement,
    command: &Command,
) -> Option<Result<Reply, Error>> {
    let concerned = match command {
        Command::Oauth(oauth::Command::RedeemCode(_)) => Planted::CodeWithoutConsensus,
        Command::Oauth(oauth::Command::IssueClientToken { .. }) => Planted::IssueWithoutConsensus,
        _ => return None,
    };
    planted::shows(concerned).then(|| {
        let now_ms = ctx.now_ms();
        let draft = Draft {
            request: ctx.random().request_id(),
            not_after_ms: now_ms.saturating_add(30_000),
            placement,
            principal: asker.principal,
            source: asker.source.clone(),
            idempotency: None,
            command: command.clone(),
        };
        let mut pending = Pending::over(&ctx.0.raft.pin());
        pending.begin_entry(1);
        let feature_level = cluster::feature_level(&pending)?;
        let now = Stamp { at_ms: now_ms, feature_level };
        let applied = apply::apply_draft(&mut pending, (1, 0), now, &draft, Mode::Rehearsal)?;
        let (ctx, asker, command) = (ctx.clone(), asker.clone(), command.clone());
        tokio::spawn(async move { drop(ctx.propose(&asker, placement, command).await) });
        codec::decode(&applied.reply).map_err(|error| Error::Internal(error.to_string()))
    })
}

/// What was said of a token less than a minute ago, if that counted.
pub(crate) fn remembered(ctx: &Context, token: &str) -> Option<Value> {
    let cached = CACHED.lock().unwrap_or_else(PoisonError::into_inner);
    let (at_ms, said) = cached.get(token)?;
    let young = ctx.0.clock.boot_ms().saturating_sub(*at_ms) < CACHED_MS;
    (young && planted::shows(Planted::RevocationCached)).then(|| said.clone())
}

/// Keeps what is said of a token.
pub(crate) fn remember(ctx: &Context, token: &str, said: &Value) {
    if planted::shows(Planted::RevocationCached) {
        let mut cached = CACHED.lock().unwrap_or_else(PoisonError::into_inner);
        cached.insert(token.to_owned(), (ctx.0.clock.boot_ms(), said.clone()));
    }
}
