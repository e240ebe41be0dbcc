//! What a request may want of the person: `prompt`, `max_age`, hints; and that no step of the login
//! takes what belongs to another one.

use actors::{
    demo::{self, ADMINISTRATOR_PASSWORD, ALICE_PASSWORD},
    tenants::{self, Address},
};
use identity::{
    sessions::{SESSIONS, Session},
    table::{Span, Tables as _},
};

use crate::support::{
    self, Answer, TestNode, Visitor,
    login::{self, Ask, alice_stays, claims, redeem},
};

const ALICE: (&str, &str) = ("alice", ALICE_PASSWORD);
const BOB: (&str, &str) = ("bob", ADMINISTRATOR_PASSWORD);

fn error(answer: &Answer) -> String {
    assert_eq!(answer.sent_back("code"), None, "{answer:?}");
    assert!(answer.sent_back("state").is_some() && answer.sent_back("iss").is_some());
    answer.sent_back("error").unwrap_or_else(|| panic!("no error: {answer:?}"))
}

async fn id_token(node: &TestNode, answer: &Answer) -> String {
    let code = answer.sent_back("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
    redeem(node, &code, &[]).await.text("id_token")
}

/// Posts the choice of an account.
async fn choose(visitor: &mut Visitor, ask: &Ask, page: &Answer, account: &str) -> Answer {
    let form = [("csrf", page.hidden("csrf")), ("account", account)];
    let headers = [("sec-fetch-site", "same-origin"), ("origin", "null")];
    visitor.send_form(&format!("{}/login/account", ask.issuer), &headers, &form).await
}

#[tokio::test]
async fn nothing_is_shown_when_nothing_may_be() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let silent = ask.clone().with("prompt", "none");
    let stranger = Visitor::new().get(&silent.url()).await;
    assert_eq!(error(&stranger), "login_required");
    assert_eq!(stranger.header("set-cookie"), "");

    let (mut visitor, first) = alice_stays(&ask).await;
    let first = claims(&id_token(&node, &first).await);
    let second = claims(&id_token(&node, &visitor.get(&silent.url()).await).await);
    for claim in ["sub", "auth_time", "sid"] {
        assert_eq!(first[claim], second[claim], "{claim}");
    }
    let into_form = silent.with("response_mode", "form_post");
    let stranger = Visitor::new().get(&into_form.url()).await;
    assert_eq!((stranger.status, stranger.page()), (200, "form-post"));
    assert_eq!(stranger.hidden("error"), "login_required");
    assert_eq!(visitor.get(&into_form.url()).await.page(), "form-post");
}

#[tokio::test]
async fn a_request_gets_what_it_wants_of_the_person() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let (mut visitor, _) = alice_stays(&ask).await;
    for (changes, page) in [
        (&[("prompt", "login")][..], "login"),
        (&[("max_age", "0")], "login"),
        (&[("prompt", "select_account")], "account"),
        (&[("prompt", "select_account login")], "account"),
        (&[("prompt", "select_account"), ("max_age", "0")], "account"),
        (&[("max_age", "10000")], ""),
        (&[("max_age", "99999999999")], ""),
        (&[("display", "popup"), ("ui_locales", "se de"), ("claims_locales", "se")], ""),
        (&[("display", "page"), ("acr_values", "1 2"), ("login_hint", "buffy@example.org")], ""),
        (&[("prompt", ""), ("extra", "foobar")], ""),
    ] {
        let ask = changes.iter().fold(ask.clone(), |ask, (name, value)| ask.with(name, value));
        let answer = visitor.get(&ask.url()).await;
        if page.is_empty() {
            assert!(answer.sent_back("code").is_some(), "{changes:?} {answer:?}");
        } else {
            assert_eq!((answer.status, answer.page()), (200, page), "{changes:?} {answer:?}");
        }
    }
    for changes in [
        ("prompt", "none login"),
        ("prompt", "none select_account"),
        ("prompt", "create"),
        ("max_age", "-1"),
        ("max_age", "soon"),
        ("id_token_hint", "a.b.c"),
        ("id_token_hint", "nonsense"),
    ] {
        let answer = visitor.get(&ask.clone().with(changes.0, changes.1).url()).await;
        assert_eq!(error(&answer), "invalid_request", "{changes:?}");
    }
    let old = visitor.get(&ask.with("prompt", "none").with("max_age", "0").url()).await;
    assert_eq!(error(&old), "login_required");
}

