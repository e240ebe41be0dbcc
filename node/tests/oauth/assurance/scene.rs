//! A person, the browser in which they may do everything, and what can become of either.

use std::{collections::BTreeMap, time::Duration};

use actors::{
    Asker,
    demo::{self, ALICE_PASSWORD},
    tenants::Address,
};
use identity::{
    clients::{self, Client},
    codec,
    command::Command,
    consents::{self, CONSENTS},
    grants::GRANTS,
    id::{ClientId, SessionId, TenantId, UserId},
    logout,
    sessions::{self, SESSIONS, Session},
    stamp::Placement,
    table::{self, Record as _, Span, Table, Tables as _},
    users::{self, User},
};

use crate::support::{
    self, Answer, Content, TestNode, Visitor,
    login::{self, Ask},
};

pub(super) const ALICE: (&str, &str) = ("alice", ALICE_PASSWORD);
/// As a browser sends our form: no referrer, so no origin.
const OURS: [(&str, &str); 2] = [("sec-fetch-site", "same-origin"), ("origin", "null")];

/// A person with one browser that may do everything, and what that browser was shown.
pub(super) struct Scene {
    pub(super) node: TestNode,
    pub(super) tenant: TenantId,
    user: UserId,
    pub(super) visitor: Visitor,
    session: SessionId,
    /// Cookies of before the person proved again who they are.
    before: BTreeMap<String, String>,
    pub(super) forms: Forms,
}

/// The sealed forms of its pages, and what the account page offers.
pub(super) struct Forms {
    pub(super) credentials: String,
    pub(super) account: String,
    pub(super) consent: String,
    pub(super) own_account: String,
    pub(super) logout: String,
    pub(super) other_session: String,
    pub(super) consent_id: String,
}

fn unique(node: &TestNode, tenant: TenantId, table: Table, index: u8, name: &str) -> [u8; 16] {
    let reading = node.context.local();
    let view = reading.view().unwrap();
    table::unique(&view, tenant, table, index, name.as_bytes()).unwrap().unwrap()
}

impl Scene {
    /// The client is third-party and has the person's consent; the person has another browser.
    pub(super) async fn new() -> Self {
        let node = support::start_at(Content::Demo, 1_790_000_000_000);
        let tenant = node.context.tenant_at(&Address::Slug(demo::TENANT.into())).unwrap();
        let client = unique(&node, tenant, Client::TABLE, clients::BY_CLIENT_ID, "web-demo");
        let client = ClientId::from_bytes(client);
        let user = unique(&node, tenant, User::TABLE, users::BY_USERNAME, "alice");
        let user = UserId::from_bytes(user);
        let require = consents::Command::Require { client, expected: None, required: true };
        write(&node, tenant, Command::Consents(require)).await;

        let ask = Ask::web(&node);
        let mut other = Visitor::new();
        let page = login::open(&mut other, &ask).await;
        login::submit(&mut other, &ask, &page, ALICE).await;
        let other_session = session_of(&other).unwrap().to_string();
        let mut visitor = Visitor::new();
        let page = login::open(&mut visitor, &ask).await;
        let page = login::submit(&mut visitor, &ask, &page, ALICE).await;
        let allow = [("csrf", page.hidden("csrf")), ("consent", "allow")];
        let url = node.demo_at("/login/consent");
        let allowed = visitor.send_form(&url, &OURS, &allow).await;
        assert!(allowed.sent_back("code").is_some(), "{allowed:?}");
        let before = visitor.cookies.clone();
        let page = login::open(&mut visitor, &ask.clone().with("prompt", "login")).await;
        login::submit(&mut visitor, &ask, &page, ALICE).await;

        let mut shown = async |prompt: &str| {
            let page = visitor.get(&ask.clone().with("prompt", prompt).url()).await;
            assert_eq!(page.status, 200, "{page:?}");
            page.hidden("csrf").to_owned()
        };
        let credentials = shown("login").await;
        let account = shown("select_account").await;
        let consent = shown("consent").await;
        let logout = visitor.get(&node.demo_at("/oauth/logout")).await.hidden("csrf").to_owned();
        let page = visitor.get(&node.demo_at("/account")).await;
        assert!(page.body.contains(&other_session), "{page:?}");
        let forms = Forms {
            credentials,
            account,
            consent,
            own_account: page.hidden("csrf").to_owned(),
            logout,
            other_session,
            consent_id: consents::id_of(user, client).to_string(),
        };
        let session = session_of(&visitor).unwrap();
        Self { node, tenant, user, visitor, session, before, forms }
    }

