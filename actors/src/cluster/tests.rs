//! Founding and letting in, on a node that really runs.

use std::net::{IpAddr, Ipv4Addr};

use identity::changes::program_level;
use zeroize::Zeroizing;

use super::*;
use crate::runtime::{authority::is_good_at, directory::tests::Node};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

pub(super) fn presence(name: &str) -> Presence {
    Presence {
        name: name.into(),
        address: format!("{name}.example:7400"),
        zone: "a".into(),
        version: "1".into(),
        feature_level: program_level(),
    }
}

/// A founded cluster and its first node's credentials.
pub(super) async fn founded() -> (Node, Credentials) {
    let node = Node::start().await;
    let mut kept = None;
    let keep = |credentials: &Credentials| {
        kept = Some(credentials.clone());
        Ok(())
    };
    assert!(found(node.ctx(), presence("one"), keep).await.unwrap());
    (node, kept.unwrap())
}

async fn token(ctx: &Context, lifetime_s: u32) -> JoinToken {
    let created = create_token(ctx, Asker::system(), Role::Voter, lifetime_s).await.unwrap();
    JoinToken::parse(created.1.unwrap().expose()).unwrap()
}

/// What a new node says, and its private key.
fn request(ctx: &Context, name: &str) -> (JoinRequest, Zeroizing<Vec<u8>>) {
    let (key, point) = authority::new_node_key(ctx.random()).unwrap();
    let Presence { name, address, zone, version, feature_level } = presence(name);
    let public_key = point.to_vec();
    let root_check = ctx.keyring().check_value().to_vec();
    (JoinRequest { public_key, name, address, zone, version, feature_level, root_check }, key)
}

fn authority_of(ctx: &Context) -> Authority {
    members::authority(&ctx.local().view().unwrap()).unwrap().unwrap()
}