#[tokio::test]
async fn a_login_that_was_asked_for_satisfies_the_request() {
    let node = support::demo();
    let ask = Ask::web(&node);
    for (name, value) in [("prompt", "login"), ("max_age", "0")] {
        let (mut visitor, first) = alice_stays(&ask).await;
        let first = claims(&id_token(&node, &first).await);
        let page = login::open(&mut visitor, &ask.clone().with(name, value)).await;
        let wrong = login::submit(&mut visitor, &ask, &page, ("alice", "wrong")).await;
        assert_eq!((wrong.status, wrong.page()), (403, "login"));
        let answer = login::submit(&mut visitor, &ask, &wrong, ALICE).await;
        let second = claims(&id_token(&node, &answer).await);
        assert_eq!(first["sid"], second["sid"]);
        assert!(second["auth_time"].as_u64() >= first["auth_time"].as_u64());
    }
}

#[tokio::test]
async fn a_person_may_go_on_or_take_another_account() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let choosing = ask.clone().with("prompt", "select_account").with("login_hint", "alice");
    let (mut visitor, first) = alice_stays(&ask).await;
    let alice = claims(&id_token(&node, &first).await)["sub"].clone();
    let page = visitor.get(&choosing.url()).await;
    assert!(page.body.contains("Alice Liddell"), "{page:?}");
    assert!(page.body.contains("action=\"/t/demo/login/account\""), "{page:?}");
    let same = choose(&mut visitor, &ask, &page, "same").await;
    assert_eq!(claims(&id_token(&node, &same).await)["sub"], alice);

    let other = choose(&mut visitor, &ask, &page, "other").await;
    assert_eq!((other.status, other.page()), (200, "login"));
    assert!(other.body.contains("id=\"username\" name=\"username\" type=\"text\" value=\"\""));
    let answer = login::submit(&mut visitor, &ask, &other, BOB).await;
    assert_ne!(claims(&id_token(&node, &answer).await)["sub"], alice);
    // What was chosen on a page of before is not what is signed in now.
    let stale = choose(&mut visitor, &ask, &page, "same").await;
    assert_eq!((stale.status, stale.page()), (200, "account"));
    assert!(stale.body.contains("Bob Manager"), "{stale:?}");
    let nothing = choose(&mut visitor, &ask, &page, "").await;
    assert_eq!((nothing.status, nothing.page()), (400, "error"));
    // Nobody is signed in: nothing to choose from.
    login::open(&mut Visitor::new(), &choosing).await;
}

#[tokio::test]
async fn a_hint_must_be_ours_and_must_fit() {
    let node = support::demo();
    let ask = Ask::web(&node);
    let silent = ask.clone().with("prompt", "none");
    let (mut visitor, first) = alice_stays(&ask).await;
    let tokens = redeem(&node, &first.sent_back("code").unwrap(), &[]).await;
    let hint = tokens.text("id_token");
    let answer = visitor.get(&silent.clone().with("id_token_hint", &hint).url()).await;
    assert!(answer.sent_back("code").is_some(), "{answer:?}");

    let bobs = id_token(&node, &login::sign_in(&ask, BOB).await).await;
    let theirs = ask.clone().with("id_token_hint", &bobs);
    let answer = visitor.get(&theirs.clone().with("prompt", "none").url()).await;
    assert_eq!(error(&answer), "login_required");
    // Another may sign in, but only the one who was meant.
    let page = login::open(&mut visitor, &theirs).await;
    let answer = login::submit(&mut visitor, &ask, &page, ALICE).await;
    assert_eq!(error(&answer), "login_required");
    let answer = login::submit(&mut visitor, &ask, &page, BOB).await;
    assert!(answer.sent_back("code").is_some(), "{answer:?}");

    let mut forged = hint.clone();
    forged.replace_range(forged.len() - 4.., "AAAA");
    let cli = Ask::of(node.url.clone(), "vaultara-cli", "http://127.0.0.1:4711/callback");
    let elsewhere = login::sign_in(&cli, ("admin", ADMINISTRATOR_PASSWORD)).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &elsewhere.sent_back("code").unwrap()),
        ("redirect_uri", "http://127.0.0.1:4711/callback"),
        ("code_verifier", login::VERIFIER),
        ("client_id", "vaultara-cli"),
    ];
    let foreign = Visitor::new().post(&node.at("/oauth/token"), &form).await.text("id_token");
    for wrong in [forged, foreign, tokens.text("access_token"), String::from("e30.e30.e30")] {
        let answer = visitor.get(&silent.clone().with("id_token_hint", &wrong).url()).await;
        assert_eq!(error(&answer), "invalid_request", "{wrong}");
    }
}

