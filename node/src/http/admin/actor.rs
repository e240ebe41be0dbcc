//! Who did something, as it is shown.

use identity::principal::Principal;
use serde::Serialize;
use utoipa::ToSchema;

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Actor {
    /// `user`: a person through a client. `person`: a person at their own account. `client`: a
    /// service. `system`: the cluster itself. `bootstrap`: setup. `anonymous`: nobody known.
    kind: &'static str,
    /// The tenant of the account or the client.
    #[schema(value_type = Option<uuid::Uuid>)]
    tenant_id: Option<String>,
    /// The account.
    #[schema(value_type = Option<uuid::Uuid>)]
    user_id: Option<String>,
    /// The client that acted, or through which was acted.
    #[schema(value_type = Option<uuid::Uuid>)]
    client_id: Option<String>,
}

impl Actor {
    /// Whether this id is its account or its client.
    pub fn is(&self, id: &str) -> bool {
        [&self.user_id, &self.client_id].into_iter().any(|own| own.as_deref() == Some(id))
    }
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        let nobody = |kind| Self { kind, tenant_id: None, user_id: None, client_id: None };
        match principal {
            Principal::Anonymous => nobody("anonymous"),
            Principal::System => nobody("system"),
            Principal::Bootstrap => nobody("bootstrap"),
            Principal::User { tenant, user, client, .. } => Self {
                kind: "user",
                tenant_id: Some(tenant.to_string()),
                user_id: Some(user.to_string()),
                client_id: Some(client.to_string()),
            },
            Principal::Client { tenant, client, .. } => Self {
                kind: "client",
                tenant_id: Some(tenant.to_string()),
                user_id: None,
                client_id: Some(client.to_string()),
            },
            Principal::Person { tenant, user } => Self {
                kind: "person",
                tenant_id: Some(tenant.to_string()),
                user_id: Some(user.to_string()),
                client_id: None,
            },
        }
    }
}
