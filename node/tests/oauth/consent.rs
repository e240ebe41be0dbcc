//! Consent: third-party clients ask, the answer is remembered, and can be taken back.

use actors::{
    Asker,
    demo::{self, ALICE_PASSWORD},
    tenants::{self, Address},
};
use identity::{
    clients::{self, Client},
    command::Command,
    consents,
    id::{ClientId, TenantId, UserId},
    stamp::Placement,
    table::{self, Record as _},
};

use crate::support::{
    self, Answer, Content, TestNode, Visitor,
    login::{self, Ask, alice_stays, claims, redeem},
};

const ALICE: (&str, &str) = ("alice", ALICE_PASSWORD);

fn tenant(node: &TestNode) -> TenantId {
    let reading = node.context.local();
    tenants::find(&reading.view().unwrap(), &Address::Slug(demo::TENANT.into())).unwrap()
}

fn web(node: &TestNode) -> ClientId {
    let (reading, tenant) = (node.context.local(), tenant(node));
    let (table, index) = (Client::TABLE, clients::BY_CLIENT_ID);
    let found = table::unique(&reading.view().unwrap(), tenant, table, index, b"web-demo");
    ClientId::from_bytes(found.unwrap().unwrap())
}

async fn propose(node: &TestNode, command: consents::Command) {
    let placement = Placement::Tenant(tenant(node));
    node.context.write(&Asker::system(), placement, Command::Consents(command)).await.unwrap();
}

/// A node whose web client is third-party.
async fn asking() -> TestNode {
    let node = support::start(Content::Demo);
    let client = web(&node);
    propose(&node, consents::Command::Require { client, expected: None, required: true }).await;
    node
}

async fn withdraw(node: &TestNode, subject: &str) {
    let user: UserId = subject.parse().unwrap();
    let id = consents::id_of(user, web(node));
    propose(node, consents::Command::Withdraw { id, expected: None }).await;
}

/// Posts a consent page.
async fn decide(visitor: &mut Visitor, ask: &Ask, page: &Answer, consent: &str) -> Answer {
    assert_eq!((page.status, page.page()), (200, "consent"), "{page:?}");
    let form = [("csrf", page.hidden("csrf")), ("consent", consent)];
    let headers = [("sec-fetch-site", "same-origin"), ("origin", "null")];
    visitor.send_form(&format!("{}/login/consent", ask.issuer), &headers, &form).await
}

async fn signed_in(ask: &Ask) -> (Visitor, Answer) {
    let mut visitor = Visitor::new();
    let page = login::open(&mut visitor, ask).await;
    let answer = login::submit(&mut visitor, ask, &page, ALICE).await;
    (visitor, answer)
}

#[tokio::test]
async fn a_person_is_asked_once_for_each_scope() {
    let node = asking().await;
    let ask = Ask::web(&node);
    let (mut visitor, page) = signed_in(&ask).await;
    for part in [
        "Demo web application",
        "Alice Liddell",
        "see your e-mail address",
        "see your name and the other facts of your profile",
        "id=\"consent-allow\"",
        "id=\"consent-deny\"",
        "action=\"/t/demo/login/consent\"",
    ] {
        assert!(page.body.contains(part), "{part}: {page:?}");
    }
    assert!(page.header("set-cookie").starts_with("vlt-session-"), "{page:?}");
    let silent = ask.clone().with("prompt", "none");
    let unasked = visitor.get(&silent.url()).await;
    assert_eq!(unasked.sent_back("error").as_deref(), Some("consent_required"));

    let answer = decide(&mut visitor, &ask, &page, "allow").await;
    let tokens = redeem(&node, &answer.sent_back("code").unwrap(), &[]).await;
    let (access, id) = (tokens.text("access_token"), tokens.text("id_token"));
    assert_eq!(login::userinfo(&node, &access).await.status, 200);
    // Remembered: here, silently, for less, and in another browser.
    for ask in [ask.clone(), silent.clone(), ask.clone().with("scope", "openid")] {
        let answer = visitor.get(&ask.url()).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        assert!(answer.sent_back("code").is_some(), "{answer:?}");
    }
    assert!(alice_stays(&ask).await.1.sent_back("code").is_some());
    // More is asked for again, and so is what must be asked.
    let more = ask.clone().with("scope", "openid phone");
    assert_eq!(visitor.get(&more.url()).await.page(), "consent");
    assert_eq!(visitor.get(&ask.clone().with("prompt", "consent").url()).await.page(), "consent");
    let silently = visitor.get(&more.with("prompt", "none").url()).await;
    assert_eq!(silently.sent_back("error").as_deref(), Some("consent_required"));

    let code = visitor.get(&ask.url()).await.sent_back("code").unwrap();
    let subject = claims(&id)["sub"].as_str().unwrap().to_owned();
    withdraw(&node, &subject).await;
    assert_eq!(login::userinfo(&node, &access).await.status, 401);
    assert_eq!(redeem(&node, &code, &[]).await.oauth_error().1, "invalid_grant");
    let unasked = visitor.get(&silent.url()).await;
    assert_eq!(unasked.sent_back("error").as_deref(), Some("consent_required"));
    assert_eq!(visitor.get(&ask.url()).await.page(), "consent");
}

