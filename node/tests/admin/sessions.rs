//! Sessions and what they must obey, from the administration API.

use serde_json::{Value, json};

use crate::{
    api::{Api, id_of, problem, unique},
    support::{
        Answer, Visitor,
        login::{Ask, open, submit},
    },
};

const REDIRECT: &str = "http://127.0.0.1:4712/callback";
const PASSWORD: &str = "a password of this test alone";

/// A tenant by its path and its issuer.
pub(crate) struct Place {
    pub(crate) path: String,
    issuer: String,
}

impl Place {
    pub(crate) async fn of(path: String) -> Self {
        let issuer = Api::platform().await.read(&path).await["issuer"].as_str().unwrap().to_owned();
        Self { path, issuer }
    }

    /// Makes somebody and signs them in; returns who they are.
    pub(crate) async fn someone(&self, api: &Api) -> Value {
        let username = unique("someone");
        let body = json!({ "username": username, "password": PASSWORD });
        let made = api.made(&format!("{}/users", self.path), &body).await;
        let (_, answer) = self.sign_in(&username).await;
        assert!(answer.sent_back("code").is_some(), "{answer:?}");
        made
    }

    /// Makes somebody and a third-party client, which is allowed what it asks for; returns both,
    /// the person and the consent.
    pub(crate) async fn allowed(&self, api: &Api) -> (Value, Value) {
        let user = self.someone(api).await;
        let client_id = unique("third-party");
        let client = json!({
            "client_id": client_id, "name": "Third Party", "authentication": "none", "native": true,
            "grant_types": ["authorization_code"], "redirect_uris": ["http://127.0.0.1/callback"],
        });
        api.made(&format!("{}/clients", self.path), &client).await;
        let ask = Ask::of(self.issuer.clone(), &client_id, REDIRECT).with("scope", "openid email");
        let (mut visitor, _) = self.sign_in(user["username"].as_str().unwrap()).await;
        let page = visitor.get(&ask.url()).await;
        assert_eq!(page.page(), "consent", "{page:?}");
        let form = [("csrf", page.hidden("csrf")), ("consent", "allow")];
        let answer = visitor.post(&format!("{}/login/consent", self.issuer), &form).await;
        assert!(answer.sent_back("code").is_some(), "{answer:?}");
        let path = format!("{}/users/{}/consents", self.path, id_of(&user));
        let consent = api.read(&path).await["items"][0].clone();
        (user, consent)
    }

    fn ask(&self) -> Ask {
        Ask::of(self.issuer.clone(), "vaultara-cli", REDIRECT).with("scope", "openid")
    }

    async fn sign_in(&self, username: &str) -> (Visitor, Answer) {
        let (mut visitor, ask) = (Visitor::new(), self.ask());
        let page = open(&mut visitor, &ask).await;
        let answer = submit(&mut visitor, &ask, &page, (username, PASSWORD)).await;
        (visitor, answer)
    }

    /// Whether a browser is still signed in.
    async fn knows(&self, visitor: &mut Visitor) -> bool {
        let answer = visitor.get(&self.ask().url()).await;
        answer.status == 303 && answer.sent_back("code").is_some()
    }

