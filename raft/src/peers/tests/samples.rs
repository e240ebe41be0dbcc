//! One example of everything that nodes say to each other, of openraft's types where they are
//! carried.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use bytes::Bytes;
use identity::codec::{self, Persisted};
use openraft::{
    EntryPayload,
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest,
        VoteResponse,
    },
};
use storage::{
    Manifest,
    manifest::{FileSum, Hex},
};

use crate::{
    encoding,
    peers::{
        join::{Answer, JoinRefusal, JoinRequest, Welcome},
        message::{Class, Greeting, Hello, Refused, Request, Response, Unwelcome},
        translate,
    },
    types::{Binding, Entry, LogId, Membership, Payload, Peer, StoredMembership, Vote},
};

type Check = Box<dyn Fn(&[u8])>;

/// A message, its bytes, and how to check bytes against it.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) check: Check,
}

fn sample<T: Persisted + PartialEq + Debug + 'static>(name: &'static str, value: T) -> Sample {
    Sample {
        name,
        bytes: codec::encode(&value),
        check: Box::new(move |bytes| {
            let read: T = codec::decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(read, value, "{name} reads as something else");
            assert_eq!(codec::encode(&read), bytes, "{name} is said differently");
        }),
    }
}

pub(super) fn all() -> Vec<Sample> {
    let mut all = hellos();
    all.extend(greetings());
    all.extend(joining());
    all.extend(appends());
    all.extend(requests());
    all.extend(appended());
    all.extend(responses());
    all.extend(refusals());
    all
}

fn vote() -> Vote {
    Vote::new_committed(7, 3)
}

fn id(term: u64, index: u64) -> LogId {
    LogId { leader_id: term.into(), index }
}

fn membership() -> Membership {
    let peer = |address: &str, zone: &str| Peer { address: address.into(), zone: zone.into() };
    let nodes = BTreeMap::from([(1, peer("one:8444", "a")), (3, peer("three:8444", ""))]);
    Membership::new(vec![BTreeSet::from([1]), BTreeSet::from([1, 3])], nodes).unwrap()
}

pub(super) fn hello(class: Class) -> Hello {
    Hello { protocol: 1, cluster: [0xC1; 16], shard: 0, from: 3, process: 70, to: 1, class }
}

fn hellos() -> Vec<Sample> {
    vec![
        sample("hello-entries", hello(Class::Entries)),
        sample("hello-control", hello(Class::Control)),
        sample("hello-drafts", hello(Class::Drafts)),
        sample("hello-snapshot", hello(Class::Snapshot)),
    ]
}

fn greetings() -> Vec<Sample> {
    vec![
        sample("greeting-welcome", Greeting::Welcome { protocol: 1, process: 71 }),
        sample("greeting-address", Greeting::Refused(Unwelcome::Address)),
        sample("greeting-removed", Greeting::Refused(Unwelcome::Removed)),
        sample("greeting-unknown", Greeting::Refused(Unwelcome::Unknown)),
        sample("greeting-twice", Greeting::Refused(Unwelcome::Twice)),
        sample("greeting-protocol", Greeting::Refused(Unwelcome::Protocol)),
    ]
}

fn joining() -> Vec<Sample> {
    let request = JoinRequest {
        public_key: vec![4; 65],
        name: "node three".into(),
        address: "three:8444".into(),
        zone: "a".into(),
        version: "0.1.0".into(),
        feature_level: 2,
        root_check: vec![9; 32],
    };
    let welcome = Welcome {
        cluster: [0xC1; 16],
        node: 3,
        certificate: vec![0x30, 1],
        authority: vec![0x30, 2],
    };
    let incompatible = JoinRefusal::Incompatible("too old".into());
    vec![
        sample("join-request", request),
        sample("join-welcome", Answer(Ok(welcome))),
        sample("join-token", Answer(Err(JoinRefusal::Token))),
        sample("join-root-secret", Answer(Err(JoinRefusal::RootSecret))),
        sample("join-incompatible", Answer(Err(incompatible))),
        sample("join-busy", Answer(Err(JoinRefusal::Busy))),
        sample("join-unavailable", Answer(Err(JoinRefusal::Unavailable))),
    ]
}

fn append(entries: Vec<Entry>) -> Request {
    translate::append(&AppendEntriesRequest {
        vote: vote(),
        prev_log_id: Some(id(2, 5)),
        entries,
        leader_commit: Some(id(2, 4)),
    })
}

