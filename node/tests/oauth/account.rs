//! A person's own account: seen, and sessions ended from it.

use crate::support::{
    self, Answer, Visitor,
    login::{self, Ask, alice_stays},
};

/// As a browser sends our form: no referrer, so no origin.
const OURS: [(&str, &str); 2] = [("sec-fetch-site", "same-origin"), ("origin", "null")];

/// The ids of the sessions that the page offers to end.
fn offered(page: &Answer) -> Vec<&str> {
    let parts = page.body.split("name=\"session\" value=\"").skip(1);
    parts.map(|rest| rest.split('"').next().unwrap()).collect()
}

async fn signed_out(visitor: &mut Visitor, url: &str) -> bool {
    visitor.get(url).await.page() == "logged-out"
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
    assert_eq!((answer.status, answer.header("location")), (303, "/t/demo/account"));
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