    /// The sessions of a user.
    pub(crate) async fn sessions(&self, api: &Api, user: &Value) -> Vec<Value> {
        let path = format!("{}/users/{}/sessions", self.path, id_of(user));
        api.read(&path).await["items"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_session_is_seen_and_ended() {
    let api = Api::platform().await;
    let place = Place::of(api.own_tenant().await).await;
    let user = place.someone(&api).await;
    let (mut second, _) = place.sign_in(user["username"].as_str().unwrap()).await;
    let other = place.someone(&api).await;

    let sessions = place.sessions(&api, &user).await;
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    let all = api.read(&format!("{}/sessions", place.path)).await;
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    let filter = format!("?filter=user_id%20eq%20%22{}%22&limit=1", id_of(&user));
    let first = api.read(&format!("{}/sessions{filter}", place.path)).await;
    assert_eq!(first["items"].as_array().unwrap().len(), 1);
    let cursor = first["next_cursor"].as_str().unwrap();
    let of_user = format!("{}/users/{}/sessions?limit=1&cursor={cursor}", place.path, id_of(&user));
    let rest = api.read(&of_user).await;
    assert_ne!(first["items"][0]["id"], rest["items"][0]["id"]);
    assert_eq!(rest["next_cursor"], Value::Null);

    let shown = &sessions[0];
    assert_eq!(shown["user_id"], user["id"]);
    assert_eq!(shown["methods"], json!(["password"]));
    assert_eq!(shown["clients"].as_array().unwrap().len(), 1);
    assert!(shown["address"].as_str().unwrap().starts_with("127.0.0.1"), "{shown}");
    assert!(shown.get("cookie").is_none());

    let last = format!("{}/sessions/{}", place.path, id_of(&sessions[1]));
    assert_eq!(api.read(&last).await, sessions[1]);
    assert!(place.knows(&mut second).await);
    assert_eq!(api.delete(&last).await.status, 204);
    for path in [&last, &format!("{}/sessions/{}", place.path, id_of(&user))] {
        assert_eq!(problem(&api.get(path).await), (404, "not_found".into()));
        assert_eq!(problem(&api.delete(path).await), (404, "not_found".into()));
    }
    assert!(!place.knows(&mut second).await);
    assert_eq!(place.sessions(&api, &user).await.len(), 1);
    assert_eq!(place.sessions(&api, &other).await.len(), 1);
}

#[tokio::test]
async fn all_sessions_of_a_user_end_and_new_ones_begin() {
    let api = Api::platform().await;
    let place = Place::of(api.own_tenant().await).await;
    let user = place.someone(&api).await;
    let username = user["username"].as_str().unwrap();
    let (mut visitor, _) = place.sign_in(username).await;
    let path = format!("{}/users/{}/sessions", place.path, id_of(&user));
    assert_eq!(api.delete(&path).await.status, 204);
    assert!(!place.knows(&mut visitor).await);
    assert!(place.sessions(&api, &user).await.is_empty());
    let (mut visitor, _) = place.sign_in(username).await;
    assert!(place.knows(&mut visitor).await);
    assert_eq!(place.sessions(&api, &user).await.len(), 1);

    // A new password ends them as well.
    let body = json!({ "username": username, "password": format!("{PASSWORD} 2") });
    let user_path = format!("{}/users/{}", place.path, id_of(&user));
    assert_eq!(api.put(&user_path, &body).await.status, 200);
    assert!(!place.knows(&mut visitor).await);
    let wrong = format!("{path}?filter=user_id%20eq%20%22someone%22");
    assert_eq!(problem(&api.get(&wrong).await), (400, "invalid_request".into()));
}

#[tokio::test]
async fn a_tenant_says_what_its_sessions_must_obey() {
    let api = Api::platform().await;
    let place = Place::of(api.own_tenant().await).await;
    let path = format!("{}/session-rules", place.path);
    let none = json!({ "idle_s": 7200, "per_user_max": 100, "revision": 0 });
    assert_eq!(api.read(&path).await, none);
    let rules = json!({ "idle_s": 600, "per_user_max": 1 });
    let set = api.put(&path, &rules).await;
    let shown = json!({ "idle_s": 600, "per_user_max": 1, "revision": 1 });
    assert_eq!((set.status, set.json(), set.header("etag")), (200, shown, "\"1\""));
    let stale = [("if-match", "\"0\"")];
    let answer = api.write(reqwest::Method::PUT, &path, &stale, &rules).await;
    assert_eq!(problem(&answer), (412, "stale".into()));
    for wrong in
        [json!({ "idle_s": 59, "per_user_max": 1 }), json!({ "idle_s": 600, "per_user_max": 201 })]
    {
        assert_eq!(problem(&api.put(&path, &wrong).await), (422, "rule_violated".into()));
    }
    let unnamed = api.put(&path, &json!({ "idle_s": 600 })).await;
    assert_eq!(problem(&unnamed), (400, "invalid_request".into()));

    // One browser at a time.
    let user = place.someone(&api).await;
    let username = user["username"].as_str().unwrap();
    let (mut first, _) = place.sign_in(username).await;
    let (mut second, _) = place.sign_in(username).await;
    assert!(!place.knows(&mut first).await && place.knows(&mut second).await);
    assert_eq!(place.sessions(&api, &user).await.len(), 1);
}

#[tokio::test]
async fn what_people_allowed_is_seen_and_withdrawn() {
    let api = Api::platform().await;
    let place = Place::of(api.own_tenant().await).await;
    let (user, consent) = place.allowed(&api).await;
    assert_eq!(consent["user_id"], user["id"]);
    assert_eq!(consent["scopes"], json!(["email", "openid"]));
    let rules =
        format!("{}/clients/{}/consent-rules", place.path, consent["client_id"].as_str().unwrap());
    assert_eq!(api.read(&rules).await, json!({ "required": true }));
    let path = format!("{}/consents/{}", place.path, id_of(&consent));
    assert_eq!(api.read(&path).await, consent);
    let all = api.read(&format!("{}/consents", place.path)).await;
    assert_eq!(all["items"], json!([consent]));
    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(problem(&api.get(&path).await), (404, "not_found".into()));
    assert_eq!(problem(&api.delete(&path).await), (404, "not_found".into()));
    let all = api.read(&format!("{}/consents", place.path)).await;
    assert_eq!(all["items"], json!([]));

    let set = api.put(&rules, &json!({ "required": false })).await;
    assert_eq!((set.status, set.json()), (200, json!({ "required": false })));
    let stale = [("if-match", "\"1\"")];
    let body = json!({ "required": true });
    let answer = api.write(reqwest::Method::PUT, &rules, &stale, &body).await;
    assert_eq!(problem(&answer), (412, "stale".into()));
    let unknown = format!("{}/clients/{}/consent-rules", place.path, id_of(&user));
    assert_eq!(problem(&api.get(&unknown).await), (404, "not_found".into()));
    assert_eq!(problem(&api.put(&unknown, &body).await), (404, "not_found".into()));
}
