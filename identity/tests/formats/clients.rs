//! Clients in every layout, and client scopes.

use identity::{
    client_scopes::{self, ClientScope, Mapper, Place, Settings, Source},
    clients::{
        self, Authentication, Client, GrantType,
        old::{ClientV2, SettingsV1},
    },
    command::Command,
    id::ClientScopeId,
    oauth::refresh::{ClientPolicy, Rotation},
};

use crate::{
    Sample, old, older,
    records::{AT, CLIENT, client, client_settings},
    sample,
};

const SCOPE: ClientScopeId = ClientScopeId::from_bytes([17; 16]);

/// As it was before origins and keys.
fn client_2() -> Client {
    Client::from(ClientV2::from(client()))
}

fn scope_settings() -> Settings {
    let mapper = |claim: &str, source| {
        let places = [Place::IdToken, Place::AccessToken, Place::Userinfo].into();
        Mapper { claim: claim.into(), source, places }
    };
    Settings {
        name: "orders".into(),
        description: "Orders".into(),
        default: true,
        mappers: vec![
            mapper("mail", Source::UserAttribute("email".into())),
            mapper("plan", Source::FixedText("gold".into())),
        ],
        audiences: ["https://orders.example".into()].into(),
    }
}

fn scope() -> ClientScope {
    let new = ClientScope::new(SCOPE, &scope_settings(), AT);
    ClientScope { revision: 2, deleted_at_ms: Some(AT + 1), updated_at_ms: AT + 1, ..new }
}

/// With what users hold.
fn scope_of_lists() -> ClientScope {
    let mapper = |claim: &str, source| Mapper {
        claim: claim.into(),
        source,
        places: [Place::Userinfo].into(),
    };
    let mappers = vec![mapper("roles", Source::UserRoles), mapper("teams", Source::UserGroups)];
    ClientScope { mappers, ..scope() }
}

pub(crate) fn scope_commands() -> Vec<Command> {
    let (id, settings) = (SCOPE, scope_settings());
    let commands = [
        client_scopes::Command::Create { id, settings: settings.clone() },
        client_scopes::Command::Update { id, expected: Some(3), settings },
        client_scopes::Command::Delete { id, expected: None },
    ];
    commands.map(Command::ClientScopes).into()
}

pub(crate) fn samples() -> Vec<Sample> {
    let public = clients::Settings {
        authentication: Authentication::None,
        native: true,
        access_token_lifetime_s: None,
        refresh: ClientPolicy::default(),
        ..client_settings()
    };
    let public_1 = SettingsV1 {
        authentication: Authentication::None,
        native: true,
        access_token_lifetime_s: None,
        ..old::client_settings_1()
    };
    let basic_1 = SettingsV1 {
        authentication: Authentication::ClientSecretBasic,
        ..old::client_settings_1()
    };
    let client_1 = Client {
        refresh: ClientPolicy::default(),
        grant_types: old::client_settings_1().grant_types,
        ..client_2()
    };
    let public = Client::new(CLIENT, &public, None, AT);
    let grant_types = [GrantType::Password].into();
    let bound = ClientPolicy { rotation: Rotation::SenderBound, ..public.refresh };
    vec![
        older("client", client_1),
        older(
            "client-public",
            Client { secret: None, secret_generation: 0, ..old::client_1(public_1) },
        ),
        older("client-basic", old::client_1(basic_1)),
        older("client-2", client_2()),
        older("client-2-password", Client { grant_types, ..client_2() }),
        older("client-2-public", Client::from(ClientV2::from(public.clone()))),
        sample("client-scope", scope()),
        sample("client-scope-lists", scope_of_lists()),
        older("client-3", Client { ended_until_ms: None, ..client() }),
        older("client-3-public", public.clone()),
        older("client-3-sender-bound", Client { refresh: bound, ..public.clone() }),
        sample("client-4", client()),
        sample("client-4-public", public),
    ]
}
