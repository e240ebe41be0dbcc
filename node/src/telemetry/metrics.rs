//! Metrics: the process-wide recorder and its text form for Prometheus.
//!
//! Label rule: no tenant, user, client or path in a label. Other crates record through the
//! `metrics` facade; what they describe appears here by itself.

use std::{sync::OnceLock, time::Duration};

use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{http::layer::meter, telemetry::process, version};

/// Seconds; the least distinguishes what memory answers, the most what a time-out cuts.
const DURATION_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// How often recorded durations are folded into their histograms.
const UPKEEP: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Reads the process's metrics. Several nodes in one process share them.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder at the first call.
    pub fn of_process() -> Self {
        Self(RECORDER.get_or_init(install).clone())
    }

    /// The text form, with fresh numbers about the process.
    pub fn render(&self) -> String {
        process::record();
        self.0.render()
    }

    /// Keeps the recorder's memory bounded although nobody reads it; runs until dropped.
    pub async fn upkeep(self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}

fn install() -> PrometheusHandle {
    let builder = PrometheusBuilder::new();
    let matcher = Matcher::Full(meter::DURATION.to_owned());
    // Refuses an empty list of buckets only.
    let builder = builder
        .set_buckets_for_metric(matcher, &DURATION_BUCKETS)
        .unwrap_or_else(|_| PrometheusBuilder::new());
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    // Somebody else's recorder stays; ours then shows nothing.
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed; /metrics will be empty");
    }
    describe();
    handle
}

fn describe() {
    metrics::describe_counter!(meter::REQUESTS, "Answers by route, method and status.");
    metrics::describe_histogram!(
        meter::DURATION,
        Unit::Seconds,
        "Time from the request's head to the answer's head."
    );
    describe_gauge!("vaultara_build_info", "Always 1; the labels say which build runs.");
    process::describe();
    gauge!(
        "vaultara_build_info",
        "version" => version::VERSION,
        "revision" => version::REVISION.unwrap_or("unknown")
    )
    .set(1.0);
}
