use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::config::{
    layers::{Origin, resolve},
    settings::{EXAMPLE_SECRET, SETTINGS},
    show::{self, MASK, Origins},
};

mod backups;
mod cluster;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A folder with files, variables and flags: one case of a precedence table.
struct World {
    folder: TempDir,
    around: Surroundings,
    request: Request,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let around = Surroundings::bare(folder.path());
        let request = Request { mode: Mode::Production, file: None, flags: BTreeMap::new() };
        Self { folder, around, request }
    }

    fn good() -> Self {
        Self::new().env("JWT_SECRET", SECRET)
    }

    fn dev(mut self) -> Self {
        self.request.mode = Mode::Development;
        self
    }

    fn env(mut self, name: &str, text: &str) -> Self {
        self.around.variables.insert(name.to_owned(), text.to_owned());
        self
    }

    fn flag(mut self, name: &'static str, text: &str) -> Self {
        self.request.flags.insert(name, text.to_owned());
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn config_flag(mut self, name: &str) -> Self {
        self.request.file = Some(PathBuf::from(name));
        self
    }

    fn load(&self) -> Result<Loaded, Invalid> {
        load(&self.request, &self.around)
    }

    fn config(&self) -> Config {
        self.load().unwrap().config
    }

    fn problems(&self) -> Vec<String> {
        self.load().unwrap_err().0.iter().map(ToString::to_string).collect()
    }

    fn origin(&self, name: &str) -> Origin {
        let resolved = resolve(&self.request, &self.around);
        layers::origin_of(&resolved, name)
    }
}

#[test]
fn a_higher_layer_wins_over_every_lower_one() {
    // Each step adds a layer above the ones before.
    let mut world = World::good();
    assert_eq!(world.config().http.port, 8080, "default");
    world = world.file("system/vaultara/vaultara.toml", "server_port = 1\n");
    assert_eq!(world.config().http.port, 1, "system-wide file");
    world = world.file("vaultara.toml", "server_port = 2\n");
    assert_eq!(world.config().http.port, 2, "file of the working directory");
    world = world.file("named.toml", "server_port = 3\n").env("VAULTARA_CONFIG", "named.toml");
    assert_eq!(world.config().http.port, 3, "VAULTARA_CONFIG");
    world = world.file("flagged.toml", "# one\nserver_port = 4\n").config_flag("flagged.toml");
    assert_eq!(world.config().http.port, 4, "--config");
    let line = Origin::File { path: PathBuf::from("flagged.toml"), line: 2 };
    assert_eq!(world.origin("SERVER_PORT"), line);
    world = world.file("port", " 5\n\n").file(".env", "SERVER_PORT_FILE=port\n");
    assert_eq!(world.config().http.port, 5, ".env with _FILE");
    world = world.file(".env", "SERVER_PORT=6\n");
    assert_eq!(world.config().http.port, 6, ".env");
    world = world.file(".env", "SERVER_PORT=6\nVAULTARA_SERVER_PORT=7\n");
    assert_eq!(world.config().http.port, 7, ".env with prefix");
    let line = Origin::DotEnv { variable: "VAULTARA_SERVER_PORT".to_owned(), line: 2 };
    assert_eq!(world.origin("SERVER_PORT"), line);
    world = world.file("port8", "8").env("SERVER_PORT_FILE", "port8");
    assert_eq!(world.config().http.port, 8, "environment with _FILE");
    world.around.variables.remove("SERVER_PORT_FILE");
    world = world.env("SERVER_PORT", "9");
    assert_eq!(world.config().http.port, 9, "environment, the brief's spelling");
    world = world.env("VAULTARA_SERVER_PORT", "10");
    assert_eq!(world.config().http.port, 10, "environment with prefix");
    world = world.flag("SERVER_PORT", "11");
    assert_eq!(world.config().http.port, 11, "flag");
    assert_eq!(world.origin("SERVER_PORT"), Origin::Flag("server-port".to_owned()));
}

