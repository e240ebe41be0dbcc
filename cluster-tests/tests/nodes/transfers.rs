//! A node that was away until the others' logs began anew gets their snapshot: while people sign
//! in, and however often either end dies in the middle of it.

#[cfg(feature = "planted")]
#[path = "transfers/deaths.rs"]
mod deaths;

use vaultara_cluster_tests::{behind, checks::LOG_BUDGET, cluster::Cluster};

use crate::{ALONE, PROGRAM};

/// Clients of each kind that ask meanwhile, at two nodes.
const LOGIN_CLIENTS: u64 = 2;
const TOKEN_CLIENTS: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_far_behind_comes_back_while_people_sign_in() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::form_with(PROGRAM, folder.path(), 3, &[LOG_BUDGET]).await.unwrap();
    let plan = behind::Plan { entries: 2_000, changes: 0, writers: 16, large: true };
    let report = behind::run(&mut cluster, plan, |_, _| {}).await.unwrap();
    println!("{report}");
    for (when, logins, tokens) in &report.figures {
        // On a busy machine a leader may be silent for longer than the others wait, once: clients
        // who ask again at once are refused twice then.
        for (figures, clients) in [(logins, LOGIN_CLIENTS), (tokens, TOKEN_CLIENTS)] {
            let all = u64::try_from(figures.asked()).unwrap();
            let few = figures.failed <= all / 100 + 2 * clients && figures.failed * 4 <= all;
            assert!(few, "{when}: {report}");
        }
        assert!(logins.asked() > 0 && tokens.asked() > 0, "{when}: {report}");
    }
    assert_eq!(cluster.differences().await.unwrap(), Vec::<String>::new());
}
