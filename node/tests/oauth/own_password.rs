//! People change their own password at `/account`: with the one they have, in words when it fails,
//! and with every consequence when it does not.

use actors::demo::{ALICE_PASSWORD, WEB_SECRET};

use crate::{
    account::OURS,
    support::{
        self, Answer, Content, TestNode, Visitor,
        login::{self, Ask, alice_stays},
    },
};

const NEW: &str = "a password that is new here";

/// Posts the form of the page that is opened now.
async fn change(node: &TestNode, visitor: &mut Visitor, typed: [&str; 3]) -> Answer {
    let page = visitor.get(&node.demo_at("/account")).await;
    assert_eq!((page.status, page.page()), (200, "own-account"), "{page:?}");
    post(node, visitor, page.hidden("csrf"), typed).await
}

async fn post(
    node: &TestNode,
    visitor: &mut Visitor,
    csrf: &str,
    [current, new, again]: [&str; 3],
) -> Answer {
    let form = [
        ("csrf", csrf),
        ("password", current),
        ("new_password", new),
        ("new_password_again", again),
    ];
    visitor.send_form(&node.demo_at("/account/password"), &OURS, &form).await
}

async fn sign_in(node: &TestNode, password: &str) -> Answer {
    let (mut visitor, ask) = (Visitor::new(), Ask::web(node));
    let page = login::open(&mut visitor, &ask).await;
    login::submit(&mut visitor, &ask, &page, ("alice", password)).await
}

async fn refresh(node: &TestNode, token: &str) -> Answer {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", "web-demo"),
        ("client_secret", WEB_SECRET),
    ];
    Visitor::new().post(&node.demo_at("/oauth/token"), &form).await
}

fn session_cookie(visitor: &Visitor) -> (String, String) {
    let found = visitor.cookies.iter().find(|(name, _)| name.starts_with("vlt-session-"));
    found.map(|(name, value)| (name.clone(), value.clone())).unwrap()
}

#[tokio::test]
async fn what_is_wrong_is_said_on_the_page_and_nothing_changes() {
    let node = support::start(Content::Demo);
    let (mut here, _) = alice_stays(&Ask::web(&node)).await;
    for (typed, words, field) in [
        ([ALICE_PASSWORD, "", ""], "Fill in all three fields.", None),
        ([ALICE_PASSWORD, NEW, "another"], "not the same.", Some("password-again")),
        (["a guess", NEW, NEW], "current password is not correct.", Some("password-current")),
        ([ALICE_PASSWORD, "short", "short"], "at least 15 characters.", Some("password-new")),
    ] {
        let page = change(&node, &mut here, typed).await;
        assert_eq!((page.status, page.page()), (422, "own-account"), "{page:?}");
        let alert = page.body.split("id=\"password-error\"").nth(1).unwrap();
        assert!(alert.split("</p>").next().unwrap().contains(words), "{words}: {page:?}");
        let marked = page.body.split("<input ").find(|input| input.contains("aria-invalid"));
        let marked = marked.map(|input| input.split('"').nth(1).unwrap());
        assert_eq!(marked, field, "{page:?}");
    }
    let mine = "alice goes to wonderland";
    let page = change(&node, &mut here, [ALICE_PASSWORD, mine, mine]).await;
    assert!(page.status == 422 && page.body.contains("must not hold your user name."), "{page:?}");
    assert!(!page.body.contains(mine), "what was typed does not come back");

    let form = [("csrf", "x"), ("password", ALICE_PASSWORD)];
    let url = node.demo_at("/account/password");
    let foreign = here.send_form(&url, &[("sec-fetch-site", "cross-site")], &form).await;
    let guessed = here.send_form(&url, &OURS, &form).await;
    for answer in [foreign, guessed] {
        assert_eq!((answer.status, answer.page()), (403, "error"), "{answer:?}");
    }
    let nobody = Visitor::new().send_form(&url, &OURS, &form).await;
    assert_eq!((nobody.status, nobody.header("location")), (303, "/t/demo/account"));
    assert_eq!(sign_in(&node, ALICE_PASSWORD).await.status, 303);
}

#[tokio::test]
async fn a_new_password_ends_all_but_this_session_which_gets_another_cookie() {
    let node = support::start(Content::Demo);
    let ask = Ask::web(&node).with("scope", "openid offline_access");
    let (mut here, back) = alice_stays(&ask).await;
    let (mut there, _) = alice_stays(&ask).await;
    let code = back.sent_back("code").unwrap();
    let tokens = login::redeem(&node, &code, &[]).await;
    assert_eq!(login::userinfo(&node, &tokens.text("access_token")).await.status, 200);
    let before = session_cookie(&here);
    // Drawn with the old cookie, to be exchanged when the password is a new one.
    let drawn = here.get(&ask.url()).await.sent_back("code").unwrap();

    let answer = change(&node, &mut here, [ALICE_PASSWORD, NEW, NEW]).await;
    let location = "/t/demo/account?done=password";
    assert_eq!((answer.status, answer.header("location")), (303, location), "{answer:?}");
    assert_ne!(session_cookie(&here).1, before.1);
    let page = here.get(&node.at(location)).await;
    assert_eq!(page.page(), "own-account", "{page:?}");
    assert!(page.body.contains("Your password was changed."), "{page:?}");

    let url = node.demo_at("/account");
    assert_ne!(there.get(&url).await.page(), "own-account", "another session");
    let mut thief = Visitor::new();
    thief.cookies.extend([before]);
    assert_ne!(thief.get(&url).await.page(), "own-account", "the cookie of before");
    assert_eq!(login::userinfo(&node, &tokens.text("access_token")).await.status, 401);
    let refused = refresh(&node, &tokens.text("refresh_token")).await;
    assert_eq!(refused.oauth_error(), (400, "invalid_grant".to_owned()));
    let late = login::redeem(&node, &drawn, &[]).await;
    assert_eq!(late.oauth_error(), (400, "invalid_grant".to_owned()));

    assert_eq!(sign_in(&node, ALICE_PASSWORD).await.status, 403);
    assert_eq!(sign_in(&node, NEW).await.status, 303);
    let silent = here.get(&Ask::web(&node).with("prompt", "none").url()).await;
    assert!(silent.sent_back("code").is_some(), "this browser is still signed in");
}

#[tokio::test]
async fn guesses_at_the_account_page_are_counted_as_at_the_login_page() {
    let node = support::start(Content::Demo);
    let (mut here, _) = alice_stays(&Ask::web(&node)).await;
    // A stolen session comes without what makes the browser known.
    here.cookies.retain(|name, _| !name.starts_with("vlt-device-"));
    for _ in 0..5 {
        let page = change(&node, &mut here, ["a guess", NEW, NEW]).await;
        assert_eq!(page.status, 422, "{page:?}");
    }
    let page = change(&node, &mut here, [ALICE_PASSWORD, NEW, NEW]).await;
    assert_eq!((page.status, page.page()), (429, "own-account"), "{page:?}");
    assert!(page.body.contains("Too many attempts failed."), "{page:?}");
    assert!(page.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert_eq!(sign_in(&node, ALICE_PASSWORD).await.status, 429);
}