#[test]
fn a_value_and_its_file_exclude_each_other() {
    for (value, file) in [
        ("JWT_SECRET", "JWT_SECRET_FILE"),
        ("VAULTARA_JWT_SECRET", "JWT_SECRET_FILE"),
        ("JWT_SECRET", "VAULTARA_JWT_SECRET_FILE"),
    ] {
        let world = World::new().env(value, SECRET).env(file, "secret").file("secret", SECRET);
        let problems = world.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("are both set"), "{problems:?}");
    }
}

#[test]
fn a_secret_file_is_read_trimmed_and_must_exist() {
    let world = World::new().env("MASTER_KEY_FILE", "key").file("key", &format!("\n {SECRET}\n"));
    let RootSecret::Given(secret) = world.config().root_secret else { panic!("no secret") };
    assert_eq!(secret.expose(), SECRET);

    let problems = World::new().env("MASTER_KEY_FILE", "absent").problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("MASTER_KEY (file "), "{problems:?}");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let world = World::good().env("VAULTARA_SERVER_PORT", "").env("SERVER_PORT", "9");
    assert_eq!(world.config().http.port, 9);
    assert_eq!(World::new().env("JWT_SECRET", "").problems().len(), 1);
}

#[test]
fn a_root_secret_is_required_and_must_be_long_enough() {
    let problems = World::new().problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("a root secret is required"), "{problems:?}");

    let problems = World::new().env("JWT_SECRET", &SECRET[1..]).problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("at least 32 bytes, has 31"), "{problems:?}");
    assert!(!problems[0].contains(&SECRET[1..]), "a secret is never shown");

    let master = "master-master-master-master-master";
    let world = World::good().env("MASTER_KEY", master);
    let RootSecret::Given(secret) = world.config().root_secret else { panic!("no secret") };
    assert_eq!(secret.expose(), master, "MASTER_KEY wins");
    assert_eq!(format!("{secret:?}"), "redacted");
}

#[test]
fn the_secret_of_the_example_is_refused() {
    assert!(EXAMPLE_SECRET.len() >= 32, "it is refused for what it is, not for its length");
    for name in ["JWT_SECRET", "MASTER_KEY"] {
        let problems = World::new().env(name, EXAMPLE_SECRET).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("still the value of .env.example"), "{problems:?}");
    }
    let loaded = World::new().dev().env("JWT_SECRET", EXAMPLE_SECRET).load().unwrap();
    assert!(matches!(loaded.config.root_secret, RootSecret::DevelopmentFile(_)));
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn the_copied_example_file_is_refused_in_production_and_good_in_development() {
    let example = reference::env_example();
    let problems = World::new().file(".env", &example).problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("JWT_SECRET (.env:"), "{problems:?}");
    assert!(World::new().dev().file(".env", &example).load().is_ok());
}

#[test]
fn the_issuer_equals_the_external_url() {
    let url = "https://id.example.com";
    assert_eq!(World::good().env("EXTERNAL_URL", url).config().external_url.as_str(), url);
    let same = World::good().env("EXTERNAL_URL", url).env("JWT_ISSUER", "https://ID.example.com/");
    assert!(same.load().is_ok());
    let problems = World::good()
        .env("EXTERNAL_URL", url)
        .env("JWT_ISSUER", "https://other.example")
        .problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("must equal EXTERNAL_URL (https://id.example.com)"));
}

