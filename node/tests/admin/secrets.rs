//! Secrets that are replaced: at once, or with an overlap in which both are good; and clients that
//! must show a key.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Api, id_of, pointers, problem, service, unique},
    support::{Answer, Visitor, prover::Prover, visitor::basic},
};

/// Asks for a token of a service, with a proof of a key or without.
async fn ask(api: &Api, (name, secret): (&str, &str), proof: Option<&str>) -> Answer {
    let basic = basic(name, secret);
    let mut headers = vec![("authorization", basic.as_str())];
    headers.extend(proof.map(|proof| ("dpop", proof)));
    let form = [("grant_type", "client_credentials")];
    Visitor::new().send_form(&api.node.demo_at("/oauth/token"), &headers, &form).await
}

fn secret_of(made: &Value) -> String {
    made["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_old_secret_is_good_for_as_long_as_it_was_said() {
    let bob = Api::bob().await;
    let clients = format!("/api/v1/tenants/{}/clients", bob.demo_id().await);
    let name = unique("rotated");
    let made = bob.made(&clients, &service(&name)).await;
    let path = format!("{clients}/{}", id_of(&made));
    let accepted = async |secret: &str| ask(&bob, (&name, secret), None).await.status;
    let rotate = async |overlap_s: Value| {
        let body = json!({ "overlap_s": overlap_s });
        bob.write(Method::POST, &format!("{path}/secret"), &[], &body).await
    };
    let first = secret_of(&made);
    assert_eq!(made["previous_secret_expires_at"], json!(null));

    let second = rotate(json!(604_800)).await.json();
    assert!(second["previous_secret_expires_at"].as_str().unwrap().ends_with('Z'), "{second}");
    let second = secret_of(&second);
    assert_eq!((accepted(&first).await, accepted(&second).await), (200, 200));
    let shown = bob.read(&path).await;
    assert!(shown.get("secret").is_none() && shown.get("previous_secret").is_none(), "{shown}");

    // A further rotation ends the one before the last, whatever was said of it.
    let third = secret_of(&rotate(json!(60)).await.json());
    let good = (accepted(&first).await, accepted(&second).await, accepted(&third).await);
    assert_eq!(good, (401, 200, 200));
    let renamed = bob.patch(&path, &json!({ "name": "Another" })).await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    assert_eq!(accepted(&second).await, 200, "other changes leave it alone");

    // Without a body, as ever: at once.
    let fourth = bob.send(Method::POST, &format!("{path}/secret"), &[], None).await.json();
    assert_eq!(fourth["previous_secret_expires_at"], json!(null));
    let fourth = secret_of(&fourth);
    let good = (accepted(&second).await, accepted(&third).await, accepted(&fourth).await);
    assert_eq!(good, (401, 401, 200));

    for (overlap_s, status) in [(json!(604_801), 422), (json!(-1), 400), (json!("1"), 400)] {
        let refused = rotate(overlap_s.clone()).await;
        assert_eq!((refused.status, pointers(&refused)), (status, vec!["/overlap_s".to_owned()]));
    }
    let text = Some("overlap_s=1".to_owned());
    let untyped = bob.send(Method::POST, &format!("{path}/secret"), &[], text).await;
    assert_eq!(problem(&untyped), (415, "unsupported_media_type".into()));
    assert_eq!(accepted(&fourth).await, 200);
}

#[tokio::test]
async fn a_client_that_must_show_its_key_gets_nothing_without() {
    let bob = Api::bob().await;
    let clients = format!("/api/v1/tenants/{}/clients", bob.demo_id().await);
    let name = unique("bound");
    let mut body = service(&name);
    body["dpop_bound_access_tokens"] = json!(true);
    let made = bob.made(&clients, &body).await;
    let secret = secret_of(&made);
    let bare = ask(&bob, (&name, &secret), None).await;
    assert_eq!(bare.oauth_error(), (400, "invalid_dpop_proof".to_owned()));
    let wrong = ask(&bob, (&name, "wrong"), None).await;
    assert_eq!(wrong.oauth_error().0, 401, "who did not prove who they are learns nothing");
    let proof = Prover::new(&bob.node).for_token(&bob.node);
    let bound = ask(&bob, (&name, &secret), Some(&proof)).await;
    assert_eq!((bound.status, &bound.json()["token_type"]), (200, &json!("DPoP")));

    let path = format!("{clients}/{}", id_of(&made));
    let free = bob.patch(&path, &json!({ "dpop_bound_access_tokens": false })).await;
    assert_eq!(free.json()["dpop_bound_access_tokens"], json!(false), "{free:?}");
    assert_eq!(ask(&bob, (&name, &secret), None).await.status, 200);
}

#[tokio::test]
async fn origins_are_given_to_any_client_and_hold_at_once() {
    let bob = Api::bob().await;
    let clients = format!("/api/v1/tenants/{}/clients", bob.demo_id().await);
    let origin = format!("https://{}.example", unique("pages"));
    let token = bob.node.demo_at("/oauth/token");
    let allowed = async || {
        let headers = [("origin", origin.as_str()), ("access-control-request-method", "POST")];
        let answer = Visitor::new().send(Method::OPTIONS, &token, &headers, None).await;
        answer.header("access-control-allow-origin").to_owned()
    };
    let mut body = service(&unique("pages"));
    body["cors_origins"] = json!([origin]);
    assert_eq!(allowed().await, "");
    let made = bob.made(&clients, &body).await;
    assert_eq!(made["cors_origins"], json!([origin]));
    assert_eq!(allowed().await, origin);
    let path = format!("{clients}/{}", id_of(&made));
    assert_eq!(bob.patch(&path, &json!({ "cors_origins": [] })).await.status, 200);
    assert_eq!(allowed().await, "");
}
