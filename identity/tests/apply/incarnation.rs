//! The next life of a cluster: what was issued in an earlier one is worth nothing, who was there is
//! out, and what people and clients prove themselves with stays.

use identity::{
    command::Command,
    grants::Grant,
    id::TenantId,
    incarnation::{self, Cause, INCARNATION_ID, Incarnation},
    members::{self, AUTHORITY_ID, Authority, Founding, Role, admits},
    oauth::claims::AccessToken,
    outbox,
    outcome::{IssueRefusal, Outcome, RefreshRefusal, Rejection},
    principal::Principal,
    sessions::Session,
    table::record,
    users::User,
};

use crate::{
    login::{lives, own_token, redeem},
    members::{joined, member, presence},
    refresh::{FIRST, counts, offline, online, refreshed, refused, use_of},
    sessions::{further, go_on, session, shown, signed_in},
    world::{ACME, BOB, WEB, World, digest, operator},
};

const CLUSTER: TenantId = TenantId::CLUSTER;

fn begin(cause: Cause, node: u64, founding: Option<Founding>) -> Command {
    let founding = founding.map(Box::new);
    Command::Incarnation(incarnation::Command::Begin { cause, node, founding })
}

fn recover(world: &mut World, node: u64) {
    world.cluster(begin(Cause::Recovered, node, None));
}

fn anew(key: u8) -> Founding {
    Founding {
        certificate: vec![0x30, key],
        authority: identity::secret::Sealed { key: 1, nonce: [key; 12], bytes: vec![key] },
        key: digest(key),
        presence: presence("anew"),
    }
}

#[test]
fn sessions_and_codes_of_before_end_and_those_of_after_count() {
    let mut world = signed_in();
    world.now_ms += 1_000;
    go_on(&mut world, further(shown(1), 7)).unwrap();
    recover(&mut world, 1);
    let found: Option<Session> =
        record(&world.tables.opened(ACME), ACME, shown(1).session.bytes()).unwrap();
    assert_eq!(found, None, "a session of before is as if it were not there");
    let ended = Err(Rejection::Issue(IssueRefusal::SessionEnded));
    for code in [1, 7] {
        let redeemed = world.result(Principal::Anonymous, ACME, redeem(code, code));
        assert_eq!(redeemed, ended, "code {code}");
    }
    assert!(go_on(&mut world, further(shown(1), 8)).is_err());
    world.now_ms += 1;
    let again = crate::sessions::sign_in(BOB, 3, None);
    crate::sessions::begin(&mut world, again).expect("the password still proves bob");
    assert!(session(&world, 3).live(world.now_ms));
    go_on(&mut world, further(shown(3), 4)).unwrap();
}

#[test]
fn refresh_families_end_whether_they_hang_off_a_session_or_not() {
    for begun in [online, offline] {
        let mut world = begun();
        world.now_ms += 1_000;
        let token = refreshed(use_of(&mut world, FIRST, 2));
        assert!(counts(&world, &token));
        recover(&mut world, 1);
        assert!(!counts(&world, &token), "an access token of before");
        for (shown, next) in [(2, 3), (FIRST, 4)] {
            assert_eq!(use_of(&mut world, shown, next), refused(RefreshRefusal::Ended));
        }
        let tables = world.tables.opened(ACME);
        let found: Option<Grant> = record(&tables, ACME, [1; 16]).unwrap();
        assert_eq!(found, None);
    }
}

#[test]
fn a_clients_own_token_of_before_ends_and_its_secret_stays() {
    let mut world = World::ready();
    let before = own_token(&mut world, WEB);
    assert!(lives(&world, &before));
    recover(&mut world, 1);
    assert!(!lives(&world, &before));
    world.now_ms += 1_000;
    // Of the cluster that the backup is of, which may go on issuing.
    let iat = world.now_ms / 1_000;
    let elsewhere = AccessToken { iat, exp: iat + 3_600, ..before };
    assert!(!lives(&world, &elsewhere));
    let after = own_token(&mut world, WEB);
    assert!(lives(&world, &after));
    let of_another_restore = AccessToken { grant: Some(format!("{WEB}@1-7")), ..after };
    assert!(!lives(&world, &of_another_restore));
    let bob: User = world.record(ACME, BOB.bytes()).unwrap();
    assert!(bob.live());
}

#[test]
fn a_recovered_node_keeps_its_authority_and_every_other_is_out_for_good() {
    let mut world = joined(2);
    world.done(operator(), CLUSTER, crate::members::create_token(9, Role::Voter, 600));
    let before: Authority = world.record(CLUSTER, AUTHORITY_ID).unwrap();
    recover(&mut world, 2);
    let after: Authority = world.record(CLUSTER, AUTHORITY_ID).unwrap();
    assert_eq!((&after.certificate, after.next_node), (&before.certificate, 1_004));
    let all = members::all(&world.tables.opened(CLUSTER)).unwrap();
    assert_eq!(all.iter().map(|one| one.node).collect::<Vec<_>>(), [2]);
    assert!(admits(Some(&member(&world, 2)), &digest(2)));
    for out in [1, 3] {
        let key = digest(u8::try_from(out).unwrap());
        assert!(!admits(Some(&member(&world, out)), &key), "node {out}");
    }
    let with_old_token = world.result(Principal::System, CLUSTER, crate::members::join(9, 9));
    assert_eq!(with_old_token, Err(Rejection::JoinToken));
    world.now_ms += 1;
    world.done(operator(), CLUSTER, crate::members::create_token(10, Role::Voter, 600));
    let next = world.result(Principal::System, CLUSTER, crate::members::join(10, 10));
    assert_eq!(next, Ok(Outcome::Joined { node: 1_004 }));
}

#[test]
fn a_restored_node_is_a_new_one_of_a_new_authority() {
    let mut world = joined(2);
    world.cluster(begin(Cause::Restored, 4, Some(anew(8))));
    let authority: Authority = world.record(CLUSTER, AUTHORITY_ID).unwrap();
    assert_eq!((authority.certificate, authority.next_node), (vec![0x30, 8], 5));
    let all = members::all(&world.tables.opened(CLUSTER)).unwrap();
    assert_eq!(all.iter().map(|one| (one.node, one.key)).collect::<Vec<_>>(), [(4, digest(8))]);
    let mut alone = World::ready();
    alone.cluster(begin(Cause::Restored, 1, None));
    let founded: Option<Authority> = alone.record(CLUSTER, AUTHORITY_ID);
    assert_eq!(founded, None, "what was never founded stays that way");
    let refused =
        alone.result(Principal::System, CLUSTER, begin(Cause::Restored, 1, Some(anew(8))));
    assert!(matches!(refused, Err(Rejection::InUse(_))), "{refused:?}");
}

#[test]
fn lives_are_counted_and_begun_by_the_cluster_itself() {
    let mut world = World::ready();
    let denied = Err(Rejection::Denied("system".into()));
    let asked = begin(Cause::Recovered, 1, None);
    assert_eq!(world.result(operator(), CLUSTER, asked.clone()), denied);
    assert!(world.result(Principal::System, ACME, asked).is_err(), "a tenant has no lives");
    for number in 1..3 {
        world.now_ms += 10;
        recover(&mut world, 1);
        let now: Incarnation = world.record(CLUSTER, INCARNATION_ID).unwrap();
        assert_eq!((now.number, now.began_at_ms), (number, world.now_ms));
        let first = outbox::first(&world.tables.opened(CLUSTER)).unwrap();
        assert_eq!(first, world.index, "readers of the change feed are told to begin anew");
    }
}