fn appends() -> Vec<Sample> {
    let blank = Entry { log_id: id(7, 6), payload: EntryPayload::Blank };
    let payload = EntryPayload::Normal(Payload(Bytes::from_static(b"drafts")));
    let normal = Entry { log_id: id(7, 6), payload };
    let members = Entry { log_id: id(7, 6), payload: EntryPayload::Membership(membership()) };
    let heartbeat = translate::append(&AppendEntriesRequest {
        vote: vote(),
        prev_log_id: None,
        entries: Vec::new(),
        leader_commit: None,
    });
    vec![
        sample("request-heartbeat", heartbeat),
        sample("request-append-blank", append(vec![blank])),
        sample("request-append-normal", append(vec![normal])),
        sample("request-append-membership", append(vec![members])),
    ]
}

/// The manifest of a snapshot, as it is offered.
fn manifest() -> Manifest {
    let members = encoding::encode_stored_membership(&id(2, 4), &membership());
    Manifest {
        format: 1,
        engine: "rocksdb".into(),
        shard: 0,
        cluster: Some(Hex(vec![0xC1; 16])),
        incarnation: 0,
        applied_index: 5,
        log_id: Hex(encoding::encode_log_id(&id(2, 5))),
        membership: Some(Hex(members)),
        last_stamp_ms: 1_790_000_000_000,
        feature_level: 1,
        files: vec![FileSum { name: "000042.sst".into(), size: 4096, sha256: Hex(vec![7; 32]) }],
    }
}

fn requests() -> Vec<Sample> {
    let asked = VoteRequest::<Binding>::new(vote(), Some(id(2, 5)));
    let mut handed_over = VoteRequest::<Binding>::new(Vote::new(8, 1), None);
    handed_over.leadership_transfer = true;
    let lead = TransferLeaderRequest::<Binding>::new(vote(), 1, Some(id(2, 5)));
    let stored = StoredMembership::new(Some(id(2, 4)), membership());
    let offer = Request::Snapshot {
        vote: (&vote()).into(),
        last: Some((&id(2, 5)).into()),
        membership: encoding::encode_snapshot_membership(&stored).into(),
        manifest: manifest().encode().unwrap().into(),
    };
    let drafts = vec![Bytes::from_static(b"one"), Bytes::from_static(b"another")];
    let part = Request::Part { file: 2, offset: 1 << 40, bytes: Bytes::from_static(b"part") };
    vec![
        sample("request-vote", Request::Vote(translate::vote(&handed_over))),
        sample("request-pre-vote", Request::PreVote(translate::vote(&asked))),
        sample("request-transfer", translate::transfer(&lead)),
        sample("request-read-index", Request::ReadIndex),
        sample("request-forward", Request::Forward(drafts)),
        sample("request-ping", Request::Ping),
        sample("request-snapshot", offer),
        sample("request-part", part),
        sample("request-install", Request::Install),
    ]
}

fn appended() -> Vec<Sample> {
    type Said = AppendEntriesResponse<Binding>;
    let of = |name, said: Said| sample(name, Response::Appended(translate::appended(said)));
    vec![
        of("response-appended", Said::Success),
        of("response-appended-partial", Said::PartialSuccess(Some(id(7, 6)))),
        of("response-appended-conflict", Said::Conflict),
        of("response-appended-higher-vote", Said::HigherVote(Vote::new(8, 1))),
    ]
}

fn responses() -> Vec<Sample> {
    let granted = VoteResponse::<Binding>::new(vote(), Some(id(2, 5)), true);
    let answers = vec![Ok(Bytes::from_static(b"reply")), Err(Refused::NoQuorum)];
    let pong = Response::Pong { wall_ms: 1_790_000_000_000, applied: 300 };
    let wanted = Response::Wanted(vec![None, Some(0), Some(1 << 20)]);
    vec![
        sample("response-vote", translate::voted(&granted)),
        sample("response-transfer", Response::Transfer(Ok(()))),
        sample("response-transfer-refused", Response::Transfer(Err("not flushed".into()))),
        sample("response-read-index", Response::ReadIndex(Ok((&id(7, 6)).into()))),
        sample("response-forwarded", Response::Forwarded(answers)),
        sample("response-pong", pong),
        sample("response-wanted", wanted),
        sample("response-installed", Response::Installed((&vote()).into())),
        sample("response-failed", Response::Failed("the disk is full".into())),
    ]
}

fn refusals() -> Vec<Sample> {
    let of = |name, refused| sample(name, Response::ReadIndex(Err(refused)));
    vec![
        of("refused-not-leader", Refused::NotLeader(Some(1))),
        of("refused-no-quorum", Refused::NoQuorum),
        of("refused-overloaded", Refused::Overloaded(5)),
        of("refused-unknown", Refused::Unknown),
        of("refused-unavailable", Refused::Unavailable("it stops".into())),
        of("refused-rejected", Refused::Rejected(Bytes::from_static(b"rejection"))),
    ]
}
