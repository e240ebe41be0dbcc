//! The node that leads is removed: the others go on, and it does not.

use tokio::time::timeout;

use super::*;
use crate::error::Error;

/// Within this another leads: the removed leader's next turn (half a second) hands over, for which
/// agreement gives itself two seconds; what is left is for a second try and a busy machine.
const LED_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_that_is_removed_is_followed_by_another_and_answers_no_more() {
    let mut cluster = Cluster::of_three().await;
    let (first, _) = cluster.leads().await;
    let rest: Vec<usize> = (1..=3).filter(|at| *at != first).collect();
    let (asker, node) = (Asker::system(), u64::try_from(first).unwrap());
    let reply = decided(|| cluster::remove(cluster.ctx(first), &asker, node)).await;
    let removed = cluster.systems[first - 1].take().unwrap();
    let leads = || rest.iter().any(|at| cluster.ctx(*at).is_leader());
    let (led, reason) = tokio::join!(
        timeout(LED_WITHIN, until("another leads", leads)),
        timeout(STOPPED_WITHIN, removed.fatal()),
    );
    led.expect("nobody else leads in time");
    let reason = reason.expect("the removed one goes on");
    assert!(reason.contains("was removed"), "{reason}");
    // It changes and shows nothing any more, however it is asked.
    let written = removed.context().write(&asker, Placement::Cluster, Command::Noop).await;
    assert!(matches!(written, Err(Error::Unavailable(_) | Error::Unknown)), "{written:?}");
    assert!(removed.context().fresh().await.is_err(), "it says what is so now");
    assert!(!removed.context().is_leader());
    removed.stop().await;

    cluster.settled(rest[0], 2).await;
    for at in rest.iter().copied() {
        assert!(write(cluster.ctx(at)).await > reply.index, "written through {at}");
        let reading = decided(|| cluster.ctx(at).fresh()).await;
        let records = members::all(&reading.view().unwrap()).unwrap();
        let left: Vec<usize> =
            records.iter().map(|one| usize::try_from(one.node).unwrap()).collect();
        assert_eq!(left, rest);
    }
    // Nobody counts it any more, and nobody sends it anything.
    let known = |at| cluster.ctx(at).0.raft.cluster().members.iter().any(|one| one.node == node);
    until("it is forgotten", || !rest.iter().any(|at| known(*at))).await;
    cluster.end().await;
}