#[tokio::test]
async fn a_cluster_is_founded_once_and_vouches_for_its_first_node() {
    let (node, own) = founded().await;
    let ctx = node.ctx();
    let keep = |_: &Credentials| panic!("nothing new is kept");
    assert!(!found(ctx, presence("one"), keep).await.unwrap());
    let cluster = cluster_id(&ctx.local().view().unwrap()).unwrap();
    let wall_ms = node.clock.wall_ms();
    assert_eq!(authority_of(ctx).certificate, own.authority);
    assert!(is_good_at(&own.authority, &own.certificate, (cluster, 1), wall_ms));
    let point = authority::point(&own.key, ctx.random()).unwrap();
    let first = members::get(&ctx.local().view().unwrap(), 1).unwrap();
    assert!(admits(first.as_ref(), &Digest::of(&point)));
    node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_kept_founds_nothing() {
    let node = Node::start().await;
    let full = |_: &Credentials| Err(Error::Internal("the disk is full".into()));
    assert!(found(node.ctx(), presence("one"), full).await.is_err());
    assert!(members::authority(&node.ctx().local().view().unwrap()).unwrap().is_none());
    let refused = create_token(node.ctx(), Asker::system(), Role::Voter, 60).await;
    assert!(matches!(refused, Err(Error::Rejected(Rejection::InUse(_)))));
    node.stop().await;
}

#[tokio::test]
async fn a_node_with_a_token_is_let_in_once_under_its_own_key() {
    let (node, own) = founded().await;
    let ctx = node.ctx();
    let token = token(ctx, 600).await;
    assert_eq!(token.fingerprint, Digest::of(&own.authority).bytes());
    assert_eq!(listen_to(ctx, &token.secret, FROM).await, Ok(()));
    let (two, _) = request(ctx, "two");
    let welcome = admit(ctx, &token.secret, two.clone(), FROM).await.unwrap();
    assert_eq!((welcome.node, &welcome.authority), (2, &own.authority));
    let wall_ms = node.clock.wall_ms();
    let whose = (welcome.cluster, 2);
    assert!(is_good_at(&welcome.authority, &welcome.certificate, whose, wall_ms));
    // It heard no answer and asks again; somebody else with the same token does not get in.
    let again = admit(ctx, &token.secret, two, FROM).await.unwrap();
    assert_eq!(again.node, 2);
    let (three, _) = request(ctx, "three");
    let refused = admit(ctx, &token.secret, three, FROM).await;
    assert_eq!(refused, Err(JoinRefusal::Token));
    assert_eq!(members::all(&ctx.local().view().unwrap()).unwrap().len(), 2);
    node.stop().await;
}

#[tokio::test]
async fn strangers_are_refused_and_counted_without_an_entry() {
    let (node, _) = founded().await;
    let ctx = node.ctx();
    let token = token(ctx, 600).await;
    let before = ctx.applied().unwrap();
    assert_eq!(listen_to(ctx, &[9; 32], FROM).await, Err(JoinRefusal::Token));
    let (two, _) = request(ctx, "two");
    assert_eq!(admit(ctx, &[9; 32], two.clone(), FROM).await, Err(JoinRefusal::Token));
    for root_check in [vec![0; 32], Vec::new()] {
        let other = JoinRequest { root_check, ..two.clone() };
        assert_eq!(admit(ctx, &token.secret, other, FROM).await, Err(JoinRefusal::RootSecret));
    }
    let no_key = JoinRequest { public_key: vec![4; 65], ..two.clone() };
    let refused = admit(ctx, &token.secret, no_key, FROM).await;
    assert!(matches!(refused, Err(JoinRefusal::Incompatible(_))), "{refused:?}");
    assert_eq!(ctx.applied().unwrap(), before, "no stranger costs an entry");
    let counted = ctx.denials().take(node.clock.wall_ms(), true);
    let mut kinds: Vec<_> =
        counted.iter().map(|kind| (kind.denials.reason.as_str(), kind.denials.count)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [("join_token", 2), ("root_secret", 2)]);
    assert!(counted.iter().all(|kind| kind.address == "192.0.2.1"));
    // The token was not spent by any of it.
    assert_eq!(admit(ctx, &token.secret, two, FROM).await.unwrap().node, 2);
    node.stop().await;
}

#[tokio::test]
async fn whoever_tries_too_often_is_told_to_wait_whatever_the_secret() {
    let (node, _) = founded().await;
    let ctx = node.ctx();
    let token = token(ctx, 600).await;
    let tried = async |secret: &[u8; 32], from: IpAddr| listen_to(ctx, secret, from).await;
    for _ in 0..40 {
        assert_eq!(tried(&[9; 32], FROM).await, Err(JoinRefusal::Token));
    }
    assert_eq!(tried(&[9; 32], FROM).await, Err(JoinRefusal::Busy));
    assert_eq!(tried(&token.secret, FROM).await, Err(JoinRefusal::Busy));
    // Others are not kept out by it, and the source is not for ever.
    let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    assert_eq!(tried(&token.secret, other).await, Ok(()));
    node.clock.advance_ms(1_000);
    assert_eq!(tried(&token.secret, FROM).await, Ok(()));
    let counted = ctx.denials().take(node.clock.wall_ms(), true);
    let busy = counted.iter().find(|kind| kind.denials.reason == "rate").unwrap();
    assert_eq!(busy.denials.count, 2);
    node.stop().await;
}

#[tokio::test]
async fn a_certificate_is_renewed_in_its_last_third_and_for_members_only() {
    let (node, own) = founded().await;
    let ctx = node.ctx();
    assert_eq!(renewed(ctx, 1, &own).unwrap(), None);
    node.clock.advance_ms(59 * 24 * 3_600_000);
    assert_eq!(renewed(ctx, 1, &own).unwrap(), None);
    node.clock.advance_ms(2 * 24 * 3_600_000);
    let fresh = renewed(ctx, 1, &own).unwrap().expect("it is due");
    let later = node.clock.wall_ms() + 80 * 24 * 3_600_000;
    assert!(is_good_at(&own.authority, &fresh.certificate, (fresh.cluster, 1), later));
    assert!(renewed(ctx, 2, &own).is_err(), "another node's certificate");
    node.stop().await;
}
