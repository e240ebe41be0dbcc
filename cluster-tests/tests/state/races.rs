//! Codes and refresh tokens under 64 who present them at the same moment; `make soak` does many
//! more rounds.

use vaultara_cluster_tests::races::{self, Plan};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_forks_and_nothing_outlives_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let report = races::run(folder.path(), Plan { rounds: 50, fold: 64 }).await.unwrap();
    println!("{report}");
}
