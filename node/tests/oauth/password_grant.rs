//! The password grant, as a client sees it: off unless it is registered for it.

use actors::{
    Asker,
    demo::{ALICE_PASSWORD, WEB_SECRET},
    runtime::secret::Password,
};
use identity::{
    clients::{self, Authentication, GrantType},
    command::Command,
    id::{ClientId, TenantId, UserId},
    keys::Algorithm,
    oauth::refresh::ClientPolicy,
    secret::Digest,
    stamp::Placement,
    users,
};

use crate::support::{
    self, Answer, Content, TestNode, Visitor,
    login::{self, claims},
};

const SECRET: &str = "a secret of a client of long ago";

fn demo_tenant(node: &TestNode) -> TenantId {
    let reading = node.context.local();
    let address = actors::tenants::Address::Slug(actors::demo::TENANT.into());
    actors::tenants::find(&reading.view().unwrap(), &address).unwrap()
}

async fn write(node: &TestNode, command: Command) {
    let placement = Placement::Tenant(demo_tenant(node));
    node.context.write(&Asker::system(), placement, command).await.unwrap();
}

/// A node with a client that may hand in passwords.
async fn node() -> TestNode {
    let node = support::start(Content::Demo);
    let settings = clients::Settings {
        client_id: "legacy".into(),
        name: "Legacy".into(),
        enabled: true,
        authentication: Authentication::ClientSecretPost,
        native: false,
        redirect_uris: Vec::new(),
        grant_types: [GrantType::Password, GrantType::RefreshToken].into(),
        scopes: ["read".to_owned()].into(),
        id_token_algorithm: Algorithm::Es256,
        access_token_algorithm: Algorithm::Es256,
        access_token_lifetime_s: None,
        admin_api: false,
        roles: Default::default(),
        refresh: ClientPolicy::default(),
        cors_origins: Default::default(),
        dpop_bound_access_tokens: false,
    };
    let id = node.context.random().id(ClientId::from_bytes);
    let secret = Some(Digest::of(SECRET.as_bytes()));
    write(&node, Command::Clients(clients::Command::Create { id, settings, secret })).await;
    node
}

async fn ask(node: &TestNode, changes: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "password"),
        ("username", "alice"),
        ("password", ALICE_PASSWORD),
        ("client_id", "legacy"),
        ("client_secret", SECRET),
    ];
    for (name, value) in changes {
        form.retain(|(given, _)| given != name);
        form.push((name, value));
    }
    form.retain(|(_, value)| !value.is_empty());
    Visitor::new().post(&node.demo_at("/oauth/token"), &form).await
}

#[tokio::test]
async fn a_registered_client_gets_tokens_for_a_right_password() {
    let node = node().await;
    let answer = ask(&node, &[("username", " Alice "), ("scope", "openid profile read")]).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{answer:?}");
    assert!(answer.json().get("refresh_token").is_none(), "{answer:?}");
    let id_token = claims(&answer.text("id_token"));
    assert!(id_token.get("auth_time").is_some() && id_token.get("sid").is_none(), "{id_token}");
    let token = answer.text("access_token");
    let found = login::userinfo(&node, &token).await.json();
    assert_eq!(found["sub"], id_token["sub"]);
    assert_eq!(found["name"], "Alice Liddell");
    assert_eq!(login::introspect(&node, &token).await.json()["active"], true);

    let offline = ask(&node, &[("scope", "openid offline_access")]).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &offline.text("refresh_token")),
        ("client_id", "legacy"),
        ("client_secret", SECRET),
    ];
    let refreshed = Visitor::new().post(&node.demo_at("/oauth/token"), &form).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    let discovery = Visitor::new().get(&node.demo_at("/.well-known/openid-configuration")).await;
    let supported = &discovery.json()["grant_types_supported"];
    assert!(!supported.as_array().unwrap().contains(&"password".into()), "{supported}");
}

#[tokio::test]
async fn other_clients_may_not_and_requests_that_lack_something_are_refused() {
    let node = node().await;
    let web = [("client_id", "web-demo"), ("client_secret", WEB_SECRET)];
    let unauthorized = (400, "unauthorized_client".to_owned());
    assert_eq!(ask(&node, &web).await.oauth_error(), unauthorized);
    let wrong = [web[0], web[1], ("password", "a guess")];
    assert_eq!(ask(&node, &wrong).await.oauth_error(), unauthorized, "no oracle either");
    let stranger = [("client_secret", "not the secret")];
    assert_eq!(ask(&node, &stranger).await.oauth_error(), (401, "invalid_client".to_owned()));
    for name in ["username", "password"] {
        let refused = ask(&node, &[(name, "")]).await;
        assert_eq!(refused.oauth_error(), (400, "invalid_request".to_owned()), "{name}");
    }
    let scope = ask(&node, &[("scope", "write")]).await;
    assert_eq!(scope.oauth_error(), (400, "invalid_scope".to_owned()));
    let api = node.at("/api");
    let target = ask(&node, &[("resource", &api)]).await;
    assert_eq!(target.oauth_error(), (400, "invalid_target".to_owned()));
}

#[tokio::test]
async fn whatever_is_wrong_with_the_person_gets_one_answer_and_is_counted() {
    let node = node().await;
    let id = node.context.random().id(UserId::from_bytes);
    let settings = users::Settings {
        username: "gone".into(),
        email: None,
        email_verified: false,
        phone_number_verified: false,
        profile: Default::default(),
        address: Default::default(),
        enabled: false,
        roles: Default::default(),
    };
    let password =
        node.context.hasher().hash(demo_tenant(&node), Password::new(ALICE_PASSWORD.into())).await;
    let create = users::Command::Create { id, settings, password: Some(password.unwrap()) };
    write(&node, Command::Users(create)).await;
    let mut answers = Vec::new();
    for typed in [
        [("username", "alice"), ("password", "a guess")],
        [("username", "nobody"), ("password", ALICE_PASSWORD)],
        [("username", "gone"), ("password", ALICE_PASSWORD)],
    ] {
        let refused = ask(&node, &typed).await;
        assert_eq!(refused.oauth_error(), (400, "invalid_grant".to_owned()), "{typed:?}");
        answers.push(refused.body);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    for _ in 0..4 {
        assert_eq!(ask(&node, &[("password", "a guess")]).await.status, 400);
    }
    let throttled = ask(&node, &[]).await;
    assert_eq!(throttled.status, 429, "{throttled:?}");
    assert!(throttled.header("retry-after").parse::<u32>().unwrap() >= 1);
    // One counter for both ways in.
    let (mut visitor, asked) = (Visitor::new(), login::Ask::web(&node));
    let page = login::open(&mut visitor, &asked).await;
    let alice = ("alice", ALICE_PASSWORD);
    assert_eq!(login::submit(&mut visitor, &asked, &page, alice).await.status, 429);
}
