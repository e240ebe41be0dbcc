//! Configuration: what a node is told from outside before it starts.
//!
//! The only door to flags, environment, `.env` and the TOML file; everything else gets a `Config`.
//! Tenants, clients and flows are data, not configuration. Precedence, forms and rules are in the
//! files below; the table of settings is `settings`. Invariant: a `Config` has passed every check.

pub mod backups;
pub mod checks;
pub mod cluster;
pub mod dotenv;
pub mod file;
pub mod layers;
pub mod problem;
pub mod reference;
pub mod secret;
pub mod setting;
pub mod settings;
pub mod show;
pub mod surroundings;
pub mod value;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use actors::licenses::key::PublicKey;

pub use self::{
    backups::Backups,
    cluster::{Cluster, Join},
    problem::{Invalid, Problem},
    secret::Secret,
    surroundings::Surroundings,
    value::Network,
};

/// Whether the checks for a public installation apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// All checks on.
    Production,
    /// One node on loopback with demo data (`--dev`).
    Development,
}

/// What the command line says about configuration.
#[derive(Debug, Clone)]
pub struct Request {
    /// `--dev` or not.
    pub mode: Mode,
    /// `--config`.
    pub file: Option<PathBuf>,
    /// Flags of single settings, by setting name.
    pub flags: BTreeMap<&'static str, String>,
}

/// A node's checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Production or development.
    pub mode: Mode,
    /// Name of this node in logs and tables.
    pub node_name: String,
    /// Folder of the node's identity and databases.
    pub data_dir: PathBuf,
    /// Target size of the replicated log in bytes.
    pub log_budget_bytes: u64,
    /// The cluster port, if the node has one.
    pub cluster: Option<Cluster>,
    /// Origin in serialized form, without a trailing slash; also the default tenant's issuer.
    pub external_url: ExternalUrl,
    /// Listeners and who stands in front of them.
    pub http: Http,
    /// What outgoing requests may do.
    pub egress: Egress,
    /// What seals everything at rest.
    pub root_secret: RootSecret,
    /// How long tokens of the default tenant live.
    pub lifetimes: Lifetimes,
    /// Cost of password hashes.
    pub passwords: Passwords,
    /// Issuers of license keys besides the cluster itself.
    pub license_issuers: Vec<PublicKey>,
    /// PostgreSQL archive, if any.
    pub archive: Option<Archive>,
    /// Where backups go and when they are made.
    pub backups: Backups,
    /// What is logged and how.
    pub logs: Logs,
    /// How the node stops.
    pub shutdown: Shutdown,
}

/// The public address, and whether somebody chose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalUrl {
    text: String,
    derived: bool,
}

impl ExternalUrl {
    /// Scheme, host and port without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether browsers reach the server over TLS: decides HSTS and `Secure` cookies.
    pub fn https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// Replaces the port of a default URL by the one the system chose for `SERVER_PORT` 0; a URL
    /// that somebody set stays.
    pub(crate) fn bound_to(&mut self, port: u16) {
        if self.derived {
            self.text = format!("http://localhost:{port}");
        }
    }
}

/// Listeners and trust in proxies.
#[derive(Debug, Clone)]
pub struct Http {
    /// IP address or host name.
    pub host: String,
    /// 0 lets the system choose.
    pub port: u16,
    /// Health and metrics; `None` is off.
    pub management: Option<SocketAddr>,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Connections served at once.
    pub connections_max: usize,
}

/// What outgoing requests may do beyond the rule.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// Networks that may be called although they are not public.
    pub networks: Vec<Network>,
    /// Further certificate authorities, PEM.
    pub authorities_file: Option<PathBuf>,
}

/// Where the root secret comes from.
#[derive(Debug, Clone)]
pub enum RootSecret {
    /// `MASTER_KEY`, else `JWT_SECRET`: at least 32 bytes.
    Given(Secret),
    /// Development without one: whoever opens the data folder makes this file once, with random
    /// bytes and mode 0600, and reads it from then on.
    DevelopmentFile(PathBuf),
}

/// Lifetimes in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Access tokens.
    pub access_token_s: u64,
    /// Refresh tokens.
    pub refresh_token_s: u64,
}

/// Argon2id cost and concurrency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passwords {
    /// Memory of one hash.
    pub memory_kib: u32,
    /// Passes of one hash.
    pub iterations: u32,
    /// Hashes at once.
    pub concurrency: usize,
}

/// The PostgreSQL archive.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Connection string; may hold a password.
    pub url: Secret,
    /// Connections at most.
    pub connections_max: u32,
}

/// Log filter and format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// Directives for `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// Form of a line.
    pub format: LogFormat,
    /// Whether a pretty line may have colors (`NO_COLOR` is not set).
    pub colors: bool,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// How a node stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// Still answering although not ready.
    pub drain_delay: Duration,
    /// For requests in flight once nothing is accepted any more.
    pub timeout: Duration,
}

/// A checked configuration and what to tell the person about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What looks like a mistake but does no harm.
    pub warnings: Vec<String>,
}

/// Reads and checks everything; the error lists all problems at once.
pub fn load(request: &Request, around: &Surroundings) -> Result<Loaded, Invalid> {
    let resolved = layers::resolve(request, around);
    checks::config(request.mode, around, &resolved)
}

/// Reads what is needed to reach backups, and no more: who looks at one need not run a node.
///
/// # Errors
/// The problems of those settings.
pub fn load_backups(request: &Request, around: &Surroundings) -> Result<backups::Reach, Invalid> {
    checks::backups(&layers::resolve(request, around))
}

#[cfg(test)]
mod tests;
