//! Logout: who is asked, who is sent where, and which clients hear of it by a page.

use actors::{
    Asker, demo,
    tenants::{self, Address},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::{
    clients::{self, Client},
    command::Command,
    id::{ClientId, TenantId},
    logout::{self, ClientRules},
    stamp::Placement,
    table::{self, Record as _},
};

use crate::support::{
    self, Answer, Content, TestNode, Visitor,
    login::{Ask, alice_stays, claims, redeem, userinfo},
    visitor::encoded,
};

const BYE: &str = "http://localhost:3000/bye";

pub(crate) fn tenant(node: &TestNode) -> TenantId {
    let reading = node.context.local();
    tenants::find(&reading.view().unwrap(), &Address::Slug(demo::TENANT.into())).unwrap()
}

fn web(node: &TestNode) -> ClientId {
    let (reading, tenant) = (node.context.local(), tenant(node));
    let (table, index) = (Client::TABLE, clients::BY_CLIENT_ID);
    let found = table::unique(&reading.view().unwrap(), tenant, table, index, b"web-demo");
    ClientId::from_bytes(found.unwrap().unwrap())
}

pub(crate) async fn write(node: &TestNode, command: Command) {
    let placement = Placement::Tenant(tenant(node));
    node.context.write(&Asker::system(), placement, command).await.unwrap();
}

/// Registers for the demo web client.
pub(crate) async fn register(node: &TestNode, change: impl FnOnce(&mut ClientRules)) {
    let mut rules = ClientRules::none(web(node));
    rules.post_logout_redirect_uris = vec![BYE.into(), format!("{BYE}?keep=1")];
    change(&mut rules);
    let command = logout::Command::SetRules { rules: Box::new(rules), expected: None };
    write(node, Command::Logout(command)).await;
}

async fn registered() -> TestNode {
    let node = support::start(Content::Demo);
    register(&node, |_| {}).await;
    node
}

/// Alice's browser and the tokens of her sign-in.
pub(crate) async fn signed_in(node: &TestNode) -> (Visitor, Answer) {
    let (visitor, answer) = alice_stays(&Ask::web(node)).await;
    let tokens = redeem(node, &answer.sent_back("code").unwrap(), &[]).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    (visitor, tokens)
}

pub(crate) async fn log_out(
    visitor: &mut Visitor,
    node: &TestNode,
    parameters: &[(&str, &str)],
) -> Answer {
    visitor.get(&node.demo_at(&format!("/oauth/logout?{}", encoded(parameters)))).await
}

async fn decide(visitor: &mut Visitor, node: &TestNode, page: &Answer, logout: &str) -> Answer {
    assert_eq!((page.status, page.page()), (200, "logout"), "{page:?}");
    let form = [("csrf", page.hidden("csrf")), ("logout", logout)];
    let headers = [("sec-fetch-site", "same-origin"), ("origin", "null")];
    visitor.send_form(&node.demo_at("/oauth/logout/confirm"), &headers, &form).await
}

async fn is_signed_in(visitor: &mut Visitor, node: &TestNode) -> bool {
    let answer = visitor.get(&Ask::web(node).with("prompt", "none").url()).await;
    match answer.sent_back("error").as_deref() {
        None => true,
        Some("login_required") => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_shows_the_sessions_id_token_is_signed_out_and_sent_back_with_their_state() {
    let node = registered().await;
    let state = "s".repeat(120) + "+/ =&é";
    for (uri, state, expected) in [
        (BYE.to_owned(), Some(state.as_str()), true),
        (BYE.to_owned(), None, false),
        (format!("{BYE}?keep=1"), Some("s"), true),
    ] {
        let (mut visitor, tokens) = signed_in(&node).await;
        let hint = tokens.text("id_token");
        let mut parameters =
            vec![("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", uri.as_str())];
        parameters.extend(state.map(|state| ("state", state)));
        let answer = log_out(&mut visitor, &node, &parameters).await;
        let location = answer.location();
        assert!(location.as_str().starts_with(&uri), "{location}");
        let given = location.query_pairs().filter(|(name, _)| name != "keep").count();
        assert_eq!(given, usize::from(expected), "{location}");
        assert_eq!(answer.sent_back("state").as_deref(), state);
        assert!(answer.header("set-cookie").contains("Max-Age=0"), "{answer:?}");
        assert!(!is_signed_in(&mut visitor, &node).await);
        assert_eq!(userinfo(&node, &tokens.text("access_token")).await.status, 401);
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", "web-demo"),
            ("client_secret", demo::WEB_SECRET),
            ("refresh_token", &tokens.text("refresh_token")),
        ];
        let refused = Visitor::new().post(&node.demo_at("/oauth/token"), &form).await;
        assert_eq!(refused.oauth_error(), (400, "invalid_grant".into()));
        // Nobody is signed in any more: the same request is as good.
        let again = log_out(&mut visitor, &node, &parameters).await;
        assert!(again.location().as_str().starts_with(&uri));
    }
}

/// The hint with another header, or another signature.
fn forged(hint: &str) -> [String; 2] {
    let parts: Vec<&str> = hint.split('.').collect();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let mut signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    signature[0] ^= 1;
    let signature = URL_SAFE_NO_PAD.encode(signature);
    [format!("{none}.{}.", parts[1]), format!("{}.{}.{signature}", parts[0], parts[1])]
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_proven() {
    let node = registered().await;
    let (mut visitor, tokens) = signed_in(&node).await;
    let hint = tokens.text("id_token");
    let [none, broken] = forged(&hint);
    let access = tokens.text("access_token");
    let (hint, uri, client) = ("id_token_hint", "post_logout_redirect_uri", "client_id");
    let id_token = tokens.text("id_token");
    for parameters in [
        vec![(hint, id_token.as_str()), (uri, "https://evil.example/")],
        vec![(hint, id_token.as_str()), (uri, "http://localhost:3000/bye?foo=bar")],
        vec![(hint, id_token.as_str()), (uri, "http://localhost:3000/callback")],
        vec![(hint, none.as_str()), (uri, BYE)],
        vec![(hint, broken.as_str()), (uri, BYE)],
        vec![(hint, access.as_str()), (uri, BYE)],
        vec![(hint, "no token"), (uri, BYE)],
        vec![(uri, BYE)],
        vec![(client, "nobody"), (uri, BYE)],
        vec![(client, "native-demo"), (uri, BYE)],
        vec![(hint, id_token.as_str()), (client, "native-demo"), (uri, BYE)],
        vec![(uri, BYE), (uri, BYE)],
    ] {
        let answer = log_out(&mut visitor, &node, &parameters).await;
        assert_eq!((answer.status, answer.page()), (400, "error"), "{parameters:?}: {answer:?}");
        assert_eq!(answer.header("location"), "");
    }
    assert!(is_signed_in(&mut visitor, &node).await);
}

#[tokio::test]
async fn without_an_id_token_of_the_session_the_person_is_asked() {
    let node = registered().await;
    let (mut other, old) = signed_in(&node).await;
    let (mut visitor, _) = signed_in(&node).await;
    let hint = old.text("id_token");
    let by_client = [("client_id", "web-demo"), ("post_logout_redirect_uri", BYE)];
    let unreadable = [("id_token_hint", "of a key that is gone")];
    let by_hint = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE)];
    for (parameters, name, back) in [
        (&[][..], false, false),
        (&[("state", "s")][..], false, false),
        (&unreadable[..], false, false),
        (&by_client[..], true, true),
        (&by_hint[..], true, true),
    ] {
        let page = log_out(&mut visitor, &node, parameters).await;
        assert_eq!(page.body.contains("Demo web application"), name, "{parameters:?}: {page:?}");
        assert!(page.body.contains("Alice Liddell"), "{page:?}");
        let stays = decide(&mut visitor, &node, &page, "stay").await;
        assert_eq!((stays.status, stays.header("location")), (303, "/t/demo/account"));
        assert!(is_signed_in(&mut visitor, &node).await);
        // The form is of one session: no other browser may post it.
        let foreign = decide(&mut other, &node, &page, "confirm").await;
        assert_eq!((foreign.status, foreign.page()), (403, "error"));
        let nothing = decide(&mut visitor, &node, &page, "perhaps").await;
        assert_eq!(nothing.status, 403, "{nothing:?}");
        assert!(is_signed_in(&mut visitor, &node).await && is_signed_in(&mut other, &node).await);

        let gone = decide(&mut visitor, &node, &page, "confirm").await;
        if back {
            assert_eq!(gone.header("location"), BYE);
        } else {
            assert_eq!((gone.status, gone.page()), (200, "logged-out"), "{gone:?}");
        }
        assert!(!is_signed_in(&mut visitor, &node).await);
        (visitor, _) = signed_in(&node).await;
    }
    assert!(is_signed_in(&mut other, &node).await);
}

#[tokio::test]
async fn a_form_of_another_site_signs_nobody_out() {
    let node = registered().await;
    let (mut visitor, _) = signed_in(&node).await;
    let page = log_out(&mut visitor, &node, &[]).await;
    let form = [("csrf", page.hidden("csrf")), ("logout", "confirm")];
    let headers = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    let url = node.demo_at("/oauth/logout/confirm");
    let refused = visitor.send_form(&url, &headers, &form).await;
    assert_eq!((refused.status, refused.page()), (403, "error"));
    let made_up = [("csrf", "made up"), ("logout", "confirm")];
    let own = [("sec-fetch-site", "same-origin"), ("origin", "null")];
    assert_eq!(visitor.send_form(&url, &own, &made_up).await.status, 403);
    assert!(is_signed_in(&mut visitor, &node).await);
}

#[tokio::test]
async fn an_id_token_that_has_expired_is_good_enough_and_its_uri_is_optional() {
    let node = support::start_at(Content::Demo, 1_790_000_000_000);
    let (mut visitor, tokens) = signed_in(&node).await;
    node.pass_ms(3_600_000);
    let hint = tokens.text("id_token");
    let gone = log_out(&mut visitor, &node, &[("id_token_hint", &hint)]).await;
    assert_eq!((gone.status, gone.page()), (200, "logged-out"), "{gone:?}");
    assert!(!is_signed_in(&mut visitor, &node).await);
}

#[tokio::test]
async fn a_request_that_is_posted_without_the_cookie_comes_again_as_a_get() {
    let node = registered().await;
    let (mut visitor, tokens) = signed_in(&node).await;
    let hint = tokens.text("id_token");
    let form =
        [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE), ("state", "a b")];
    let url = node.demo_at("/oauth/logout");
    let turned = Visitor::new().post(&url, &form).await;
    assert_eq!(turned.status, 303);
    let location = turned.header("location").to_owned();
    assert!(location.starts_with("/t/demo/oauth/logout?"), "{location}");
    assert!(is_signed_in(&mut visitor, &node).await);
    let answer = visitor.get(&node.at(&location)).await;
    assert_eq!(answer.sent_back("state").as_deref(), Some("a b"));
    assert!(!is_signed_in(&mut visitor, &node).await);
    // What is too long for that is refused, and nobody's cookie is forgotten.
    let (mut visitor, _) = signed_in(&node).await;
    let long = Visitor::new().post(&url, &[("state", &"s".repeat(9_000))]).await;
    assert_eq!((long.status, long.page(), long.header("set-cookie")), (400, "error", ""));
    let nobody = Visitor::new().get(&url).await;
    assert_eq!((nobody.page(), nobody.header("set-cookie")), ("logged-out", ""));
    assert!(is_signed_in(&mut visitor, &node).await);
    // From our own site the cookie comes with the post.
    let (mut visitor, tokens) = signed_in(&node).await;
    let hint = tokens.text("id_token");
    let gone = visitor.post(&url, &[("id_token_hint", &hint)]).await;
    assert_eq!(gone.page(), "logged-out");
}

