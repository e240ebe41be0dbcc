//! From texts to a `Config`: every form is parsed, then the rules across settings are applied.
//!
//! All problems are collected before giving up. A rule that guards production names what to do.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use tracing_subscriber::EnvFilter;

use crate::config::{
    Archive, Config, Egress, ExternalUrl, Http, Invalid, Lifetimes, Loaded, LogFormat, Logs, Mode,
    Passwords, Problem, RootSecret, Secret, Shutdown, Surroundings,
    backups::{self, Reach},
    cluster,
    layers::{Origin, Resolved, origin_of},
    settings::{EXAMPLE_SECRET, SETTINGS},
    value::{self, Value, loopback_host, loopback_origin},
};

/// File of the development secret inside the data folder.
const DEVELOPMENT_SECRET_FILE: &str = "development-secret";

/// Parsed values by setting name.
pub(super) struct Values(BTreeMap<&'static str, Value>);

impl Values {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Value::Text(text) => Some(text),
            Value::Number(_) | Value::Listen(_) | Value::Networks(_) | Value::Keys(_) => None,
        }
    }

    /// A listening address that is not off.
    pub(super) fn listen(&self, name: &str) -> Option<SocketAddr> {
        match self.0.get(name)? {
            Value::Listen(address) => *address,
            Value::Text(_) | Value::Number(_) | Value::Networks(_) | Value::Keys(_) => None,
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.0.get(name)? {
            Value::Number(number) => Some(*number),
            Value::Text(_) | Value::Listen(_) | Value::Networks(_) | Value::Keys(_) => None,
        }
    }

    pub(super) fn seconds(&self, name: &str) -> Option<Duration> {
        self.number(name).map(Duration::from_secs)
    }
}

/// Parses and checks; the error holds every problem found.
pub fn config(mode: Mode, around: &Surroundings, resolved: &Resolved) -> Result<Loaded, Invalid> {
    let mut problems = resolved.problems.clone();
    let mut warnings = resolved.warnings.clone();
    let mut values = parsed(resolved, &mut problems);
    set_aside_example_secret(mode, resolved, &mut values, &mut problems, &mut warnings);
    require_secret(mode, resolved, &mut problems);
    check_issuer(&values, resolved, &mut problems);
    check_loopback(mode, &values, resolved, &mut problems);
    cluster::check(&values, resolved, &mut problems);
    backups::check(&values, resolved, &mut problems);
    warn_of_open_management(mode, &values, &mut warnings);
    let logs = logs(&values, around, &mut problems);
    if !problems.is_empty() {
        return Err(Invalid(problems));
    }
    let built = logs.and_then(|logs| built(mode, &values, resolved, logs));
    let missing = || Invalid(vec![Problem::of("", "a setting without a value was left over")]);
    built.map(|config| Loaded { config, warnings }).ok_or_else(missing)
}

/// What reaching backups needs; what is wrong with anything else does not matter.
pub fn backups(resolved: &Resolved) -> Result<Reach, Invalid> {
    let of_backups = |name: &str| {
        ["BACKUP_", "EGRESS_", "MASTER_KEY", "JWT_SECRET"].iter().any(|it| name.starts_with(it))
    };
    let mut problems = Vec::new();
    let values = parsed(resolved, &mut problems);
    backups::check(&values, resolved, &mut problems);
    problems.retain(|problem| of_backups(&problem.name));
    let missing = || Invalid(vec![Problem::of("", "a setting without a value was left over")]);
    if problems.is_empty() {
        let root_secret = root_secret(&values);
        let backups = backups::built(&values, resolved).ok_or_else(missing)?;
        return Ok(Reach { backups, egress: egress(&values), root_secret });
    }
    Err(Invalid(problems))
}

fn parsed(resolved: &Resolved, problems: &mut Vec<Problem>) -> Values {
    let mut values = BTreeMap::new();
    for setting in SETTINGS {
        let Some(found) = resolved.texts.get(setting.name) else { continue };
        match value::parse(setting.form, &found.text) {
            Ok(value) => {
                values.insert(setting.name, value);
            }
            // A default made from another wrong setting would only repeat its problem.
            Err(_) if found.origin == Origin::Default => {}
            Err(message) => problems.push(Problem::at(setting.name, &found.origin, message)),
        }
    }
    Values(values)
}

