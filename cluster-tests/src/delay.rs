//! Whether an acknowledgement waits for the disk: `strace` makes every sync of a running node slow,
//! and writes have to become slow by as much.

use std::time::{Duration, Instant};

use crate::{
    Failure,
    api::{Api, Written},
    process::Launch,
    strace::Strace,
};

/// What every sync is delayed by.
pub const DELAY: Duration = Duration::from_millis(300);

/// Median latencies of a write.
#[derive(Debug, Clone, Copy)]
pub struct Latencies {
    /// Before the disk became slow.
    pub before: Duration,
    /// While it was.
    pub slow: Duration,
    /// After it had become fast again.
    pub after: Duration,
}

impl Latencies {
    /// Whether a write took the delay, and only while there was one. What a sync took before is not
    /// wholly added: on a shared disk that is another number by then.
    pub fn rose(&self) -> bool {
        let rose = self.slow >= DELAY && self.slow >= self.before + DELAY / 2;
        rose && self.before < DELAY && self.after < DELAY
    }
}

/// Every sync takes [`DELAY`] longer, in `strace`'s words.
pub fn slowly() -> String {
    format!("delay_enter={}", DELAY.as_micros())
}

struct Writer {
    api: Api,
    id: String,
    step: u32,
}

impl Writer {
    async fn median(&mut self, writes: usize) -> Result<Duration, Failure> {
        let mut taken = Vec::with_capacity(writes);
        for _ in 0..writes {
            self.step += 1;
            let (content, key) = (self.step.to_string(), format!("delay-{}", self.step));
            let began = Instant::now();
            match self.api.replace(&self.id, "delayed", &content, &key).await {
                Written::Done { .. } => taken.push(began.elapsed()),
                other => return Err(format!("a write failed: {other:?}")),
            }
        }
        taken.sort_unstable();
        taken.get(taken.len() / 2).copied().ok_or_else(|| "no writes".to_owned())
    }
}

/// Measures a node before, while and after every sync takes [`DELAY`] longer.
///
/// # Errors
/// Why it could not be measured.
pub async fn measure(launch: &Launch) -> Result<Latencies, Failure> {
    let node = launch.start().await?;
    let api = Api::open(launch).await?;
    let id = match api.create("delayed", "delayed").await {
        Written::Done { id, .. } => id,
        other => return Err(format!("a write failed: {other:?}")),
    };
    let mut writer = Writer { api, id, step: 0 };
    writer.median(10).await?;
    let before = writer.median(31).await?;
    let slow = Strace::at_syncs(node.pid(), &slowly())?;
    let while_slow = writer.median(11).await?;
    slow.detach()?;
    writer.median(3).await?;
    let after = writer.median(31).await?;
    node.stop()?;
    Ok(Latencies { before, slow: while_slow, after })
}
