//! What a node says of itself reaches who leads through any other node, and nothing else does.

use identity::id::TenantId;
use raft::Way;

use super::*;
use crate::{audit::trail, error::Error, runtime::membership};

/// How long a follower may need to hear of the leader again.
const TOLD_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_passes_on_what_a_node_says_of_itself_and_nothing_else() {
    let cluster = Cluster::of_three().await;
    cluster.hand_over(1).await;
    let ctx = cluster.ctx(3);
    let draft = |command| ctx.draft(&Asker::system(), Placement::Cluster, command);
    let says = |node: u64| {
        let presence = membership::presence(ctx.settings().node.as_ref().unwrap());
        draft(Command::Members(members::Command::Announce { node, presence }))
    };
    until("node 2 follows", || cluster.ctx(2).0.raft.way() == Way::There(1)).await;
    let own = says(3);
    let tell = async |node: u64| loop {
        match ctx.0.proposer.tell(node, &own).await {
            // For a moment nothing was heard of the leader: another try is the same request, also
            // where the first may have arrived.
            Err(Error::Unavailable(_) | Error::Unknown) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            told => return told.unwrap(),
        }
    };
    let tell = async |node: u64| tokio::time::timeout(TOLD_WITHIN, tell(node)).await.unwrap();
    let told = tell(2).await;
    assert!(told.result.is_ok(), "{told:?}");
    // Whoever is told it again answers the same.
    for node in [2, 1] {
        assert_eq!(tell(node).await, told);
    }
    for other in [says(2), draft(Command::Noop)] {
        let refused = ctx.0.proposer.tell(2, &other).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }
    let events = {
        let reading = decided(|| cluster.ctx(1).fresh()).await;
        trail::onwards(&reading.view().unwrap(), TenantId::CLUSTER, 0, 1_000).unwrap()
    };
    let of_own = events.iter().filter(|event| event.request == own.request);
    assert_eq!(of_own.count(), 1, "times in the audit trail");
    cluster.end().await;
}
