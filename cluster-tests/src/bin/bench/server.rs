//! Processes of the bench: the server under measurement and the yardsticks.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use vaultara_cluster_tests::{Failure, during, process::free_port};

use crate::{
    hello::Size,
    load::{self, Connection},
};

/// How often a starting server is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// Longer than the node takes between two refreshes of its figures.
const REFRESHED: Duration = Duration::from_millis(600);
/// How long it may take.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// A child process that does not outlive this value.
pub(crate) struct Child(std::process::Child);

impl Child {
    pub(crate) fn spawn(mut command: Command) -> Result<Self, Failure> {
        command.spawn().map(Self).map_err(during("start a process"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program of the same build.
pub(crate) fn program(name: &str) -> Result<PathBuf, Failure> {
    let here = std::env::current_exe().map_err(during("find the bench itself"))?;
    let program = here.with_file_name(name);
    if program.exists() {
        Ok(program)
    } else {
        Err(format!("{} is missing; `make bench` builds it", program.display()))
    }
}

/// How a server is started; the same value starts it again.
pub(crate) struct Launch {
    pub(crate) data_dir: PathBuf,
    /// With demo data, or with this root secret on data that is there.
    pub(crate) root_secret: Option<String>,
    pub(crate) port: u16,
    pub(crate) management_port: u16,
}

impl Launch {
    pub(crate) fn new(data_dir: &Path, root_secret: Option<String>) -> Result<Self, Failure> {
        let (port, management_port) = (free_port()?, free_port()?);
        Ok(Self { data_dir: data_dir.to_path_buf(), root_secret, port, management_port })
    }

    pub(crate) fn external_url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Starts a server and waits until it is ready; also says how long that took.
    pub(crate) async fn start(&self) -> Result<(Server, Duration), Failure> {
        let mut command = Command::new(program("vaultara")?);
        command.arg("server");
        match &self.root_secret {
            Some(secret) => command.env("MASTER_KEY", secret),
            None => command.arg("--dev"),
        };
        command
            .env("SERVER_HOST", "127.0.0.1")
            .env("SERVER_PORT", self.port.to_string())
            .env("MANAGEMENT_BIND", format!("127.0.0.1:{}", self.management_port))
            .env("EXTERNAL_URL", self.external_url())
            .env("DATA_DIR", &self.data_dir)
            .env("SHUTDOWN_DRAIN_DELAY", "0")
            .env("LOG_LEVEL", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        let began = Instant::now();
        let child = Child::spawn(command)?;
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let management = SocketAddr::from(([127, 0, 0, 1], self.management_port));
        while began.elapsed() < READY_WITHIN {
            if let Ok(mut connection) = Connection::open(address).await
                && let Ok((200, _)) = connection.ask(&load::get("/health/ready")).await
            {
                let server = Server { child, address, management, url: self.external_url() };
                return Ok((server, began.elapsed()));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        Err("the server was not ready in time".to_owned())
    }
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    management: SocketAddr,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// What a load is aimed at.
    pub(crate) fn target(&self) -> (u32, SocketAddr) {
        (self.pid(), self.address)
    }

    /// One request.
    pub(crate) async fn ask(&self, request: &[u8]) -> Result<Vec<u8>, Failure> {
        let (status, body) = Connection::open(self.address).await?.ask(request).await?;
        if status == 200 {
            return Ok(body);
        }
        Err(format!("the server answered {status}: {}", String::from_utf8_lossy(&body)))
    }

    /// How large the answer to a request is.
    pub(crate) async fn size(&self, request: &[u8]) -> Result<Size, Failure> {
        let (_, head, body) = Connection::open(self.address).await?.measured(request).await?;
        Ok(Size { body: body.len(), head })
    }

    /// A figure of its metrics, a moment later: the node refreshes them four times a second.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64, Failure> {
        tokio::time::sleep(REFRESHED).await;
        let mut connection = Connection::open(self.management).await?;
        let (_, body) = connection.ask(&load::get("/metrics")).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.ok_or_else(|| format!("{name} is not among the metrics"))
    }

    /// Stops it in order (SIGTERM) and waits for its end.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        let words = ["-TERM".to_owned(), self.pid().to_string()];
        Command::new("kill").args(words).status().map_err(during("stop the server"))?;
        let status = self.child.0.wait().map_err(during("wait for the server"))?;
        if status.success() { Ok(()) } else { Err(format!("the server stopped with {status}")) }
    }
}
