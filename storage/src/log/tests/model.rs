//! The log against a vector, over random operations and restarts.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    Truncate(u8),
    Purge(u8),
    PurgeBeyond,
    Vote(u8),
    Reopen,
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..20_u8).prop_map(Step::Append),
        2 => (0..20_u8).prop_map(Step::Truncate),
        2 => (0..20_u8).prop_map(Step::Purge),
        1 => Just(Step::PurgeBeyond),
        1 => any::<u8>().prop_map(Step::Vote),
        1 => Just(Step::Reopen),
        1 => Just(Step::Flush),
    ]
}

#[derive(Default)]
struct Model {
    purged: Option<LogId>,
    entries: Vec<LogEntry>,
    vote: Option<Vec<u8>>,
    term: u64,
}

impl Model {
    fn last(&self) -> Option<LogId> {
        self.entries.last().map(|entry| entry.id).or(self.purged)
    }

    fn check(&self, log: &ShardLog) {
        assert_eq!(all(log), self.entries);
        assert_eq!((log.last(), log.purged()), (self.last(), self.purged));
        assert_eq!(log.vote(), self.vote);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_log_behaves_like_a_vector(steps in prop::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        // So small that most reads join what is on disk with what is in memory.
        let options = || Options { held_bytes_max: 600, ..Options::default() };
        let mut log = open_with(dir.path(), options());
        let mut model = Model::default();
        for step in steps {
            model.term += 1;
            match step {
                Step::Append(count) => {
                    let first = model.last().map_or(0, |id| id.index + 1);
                    let new = entries(model.term, first..first + u64::from(count));
                    append(&log, new.clone()).unwrap();
                    model.entries.extend(new);
                }
                Step::Truncate(dropped) => {
                    let keep = model.entries.len().saturating_sub(usize::from(dropped));
                    model.entries.truncate(keep);
                    truncate(&log, model.last());
                }
                Step::Purge(count) => {
                    let count = usize::from(count).min(model.entries.len());
                    if let Some(upto) = model.entries.drain(..count).next_back() {
                        purge(&log, upto.id);
                        model.purged = Some(upto.id);
                    }
                }
                Step::PurgeBeyond => {
                    let upto = id(model.term, model.last().map_or(5, |id| id.index + 3));
                    purge(&log, upto);
                    model.entries.clear();
                    model.purged = Some(upto);
                }
                Step::Vote(vote) => {
                    save_vote(&log, &[vote]);
                    model.vote = Some(vec![vote]);
                }
                Step::Reopen => {
                    log.database().shutdown();
                    log = open_with(dir.path(), options());
                }
                Step::Flush => log.database().db().unwrap().flush().unwrap(),
            }
            model.check(&log);
        }
        log.database().shutdown();
        model.check(&open_with(dir.path(), options()));
    }
}
