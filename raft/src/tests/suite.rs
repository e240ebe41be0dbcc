//! openraft's storage conformance suite over the real log and the real state.

use std::sync::{Arc, atomic::AtomicU64};

use openraft::{
    StorageError,
    testing::log::{StoreBuilder, Suite},
};
use storage::{Store, log};

use crate::{
    alarm::Alarm, freshness::Freshness, log_store::LogStore, machine::Machine,
    state_machine::StateMachine, types::Binding,
};

struct Builder;

struct Guard(#[allow(dead_code, reason = "held so that the files stay")] tempfile::TempDir);

impl StoreBuilder<Binding, LogStore, StateMachine, Guard> for Builder {
    async fn build(&self) -> Result<(Guard, LogStore, StateMachine), StorageError<Binding>> {
        let dir = tempfile::tempdir().unwrap();
        let options = log::Options { anywhere: true, ..log::Options::default() };
        let database = log::LogDb::open(&dir.path().join("log"), options).unwrap();
        let store = Store::open(&dir.path().join("state"), storage::Options::default()).unwrap();
        let mut machine = Machine::new(
            Arc::new(store),
            Arc::new(Freshness::default()),
            Arc::new(AtomicU64::new(0)),
        )
        .unwrap();
        machine.anywhere = true;
        let machine = StateMachine::new(machine, Alarm::new().0);
        Ok((Guard(dir), LogStore(database.shard(0).unwrap()), machine))
    }
}

#[test]
fn the_stores_pass_openrafts_own_suite() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(Suite::test_all(Builder)).unwrap();
}
