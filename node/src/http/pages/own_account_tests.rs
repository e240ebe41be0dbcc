use axum::body::to_bytes;

use super::*;
use crate::http::pages::Claim;

const HOSTILE: &str = "\"><script>alert(1)</script>";

fn page<'a>(sessions: &'a [SessionView<'a>]) -> OwnAccountPage<'a> {
    OwnAccountPage {
        language: Language::English,
        brand: Brand::default(),
        tenant_name: "Demo",
        path: "/t/demo/account",
        csrf_token: "csrf-value",
        username: "alice",
        done: None,
        profile: &[],
        password: None,
        sessions,
        consents: None,
    }
}

fn session<'a>(id: &'a str, user_agent: &'a str, current: bool) -> SessionView<'a> {
    let (signed_in, last_seen) = (Moment(1_000), Moment(90_000));
    SessionView { id, user_agent, address: "192.0.2.1", signed_in, last_seen, current }
}

async fn html(page: &OwnAccountPage<'_>) -> String {
    let bytes = to_bytes(page.respond().into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn every_session_but_this_one_can_be_ended() {
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
    let sessions = [session("s1", firefox, true), session("s2", "", false)];
    let shown = html(&page(&sessions)).await;
    assert!(shown.contains("<bdi>Firefox on Linux</bdi>"), "{shown}");
    assert!(shown.contains("<bdi>Unknown device</bdi>"), "{shown}");
    assert!(shown.contains("datetime=\"1970-01-01T00:01:30.000Z\""), "{shown}");
    assert!(shown.contains("action=\"/t/demo/account/sessions/end\""), "{shown}");
    assert!(shown.contains("name=\"session\" value=\"s2\""), "{shown}");
    assert!(!shown.contains("name=\"session\" value=\"s1\""), "{shown}");
    assert!(shown.contains("id=\"sign-out-everywhere\""), "{shown}");
    // There is no other session, but there may be applications that stay connected without one.
    let alone = html(&page(&sessions[..1])).await;
    assert!(alone.contains("id=\"sign-out-everywhere\""), "{alone}");
}

#[tokio::test]
async fn what_is_not_there_is_not_shown() {
    let shown = html(&page(&[])).await;
    for id in ["profile-form", "password-form", "consents-title", "account-done"] {
        assert!(!shown.contains(id), "{id}: {shown}");
    }
    let done = Some(Done::SessionEnded);
    let shown = html(&OwnAccountPage { done, consents: Some(&[]), ..page(&[]) }).await;
    assert!(shown.contains("role=\"status\">The session was ended.<"), "{shown}");
    assert!(shown.contains("You have not allowed any application"), "{shown}");
}

#[tokio::test]
async fn a_refused_password_names_the_field_and_why() {
    let mut texts = std::collections::BTreeSet::new();
    for (problem, field) in [
        (PasswordProblem::Wrong, Some("password-current")),
        (PasswordProblem::TooShort(15), Some("password-new")),
        (PasswordProblem::TooLong, Some("password-new")),
        (PasswordProblem::Control, Some("password-new")),
        (PasswordProblem::Holds(Word::Username), Some("password-new")),
        (PasswordProblem::Holds(Word::Email), Some("password-new")),
        (PasswordProblem::Holds(Word::Tenant), Some("password-new")),
        (PasswordProblem::Holds(Word::Product), Some("password-new")),
        (PasswordProblem::Common, Some("password-new")),
        (PasswordProblem::Different, Some("password-again")),
        (PasswordProblem::Incomplete, None),
        (PasswordProblem::Busy, None),
        (PasswordProblem::Throttled, None),
    ] {
        let text = problem.text(Language::English);
        assert!(text.ends_with('.') && texts.insert(text), "{problem:?}");
        let password = Some(PasswordForm { length_min: 15, problem: Some(problem) });
        let page = OwnAccountPage { password, ..page(&[]) };
        assert_eq!(page.respond().status(), problem.status());
        let shown = html(&page).await;
        assert!(shown.contains("<title>Error: Your account at Demo</title>"), "{shown}");
        assert!(shown.contains("id=\"password-error\" role=\"alert\""), "{shown}");
        let marked: Vec<&str> = shown
            .split("<input ")
            .filter(|input| input.contains("aria-invalid=\"true\""))
            .map(|input| input.split('"').nth(1).unwrap())
            .collect();
        assert_eq!(marked, Vec::from_iter(field), "{shown}");
        assert!(shown.contains("At least 15 characters."), "{shown}");
    }
}

#[tokio::test]
async fn a_field_that_may_not_be_changed_is_read_only() {
    let field = |claim: Claim, editable, problem| ProfileField {
        subject: claim.into(),
        value: "x",
        editable,
        problem,
    };
    let fixed = [field(Claim::Email, false, None)];
    let shown = html(&OwnAccountPage { profile: &fixed, ..page(&[]) }).await;
    assert!(shown.contains("name=\"email\" type=\"email\"") && shown.contains(" readonly"));
    assert!(!shown.contains("id=\"profile-save\""), "there is nothing to save: {shown}");
    let wrong = [field(Claim::Name, true, Some("login-incomplete"))];
    let page = OwnAccountPage { profile: &wrong, ..page(&[]) };
    assert_eq!(page.respond().status(), StatusCode::UNPROCESSABLE_ENTITY);
    let shown = html(&page).await;
    assert!(shown.contains("aria-describedby=\"profile-name-error\""), "{shown}");
    assert!(shown.contains("id=\"profile-save\""), "{shown}");
}

#[tokio::test]
async fn what_people_wrote_stays_text() {
    let sessions = [SessionView { address: HOSTILE, ..session(HOSTILE, HOSTILE, false) }];
    let scopes = [HOSTILE];
    let consents =
        [ConsentView { id: HOSTILE, client_name: HOSTILE, scopes: &scopes, given: Moment(0) }];
    let field =
        ProfileField { subject: Claim::Name.into(), value: HOSTILE, editable: true, problem: None };
    let page = OwnAccountPage {
        tenant_name: HOSTILE,
        path: HOSTILE,
        csrf_token: HOSTILE,
        username: HOSTILE,
        profile: &[field],
        password: Some(PasswordForm { length_min: 8, problem: None }),
        consents: Some(&consents),
        ..page(&sessions)
    };
    let shown = html(&page).await;
    assert!(!shown.contains("<script"), "{shown}");
    assert!(!shown.contains("\"><script"), "{shown}");
}

#[test]
fn every_done_thing_has_a_word_that_is_read_again() {
    for done in Done::ALL {
        assert_eq!(Done::parse(done.word()), Some(done));
        assert!(Language::English.knows(done.message()));
    }
    assert_eq!(Done::parse("anything"), None);
}
