//! The one table of settings: names, meanings, forms, bounds, defaults.
//!
//! Flags, environment variables, TOML keys, the masks of `config print`, the reference page and
//! `.env.example` are all made from it, so none of them can forget a setting. It holds no logic:
//! reading is in `layers`, forms in `value`, rules across settings in `checks`.

pub use crate::config::setting::{Default, Form, Setting};

/// The value that `.env.example` shows for `JWT_SECRET`: it must be replaced.
pub const EXAMPLE_SECRET: &str = "replace-me-with-at-least-32-random-bytes";

/// Prefix of the unambiguous spelling of every variable.
pub const PREFIX: &str = "VAULTARA_";

const DAY_S: u64 = 86_400;

/// All settings in the order of the reference page.
pub const SETTINGS: &[Setting] = &[
    Setting {
        section: "Network",
        name: "SERVER_HOST",
        form: Form::Host,
        default: Default::ByMode("0.0.0.0", "127.0.0.1"),
        meaning: "Address on which the server listens. With `--dev` only loopback is accepted.",
    },
    Setting {
        section: "Network",
        name: "SERVER_PORT",
        form: Form::Number(0, 65_535),
        default: Default::Fixed("8080"),
        meaning: "Port on which the server listens; 0 lets the system choose one.",
    },
    Setting {
        section: "Network",
        name: "EXTERNAL_URL",
        form: Form::Origin,
        default: Default::Derived("http://localhost:<SERVER_PORT>"),
        meaning: "The address people and clients use; the issuer of the default tenant. \
                  Plain http is accepted on loopback hosts only.",
    },
    Setting {
        section: "Network",
        name: "MANAGEMENT_BIND",
        form: Form::ListenAddress,
        default: Default::Fixed("127.0.0.1:9000"),
        meaning: "Address of the management listener (`/health/*`, `/metrics`), which asks for no \
                  credentials: keep it off public networks.",
    },
    Setting {
        section: "Network",
        name: "TRUSTED_PROXIES",
        form: Form::Networks,
        default: Default::Unset,
        meaning: "Networks whose `X-Forwarded-For` and `X-Request-Id` are believed.",
    },
    Setting {
        section: "Network",
        name: "HTTP_MAX_CONNECTIONS",
        form: Form::Number(1, 1_000_000),
        default: Default::Fixed("10000"),
        meaning: "Connections served at once; further ones get 503 and are closed.",
    },
    Setting {
        section: "Network",
        name: "EGRESS_NETWORKS",
        form: Form::Networks,
        default: Default::Unset,
        meaning: "Private or loopback networks that the server may call (logout notices and other \
                  outgoing requests), over plain http too. Public addresses may always be called, \
                  over https.",
    },
    Setting {
        section: "Network",
        name: "EGRESS_CA_FILE",
        form: Form::Path,
        default: Default::Unset,
        meaning: "PEM file of certificate authorities that outgoing requests trust besides the \
                  system's.",
    },
    Setting {
        section: "Node",
        name: "DATA_DIR",
        form: Form::Path,
        default: Default::Derived("systemd's STATE_DIRECTORY, else ./data"),
        meaning: "Folder of the node's identity and databases.",
    },
    Setting {
        section: "Node",
        name: "NODE_NAME",
        form: Form::Name,
        default: Default::Derived("the host name"),
        meaning: "Name of this node in logs and in the cluster's tables.",
    },
    Setting {
        section: "Node",
        name: "LOG_BUDGET",
        form: Form::Bytes(1 << 20, 1 << 44),
        default: Default::Fixed("1GiB"),
        meaning: "Size at which the replicated log is trimmed by taking a snapshot.",
    },
    Setting {
        section: "Cluster",
        name: "CLUSTER_BIND",
        form: Form::ListenAddress,
        default: Default::Fixed("off"),
        meaning: "Address on which other nodes of the cluster are answered, over mutual TLS. A \
                  node without it stays alone.",
    },
    Setting {
        section: "Cluster",
        name: "CLUSTER_ADVERTISE",
        form: Form::HostPort,
        default: Default::Derived("CLUSTER_BIND, with NODE_NAME where that is every address"),
        meaning: "Host and port under which the other nodes reach this one.",
    },
    Setting {
        section: "Cluster",
        name: "ZONE",
        form: Form::Name,
        default: Default::Unset,
        meaning: "Where this node stands: a data center, a rack, a power supply. The cluster \
                  warns when one zone holds a majority of the voters.",
    },
    Setting {
        section: "Cluster",
        name: "JOIN",
        form: Form::HostPort,
        default: Default::Unset,
        meaning: "Host and cluster port of any node of the cluster that this one joins if its \
                  data directory is empty. It may stay for good, on the first node as well: then \
                  a node whose disk is missing is refused and founds no cluster of its own.",
    },
    Setting {
        section: "Cluster",
        name: "JOIN_TOKEN",
        form: Form::Secret(64),
        default: Default::Unset,
        meaning: "What the cluster's `vaultara cluster token create` printed; good once, for ten \
                  minutes at most. A node that has joined needs none, and its file may be gone.",
    },
    Setting {
        section: "Secrets",
        name: "MASTER_KEY",
        form: Form::Secret(32),
        default: Default::Unset,
        meaning: "Root secret that seals everything secret at rest, the same on every node. \
                  Losing it loses the signing keys. If it is not set, `JWT_SECRET` takes its \
                  place.",
    },
    Setting {
        section: "Secrets",
        name: "JWT_SECRET",
        form: Form::Secret(32),
        default: Default::Unset,
        meaning: "Root secret when `MASTER_KEY` is not set. Tokens are never signed with it: \
                  every tenant has its own asymmetric keys.",
    },
    Setting {
        section: "Tokens",
        name: "JWT_ISSUER",
        form: Form::Origin,
        default: Default::Derived("EXTERNAL_URL"),
        meaning: "Issuer of the default tenant; if set it must equal `EXTERNAL_URL`.",
    },
    Setting {
        section: "Tokens",
        name: "ACCESS_TOKEN_LIFETIME",
        form: Form::Duration(1, DAY_S),
        default: Default::Fixed("3600"),
        meaning: "How long an access token is valid.",
    },
    Setting {
        section: "Tokens",
        name: "REFRESH_TOKEN_LIFETIME",
        form: Form::Duration(1, 366 * DAY_S),
        default: Default::Fixed("86400"),
        meaning: "How long a refresh token is valid.",
    },
    Setting {
        section: "Passwords",
        name: "PASSWORD_HASH_MEMORY_KIB",
        form: Form::Number(19_456, 1 << 20),
        default: Default::Fixed("19456"),
        meaning: "Memory of one Argon2id hash in KiB.",
    },
    Setting {
        section: "Passwords",
        name: "PASSWORD_HASH_ITERATIONS",
        form: Form::Number(2, 100),
        default: Default::Fixed("2"),
        meaning: "Passes of one Argon2id hash.",
    },
    Setting {
        section: "Passwords",
        name: "ARGON2_CONCURRENCY",
        form: Form::Number(1, 1_024),
        default: Default::Derived("the number of processors"),
        meaning: "Password hashes computed at once; the memory needed is this times \
                  `PASSWORD_HASH_MEMORY_KIB`.",
    },
    Setting {
        section: "Licenses",
        name: "LICENSE_ISSUERS",
        form: Form::PublicKeys,
        default: Default::Unset,
        meaning: "Public keys of issuers whose license keys are accepted, besides this cluster's \
                  own; the same on every node. Without a license key nothing is limited.",
    },
    Setting {
        section: "Archive",
        name: "DATABASE_URL",
        form: Form::DatabaseUrl,
        default: Default::Unset,
        meaning: "PostgreSQL archive; without it the node runs without one.",
    },
    Setting {
        section: "Archive",
        name: "DATABASE_MAX_CONNECTIONS",
        form: Form::Number(1, 1_000),
        default: Default::Fixed("10"),
        meaning: "Connections to the archive at most.",
    },
    Setting {
        section: "Backups",
        name: "BACKUP_DIR",
        form: Form::Path,
        default: Default::Unset,
        meaning: "Folder in which this node keeps backups; without it or `BACKUP_S3_URL`, it \
                  makes none.",
    },
    Setting {
        section: "Backups",
        name: "BACKUP_S3_URL",
        form: Form::Bucket,
        default: Default::Unset,
        meaning: "Bucket of an S3-compatible store in which backups are kept instead of a folder.",
    },
    Setting {
        section: "Backups",
        name: "BACKUP_S3_REGION",
        form: Form::Name,
        default: Default::Fixed("us-east-1"),
        meaning: "Region that requests to the store are signed for.",
    },
    Setting {
        section: "Backups",
        name: "BACKUP_S3_ENDPOINT",
        form: Form::Origin,
        default: Default::Derived("https://s3.<BACKUP_S3_REGION>.amazonaws.com"),
        meaning: "Address of the store. Plain http is accepted on loopback hosts only.",
    },
    Setting {
        section: "Backups",
        name: "BACKUP_S3_STYLE",
        form: Form::Word(&["path", "host"]),
        default: Default::Fixed("path"),
        meaning: "Whether addresses name the bucket behind the host (`path`) or as a part of it \
                  (`host`).",
    },
    Setting {
        section: "Backups",
        name: "BACKUP_S3_ACCESS_KEY_ID",
        form: Form::Secret(1),
        default: Default::Unset,
        meaning: "Key that the store knows; it may list, read, write and delete in the bucket.",
    },
    Setting {
        section: "Backups",
        name: "BACKUP_S3_SECRET_ACCESS_KEY",
        form: Form::Secret(1),
        default: Default::Unset,
        meaning: "Secret of that key.",
    },
    Setting {
        section: "Backups",
        name: "BACKUP_RECIPIENTS_FILE",
        form: Form::Path,
        default: Default::Unset,
        meaning: "File with an age recipient (`age1…`) on each line: whose keys open backups.",
    },
    Setting {
        section: "Backups",
        name: "BACKUP_EVERY",
        form: Form::Duration(0, 366 * DAY_S),
        default: Default::Fixed("0"),
        meaning: "How old the newest backup may get before the leader makes another; 0 makes none \
                  by itself.",
    },
    Setting {
        section: "Backups",
        name: "BACKUP_KEEP",
        form: Form::Number(1, 10_000),
        default: Default::Fixed("7"),
        meaning: "How many backups stay of those that are made by themselves.",
    },
    Setting {
        section: "Logs",
        name: "LOG_LEVEL",
        form: Form::Word(&["trace", "debug", "info", "warn", "error"]),
        default: Default::Fixed("info"),
        meaning: "Least severe level that is logged; a `RUST_LOG` filter wins over it.",
    },
    Setting {
        section: "Logs",
        name: "LOG_FORMAT",
        form: Form::Word(&["auto", "pretty", "json"]),
        default: Default::Fixed("auto"),
        meaning: "`auto` is `pretty` on a terminal and `json` elsewhere.",
    },
    Setting {
        section: "Stopping",
        name: "SHUTDOWN_DRAIN_DELAY",
        form: Form::Duration(0, 600),
        default: Default::ByMode("5s", "0s"),
        meaning: "How long a stopping node still answers after it declared itself not ready, so \
                  that load balancers notice.",
    },
    Setting {
        section: "Stopping",
        name: "SHUTDOWN_TIMEOUT",
        form: Form::Duration(1, 3_600),
        default: Default::Fixed("25s"),
        meaning: "How long requests in flight may take to finish once the node stopped accepting.",
    },
];

/// The setting of that name.
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}