/// The example's secret is known to everybody: an error in production, ignored in development.
fn set_aside_example_secret(
    mode: Mode,
    resolved: &Resolved,
    values: &mut Values,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) {
    for name in ["MASTER_KEY", "JWT_SECRET"] {
        if values.text(name) != Some(EXAMPLE_SECRET) {
            continue;
        }
        values.0.remove(name);
        match mode {
            Mode::Production => {
                let message = "is still the value of .env.example; put at least 32 random bytes \
                               there, for instance from `openssl rand -base64 32`";
                problems.push(Problem::at(name, &origin_of(resolved, name), message));
            }
            Mode::Development => {
                warnings.push(format!("{name} is the value of .env.example and is not used"));
            }
        }
    }
}

fn require_secret(mode: Mode, resolved: &Resolved, problems: &mut Vec<Problem>) {
    // A secret that was set but could not be used has its own problem already.
    let given = ["MASTER_KEY", "JWT_SECRET"].iter().any(|name| {
        resolved.texts.contains_key(name) || problems.iter().any(|problem| problem.name == *name)
    });
    if mode == Mode::Production && !given {
        let message = "a root secret is required: set MASTER_KEY (or JWT_SECRET) to at least 32 \
                       random bytes, the same on every node, or start with --dev to try things out";
        problems.push(Problem::of("MASTER_KEY", message));
    }
}

fn check_issuer(values: &Values, resolved: &Resolved, problems: &mut Vec<Problem>) {
    let (Some(issuer), Some(external)) = (values.text("JWT_ISSUER"), values.text("EXTERNAL_URL"))
    else {
        return;
    };
    if issuer != external {
        let message = format!("must equal EXTERNAL_URL ({external}) or be left out");
        problems.push(Problem::at("JWT_ISSUER", &origin_of(resolved, "JWT_ISSUER"), message));
    }
}

/// Development mode has accounts with well-known passwords: nothing may reach it from outside.
fn check_loopback(mode: Mode, values: &Values, resolved: &Resolved, problems: &mut Vec<Problem>) {
    if mode == Mode::Production {
        return;
    }
    let loopback = |name| values.listen(name).is_none_or(|address| address.ip().is_loopback());
    let checks = [
        ("SERVER_HOST", values.text("SERVER_HOST").is_none_or(loopback_host)),
        ("EXTERNAL_URL", values.text("EXTERNAL_URL").is_none_or(loopback_origin)),
        ("MANAGEMENT_BIND", loopback("MANAGEMENT_BIND")),
        ("CLUSTER_BIND", loopback("CLUSTER_BIND")),
    ];
    for (name, loopback) in checks {
        if !loopback {
            let message = "must be a loopback address with --dev, because the demo accounts have \
                           well-known passwords";
            problems.push(Problem::at(name, &origin_of(resolved, name), message));
        }
    }
}

fn warn_of_open_management(mode: Mode, values: &Values, warnings: &mut Vec<String>) {
    if mode == Mode::Development {
        return;
    }
    if let Some(address) = values.listen("MANAGEMENT_BIND")
        && !address.ip().is_loopback()
    {
        warnings.push(format!(
            "the management listener on {address} asks for no credentials; let only monitoring \
             reach it"
        ));
    }
}

fn logs(values: &Values, around: &Surroundings, problems: &mut Vec<Problem>) -> Option<Logs> {
    let filter = match around.variable("RUST_LOG") {
        Some(filter) => filter.to_owned(),
        None => default_filter(values.text("LOG_LEVEL")?),
    };
    if let Err(error) = EnvFilter::try_new(&filter) {
        problems.push(Problem::of("RUST_LOG", format!("is not a log filter: {error}")));
    }
    let format = match values.text("LOG_FORMAT")? {
        "pretty" => LogFormat::Pretty,
        "json" => LogFormat::Json,
        _ => LogFormat::Auto,
    };
    Some(Logs { filter, format, colors: around.variable("NO_COLOR").is_none() })
}