#[tokio::test]
async fn what_was_not_allowed_is_not_given() {
    let node = asking().await;
    let ask = Ask::web(&node);
    let (mut visitor, page) = signed_in(&ask).await;
    let denied = decide(&mut visitor, &ask, &page, "deny").await;
    assert_eq!(denied.sent_back("error").as_deref(), Some("access_denied"));
    assert_eq!(denied.sent_back("state").as_deref(), Some(ask.get("state")));
    assert_eq!(denied.sent_back("code"), None);
    // Signed in, but asked again.
    let page = visitor.get(&ask.url()).await;
    let unclear = decide(&mut visitor, &ask, &page, "perhaps").await;
    assert_eq!((unclear.status, unclear.page()), (400, "error"));
    assert_eq!(visitor.get(&ask.url()).await.page(), "consent");
    // First-party clients of the same tenant never ask.
    let native = Ask::of(node.demo_at(""), "native-demo", "http://127.0.0.1:52003/callback");
    assert!(visitor.get(&native.url()).await.sent_back("code").is_some());
    let forced = visitor.get(&native.with("prompt", "consent").url()).await;
    assert_eq!(forced.page(), "consent");
}

#[tokio::test]
async fn people_see_what_they_allowed_and_take_it_back_at_their_account() {
    let node = asking().await;
    let ask = Ask::web(&node);
    let (mut visitor, page) = signed_in(&ask).await;
    let url = node.demo_at("/account");
    let revoke = node.demo_at("/account/consents/revoke");
    assert!(!visitor.get(&url).await.body.contains("name=\"consent\""));
    assert!(decide(&mut visitor, &ask, &page, "allow").await.sent_back("code").is_some());
    let page = visitor.get(&url).await;
    assert!(page.body.contains("Demo web application"), "{page:?}");
    let rest = page.body.split("name=\"consent\" value=\"").nth(1).unwrap();
    let (csrf, id) = (page.hidden("csrf"), rest.split('"').next().unwrap());
    let headers = [("sec-fetch-site", "same-origin"), ("origin", "null")];
    for form in [&[("consent", id)][..], &[("csrf", csrf), ("consent", "x")]] {
        let refused = visitor.send_form(&revoke, &headers, form).await;
        assert!(matches!(refused.status, 400 | 403), "{refused:?}");
    }
    assert!(visitor.get(&ask.url()).await.sent_back("code").is_some());
    let form = [("csrf", csrf), ("consent", id)];
    let answer = visitor.send_form(&revoke, &headers, &form).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/t/demo/account?done=consent"));
    assert!(!visitor.get(&url).await.body.contains("name=\"consent\""));
    assert_eq!(visitor.get(&ask.url()).await.page(), "consent");
}

#[tokio::test]
async fn a_request_that_wants_everything_gets_each_page_once() {
    let node = asking().await;
    let ask = Ask::web(&node).with("prompt", "login consent").with("max_age", "0");
    let (mut visitor, page) = signed_in(&ask).await;
    assert!(decide(&mut visitor, &ask, &page, "allow").await.sent_back("code").is_some());
    let page = login::open(&mut visitor, &ask).await;
    let page = login::submit(&mut visitor, &ask, &page, ALICE).await;
    assert!(decide(&mut visitor, &ask, &page, "allow").await.sent_back("code").is_some());
}

#[tokio::test]
async fn a_consent_page_is_of_one_browser_and_one_session() {
    let node = asking().await;
    let ask = Ask::web(&node);
    let (mut visitor, page) = signed_in(&ask).await;
    let url = node.demo_at("/login/consent");
    let good = [("csrf", page.hidden("csrf")), ("consent", "allow")];

    let mut refused = vec![Visitor::new().post(&url, &good).await];
    let (mut other, theirs) = signed_in(&ask).await;
    refused.push(other.post(&url, &good).await);
    for handler in ["/login", "/login/account"] {
        let form = [
            ("csrf", page.hidden("csrf")),
            ("username", "alice"),
            ("password", ALICE_PASSWORD),
            ("account", "same"),
        ];
        refused.push(visitor.post(&node.demo_at(handler), &form).await);
    }
    let cross = [("sec-fetch-site", "cross-site"), ("origin", "null")];
    refused.push(visitor.send_form(&url, &cross, &good).await);
    refused.push(visitor.post(&node.at("/login/consent"), &good).await);
    for answer in refused {
        assert!((400..500).contains(&answer.status), "{answer:?}");
        assert_eq!(answer.page(), "error");
    }
    // The form of this browser with no session: somebody has to sign in first.
    let mut without = Visitor::new();
    without.cookies = visitor.cookies.clone();
    without.cookies.retain(|name, _| !name.contains("session"));
    let answer = without.post(&url, &good).await;
    assert_eq!((answer.status, answer.page()), (200, "login"));
    // With another session of the same browser: that one is asked for itself.
    let mut mixed = Visitor::new();
    mixed.cookies = visitor.cookies.clone();
    for (name, value) in other.cookies.iter().filter(|(name, _)| name.contains("session")) {
        mixed.cookies.insert(name.clone(), value.clone());
    }
    let answer = mixed.post(&url, &good).await;
    assert_eq!((answer.status, answer.page()), (200, "consent"), "{answer:?}");
    // None of that allowed anything.
    assert_eq!(decide(&mut other, &ask, &theirs, "deny").await.sent_back("code"), None);
    assert!(visitor.post(&url, &good).await.sent_back("code").is_some());
}
