//! Which build this is.

/// Version of the workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Source revision, if the build was told one (`VAULTARA_REVISION` at compile time).
pub const REVISION: Option<&str> = option_env!("VAULTARA_REVISION");

/// Operating system and processor.
pub fn target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}
