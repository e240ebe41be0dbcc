//! A client's secrets, origins and keys, as administrators set them.

use identity::{
    clients::{self, Authentication, Client, OVERLAP_S_MAX, old::SettingsV2},
    command::Command,
    id::ClientId,
    outcome::{Outcome, Rejection},
    secret::Digest,
};

use crate::world::{ACME, WEB, World, client, digest, operator};

type Result = std::result::Result<Outcome, Rejection>;

fn web(world: &World) -> Client {
    world.record(ACME, WEB.bytes()).unwrap()
}

fn rotate(world: &mut World, secret: u8, overlap_s: u32) -> Result {
    let command = clients::Command::RotateSecret { id: WEB, secret: digest(secret), overlap_s };
    world.result(operator(), ACME, Command::Clients(command))
}

/// The secrets that are good now, the present one first.
fn good(world: &World) -> Vec<Digest> {
    web(world).secrets(world.now_ms).collect()
}

#[test]
fn a_secret_lasts_through_its_overlap_and_no_longer() {
    let mut world = World::ready();
    let first = good(&world);
    assert_eq!(first.len(), 1);
    rotate(&mut world, 0x21, 60).unwrap();
    assert_eq!(good(&world), [digest(0x21), first[0]]);
    assert_eq!(web(&world).secret_generation, 2);
    world.now_ms += 59_999;
    assert_eq!(good(&world).len(), 2);
    world.now_ms += 1;
    assert_eq!(good(&world), [digest(0x21)]);

    rotate(&mut world, 0x22, OVERLAP_S_MAX).unwrap();
    rotate(&mut world, 0x23, OVERLAP_S_MAX).unwrap();
    assert_eq!(good(&world), [digest(0x23), digest(0x22)], "never three");
    rotate(&mut world, 0x24, 0).unwrap();
    assert_eq!(good(&world), [digest(0x24)]);
    assert_eq!(web(&world).previous_secret, None, "what has ended is not kept");
    let long = rotate(&mut world, 0x25, OVERLAP_S_MAX + 1);
    assert!(matches!(long, Err(Rejection::Invalid { field, .. }) if field == "/overlap_s"));

    // An entry of the log from before there was an overlap.
    rotate(&mut world, 0x26, 60).unwrap();
    let at_once = clients::Command::RegenerateSecret { id: WEB, secret: digest(0x27) };
    world.done(operator(), ACME, Command::Clients(at_once));
    assert_eq!(good(&world), [digest(0x27)]);
}

#[test]
fn an_overlap_ends_with_the_secrets_and_with_the_client() {
    let mut world = World::ready();
    rotate(&mut world, 0x21, 60).unwrap();
    let public = clients::Settings {
        authentication: Authentication::None,
        grant_types: [clients::GrantType::AuthorizationCode].into(),
        ..client("web")
    };
    let mut deleted = world.clone();
    world.update_client(operator(), ACME, WEB, public).unwrap();
    assert_eq!((good(&world), web(&world).previous_secret), (Vec::new(), None));
    let refused = rotate(&mut world, 0x22, 60);
    assert!(matches!(refused, Err(Rejection::Invalid { field, .. }) if field == "/authentication"));
    let delete = clients::Command::Delete { id: WEB, expected: None };
    deleted.done(operator(), ACME, Command::Clients(delete));
    assert_eq!((good(&deleted), web(&deleted).previous_secret), (Vec::new(), None));
}

#[test]
fn every_origin_obeys_one_rule_at_creation_and_change() {
    let mut world = World::ready();
    for (origins, fine) in [
        (&["https://app.example", "http://localhost:3000"][..], true),
        (&["*"], false),
        (&["https://app.example/"], false),
        (&["http://app.example"], false),
    ] {
        let cors_origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let settings = clients::Settings { cors_origins, ..client("app") };
        let id = ClientId::from_bytes([7; 16]);
        let secret = Some(digest(1));
        let create = clients::Command::Create { id, settings: settings.clone(), secret };
        let mut fresh = world.clone();
        for result in [
            fresh.result(operator(), ACME, Command::Clients(create)),
            world.update_client(
                operator(),
                ACME,
                WEB,
                clients::Settings { client_id: "web".into(), ..settings },
            ),
        ] {
            assert_eq!(result.is_ok(), fine, "{origins:?}: {result:?}");
        }
    }
}

#[test]
fn settings_of_an_older_version_leave_newer_ones_alone() {
    let mut world = World::ready();
    let settings = clients::Settings {
        cors_origins: ["https://app.example".into()].into(),
        dpop_bound_access_tokens: true,
        ..client("web")
    };
    world.update_client(operator(), ACME, WEB, settings.clone()).unwrap();
    let old = SettingsV2 {
        client_id: settings.client_id,
        name: "Renamed".into(),
        enabled: settings.enabled,
        authentication: settings.authentication,
        native: settings.native,
        redirect_uris: settings.redirect_uris,
        grant_types: settings.grant_types,
        scopes: settings.scopes,
        id_token_algorithm: settings.id_token_algorithm,
        access_token_algorithm: settings.access_token_algorithm,
        access_token_lifetime_s: settings.access_token_lifetime_s,
        admin_api: settings.admin_api,
        roles: settings.roles,
        refresh: settings.refresh,
    };
    let update =
        clients::Command::UpdateV2 { id: WEB, expected: None, settings: old, secret: None };
    world.done(operator(), ACME, Command::Clients(update));
    let after = web(&world);
    assert_eq!(after.name, "Renamed");
    assert!(after.dpop_bound_access_tokens && after.cors_origins.contains("https://app.example"));
}