    /// Every record that a person's requests may touch.
    pub(super) fn records(&self) -> Vec<Vec<u8>> {
        let reading = self.node.context.local();
        let view = reading.view().unwrap();
        let tables = [User::TABLE, Client::TABLE, SESSIONS, CONSENTS, GRANTS];
        // The cluster removes sessions that ended by themselves whenever it gets to it.
        let now_ms = self.node.context.now_ms();
        let stays = move |table: Table, value: &[u8]| {
            table != SESSIONS || codec::decode::<Session>(value).unwrap().ends_at_ms() > now_ms
        };
        let of = |table| {
            let span = Span::Records { table, after: None };
            let found = view.scan(self.tenant, span, 1000, false).unwrap().into_iter();
            found.map(|found| found.value).filter(move |value| stays(table, value))
        };
        tables.into_iter().flat_map(of).collect()
    }

    fn at(&self, path: &str) -> String {
        self.node.demo_at(path)
    }
}

pub(super) async fn write(node: &TestNode, tenant: TenantId, command: Command) {
    node.context.write(&Asker::system(), Placement::Tenant(tenant), command).await.unwrap();
}

pub(super) fn session_cookie(visitor: &Visitor) -> Option<(&String, &String)> {
    visitor.cookies.iter().find(|(name, _)| name.contains("session"))
}

fn session_of(visitor: &Visitor) -> Option<SessionId> {
    session_cookie(visitor)?.1.split_once('_')?.0.parse().ok()
}

/// What becomes of the browser that may do everything, or of what stands behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Another browser: no cookie at all.
    Stranger,
    /// The browser opened the login page, and nobody is signed in.
    Nobody,
    /// The right session, a wrong secret.
    Forged,
    /// A cookie of before the person proved again who they are.
    Before,
    /// A cookie of another tenant.
    Elsewhere,
    /// The session was ended.
    Ended,
    /// All sessions of the person were ended.
    AllEnded,
    /// The person was disabled.
    Disabled,
    /// The session was not used for too long.
    Unused,
}

pub(super) const STATES: [State; 9] = [
    State::Stranger,
    State::Nobody,
    State::Forged,
    State::Before,
    State::Elsewhere,
    State::Ended,
    State::AllEnded,
    State::Disabled,
    State::Unused,
];

impl Scene {
    pub(super) async fn turn_into(&mut self, state: State) {
        let (name, value) = session_cookie(&self.visitor).unwrap();
        let (name, value) = (name.clone(), value.clone());
        let (id, user) = (self.session, self.user);
        match state {
            State::Stranger => self.visitor.cookies.clear(),
            State::Nobody => drop(self.visitor.cookies.remove(&name)),
            State::Forged => {
                let forged = format!("{id}_vlt_st_{}", "A".repeat(43));
                assert_eq!(forged.len(), value.len());
                self.visitor.cookies.insert(name, forged);
            }
            State::Before => self.visitor.cookies = self.before.clone(),
            State::Elsewhere => {
                let mut other = Visitor::new();
                let url = self.node.url.clone();
                let ask = Ask::of(url, "vaultara-cli", "http://127.0.0.1:4711/callback");
                let page = login::open(&mut other, &ask).await;
                let admin = ("admin", demo::ADMINISTRATOR_PASSWORD);
                login::submit(&mut other, &ask, &page, admin).await;
                let theirs = session_cookie(&other).unwrap().1.clone();
                self.visitor.cookies.insert(name, theirs);
            }
            State::Ended => {
                let end = sessions::Command::End { id, expected: None };
                write(&self.node, self.tenant, Command::Sessions(end)).await;
            }
            State::AllEnded => {
                let end = sessions::Command::EndAll { user };
                write(&self.node, self.tenant, Command::Sessions(end)).await;
            }
            State::Disabled => {
                let found = {
                    let reading = self.node.context.local();
                    let view = reading.view().unwrap();
                    table::record::<User>(&view, self.tenant, user.bytes()).unwrap().unwrap()
                };
                let settings = users::Settings {
                    username: found.username,
                    email: found.email,
                    email_verified: found.email_verified,
                    phone_number_verified: found.phone_number_verified,
                    profile: found.profile,
                    address: found.address,
                    enabled: false,
                    roles: found.roles,
                };
                let change =
                    users::Command::Update { id: user, expected: None, settings, password: None };
                write(&self.node, self.tenant, Command::Users(change)).await;
            }
            State::Unused => self.node.pass_ms(7_260_000),
        }
        self.settled().await;
    }

