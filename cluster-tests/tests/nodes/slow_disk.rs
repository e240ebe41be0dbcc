//! An acknowledgement waits for the disk: 300 ms more per sync are 300 ms more per write.

use vaultara_cluster_tests::{delay, process::Launch, skip, strace};

use crate::{ALONE, PROGRAM};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_takes_as_much_longer_as_the_disk_does() {
    let _alone = ALONE.lock().await;
    if let Some(reason) = strace::unavailable() {
        return println!("{}", skip::left_out("a slow disk", &reason).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(PROGRAM, folder.path()).unwrap();
    let latencies = delay::measure(&launch).await.unwrap();
    println!("{latencies:?}");
    assert!(latencies.rose(), "{latencies:?}");
}
