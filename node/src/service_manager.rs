//! What systemd is told: ready, alive, stopping. Without systemd nothing happens.

use sd_notify::NotifyState;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::http::health::Condition;

/// Says that the node has started, then keeps the watchdog quiet while it is alive.
pub async fn accompany(mut condition: watch::Receiver<Condition>) {
    if condition.wait_for(|condition| condition.started).await.is_err() {
        return;
    }
    notify(&NotifyState::Ready);
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = interval(patience / 2);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if condition.borrow().unwell.is_empty() {
            notify(&NotifyState::Watchdog);
        }
    }
}

/// Says that the node is stopping.
pub fn stopping() {
    notify(&NotifyState::Stopping);
}

fn notify(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
