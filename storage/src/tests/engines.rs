use std::path::Path;

use proptest::{prelude::*, test_runner::TestRunner};

use crate::{
    Batch, Family, Key, Kind, Range, Tuning,
    engine::{Engine, Frozen, Next},
};

#[derive(Debug, Clone)]
enum Act {
    Write(Vec<(u8, Vec<u8>, Option<Vec<u8>>)>),
    DeleteRange(u8, Vec<u8>, Option<Vec<u8>>),
    Get(u8, Vec<u8>),
    Scan(u8, Vec<u8>, Option<Vec<u8>>, usize, bool),
    Freeze,
    Flush,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0xFE)], 1..4)
}

fn family() -> impl Strategy<Value = u8> {
    0_u8..3
}

fn act() -> impl Strategy<Value = Act> {
    let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..4));
    prop_oneof![
        4 => prop::collection::vec((family(), key(), value), 0..6).prop_map(Act::Write),
        1 => (family(), key(), prop::option::of(key()))
            .prop_map(|(family, lower, upper)| Act::DeleteRange(family, lower, upper)),
        2 => (family(), key()).prop_map(|(family, key)| Act::Get(family, key)),
        3 => (family(), prop_oneof![Just(vec![]), key()],
            prop::option::of(key()), 1..6_usize, any::<bool>())
            .prop_map(|(family, lower, upper, limit, backward)| {
                Act::Scan(family, lower, upper, limit, backward)
            }),
        1 => Just(Act::Freeze),
        1 => Just(Act::Flush),
    ]
}

fn key_of(family: u8, bytes: &[u8]) -> Key {
    Key::from_slice(Family::from_code(family).unwrap(), bytes)
}

fn range_of(family: u8, lower: &[u8], upper: Option<&Vec<u8>>) -> Range {
    Range { lower: key_of(family, lower), upper: upper.map(|upper| key_of(family, upper)) }
}

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn first(limit: usize, scan: impl FnOnce(&mut crate::engine::Visit<'_>)) -> Rows {
    let mut rows = Vec::new();
    scan(&mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        if rows.len() < limit { Next::More } else { Next::Enough }
    });
    rows
}

fn batch_of(act: &Act) -> Option<Batch> {
    let mut batch = Batch::new();
    match act {
        Act::Write(changes) => {
            for (family, key, value) in changes {
                match value {
                    Some(value) => batch.put(key_of(*family, key), value.clone()),
                    None => batch.delete(key_of(*family, key)),
                }
            }
        }
        Act::DeleteRange(family, lower, upper) => {
            batch.delete_range(range_of(*family, lower, upper.as_ref()));
        }
        _ => return None,
    }
    Some(batch)
}

fn same_answers(rocks: &Engine, memory: &Engine, acts: &[Act]) {
    let mut frozen: Vec<(Frozen<'_>, Frozen<'_>)> = Vec::new();
    for act in acts {
        if let Some(batch) = batch_of(act) {
            rocks.write(batch.clone()).unwrap();
            memory.write(batch).unwrap();
        }
        match act {
            Act::Get(family, key) => {
                let key = key_of(*family, key);
                assert_eq!(rocks.get(&key).unwrap(), memory.get(&key).unwrap());
                for (rocks, memory) in &frozen {
                    assert_eq!(rocks.get(&key).unwrap(), memory.get(&key).unwrap());
                }
            }
            Act::Scan(family, lower, upper, limit, backward) => {
                let range = range_of(*family, lower, upper.as_ref());
                let of = |engine: &Engine| {
                    first(*limit, |visit| engine.scan(&range, *backward, visit).unwrap())
                };
                assert_eq!(of(rocks), of(memory), "{range:?}");
                for (rocks, memory) in &frozen {
                    let of = |frozen: &Frozen<'_>| {
                        first(*limit, |visit| frozen.scan(&range, *backward, visit).unwrap())
                    };
                    assert_eq!(of(rocks), of(memory), "frozen {range:?}");
                }
            }
            Act::Freeze => frozen.push((rocks.freeze(), memory.freeze())),
            Act::Flush => {
                rocks.flush().unwrap();
                memory.flush().unwrap();
            }
            Act::Write(_) | Act::DeleteRange(..) => {}
        }
    }
}

fn everything(engine: &Engine) -> Vec<Rows> {
    let all =
        |family| first(usize::MAX, |visit| engine.scan(&Range::all(family), false, visit).unwrap());
    Family::ALL.into_iter().map(all).collect()
}

fn open(kind: Kind, dir: &Path) -> Engine {
    Engine::open(kind, dir, &Tuning::default()).unwrap()
}

#[test]
fn both_engines_give_the_same_answers_to_the_same_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (rocks_dir, memory_dir) = (dir.path().join("rocks"), dir.path().join("memory"));
    let tuning = Tuning::default();
    drop(Engine::create(Kind::Rocks, &rocks_dir, &tuning).unwrap());
    drop(Engine::create(Kind::Memory, &memory_dir, &tuning).unwrap());
    let mut runner = TestRunner::new(ProptestConfig::with_cases(24));
    let case = |acts: Vec<Act>| {
        let (rocks, memory) = (open(Kind::Rocks, &rocks_dir), open(Kind::Memory, &memory_dir));
        same_answers(&rocks, &memory, &acts);
        rocks.flush().unwrap();
        memory.flush().unwrap();
        let before = everything(&rocks);
        drop((rocks, memory));
        assert_eq!(everything(&open(Kind::Rocks, &rocks_dir)), before);
        assert_eq!(everything(&open(Kind::Memory, &memory_dir)), before);
        Ok(())
    };
    runner.run(&prop::collection::vec(act(), 0..60), case).unwrap();
}

#[test]
fn a_checkpoint_holds_what_was_written_before_it_and_nothing_later() {
    for kind in [Kind::Rocks, Kind::Memory] {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::create(kind, &dir.path().join("live"), &Tuning::default()).unwrap();
        let put = |byte: u8| {
            let mut batch = Batch::new();
            batch.put(key_of(0, &[byte]), vec![byte]);
            batch.put(key_of(5, &[byte]), vec![byte]);
            engine.write(batch).unwrap();
        };
        put(1);
        let copy = dir.path().join("copy");
        engine.checkpoint(&copy).unwrap();
        put(2);
        let copy = Engine::open_frozen(kind, &copy, &Tuning::default()).unwrap();
        for family in [0, 5] {
            assert_eq!(copy.get(&key_of(family, &[1])).unwrap(), Some(vec![1]));
            assert_eq!(copy.get(&key_of(family, &[2])).unwrap(), None);
        }
    }
}

#[test]
fn a_damaged_memory_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let tuning = Tuning::default();
    let engine = Engine::create(Kind::Memory, dir.path(), &tuning).unwrap();
    let mut batch = Batch::new();
    batch.put(key_of(1, b"key"), b"value".to_vec());
    engine.write(batch).unwrap();
    engine.flush().unwrap();
    let path = dir.path().join(Engine::witness(Kind::Memory));
    let bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        assert!(Engine::open(Kind::Memory, dir.path(), &tuning).is_err(), "flip at {at}");
        std::fs::write(&path, &bytes[..at]).unwrap();
        assert!(Engine::open(Kind::Memory, dir.path(), &tuning).is_err(), "cut at {at}");
    }
}
