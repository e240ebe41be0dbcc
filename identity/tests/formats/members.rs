//! Samples of the cluster and its nodes.

use identity::{
    backups::{self, End, Failed, Latest, Made},
    changes::FIRST_LEVEL,
    cluster,
    codec::{self, Persisted},
    command::Command,
    id::JoinTokenId,
    incarnation::{self, Cause, Incarnation},
    members::{self, Authority, Founding, JoinToken, Member, Presence, Role},
};

use crate::{
    Sample,
    records::{AT, digest, sealed},
    sample,
};

const TOKEN: JoinTokenId = JoinTokenId::from_bytes([0x71; 16]);

fn presence() -> Presence {
    Presence {
        name: "node-a".into(),
        address: "10.0.0.1:7400".into(),
        zone: "a".into(),
        version: "1.2.3".into(),
        feature_level: 1,
    }
}

fn member(role: Role) -> Member {
    let Presence { name, address, zone, version, feature_level } = presence();
    Member {
        revision: 3,
        node: 300,
        name,
        address,
        zone,
        key: digest(21),
        role,
        joined_at_ms: AT,
        removed_at_ms: Some(AT + 9),
        version,
        feature_level,
        drained_at_ms: None,
    }
}

/// A layout that is written as long as the cluster is at the level it came with.
pub(crate) fn still_written<T>(name: &str, value: T) -> Sample
where
    T: Persisted + PartialEq + std::fmt::Debug + 'static,
{
    let (bytes, shown) = (codec::encode_at(&value, FIRST_LEVEL), name.to_owned());
    let check = move |bytes: &[u8]| {
        assert_eq!(codec::decode::<T>(bytes).unwrap(), value, "{shown}");
        assert_eq!(codec::encode_at(&value, FIRST_LEVEL), bytes, "{shown} is written differently");
    };
    Sample { name: name.into(), bytes, check: Box::new(check) }
}

fn incarnation(cause: Cause) -> Incarnation {
    Incarnation { revision: 1, number: 2, cause, began_at_ms: AT }
}

fn latest_backups() -> Latest {
    let made = Made { name: "a-backup".into(), node: 3, at_ms: AT, log_index: 1_234, bytes: 5_678 };
    let failed = Failed { node: 2, at_ms: AT + 9, reason: "no space".into() };
    Latest { revision: 4, made: Some(made), failed: Some(failed) }
}

pub(crate) fn samples() -> Vec<Sample> {
    let authority = Authority {
        revision: 4,
        certificate: vec![0x30, 1, 2],
        key: sealed(),
        next_node: 301,
        voters_min: 3,
        preferred_zone: Some("a".into()),
    };
    let token = JoinToken {
        revision: 2,
        id: TOKEN,
        digest: digest(22),
        role: Role::Learner,
        created_at_ms: AT,
        expires_at_ms: AT + 600_000,
        used_by: Some(300),
        revoked_at_ms: Some(AT + 5),
    };
    vec![
        still_written("member-voter", member(Role::Voter)),
        still_written("member-learner", member(Role::Learner)),
        sample("member-2", member(Role::Voter)),
        sample("member-2-drained", Member { drained_at_ms: Some(AT + 7), ..member(Role::Learner) }),
        sample("member-authority", authority),
        sample("member-join-token", token),
        sample("backups-latest", latest_backups()),
        sample("incarnation-restored", incarnation(Cause::Restored)),
        sample("incarnation-recovered", incarnation(Cause::Recovered)),
    ]
}

pub(crate) fn commands() -> Vec<Command> {
    let (node, presence) = (300, presence());
    let founding = Founding {
        certificate: vec![0x30, 1, 2],
        authority: sealed(),
        key: digest(21),
        presence: presence.clone(),
    };
    let founding = Some(Box::new(founding));
    let lives = [incarnation::Command::Begin { cause: Cause::Restored, node, founding }];
    let name = || "a-backup".to_owned();
    let backups = [
        backups::Command::Create { name: name(), recipients: vec!["age1".into()], node },
        backups::Command::Conclude {
            name: name(),
            node,
            end: End::Made { log_index: 1_234, bytes: 5_678 },
        },
        backups::Command::Conclude {
            name: name(),
            node,
            end: End::Failed { reason: "no space".into() },
        },
    ];
    let all = [
        members::Command::Found {
            certificate: vec![0x30, 1, 2],
            authority: sealed(),
            key: digest(21),
            presence: presence.clone(),
        },
        members::Command::CreateToken {
            id: TOKEN,
            digest: digest(22),
            role: Role::Voter,
            lifetime_s: 600,
        },
        members::Command::RevokeToken(TOKEN),
        members::Command::Join { token: digest(22), key: digest(21), presence: presence.clone() },
        members::Command::SetRole { node, role: Role::Learner },
        members::Command::Remove { node },
        members::Command::SetSettings {
            expected: Some(4),
            voters_min: 3,
            preferred_zone: Some("a".into()),
        },
        members::Command::Announce { node, presence },
        members::Command::TransferLeader { node },
        members::Command::SetDrained { node, drained: true },
    ];
    let cluster = [
        cluster::Command::Initialize {
            external_url: "https://id.example".into(),
            audit_key: vec![1; 32],
            access_token_lifetime_s: 3600,
        },
        cluster::Command::RenewBootstrap(digest(1)),
        cluster::Command::RaiseFeatureLevel(1),
    ];
    let all = all.map(Command::Members).into_iter().chain(cluster.map(Command::Cluster));
    let all = all.chain(lives.map(Command::Incarnation));
    all.chain(backups.map(Command::Backups)).collect()
}
