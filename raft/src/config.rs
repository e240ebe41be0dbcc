//! Every openraft setting that differs from its default, and why.

use std::sync::Arc;

use openraft::{Config, SnapshotPolicy};

/// The settings of design §4, for a LAN.
pub(crate) fn config() -> Result<Arc<Config>, String> {
    let config = Config {
        cluster_name: "vaultara".into(),
        heartbeat_interval: 60,
        election_timeout_min: 200,
        election_timeout_max: 400,
        max_payload_entries: 1024,
        // Our own driver alone triggers, by bytes and age.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        // A restarted leader must not serve before its state is rebuilt from the log.
        enable_leader_restore: Some(false),
        enable_pre_vote: Some(true),
        ..Config::default()
    };
    config.validate().map(Arc::new).map_err(|error| error.to_string())
}
