//! Branding: who sets it, within which bounds, and what a license has to do with it.

use identity::{
    branding::{self, BRANDING_ID, Branding, Colour, HEIGHT_MAX, Links, Logo, Look, PICTURE_MAX},
    branding::{Palette, Texts, WIDTH_MAX},
    changes::{FIRST_LEVEL, PALETTES},
    codec::{self, Persisted as _},
    command::Command,
    licenses::{self, GRACE_MS, Tier},
    outcome::{LicenseRefusal, Outcome, Rejection},
    principal::Principal,
    secret::Digest,
    table::{Record as _, Row},
};

use crate::{
    licenses::claims,
    world::{ACME, BOB, OTHER, OWN, ROOT, World, digest, person},
};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\npixels";

fn set(expected: Option<u64>, look: Look) -> Command {
    Command::Branding(branding::Command::set(expected, &look))
}

fn set_logo(png: &[u8], width: u16, height: u16) -> Command {
    let png = png.to_vec();
    Command::Branding(branding::Command::SetLogo { expected: None, png, width, height })
}

fn remove_logo() -> Command {
    Command::Branding(branding::Command::RemoveLogo { expected: None })
}

fn look() -> Look {
    let texts = Texts { greeting: Some("Welcome".into()), ..Texts::default() };
    Look {
        display_name: Some("Acme".into()),
        accent: Some(Colour([15, 118, 110])),
        radius: Some(24),
        texts: [("en".into(), texts)].into(),
        links: Links { terms: Some("https://acme.example/terms".into()), ..Links::default() },
        palette: Palette::default(),
    }
}

fn written(revision: u64) -> Result<Outcome, Rejection> {
    Ok(Outcome::Written { id: BRANDING_ID, revision })
}

fn branding_of(world: &World) -> Branding {
    branding::of(&world.tables.opened(ACME), ACME).unwrap()
}

fn logo_of(world: &World) -> (Logo, Option<Vec<u8>>) {
    let tables = world.tables.opened(ACME);
    let picture = branding::picture(&tables, ACME).unwrap();
    (branding::logo(&tables, ACME).unwrap(), picture.map(|picture| picture.png))
}

#[test]
fn a_tenant_says_how_its_pages_look_and_only_its_administrators_do() {
    let mut world = World::ready();
    assert_eq!(branding_of(&world), Branding::default());
    let root = person(ACME, ROOT, OWN);
    assert_eq!(world.result(root, ACME, set(Some(0), look())), written(1));
    assert_eq!(branding_of(&world), Branding { revision: 1, look: look() });
    assert_eq!(world.result(root, ACME, set(Some(0), look())), Err(Rejection::Stale));
    assert_eq!(world.result(root, ACME, set(Some(1), look())), written(1), "nothing changed");
    for principal in [person(ACME, BOB, OWN), person(OTHER, ROOT, OWN), Principal::Anonymous] {
        for command in [set(None, Look::default()), set_logo(PNG, 1, 1), remove_logo()] {
            assert!(world.result(principal, ACME, command).is_err(), "{principal:?}");
        }
    }
    assert_eq!(world.result(root, ACME, set(None, Look::default())), written(2));
    let others = branding::of(&world.tables.opened(OTHER), OTHER).unwrap();
    assert_eq!(others, Branding::default());
}

#[test]
fn nothing_of_a_look_is_markup_or_leads_anywhere_but_to_https() {
    let mut world = World::ready();
    let texts = |tag: &str, texts| Look { texts: [(tag.into(), texts)].into(), ..look() };
    let link = |link: &str| {
        let links = Links { privacy: Some(link.into()), ..Links::default() };
        Look { links, ..look() }
    };
    let text = |text: &str| Some(text.to_owned());
    let long = "x".repeat(257);
    for (look, field) in [
        (Look { display_name: text(" "), ..look() }, "/display_name"),
        (Look { display_name: text("a\nb"), ..look() }, "/display_name"),
        (Look { radius: Some(25), ..look() }, "/radius"),
        (texts("nl", Texts::default()), "/texts"),
        (texts("", Texts::default()), "/texts"),
        (texts("de", Texts { title: text(&long), ..Texts::default() }), "/texts/de/title"),
        (texts("de", Texts { greeting: text(""), ..Texts::default() }), "/texts/de/greeting"),
        (texts("fr", Texts { footer: text("\u{1b}"), ..Texts::default() }), "/texts/fr/footer"),
        (link("http://acme.example"), "/links/privacy"),
        (link("javascript:alert(1)"), "/links/privacy"),
        (link("/privacy"), "/links/privacy"),
    ] {
        let refused = world.result(person(ACME, ROOT, OWN), ACME, set(None, look));
        assert!(
            matches!(&refused, Err(Rejection::Invalid { field: at, .. }) if at == field),
            "{field}: {refused:?}"
        );
    }
    assert_eq!(branding_of(&world).revision, 0);
}

