//! The node that leads is removed: the others go on, and it does not.

use tokio::time::timeout;

use super::*;
use crate::error::Error;

/// Within this another leads: the removed leader's next turn (half a second) hands over, for which
/// agreement gives itself two seconds; what is left is for a second try and a busy machine.
const LED_WITHIN: Duration = Duration::from_secs(10);
/// Within this the removed one has heard of it: three more turns take its vote, forget it and ping,
/// half a second each.
const STOPPED_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_that_is_removed_is_followed_by_another_and_answers_no_more() {
    let mut cluster = Cluster::of_three().await;
    assert!(cluster.ctx(1).is_leader());
    let reply = cluster::remove(cluster.ctx(1), &Asker::system(), 1).await.unwrap();
    let removed = cluster.systems[0].take().unwrap();
    let leads = || [2, 3].into_iter().any(|at| cluster.ctx(at).is_leader());
    let (led, reason) = tokio::join!(
        timeout(LED_WITHIN, until("another leads", leads)),
        timeout(STOPPED_WITHIN, removed.fatal()),
    );
    led.expect("nobody else leads in time");
    let reason = reason.expect("the removed one goes on");
    assert!(reason.contains("was removed"), "{reason}");
    // It changes and shows nothing any more, however it is asked.
    let asker = Asker::system();
    let written = removed.context().write(&asker, Placement::Cluster, Command::Noop).await;
    assert!(matches!(written, Err(Error::Unavailable(_) | Error::Unknown)), "{written:?}");
    assert!(removed.context().fresh().await.is_err(), "it says what is so now");
    assert!(!removed.context().is_leader());
    removed.stop().await;

    cluster.settled(2, 2).await;
    for at in [2, 3] {
        assert!(write(cluster.ctx(at)).await > reply.index, "written through {at}");
        let reading = cluster.ctx(at).fresh().await.unwrap();
        let records = members::all(&reading.view().unwrap()).unwrap();
        assert_eq!(records.iter().map(|one| one.node).collect::<Vec<_>>(), [2, 3]);
    }
    // Nobody counts it any more, and nobody sends it anything.
    let known = |at| cluster.ctx(at).0.raft.cluster().members.iter().any(|one| one.node == 1);
    until("it is forgotten", || !known(2) && !known(3)).await;
    cluster.end().await;
}
