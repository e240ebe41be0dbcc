//! Looks at the clocks each second, whatever else this node is busy with.
//!
//! An actor of its own: a node whose clock was not looked at for five seconds stamps nothing, so
//! that a duty that takes long would stop the writes of the whole cluster. It does not say whose
//! clock is wrong (`membership`) nor what follows (`clock::stamp`). Invariant: a turn waits for
//! nothing.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::membership;
use crate::context::Context;

/// How often the actor takes its turn.
const TURN_EVERY: Duration = Duration::from_secs(1);

/// What the actor is asked.
pub enum Message {
    /// Take a turn.
    Turn,
}

/// The actor's definition.
pub struct Timekeeper;

impl Actor for Timekeeper {
    type Msg = Message;
    type State = Context;
    type Arguments = Context;

    async fn pre_start(
        &self,
        me: ActorRef<Message>,
        ctx: Context,
    ) -> Result<Context, ActorProcessingErr> {
        me.send_interval(TURN_EVERY, || Message::Turn);
        Ok(ctx)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        Message::Turn: Message,
        ctx: &mut Context,
    ) -> Result<(), ActorProcessingErr> {
        check_clock(ctx);
        Ok(())
    }
}

/// Compares stamps with the wall clock.
pub fn check_clock(ctx: &Context) {
    let peers = membership::peers(&ctx.0.raft.cluster(), ctx.0.clock.wall_ms());
    let check = ctx.0.stamps.check(peers);
    if let Some(step) = check.step {
        tracing::warn!(from_ms = step.from_ms, to_ms = step.to_ms, "state time made a step");
    }
}