#[test]
fn a_logo_is_a_small_png_that_is_named_by_its_digest() {
    let mut world = World::ready();
    let root = person(ACME, ROOT, OWN);
    assert_eq!(world.result(root, ACME, set_logo(PNG, WIDTH_MAX, HEIGHT_MAX)), written(1));
    let (logo, picture) = logo_of(&world);
    let shown = logo.shown.unwrap();
    assert_eq!(shown.sha256, Digest::of(PNG).bytes());
    assert_eq!((shown.width, shown.height), (WIDTH_MAX, HEIGHT_MAX));
    assert_eq!(picture.as_deref(), Some(PNG));

    let large = [PNG, &vec![0; PICTURE_MAX]].concat();
    for (png, width, height) in [
        (PNG, 0, 1),
        (PNG, 1, 0),
        (PNG, WIDTH_MAX + 1, 1),
        (PNG, 1, HEIGHT_MAX + 1),
        (&large, 1, 1),
        (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".as_slice(), 1, 1),
        (b"".as_slice(), 1, 1),
    ] {
        let refused = world.result(root, ACME, set_logo(png, width, height));
        assert!(matches!(refused, Err(Rejection::Invalid { field, .. }) if field == "/image"));
    }
    assert_eq!(world.result(root, ACME, remove_logo()), written(2));
    assert_eq!(logo_of(&world), (Logo { revision: 2, shown: None }, None));
}

#[test]
fn who_may_not_use_branding_keeps_it_and_can_only_take_it_away() {
    let mut world = World::ready();
    let root = person(ACME, ROOT, OWN);
    let install = |world: &mut World, key: u8, claims| {
        let (key, claims) = (digest(key), Box::new(claims));
        let install = licenses::Command::Install { expected: None, key, claims };
        world.done(root, ACME, Command::Licenses(install));
    };
    let refused = |license: &str| {
        let (feature, license) = ("branding".into(), license.into());
        Err(Rejection::License(LicenseRefusal::Feature { feature, license }))
    };
    world.done(root, ACME, set(None, look()));
    world.done(root, ACME, set_logo(PNG, 1, 1));
    install(&mut world, 1, claims(Tier::Free));
    assert_eq!(world.result(root, ACME, set(None, look())), refused("free"));
    assert_eq!(world.result(root, ACME, set_logo(PNG, 2, 2)), refused("free"));
    assert_eq!(branding_of(&world).look, look());

    let expires_at_ms = Some(world.now_ms + 1);
    install(&mut world, 2, licenses::Claims { expires_at_ms, ..claims(Tier::Professional) });
    world.now_ms += GRACE_MS;
    let other = Look { radius: Some(1), ..look() };
    world.done(root, ACME, set(None, other));
    world.now_ms += 1;
    assert_eq!(world.result(root, ACME, set(None, look())), refused("professional"));
    assert_eq!(world.result(root, ACME, remove_logo()), written(2));
    assert_eq!(world.result(root, ACME, set(None, Look::default())), written(3));
}

#[test]
fn further_colours_are_set_once_every_node_reads_them_and_only_legible_ones() {
    let mut world = World::ready_at(FIRST_LEVEL);
    let root = person(ACME, ROOT, OWN);
    let coloured = |text: [u8; 3]| {
        let palette = Palette { text: Some(Colour(text)), ..Palette::default() };
        Look { palette, ..look() }
    };
    let version = |world: &World| {
        let row = Row::Record { table: Branding::TABLE, id: BRANDING_ID };
        world.tables.peek(ACME, row).unwrap()[4]
    };
    assert_eq!(world.result(root, ACME, set(None, look())), written(1));
    assert_eq!(version(&world), 1, "as the old program wrote it");
    let early = world.result(root, ACME, set(None, coloured([0; 3])));
    assert_eq!(early, Err(Rejection::FeatureLevel));
    world.level = PALETTES;
    let pale = world.result(root, ACME, set(None, coloured([200; 3])));
    assert!(matches!(&pale, Err(Rejection::Invalid { field, .. }) if field == "/palette/text"));
    assert_eq!(world.result(root, ACME, set(None, coloured([0; 3]))), written(2));
    assert_eq!(version(&world), 2);
    assert_eq!(branding_of(&world).look, coloured([0; 3]));
    // What says nothing of them goes back to the product's own.
    assert_eq!(world.result(root, ACME, set(None, look())), written(3));
    assert_eq!(branding_of(&world), Branding { revision: 3, look: look() });
    assert_eq!(codec::encode(&branding_of(&world))[1..3], Branding::KIND);
}