fn sessions(node: &TestNode) -> Vec<Session> {
    let reading = node.context.local();
    let view = reading.view().unwrap();
    let tenant = tenants::find(&view, &Address::Slug(demo::TENANT.into())).unwrap();
    let span = Span::Records { table: SESSIONS, after: None };
    let found = view.scan(tenant, span, 1_000, false).unwrap();
    found.iter().map(|found| identity::codec::decode(&found.value).unwrap()).collect()
}

/// Every state that a browser can be in × every page of the login that it can post: what does not
/// belong to browser, step and session gets an error or the step it needs, and changes nothing.
#[tokio::test]
async fn no_step_takes_a_form_of_another_state() {
    let node = support::start(support::Content::Demo);
    let ask = Ask::web(&node);
    let choosing = ask.clone().with("prompt", "select_account");
    let bare = Visitor::new();
    let (mut opened, mut signed_in) = (Visitor::new(), alice_stays(&ask).await.0);
    let login_form = login::open(&mut opened, &ask).await;
    let own_login_form = login::open(&mut signed_in, &ask.clone().with("prompt", "login")).await;
    let account_form = signed_in.get(&choosing.url()).await;
    let mut without_session = Visitor::new();
    without_session.cookies = signed_in.cookies.clone();
    without_session.cookies.retain(|name, _| !name.contains("session"));

    let states = [
        ("nothing", &bare),
        ("a browser", &opened),
        ("a browser that lost its session", &without_session),
        ("a session", &signed_in),
    ];
    let forms = [
        ("another browser's login form", login_form.hidden("csrf").to_owned()),
        ("a login form", own_login_form.hidden("csrf").to_owned()),
        ("an account form", account_form.hidden("csrf").to_owned()),
        ("a made up form", "x".repeat(64)),
        ("no form", String::new()),
    ];
    for (state, visitor) in states {
        for (what, csrf) in &forms {
            for handler in ["/login", "/login/account"] {
                let own = match state {
                    "a browser" => *what == "another browser's login form",
                    "a session" | "a browser that lost its session" => !what.contains("another"),
                    _ => false,
                };
                let fits = own
                    && match handler {
                        "/login" => what.ends_with("login form"),
                        _ => *what == "an account form",
                    };
                let before = sessions(&node);
                let mut twin = Visitor::new();
                twin.cookies = visitor.cookies.clone();
                // The password is wrong: nobody is signed in where the form fits either.
                let form = [
                    ("csrf", csrf.as_str()),
                    ("username", "alice"),
                    ("password", "wrong"),
                    ("account", "same"),
                ];
                let answer = twin.post(&node.demo_at(handler), &form).await;
                let place = format!("{state}, {what}, {handler}: {answer:?}");
                let expected = match (fits, handler, state) {
                    (true, "/login", _) => (403, "login"),
                    (true, _, "a session") => (303, ""),
                    (true, ..) => (200, "login"),
                    (false, ..) => (400, "error"),
                };
                assert_eq!(answer.status, expected.0, "{place}");
                if expected.1.is_empty() {
                    assert!(answer.sent_back("code").is_some(), "{place}");
                } else {
                    assert_eq!(answer.page(), expected.1, "{place}");
                    assert_eq!(sessions(&node), before, "{place}");
                }
                assert_eq!(answer.header("set-cookie"), "", "{place}");
            }
        }
    }
}
