//! `strace` on a running node: what it does with its files, and system calls that are made slow or
//! made to fail.
//!
//! Invariant: a process that was attached to is let go of when the holder goes.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use crate::{Failure, during};

/// `strace` at work.
pub struct Strace(Child);

impl Strace {
    /// Attaches to every thread of a process, and returns when it has.
    ///
    /// # Errors
    /// `strace` is missing or may not attach.
    pub fn attach(pid: u32, words: &[&str]) -> Result<Self, Failure> {
        let child = Command::new("strace")
            .args(["-f", "-p", &pid.to_string()])
            .args(words)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(during("start strace"))?;
        let mut strace = Self(child);
        let stderr = strace.0.stderr.take().ok_or("strace has no stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let first = lines.next().ok_or("strace ended")?.map_err(during("read strace"))?;
        if !first.contains("attached") {
            return Err(format!("strace: {first}"));
        }
        // Its pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(strace)
    }

    /// Does something to every sync, in `strace`'s words.
    ///
    /// # Errors
    /// As [`Strace::attach`].
    pub fn at_syncs(pid: u32, injected: &str) -> Result<Self, Failure> {
        let inject = format!("inject=fdatasync,fsync:{injected}");
        Self::attach(pid, &["-e", "trace=fdatasync,fsync", "-e", &inject])
    }

    /// Lets go of the process.
    ///
    /// # Errors
    /// It cannot be told to.
    pub fn detach(mut self) -> Result<(), Failure> {
        // SIGINT lets it detach; SIGKILL would do as well, but not as cleanly.
        let words = ["-INT".to_owned(), self.0.id().to_string()];
        Command::new("kill").args(words).status().map_err(during("stop strace"))?;
        self.0.wait().map_err(during("stop strace"))?;
        Ok(())
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether `strace` can be run and may attach; the reason if not.
pub fn unavailable() -> Option<String> {
    let mut sleeper = match Command::new("sleep").arg("60").spawn() {
        Ok(sleeper) => sleeper,
        Err(error) => return Some(format!("sleep cannot be run: {error}")),
    };
    let tried = Strace::at_syncs(sleeper.id(), "delay_enter=1");
    let _ = sleeper.kill();
    let _ = sleeper.wait();
    tried.err()
}
