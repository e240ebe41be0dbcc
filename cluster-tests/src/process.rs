//! The real binary as a child process: started on a port of its own, killed without warning,
//! started again on the same data.
//!
//! It never looks into the data folder. Invariant: a child does not outlive its [`Node`].

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{Failure, during, random};

/// How long a node may take to be ready, debug build and busy machine included.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// How long a node that refuses to start may take to say so.
const END_WITHIN: Duration = Duration::from_secs(90);

/// How a node is started; the same value starts it again.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The binary.
    pub program: PathBuf,
    /// Where the process runs and its stderr is kept.
    pub work_dir: PathBuf,
    /// `DATA_DIR`.
    pub data_dir: PathBuf,
    /// Where it listens, on loopback.
    pub port: u16,
    /// Its public address; stays when a copy of the data is served from another port.
    pub external_url: String,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Further variables.
    pub variables: Vec<(String, String)>,
    /// The group it runs as, if not this process's own.
    pub group: Option<u32>,
}

/// What was given away: a port that is not bound yet, or not just now, looks free.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that was free a moment ago and that nobody else here gets, below those that the system
/// gives to outgoing connections: nobody takes it while a node is down, and asking whether it is
/// ready cannot meet itself.
///
/// # Errors
/// None was found.
pub fn free_port() -> Result<u16, Failure> {
    for _ in 0..1000 {
        let port = u16::try_from(12_000 + random() % 20_000).map_err(during("find a port"))?;
        let new = GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
        if new && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".to_owned())
}

impl Launch {
    /// Everything below `folder`, on a free port.
    ///
    /// # Errors
    /// As [`free_port`].
    pub fn new(program: impl Into<PathBuf>, folder: &Path) -> Result<Self, Failure> {
        let port = free_port()?;
        Ok(Self {
            program: program.into(),
            work_dir: folder.to_path_buf(),
            data_dir: folder.join("data"),
            port,
            external_url: format!("http://localhost:{port}"),
            arguments: Vec::new(),
            variables: Vec::new(),
            group: None,
        })
    }

    /// The same with one more variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Where the last process wrote its messages and logs.
    pub fn messages_path(&self) -> PathBuf {
        self.work_dir.join("stderr")
    }

    /// What the last process wrote there.
    pub fn messages(&self) -> String {
        fs::read_to_string(self.messages_path()).unwrap_or_default()
    }

    fn spawn(&self) -> Result<Node, Failure> {
        let messages = File::create(self.messages_path()).map_err(during("keep stderr"))?;
        let mut command = Command::new(&self.program);
        command.args(["server", "--dev", "--management-bind", "off", "--server-port"]);
        command.arg(self.port.to_string());
        command.arg("--external-url").arg(&self.external_url);
        command.arg("--data-dir").arg(&self.data_dir);
        command.args(&self.arguments);
        command.current_dir(&self.work_dir).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(group) = self.group {
            command.gid(group);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(messages);
        let child = command.spawn().map_err(during("start the node"))?;
        Ok(Node { child, messages: self.messages_path(), ready_after: Duration::ZERO })
    }

    /// Starts a node and does not wait.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn begin(&self) -> Result<Node, Failure> {
        self.spawn()
    }

    /// Starts a node and waits until it is ready.
    ///
    /// # Errors
    /// It ended, or was not ready in time; with what it wrote.
    pub async fn start(&self) -> Result<Node, Failure> {
        let began = Instant::now();
        let mut node = self.spawn()?;
        let client = reqwest::Client::new();
        let url = format!("http://127.0.0.1:{}/health/ready", self.port);
        loop {
            let answer = client.get(&url).timeout(Duration::from_secs(5)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                node.ready_after = began.elapsed();
                return Ok(node);
            }
            if let Some(status) = node.child.try_wait().map_err(during("watch the node"))? {
                return Err(format!("the node ended ({status}): {}", self.messages()));
            }
            if began.elapsed() > READY_WITHIN {
                return Err(format!("the node is not ready: {}", self.messages()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts a node that should refuse, and waits for its end.
    ///
    /// # Errors
    /// It still runs when the time is over.
    pub fn refused(&self) -> Result<(ExitStatus, String), Failure> {
        let mut node = self.spawn()?;
        let status = node.ended(END_WITHIN)?;
        Ok((status, self.messages()))
    }
}

/// A running process.
#[derive(Debug)]
pub struct Node {
    child: Child,
    messages: PathBuf,
    /// From spawn to ready.
    pub ready_after: Duration,
}

impl Node {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once (SIGKILL) and waits until the kernel has let go of it.
    ///
    /// # Errors
    /// It had ended by itself.
    pub fn kill(mut self) -> Result<(), Failure> {
        if let Some(status) = self.child.try_wait().map_err(during("watch the node"))? {
            return Err(format!("the node ended by itself: {status}"));
        }
        self.child.kill().map_err(during("kill the node"))?;
        self.child.wait().map_err(during("wait for the node"))?;
        Ok(())
    }

    /// Sends a signal by name, as `TERM`.
    ///
    /// # Errors
    /// `kill` is missing or refuses.
    pub fn signal(&self, name: &str) -> Result<(), Failure> {
        let words = [format!("-{name}"), self.pid().to_string()];
        let status = Command::new("kill").args(words).status().map_err(during("signal"))?;
        if status.success() { Ok(()) } else { Err(format!("kill -{name} failed")) }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It still runs when the time is over.
    pub fn ended(&mut self, within: Duration) -> Result<ExitStatus, Failure> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().map_err(during("watch the node"))? {
                return Ok(status);
            }
            if began.elapsed() > within {
                return Err("the node still runs".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it in order (SIGTERM).
    ///
    /// # Errors
    /// It does not end, or not with success.
    pub fn stop(mut self) -> Result<(), Failure> {
        self.signal("TERM")?;
        let status = self.ended(END_WITHIN)?;
        if status.success() {
            return Ok(());
        }
        let messages = fs::read_to_string(&self.messages).unwrap_or_default();
        Err(format!("it stopped with {status}: {messages}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
