//! Whether an acknowledgement waits for the disk: `strace` makes every sync of a running node slow,
//! and writes have to become slow by as much.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    Failure,
    api::{Api, Written},
    during,
    process::Launch,
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
    /// Whether a write took longer by the delay, and only while there was one.
    pub fn rose(&self) -> bool {
        self.slow >= self.before + DELAY && self.after < self.before + DELAY
    }
}

/// Whether `strace` can be run and may attach; the reason if not.
pub fn unavailable() -> Option<String> {
    let sleeper = match Command::new("sleep").arg("60").spawn() {
        Ok(sleeper) => Slow(sleeper),
        Err(error) => return Some(format!("sleep cannot be run: {error}")),
    };
    Slow::attach(sleeper.0.id()).err()
}

/// A child that ends with its holder.
struct Slow(Child);

impl Slow {
    /// Attaches to every thread of a process.
    fn attach(pid: u32) -> Result<Self, Failure> {
        let inject = format!("inject=fdatasync,fsync:delay_enter={}", DELAY.as_micros());
        let child = Command::new("strace")
            .args(["-f", "-p", &pid.to_string(), "-e", "trace=fdatasync,fsync"])
            .args(["-e", &inject])
            .stderr(Stdio::piped())
            .spawn()
            .map_err(during("start strace"))?;
        let mut slow = Self(child);
        let stderr = slow.0.stderr.take().ok_or("strace has no stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let first = lines.next().ok_or("strace ended")?.map_err(during("read strace"))?;
        if !first.contains("attached") {
            return Err(format!("strace: {first}"));
        }
        // Its pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(slow)
    }

    fn detach(mut self) -> Result<(), Failure> {
        // SIGINT lets it detach; SIGKILL would do as well, but not as cleanly.
        let words = ["-INT".to_owned(), self.0.id().to_string()];
        Command::new("kill").args(words).status().map_err(during("stop strace"))?;
        self.0.wait().map_err(during("stop strace"))?;
        Ok(())
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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
    let slow = Slow::attach(node.pid())?;
    let while_slow = writer.median(11).await?;
    slow.detach()?;
    writer.median(3).await?;
    let after = writer.median(31).await?;
    node.stop()?;
    Ok(Latencies { before, slow: while_slow, after })
}
