//! How long what was ended still counts: at healthy nodes, and in a network of this program's own
//! at one that is cut off.

use std::path::Path;

use vaultara_cluster_tests::{
    Failure, network,
    revocation::{self, CUT_OFF_MAX, HEALTHY_MAX},
};

use crate::{
    Arguments, Outcome,
    bounds::{beyond, judged},
};

/// How often everything is ended while the leader is cut off, and while another node is.
const CUT_OFF_ROUNDS: usize = 5;

pub(crate) async fn run(arguments: &Arguments, folder: &Path) -> Result<Outcome, Failure> {
    let rounds = usize::try_from(arguments.count("endings")?).unwrap_or(usize::MAX);
    let cluster = arguments.cluster(folder).await?;
    let healthy = revocation::at_healthy_nodes(&cluster, rounds).await?;
    let mut broken = beyond("at healthy nodes", &healthy, &[(99, HEALTHY_MAX)]);
    let mut report = format!("counted on at healthy nodes: {healthy}");
    if !network::is_own() {
        let why = network::allowed().err().unwrap_or_default();
        let report = judged(report, &broken)?;
        return Ok(Outcome::Skipped(format!("{report}; no node was cut off: {why}")));
    }
    for _ in 0..CUT_OFF_ROUNDS {
        let cut_off = revocation::at_a_cut_off_node(&cluster).await?;
        broken.extend(beyond("at a node that is cut off", &cut_off, &[(100, CUT_OFF_MAX)]));
        report += &format!("; at a node that is cut off: {cut_off}");
    }
    judged(report, &broken).map(Outcome::Judged)
}
