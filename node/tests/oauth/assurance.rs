//! Every state of the login machine at every handler: who is not sure enough is refused or asked to
//! sign in, learns nothing, and nothing changes.

#[path = "assurance/scene.rs"]
mod scene;

use identity::{command::Command, consents};

use self::scene::{ALICE, Forms, HANDLERS, Handler, STATES, Scene, session_cookie, write};
use crate::support::Answer;

/// Whether an answer refuses, or asks to sign in; its words say nothing of the person.
fn refuses(answer: &Answer) -> bool {
    let silent = !answer.body.contains("alice") && !answer.body.contains("Alice");
    let nothing = !answer.body.contains("vlt_ac_") && !answer.header("location").contains("code=");
    let asks = match answer.status {
        // Nobody is signed in, and the page says just that.
        200 => matches!(answer.page(), "login" | "logged-out"),
        303 => {
            let location = answer.header("location");
            location == "/t/demo/account" || location.contains("error=login_required")
        }
        400 | 401 | 403 => answer.page() == "error",
        _ => false,
    };
    silent && nothing && asks
}

#[tokio::test]
async fn whoever_is_not_signed_in_gets_nothing_and_changes_nothing_anywhere() {
    for state in STATES {
        let mut scene = Scene::new().await;
        scene.turn_into(state).await;
        let cookies = scene.visitor.cookies.clone();
        let before = scene.records();
        for handler in HANDLERS {
            // What one handler answered must not help at the next.
            scene.visitor.cookies = cookies.clone();
            let answer = scene.ask(handler).await;
            assert!(refuses(&answer), "{state:?} at {handler:?}: {answer:?}");
            let kept = session_cookie(&scene.visitor).map(|(_, value)| value.clone());
            let known = cookies.values().any(|value| kept.as_ref() == Some(value));
            let gone = kept.as_ref().is_none_or(String::is_empty);
            assert!(known || gone, "{state:?} at {handler:?}: {answer:?}");
            assert!(scene.records() == before, "{state:?} at {handler:?} changed something");
        }
        let page = scene.ask(Handler::Account).await;
        assert_eq!(page.page(), "login", "{state:?}");
    }
}

#[tokio::test]
async fn whoever_is_signed_in_gets_each_of_it() {
    for handler in HANDLERS {
        let mut scene = Scene::new().await;
        let before = scene.records();
        let answer = scene.ask(handler).await;
        let changed = scene.records() != before;
        match handler {
            Handler::AuthorizeSilently
            | Handler::Authorize
            | Handler::AuthorizeByForm
            | Handler::ChooseAccount
            | Handler::Allow => {
                assert!(answer.sent_back("code").is_some(), "{handler:?}: {answer:?}");
            }
            Handler::LogOut => assert!(answer.page() == "logged-out" && changed, "{answer:?}"),
            Handler::Account => assert!(answer.body.contains("alice@example.org"), "{answer:?}"),
            Handler::EndSession
            | Handler::EndOthers
            | Handler::Withdraw
            | Handler::ChangePassword
            | Handler::EditProfile
            | Handler::SignOut => {
                assert_eq!((answer.status, changed), (303, true), "{handler:?}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_form_is_good_at_its_own_handler_only_however_sure_the_person_is() {
    let mut scene = Scene::new().await;
    let Forms { credentials, account, consent, own_account, logout, .. } = &scene.forms;
    let forms = [credentials, account, consent, own_account, logout].map(Clone::clone);
    let before = scene.records();
    let handlers = [
        "/login",
        "/login/account",
        "/login/consent",
        "/account/sign-out",
        "/oauth/logout/confirm",
        "/account/sign-in",
    ];
    for (own, path) in handlers.into_iter().enumerate() {
        for (place, csrf) in forms.iter().enumerate().filter(|(place, _)| *place != own) {
            let (username, password) = ALICE;
            let form = [
                ("csrf", csrf.clone()),
                ("username", username.to_owned()),
                ("password", password.to_owned()),
                ("account", "same".to_owned()),
                ("consent", "allow".to_owned()),
                ("logout", "confirm".to_owned()),
            ];
            let answer = scene.post(path, &form).await;
            assert!(matches!(answer.status, 400 | 403), "{place} at {path}: {answer:?}");
            assert_eq!(answer.page(), "error", "{place} at {path}");
            assert!(scene.records() == before, "{place} at {path} changed something");
        }
    }
}

#[tokio::test]
async fn whoever_has_not_consented_is_asked_and_gets_no_code_by_any_way() {
    let mut scene = Scene::new().await;
    let withdraw =
        consents::Command::Withdraw { id: scene.forms.consent_id.parse().unwrap(), expected: None };
    write(&scene.node, scene.tenant, Command::Consents(withdraw)).await;
    let before = scene.records();
    for handler in [Handler::Authorize, Handler::AuthorizeByForm, Handler::ChooseAccount] {
        let answer = scene.ask(handler).await;
        assert_eq!((answer.status, answer.page()), (200, "consent"), "{handler:?}: {answer:?}");
    }
    let answer = scene.ask(Handler::AuthorizeSilently).await;
    assert_eq!(answer.sent_back("error").as_deref(), Some("consent_required"));
    for word in ["deny", "", "yes"] {
        let form = [("csrf", scene.forms.consent.clone()), ("consent", word.to_owned())];
        let answer = scene.post("/login/consent", &form).await;
        let denied = answer.header("location").contains("error=access_denied");
        assert!(denied || answer.status == 400, "{word}: {answer:?}");
    }
    assert!(scene.records() == before, "something changed");
}