#[tokio::test]
async fn clients_of_the_session_are_loaded_in_frames_before_the_person_goes_back() {
    let node = support::start(Content::Demo);
    let front = "http://localhost:3000/front?x=1";
    register(&node, |rules| rules.frontchannel_logout_uri = Some(front.into())).await;
    for back in [true, false] {
        let (mut visitor, tokens) = signed_in(&node).await;
        let hint = tokens.text("id_token");
        let mut parameters = vec![("id_token_hint", hint.as_str())];
        if back {
            parameters.extend([("post_logout_redirect_uri", BYE), ("state", "a&b")]);
        }
        let page = log_out(&mut visitor, &node, &parameters).await;
        assert_eq!((page.status, page.page()), (200, "logged-out"), "{page:?}");
        let sid = claims(&hint)["sid"].as_str().unwrap().to_owned();
        let issuer = encoded(&[("iss", &node.demo_at(""))]);
        let src = format!("{front}&{issuer}&sid={sid}").replace('&', "&#38;");
        assert!(page.body.contains(&format!("src=\"{src}\"")), "{src}: {page:?}");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("frame-src http://localhost:3000;"), "{policy}");
        assert_eq!(policy.contains("script-src 'sha256-"), back, "{policy}");
        let link = format!("id=\"logged-out-back\" class=\"button primary\" href=\"{BYE}?state=");
        assert_eq!(page.body.contains(&link), back, "{page:?}");
        assert!(!is_signed_in(&mut visitor, &node).await);
    }
}

#[tokio::test]
async fn people_who_sign_out_at_their_account_are_shown_the_same_frames() {
    let node = support::start(Content::Demo);
    let front = "http://localhost:3000/front";
    register(&node, |rules| rules.frontchannel_logout_uri = Some(front.into())).await;
    let (mut visitor, tokens) = signed_in(&node).await;
    let page = visitor.get(&node.demo_at("/account")).await;
    let form = [("csrf", page.hidden("csrf"))];
    let gone = visitor.post(&node.demo_at("/account/sign-out"), &form).await;
    assert_eq!((gone.status, gone.page()), (200, "logged-out"), "{gone:?}");
    let sid = claims(&tokens.text("id_token"))["sid"].as_str().unwrap().to_owned();
    assert!(gone.body.contains(front) && gone.body.contains(&sid), "{gone:?}");
    assert!(!is_signed_in(&mut visitor, &node).await);
}