    /// Waits until the cluster has ended, one by one, what ended all at once: that is its own doing
    /// and none of a handler's.
    async fn settled(&self) {
        let left = || {
            let reading = self.node.context.local();
            logout::leaving(&reading.view().unwrap(), self.tenant, 1).unwrap()
        };
        let done = async {
            while !left().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), done).await.expect("sessions are settled");
    }
}

/// Every handler that a browser reaches, with the best that it could have got hold of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handler {
    AuthorizeSilently,
    Authorize,
    AuthorizeByForm,
    ChooseAccount,
    Allow,
    Account,
    EndSession,
    EndOthers,
    Withdraw,
    ChangePassword,
    EditProfile,
    SignOut,
    LogOut,
}

pub(super) const HANDLERS: [Handler; 13] = [
    Handler::AuthorizeSilently,
    Handler::Authorize,
    Handler::AuthorizeByForm,
    Handler::ChooseAccount,
    Handler::Allow,
    Handler::Account,
    Handler::EndSession,
    Handler::EndOthers,
    Handler::Withdraw,
    Handler::ChangePassword,
    Handler::EditProfile,
    Handler::SignOut,
    Handler::LogOut,
];

impl Scene {
    pub(super) async fn ask(&mut self, handler: Handler) -> Answer {
        let ask = Ask::web(&self.node);
        let own = self.forms.own_account.clone();
        let (path, form): (&str, Vec<(&str, String)>) = match handler {
            Handler::AuthorizeSilently => {
                return self.visitor.get(&ask.with("prompt", "none").url()).await;
            }
            Handler::Authorize => return self.visitor.get(&ask.url()).await,
            Handler::AuthorizeByForm => {
                return self.visitor.post(&self.at("/oauth/authorize"), &ask.pairs()).await;
            }
            Handler::Account => return self.visitor.get(&self.at("/account")).await,
            Handler::ChooseAccount => {
                let form = vec![("csrf", self.forms.account.clone()), ("account", "same".into())];
                ("/login/account", form)
            }
            Handler::Allow => {
                let form = vec![("csrf", self.forms.consent.clone()), ("consent", "allow".into())];
                ("/login/consent", form)
            }
            Handler::EndSession => {
                let form = vec![("csrf", own), ("session", self.forms.other_session.clone())];
                ("/account/sessions/end", form)
            }
            Handler::EndOthers => ("/account/sessions/end-all", vec![("csrf", own)]),
            Handler::Withdraw => {
                let form = vec![("csrf", own), ("consent", self.forms.consent_id.clone())];
                ("/account/consents/revoke", form)
            }
            Handler::ChangePassword => {
                let new = "a password that is new here".to_owned();
                let form = vec![
                    ("csrf", own),
                    ("password", ALICE_PASSWORD.to_owned()),
                    ("new_password", new.clone()),
                    ("new_password_again", new),
                ];
                ("/account/password", form)
            }
            Handler::EditProfile => {
                ("/account/profile", vec![("csrf", own), ("given_name", "Another".into())])
            }
            Handler::SignOut => ("/account/sign-out", vec![("csrf", own)]),
            Handler::LogOut => {
                let form = vec![("csrf", self.forms.logout.clone()), ("logout", "confirm".into())];
                ("/oauth/logout/confirm", form)
            }
        };
        self.post(path, &form).await
    }

    pub(super) async fn post(&mut self, path: &str, form: &[(&str, String)]) -> Answer {
        let url = self.at(path);
        let form: Vec<(&str, &str)> =
            form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.visitor.send_form(&url, &OURS, &form).await
    }
}
