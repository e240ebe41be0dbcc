//! What a setting is: a name, a form, a default, a meaning. Which there are is in `settings`.

/// What a text must look like, with its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An IP address or a host name.
    Host,
    /// A whole number between the two bounds, both included.
    Number(u64, u64),
    /// Seconds, or a number with `s`, `m`, `h`, `d` or `w`; bounds in seconds, both included.
    Duration(u64, u64),
    /// Bytes, or a number with `KiB`, `MiB`, `GiB` or `TiB`; bounds in bytes, both included.
    Bytes(u64, u64),
    /// One of a few words.
    Word(&'static [&'static str]),
    /// An address and a port, or `off`.
    ListenAddress,
    /// Networks in CIDR form (or single addresses), separated by commas.
    Networks,
    /// An `http` or `https` origin: scheme, host and perhaps a port.
    Origin,
    /// A host and a port.
    HostPort,
    /// A PostgreSQL connection string.
    DatabaseUrl,
    /// A path of the file system.
    Path,
    /// Letters, digits, `.`, `-` and `_`, at most 63 of them.
    Name,
    /// At least this many bytes of secret text.
    Secret(usize),
    /// Ed25519 public keys, separated by commas.
    PublicKeys,
    /// A bucket, perhaps with folders: `s3://bucket/folder`.
    Bucket,
}

/// What a setting is when nobody sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// It has no value.
    Unset,
    /// Always the same.
    Fixed(&'static str),
    /// One value in production, one with `--dev`.
    ByMode(&'static str, &'static str),
    /// Worked out at start; the text says from what.
    Derived(&'static str),
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Heading of the reference page.
    pub section: &'static str,
    /// The name of the environment variable without prefix; lower-case it is the TOML key.
    pub name: &'static str,
    /// What it accepts.
    pub form: Form,
    /// What it is when not set.
    pub default: Default,
    /// One or two sentences for a person who runs a node.
    pub meaning: &'static str,
}

impl Setting {
    /// Whether the value is never shown and has no command-line flag.
    pub fn secret(&self) -> bool {
        matches!(self.form, Form::Secret(_) | Form::DatabaseUrl)
    }

    /// The key in the TOML file.
    pub fn key(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// The command-line flag without its dashes; secrets have none because arguments are visible
    /// to every process of the machine.
    pub fn flag(&self) -> Option<String> {
        (!self.secret()).then(|| self.name.to_ascii_lowercase().replace('_', "-"))
    }
}