/// Our own crates at the asked level. Libraries that narrate frames and headers stay quiet however
/// much is asked: what they would print holds cookies and codes.
fn default_filter(level: &str) -> String {
    let libraries = match level {
        "trace" | "debug" => "info",
        "info" => "warn",
        quieter => quieter,
    };
    let quiet = ["h2", "hyper", "hyper_util", "openraft", "reqwest", "rustls", "sqlx", "tower"]
        .map(|library| format!("{library}={libraries}"));
    format!("{level},{}", quiet.join(","))
}

fn built(mode: Mode, values: &Values, resolved: &Resolved, logs: Logs) -> Option<Config> {
    let data_dir = PathBuf::from(values.text("DATA_DIR")?);
    let number_u32 = |name| u32::try_from(values.number(name)?).ok();
    let root_secret = root_secret(values).map_or_else(
        || RootSecret::DevelopmentFile(data_dir.join(DEVELOPMENT_SECRET_FILE)),
        RootSecret::Given,
    );
    let archive = values.text("DATABASE_URL").map(|url| Secret::new(url.to_owned()));
    let connections_max = number_u32("DATABASE_MAX_CONNECTIONS")?;
    Some(Config {
        mode,
        node_name: values.text("NODE_NAME")?.to_owned(),
        data_dir,
        log_budget_bytes: values.number("LOG_BUDGET")?,
        cluster: cluster::built(values, resolved),
        external_url: ExternalUrl {
            text: values.text("EXTERNAL_URL")?.to_owned(),
            derived: origin_of(resolved, "EXTERNAL_URL") == Origin::Default,
        },
        http: http(values)?,
        egress: egress(values),
        root_secret,
        lifetimes: Lifetimes {
            access_token_s: values.number("ACCESS_TOKEN_LIFETIME")?,
            refresh_token_s: values.number("REFRESH_TOKEN_LIFETIME")?,
        },
        passwords: Passwords {
            memory_kib: number_u32("PASSWORD_HASH_MEMORY_KIB")?,
            iterations: number_u32("PASSWORD_HASH_ITERATIONS")?,
            concurrency: usize::try_from(values.number("ARGON2_CONCURRENCY")?).ok()?,
        },
        license_issuers: match values.0.get("LICENSE_ISSUERS") {
            Some(Value::Keys(keys)) => keys.clone(),
            _ => Vec::new(),
        },
        backups: backups::built(values, resolved)?,
        archive: archive.map(|url| Archive { url, connections_max }),
        logs,
        shutdown: Shutdown {
            drain_delay: values.seconds("SHUTDOWN_DRAIN_DELAY")?,
            timeout: values.seconds("SHUTDOWN_TIMEOUT")?,
        },
    })
}

fn root_secret(values: &Values) -> Option<Secret> {
    let text = values.text("MASTER_KEY").or_else(|| values.text("JWT_SECRET"))?;
    Some(Secret::new(text.to_owned()))
}

fn http(values: &Values) -> Option<Http> {
    Some(Http {
        host: values.text("SERVER_HOST")?.to_owned(),
        port: u16::try_from(values.number("SERVER_PORT")?).ok()?,
        management: values.listen("MANAGEMENT_BIND"),
        trusted_proxies: match values.0.get("TRUSTED_PROXIES") {
            Some(Value::Networks(networks)) => networks.clone(),
            _ => Vec::new(),
        },
        connections_max: usize::try_from(values.number("HTTP_MAX_CONNECTIONS")?).ok()?,
    })
}

fn egress(values: &Values) -> Egress {
    Egress {
        networks: match values.0.get("EGRESS_NETWORKS") {
            Some(Value::Networks(networks)) => networks.clone(),
            _ => Vec::new(),
        },
        authorities_file: values.text("EGRESS_CA_FILE").map(PathBuf::from),
    }
}