#[test]
fn development_stays_on_loopback() {
    let config = World::new().dev().config();
    assert_eq!(config.http.host, "127.0.0.1");
    assert_eq!(config.shutdown.drain_delay, Duration::ZERO);
    let RootSecret::DevelopmentFile(path) = config.root_secret else { panic!("a secret") };
    assert_eq!(path, Path::new("./data/development-secret"));
    for (name, text) in [
        ("SERVER_HOST", "0.0.0.0"),
        ("SERVER_HOST", "192.0.2.1"),
        ("SERVER_HOST", "example.com"),
        ("SERVER_HOST", "::"),
        ("EXTERNAL_URL", "https://id.example.com"),
        ("MANAGEMENT_BIND", "0.0.0.0:9000"),
    ] {
        let problems = World::new().dev().env(name, text).problems();
        assert!(problems.iter().any(|problem| problem.contains("with --dev")), "{problems:?}");
        assert!(World::good().env(name, text).load().is_ok(), "fine in production");
    }
    for text in ["localhost", "127.0.0.9", "::1"] {
        assert!(World::new().dev().env("SERVER_HOST", text).load().is_ok(), "{text}");
    }
}

#[test]
fn the_password_cost_has_a_floor() {
    for (name, low, floor) in
        [("PASSWORD_HASH_MEMORY_KIB", "19455", "19456"), ("PASSWORD_HASH_ITERATIONS", "1", "2")]
    {
        assert_eq!(World::good().env(name, low).problems().len(), 1);
        assert!(World::good().env(name, floor).load().is_ok());
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let world = World::new()
        .env("SERVER_PORT", "70000")
        .env("EXTERNAL_URL", "http://id.example.com")
        .env("RUST_LOG", "a=b=c")
        .file("vaultara.toml", "server_hots = 1\n");
    let problems = world.problems();
    for part in ["SERVER_PORT (", "EXTERNAL_URL (", "RUST_LOG", "server_hots (", "MASTER_KEY:"] {
        assert!(problems.iter().any(|problem| problem.starts_with(part)), "{part}: {problems:?}");
    }
    assert_eq!(problems.len(), 5, "{problems:?}");
}

#[test]
fn unknown_variables_of_ours_are_warnings() {
    let world = World::good()
        .env("VAULTARA_SERVER_PROT", "1")
        .env("VAULTARA_JWT_SECRET_FILE", "")
        .env("SERVER_PROT", "1")
        .file(".env", "VAULTARA_COLOR=1\nCOLOR=1\n");
    let warnings = world.load().unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "unknown variable VAULTARA_SERVER_PROT (environment); \
             did you mean VAULTARA_SERVER_PORT?",
            "unknown variable VAULTARA_COLOR (.env)",
        ]
    );
}

#[test]
fn a_named_file_must_exist_and_a_broken_env_file_is_an_error() {
    assert_eq!(World::good().config_flag("absent.toml").problems().len(), 1);
    let problems = World::good().file(".env", "A=1\nnonsense\n").problems();
    assert_eq!(problems, [".env: line 2 is not NAME=value"]);
    let twice = format!("JWT_SECRET={SECRET}\nJWT_SECRET={SECRET}\n");
    assert_eq!(World::new().file(".env", &twice).problems().len(), 1);
}

#[test]
fn printed_settings_mask_secrets_and_say_where_they_come_from() {
    let world = World::good()
        .env("DATABASE_URL", "postgres://u:hunter2@h/d")
        .env("MASTER_KEY", "master-master-master-master-master")
        .flag("SERVER_PORT", "9090")
        .file("vaultara.toml", "access_token_lifetime = \"1h\"\n");
    let shown = show::shown(&resolve(&world.request, &world.around));
    let text = show::table(&shown, Origins::Shown);
    for secret in [SECRET, "hunter2", "master-"] {
        assert!(!text.contains(secret), "{text}");
        assert!(!serde_json::to_string(&shown).unwrap().contains(secret));
    }
    let line = |name: &str| {
        let start = format!("{name}=");
        text.lines().find(|line| line.starts_with(&start)).unwrap().to_owned()
    };
    assert!(line("JWT_SECRET").starts_with(&format!("JWT_SECRET={MASK}")));
    for (name, value, origin) in [
        ("JWT_SECRET", MASK, "environment JWT_SECRET"),
        ("SERVER_PORT", "9090", "flag --server-port"),
        ("ACCESS_TOKEN_LIFETIME", "1h", "vaultara.toml:1"),
        ("SERVER_HOST", "0.0.0.0", "default"),
        ("EXTERNAL_URL", "http://localhost:9090", "default"),
        ("TRUSTED_PROXIES", "", "not set"),
    ] {
        assert!(line(name).starts_with(&format!("{name}={value} ")), "{}", line(name));
        assert!(line(name).ends_with(&format!("# {origin}")), "{}", line(name));
    }
    assert_eq!(text.lines().count(), SETTINGS.len());
    assert!(!show::table(&shown, Origins::Hidden).contains('#'));
}

