//! Origins of browser applications: listed exactly while a live public client runs there.

use identity::{
    clients::{self, Authentication, Client, GrantType, origins},
    command::Command,
    id::{ClientId, TenantId},
    table::{Record as _, Span, Tables as _},
};

use crate::world::{ACME, DEFAULT, World, client, digest, operator};

const PAGE: ClientId = ClientId::from_bytes([7; 16]);
const OTHER: ClientId = ClientId::from_bytes([8; 16]);

fn page(client_id: &str, uris: &[&str]) -> clients::Settings {
    clients::Settings {
        authentication: Authentication::None,
        redirect_uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
        grant_types: [GrantType::AuthorizationCode].into(),
        ..client(client_id)
    }
}

fn create(world: &mut World, id: ClientId, settings: clients::Settings) {
    let secret = None;
    let create = clients::Command::Create { id, settings, secret };
    world.done(operator(), ACME, Command::Clients(create));
}

fn update(world: &mut World, settings: clients::Settings) {
    let secret = (settings.authentication != Authentication::None).then(|| digest(9));
    let update = clients::Command::Update { id: PAGE, expected: None, settings, secret };
    world.done(operator(), ACME, Command::Clients(update));
}

fn known(world: &World, tenant: TenantId, origin: &str) -> bool {
    origins::registered(&world.tables.opened(tenant), tenant, origin).unwrap()
}

/// How many rows the list has.
fn rows(world: &World) -> usize {
    let (table, index) = (Client::TABLE, clients::BY_ORIGIN);
    let span = Span::Index { table, index, prefix: b"", after: None, unique: false };
    world.tables.opened(ACME).scan(ACME, span, 100, false).unwrap().len()
}

#[test]
fn an_origin_is_known_whole_and_in_its_own_tenant() {
    let mut world = World::ready();
    let uris = ["https://app.example/cb", "https://app.example/silent", "http://localhost:3000/"];
    create(&mut world, PAGE, page("page", &uris));
    assert_eq!(rows(&world), 2);
    for origin in ["https://app.example", "http://localhost:3000"] {
        assert!(known(&world, ACME, origin), "{origin}");
        assert!(!known(&world, DEFAULT, origin), "{origin}");
    }
    let long = format!("https://app.example{}", "x".repeat(origins::ORIGIN_MAX));
    for origin in [
        "https://app.exampl",
        "https://app.example.evil",
        "https://app.example/",
        "https://app.example:443",
        "http://app.example",
        "HTTPS://APP.EXAMPLE",
        "https://app.example\0",
        "http://localhost:30000",
        "http://localhost:300",
        "http://localhost",
        "null",
        "",
        "*",
        &long,
    ] {
        assert!(!known(&world, ACME, origin), "{origin}");
    }
    // The shorter of two that begin alike, whichever came first.
    create(&mut world, OTHER, page("other", &["http://localhost:30/", "http://localhost:30001/"]));
    for origin in ["http://localhost:30", "http://localhost:3000", "http://localhost:30001"] {
        assert!(known(&world, ACME, origin), "{origin}");
    }
}

#[test]
fn an_origin_counts_only_while_a_live_public_client_runs_in_a_page_there() {
    let mut world = World::ready();
    let at_home = || page("page", &["https://app.example/cb"]);
    let is_known = |world: &World| known(world, ACME, "https://app.example");
    create(&mut world, PAGE, at_home());
    for without in [
        clients::Settings { enabled: false, ..at_home() },
        clients::Settings { native: true, ..at_home() },
        clients::Settings { authentication: Authentication::ClientSecretBasic, ..at_home() },
        page("page", &["https://moved.example/cb"]),
        page("page", &["com.example.app:/cb"]),
    ] {
        assert!(is_known(&world));
        update(&mut world, without.clone());
        assert!(!is_known(&world), "{without:?}");
        update(&mut world, at_home());
    }
    assert_eq!(rows(&world), 1);

    // Of two clients at one origin either is enough.
    create(&mut world, OTHER, page("other", &["https://app.example/other"]));
    assert_eq!(rows(&world), 2);
    for id in [PAGE, OTHER] {
        assert!(is_known(&world));
        let delete = clients::Command::Delete { id, expected: None };
        world.done(operator(), ACME, Command::Clients(delete));
    }
    assert!(!is_known(&world));
    assert_eq!(rows(&world), 0);
}

#[test]
fn an_origin_that_a_client_was_given_counts_whatever_the_client_is() {
    let mut world = World::ready();
    let cors_origins = ["https://pages.example".to_owned()];
    let given = |client: clients::Settings| clients::Settings {
        cors_origins: cors_origins.clone().into(),
        ..client
    };
    let is_known = |world: &World| known(world, ACME, "https://pages.example");
    let at_home = page("page", &["https://app.example/cb"]);
    create(&mut world, PAGE, given(at_home.clone()));
    assert!(is_known(&world) && known(&world, ACME, "https://app.example"));
    for kind in [
        clients::Settings { native: true, ..at_home.clone() },
        clients::Settings { authentication: Authentication::ClientSecretBasic, ..at_home.clone() },
    ] {
        update(&mut world, given(kind));
        assert!(is_known(&world) && !known(&world, ACME, "https://app.example"));
        assert_eq!(rows(&world), 1);
    }
    update(&mut world, clients::Settings { enabled: false, ..given(at_home.clone()) });
    assert!(!is_known(&world));
    update(&mut world, given(at_home.clone()));
    assert!(is_known(&world));
    update(&mut world, at_home);
    assert!(!is_known(&world));
    assert_eq!(rows(&world), 1);
}
