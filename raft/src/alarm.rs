//! Says that this node must stop, once, with the first reason.

use tokio::sync::watch;

/// The ringing end. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Alarm(watch::Sender<Option<String>>);

impl Alarm {
    /// The alarm, and the end that hears it.
    pub(crate) fn new() -> (Self, watch::Receiver<Option<String>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), receiver)
    }

    /// The node must stop; a later reason is most likely a consequence of the first and is dropped.
    pub(crate) fn raise(&self, reason: String) {
        self.0.send_if_modified(|slot| {
            if slot.is_some() {
                return false;
            }
            tracing::error!(reason, "this node must stop");
            *slot = Some(reason);
            true
        });
    }
}
