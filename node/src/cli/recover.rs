//! `vaultara cluster recover`: a cluster of one out of what one node has left, after the quorum was
//! lost for good.
//!
//! Works on a directory whose node does not run, and only for somebody who names the cluster. What
//! the lost nodes had agreed on and this one never heard of is gone.

use actors::offline::{self, Survivor};
use clap::{Args, Subcommand};

use crate::{
    cli::{configuration, exit::Exit, output, settings::ConfigurationFlags},
    config::Surroundings,
    inside::root_secret,
};

/// Subcommands of `cluster` that work without a running node.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Makes a cluster of one out of a node that does not run, after its quorum was lost for good.
    Recover(RecoverArguments),
}

/// Flags of `cluster recover`.
#[derive(Debug, Args)]
pub struct RecoverArguments {
    /// The id of the cluster, which says that this is meant; without it nothing is changed.
    #[arg(long, value_name = "CLUSTER")]
    confirm: Option<String>,
    #[command(flatten)]
    configuration: ConfigurationFlags,
}

/// Runs a subcommand.
pub fn run(command: ClusterCommand, around: &Surroundings) -> Exit {
    let ClusterCommand::Recover(arguments) = command;
    let RecoverArguments { confirm, configuration } = arguments;
    let Some(config) = configuration::load(configuration, around) else {
        return Exit::Configuration;
    };
    let opened =
        root_secret(&config).and_then(|secret| offline::survivor(&config.data_dir, &secret));
    let survivor = match opened {
        Ok(survivor) => survivor,
        Err(error) => return failed(&error),
    };
    let cluster = format!("{:032x}", u128::from_be_bytes(survivor.cluster()));
    describe(&survivor, &cluster);
    if confirm.as_deref() != Some(cluster.as_str()) {
        output::message(&format!(
            "vaultara: nothing was changed; if the others are lost for good: --confirm {cluster}"
        ));
        return if confirm.is_some() { Exit::Conflict } else { Exit::Usage };
    }
    let node = survivor.node();
    match survivor.recover() {
        Ok(()) => output::data(
            format!("node {node} is alone in cluster {cluster} now: start it\n").as_bytes(),
        ),
        Err(error) => failed(&error),
    }
}

fn describe(survivor: &Survivor, cluster: &str) {
    let (node, (term, index)) = (survivor.node(), survivor.last_log());
    output::message(&format!(
        "cluster {cluster}: the last log entry of node {node} has term {term}, index {index}"
    ));
    output::message(
        "Of several nodes that are left recover the one with the higher term; the higher index \
         decides between equal terms only.",
    );
    for (other, address, votes) in survivor.members() {
        let role = if votes { "voter" } else { "learner" };
        let fate = if other == node { "stays" } else { "is out for good" };
        output::message(&format!("  node {other} {address} ({role}) {fate}"));
    }
    output::message(
        "Whatever the others agreed on and this node never heard of is lost. Every session and \
         every token ends.",
    );
}

fn failed(error: &dyn std::error::Error) -> Exit {
    output::message(&format!("vaultara: {error}"));
    Exit::Failure
}