#[test]
fn every_setting_can_be_set_in_every_layer() {
    for setting in SETTINGS {
        let name = setting.name;
        let around = |world: World| resolve(&world.request, &world.around).texts;
        let text = "value";
        assert!(around(World::new().env(name, text))[name].text == text);
        assert!(around(World::new().env(&format!("VAULTARA_{name}"), text))[name].text == text);
        let toml = format!("{} = \"{text}\"", setting.key());
        assert!(around(World::new().file("vaultara.toml", &toml))[name].text == text);
    }
}

#[test]
fn everything_set_reaches_the_configuration() {
    let world = World::good()
        .env("NODE_NAME", "node-7")
        .env("DATA_DIR", "/var/lib/x")
        .env("LOG_BUDGET", "2GiB")
        .env("TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1")
        .env("MANAGEMENT_BIND", "off")
        .env("HTTP_MAX_CONNECTIONS", "5")
        .env("ACCESS_TOKEN_LIFETIME", "5m")
        .env("REFRESH_TOKEN_LIFETIME", "30d")
        .env("PASSWORD_HASH_MEMORY_KIB", "20000")
        .env("PASSWORD_HASH_ITERATIONS", "3")
        .env("ARGON2_CONCURRENCY", "4")
        .env("DATABASE_URL", "postgres://h/d")
        .env("DATABASE_MAX_CONNECTIONS", "6")
        .env("LOG_LEVEL", "debug")
        .env("LOG_FORMAT", "json")
        .env("NO_COLOR", "1")
        .env("SHUTDOWN_DRAIN_DELAY", "1")
        .env("SHUTDOWN_TIMEOUT", "1m");
    let config = world.config();
    assert_eq!(config.node_name, "node-7");
    assert_eq!(config.data_dir, Path::new("/var/lib/x"));
    assert_eq!(config.log_budget_bytes, 2 << 30);
    assert_eq!(config.http.trusted_proxies.len(), 2);
    assert_eq!(config.http.management, None);
    assert_eq!(config.http.connections_max, 5);
    assert_eq!(config.lifetimes, Lifetimes { access_token_s: 300, refresh_token_s: 2_592_000 });
    let passwords = Passwords { memory_kib: 20_000, iterations: 3, concurrency: 4 };
    assert_eq!(config.passwords, passwords);
    let archive = config.archive.unwrap();
    assert_eq!((archive.url.expose(), archive.connections_max), ("postgres://h/d", 6));
    assert!(config.logs.filter.starts_with("debug,"), "{}", config.logs.filter);
    assert_eq!(config.logs.format, LogFormat::Json);
    assert!(!config.logs.colors);
    assert_eq!(config.shutdown.drain_delay, Duration::from_secs(1));
    assert_eq!(config.shutdown.timeout, Duration::from_secs(60));
}

#[test]
fn the_generated_documents_in_the_repository_are_current() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, generated, command) in [
        ("docs/reference/configuration.md", reference::page(), "config reference"),
        (".env.example", reference::env_example(), "config reference --format env"),
    ] {
        let found = std::fs::read_to_string(repository.join(path)).unwrap_or_default();
        assert!(found == generated, "{path} is outdated: write it with `vaultara {command}`");
    }
}
