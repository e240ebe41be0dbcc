//! A person's own account: seen, and sessions ended from it.

use actors::demo::ALICE_PASSWORD;

use crate::support::{
    self, Answer, TestNode, Visitor,
    login::{self, Ask, alice_stays},
};

/// As a browser sends our form: no referrer, so no origin.
pub(crate) const OURS: [(&str, &str); 2] = [("sec-fetch-site", "same-origin"), ("origin", "null")];

/// The ids of the sessions that the page offers to end.
fn offered(page: &Answer) -> Vec<&str> {
    let parts = page.body.split("name=\"session\" value=\"").skip(1);
    parts.map(|rest| rest.split('"').next().unwrap()).collect()
}

async fn signed_out(visitor: &mut Visitor, url: &str) -> bool {
    visitor.get(url).await.page() == "login"
}

async fn sign_in(
    node: &TestNode,
    visitor: &mut Visitor,
    csrf: &str,
    (username, password): (&str, &str),
) -> Answer {
    let form = [("csrf", csrf), ("username", username), ("password", password)];
    visitor.send_form(&node.demo_at("/account/sign-in"), &OURS, &form).await
}

#[tokio::test]
async fn people_see_their_account_and_end_a_session_from_it() {
    let node = support::start(support::Content::Demo);
    let (ask, url) = (Ask::web(&node), node.demo_at("/account"));
    let end = node.demo_at("/account/sessions/end");
    let (mut here, _) = alice_stays(&ask).await;
    let (mut there, _) = alice_stays(&ask).await;

    let page = here.get(&url).await;
    assert_eq!((page.status, page.page()), (200, "own-account"), "{page:?}");
    assert!(page.body.contains(">alice</bdi>"), "{page:?}");
    let [other] = offered(&page)[..] else { panic!("one other session: {page:?}") };

    let csrf = page.hidden("csrf");
    let theirs = there.get(&url).await;
    let refused = [
        here.send_form(&end, &OURS, &[("session", other)]).await,
        here.send_form(&end, &OURS, &[("csrf", theirs.hidden("csrf")), ("session", other)]).await,
        here.send_form(&end, &OURS, &[("csrf", csrf), ("session", "x")]).await,
        here.send_form(
            &end,
            &[("sec-fetch-site", "cross-site")],
            &[("csrf", csrf), ("session", other)],
        )
        .await,
    ];
    for answer in refused {
        assert!(matches!(answer.status, 400 | 403), "{answer:?}");
        assert_eq!(answer.page(), "error");
    }
    assert!(!signed_out(&mut there, &url).await, "nothing was ended");

    let answer = here.send_form(&end, &OURS, &[("csrf", csrf), ("session", other)]).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/t/demo/account?done=session"));
    assert!(signed_out(&mut there, &url).await);
    assert!(offered(&here.get(&url).await).is_empty());
    let silent = there.get(&ask.clone().with("prompt", "none").url()).await;
    assert_eq!(silent.sent_back("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn people_sign_out_everywhere_else_and_then_here() {
    let node = support::start(support::Content::Demo);
    let (ask, url) = (Ask::web(&node), node.demo_at("/account"));
    let (mut here, _) = alice_stays(&ask).await;
    let (mut there, _) = alice_stays(&ask).await;
    let page = here.get(&url).await;
    let form = [("csrf", page.hidden("csrf"))];
    let all = node.demo_at("/account/sessions/end-all");
    let answer = here.send_form(&all, &OURS, &form).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/t/demo/account?done=elsewhere"));
    assert!(signed_out(&mut there, &url).await);
    assert!(!signed_out(&mut here, &url).await);
    let out = node.demo_at("/account/sign-out");
    let answer = here.send_form(&out, &OURS, &form).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/t/demo/account/signed-out"));
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("vlt-session-") && cookie.contains("=; Max-Age=0; "), "{cookie}");
    assert!(!here.cookies.keys().any(|name| name.starts_with("vlt-session-")));
    let page = here.get(&node.at(answer.header("location"))).await;
    assert_eq!((page.status, page.page()), (200, "logged-out"), "{page:?}");
    assert!(page.body.contains("href=\"/t/demo/account\""), "{page:?}");
    assert!(signed_out(&mut here, &url).await);
    let page = login::open(&mut here, &ask).await;
    assert_eq!(page.page(), "login");
}

#[tokio::test]
async fn a_stranger_sees_no_account_and_ends_nothing() {
    let node = support::start(support::Content::Demo);
    let url = node.demo_at("/account");
    let mut stranger = Visitor::new();
    assert!(signed_out(&mut stranger, &url).await);
    let out = node.demo_at("/account/sessions/end-all");
    let answer = stranger.send_form(&out, &OURS, &[("csrf", "x")]).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/t/demo/account"));
    let foreign = stranger.get(&node.demo_at("/account/absent")).await;
    assert_eq!((foreign.status, foreign.page()), (404, "error"));
}

#[tokio::test]
async fn whoever_is_not_signed_in_signs_in_and_is_back_at_their_account() {
    let node = support::start(support::Content::Demo);
    let url = node.demo_at("/account");
    let mut visitor = Visitor::new();
    let page = visitor.get(&url).await;
    assert_eq!((page.status, page.page()), (200, "login"), "{page:?}");
    assert!(page.body.contains("action=\"/t/demo/account/sign-in\""), "{page:?}");
    let csrf = page.hidden("csrf");
    let alice = ("alice", ALICE_PASSWORD);

    // The page is this browser's, this tenant's, and no page of an authorization request.
    let mut other = Visitor::new();
    other.get(&url).await;
    assert_eq!(sign_in(&node, &mut other, csrf, alice).await.status, 400);
    assert_eq!(sign_in(&node, &mut visitor, "x", alice).await.status, 400);
    let elsewhere = [("csrf", csrf), ("username", "alice"), ("password", ALICE_PASSWORD)];
    let answer = visitor.send_form(&node.demo_at("/login"), &OURS, &elsewhere).await;
    assert_eq!((answer.status, answer.page()), (400, "error"));
    let asked = visitor.get(&Ask::web(&node).url()).await;
    assert_eq!(sign_in(&node, &mut visitor, asked.hidden("csrf"), alice).await.status, 400);
    let foreign = [("sec-fetch-site", "cross-site")];
    let answer = visitor.send_form(&node.demo_at("/account/sign-in"), &foreign, &elsewhere).await;
    assert_eq!((answer.status, answer.page()), (403, "error"));

    for (credentials, status, words) in [
        (("alice", ""), 400, "Enter your user name and your password."),
        (("alice", "a guess"), 403, "is not correct."),
        (("nobody", "a guess"), 403, "is not correct."),
    ] {
        let page = sign_in(&node, &mut visitor, csrf, credentials).await;
        assert_eq!((page.status, page.page()), (status, "login"), "{page:?}");
        assert!(page.body.contains(words), "{page:?}");
    }
    let answer = sign_in(&node, &mut visitor, csrf, alice).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/t/demo/account"), "{answer:?}");
    let page = visitor.get(&url).await;
    assert_eq!((page.status, page.page()), (200, "own-account"), "{page:?}");
    // It is a session like any other: applications go on with it, and it is known from now on.
    let silent = visitor.get(&Ask::web(&node).with("prompt", "none").url()).await;
    assert!(silent.sent_back("code").is_some());
    assert!(visitor.cookies.keys().any(|name| name.starts_with("vlt-device-")));
}

#[tokio::test]
async fn guesses_at_the_account_are_slowed_like_those_at_the_login_page() {
    let node = support::start(support::Content::Demo);
    let mut visitor = Visitor::new();
    let page = visitor.get(&node.demo_at("/account")).await;
    for _ in 0..5 {
        let answer = sign_in(&node, &mut visitor, page.hidden("csrf"), ("alice", "a guess")).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    let alice = ("alice", ALICE_PASSWORD);
    let answer = sign_in(&node, &mut visitor, page.hidden("csrf"), alice).await;
    assert_eq!((answer.status, answer.page()), (429, "login"), "{answer:?}");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert!(signed_out(&mut visitor, &node.demo_at("/account")).await);
}
