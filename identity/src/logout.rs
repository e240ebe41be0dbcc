//! The end of sessions as clients hear of it: what a client registers for it, and what is still to
//! be told (OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0, Front-Channel Logout
//! 1.0).
//!
//! Ending a session writes one [`Notice`] with every client that must be told, in the same draft;
//! the leader tells them and has each answer written down. A session that ends by itself, unused or
//! at its absolute end, tells nobody: its client finds out when it asks.
//! Invariant: an acknowledged end has its notice, whatever crashes afterwards.

mod notices;

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    clients,
    codec::Persisted,
    id::{ClientId, SessionId},
    name,
    outcome::{Outcome, Rejection, Stop},
    table::{Record, TablesMut, record_by},
};

pub use notices::{Due, LEAVING, Leaving, NOTICES, Notice, Pending, due, leaving};
pub(crate) use notices::{leave, tell};

/// Most addresses of one client that people may return to.
pub const RETURN_URIS_MAX: usize = 50;

/// What a client registers for the end of a session. One without this record hears nothing and
/// nobody returns to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRules {
    /// Of which client.
    pub client: ClientId,
    /// One more with every write.
    pub revision: u64,
    /// Where people may return to, compared byte for byte.
    pub post_logout_redirect_uris: Vec<String>,
    /// What is loaded in a frame of the page that says that the person is signed out.
    pub frontchannel_logout_uri: Option<String>,
    /// What is told by a request of this server.
    pub backchannel_logout_uri: Option<String>,
}

impl ClientRules {
    /// Those of a client that registered none.
    pub const fn none(client: ClientId) -> Self {
        Self {
            client,
            revision: 0,
            post_logout_redirect_uris: Vec::new(),
            frontchannel_logout_uri: None,
            backchannel_logout_uri: None,
        }
    }

    /// Every rule about them.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        let returns = "/post_logout_redirect_uris";
        if self.post_logout_redirect_uris.len() > RETURN_URIS_MAX {
            return Err(Rejection::invalid(returns, "must be at most 50"));
        }
        for (number, uri) in self.post_logout_redirect_uris.iter().enumerate() {
            name::redirect_uri(&format!("{returns}/{number}"), uri)?;
        }
        let web = [
            ("/frontchannel_logout_uri", &self.frontchannel_logout_uri),
            ("/backchannel_logout_uri", &self.backchannel_logout_uri),
        ];
        for (field, uri) in web {
            let Some(uri) = uri else { continue };
            name::redirect_uri(field, uri)?;
            if !uri.starts_with("https://") && !uri.starts_with("http://") {
                return Err(Rejection::invalid(field, "must be an https address"));
            }
        }
        Ok(())
    }

    /// Whether people may return to this address.
    pub fn returns_to(&self, uri: &str) -> bool {
        self.post_logout_redirect_uris.iter().any(|registered| registered == uri)
    }
}

impl Persisted for ClientRules {
    const KIND: [u8; 2] = *b"lr";
}

impl Record for ClientRules {
    record_by!(client, never deleted);
}

/// Changes around logout. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Changes what a client registered.
    SetRules {
        /// The new ones.
        rules: Box<ClientRules>,
        /// Revision they were read at; none means whatever it is.
        expected: Option<u64>,
    },
    /// A client was told of the end of a session, or needs not be told. By the cluster itself.
    Delivered {
        /// Which session.
        session: SessionId,
        /// Which client.
        client: ClientId,
    },
    /// A client could not be told. By the cluster itself.
    Failed {
        /// Which session.
        session: SessionId,
        /// Which client.
        client: ClientId,
        /// Attempts that had failed before this one; another number changes nothing.
        attempts: u8,
        /// Why, in words that are not personal.
        reason: String,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::SetRules { .. } => "logout.set_rules",
            Self::Delivered { .. } => "logout.delivered",
            Self::Failed { .. } => "logout.failed",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        match self {
            Self::SetRules { rules, expected } => set_rules(at, rules, *expected),
            Self::Delivered { session, client } => {
                at.require_system()?;
                at.detail(format!("client={client}"));
                notices::delivered(at, *session, *client)
            }
            Self::Failed { session, client, attempts, reason } => {
                at.require_system()?;
                notices::failed(at, *session, *client, (*attempts, reason))
            }
        }
    }
}

fn set_rules<T: TablesMut>(
    at: &mut Applying<'_, T>,
    rules: &ClientRules,
    expected: Option<u64>,
) -> Result<Outcome, Stop> {
    // As any change of the client.
    clients::find(at, rules.client, None)?;
    rules.check()?;
    let before = at.record::<ClientRules>(rules.client.bytes())?;
    let before = before.unwrap_or_else(|| ClientRules::none(rules.client));
    if expected.is_some_and(|revision| revision != before.revision) {
        return Err(Rejection::Stale.into());
    }
    if before.revision == 0 {
        at.create(rules.clone())
    } else {
        Ok(at.update(&before, rules.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> ClientRules {
        ClientRules {
            post_logout_redirect_uris: vec!["https://app.example/bye?x=1".into()],
            frontchannel_logout_uri: Some("https://app.example/front".into()),
            backchannel_logout_uri: Some("http://127.0.0.1:9000/back".into()),
            ..ClientRules::none(ClientId::from_bytes([1; 16]))
        }
    }

    #[test]
    fn people_return_to_a_registered_address_only_byte_for_byte() {
        let rules = rules();
        assert!(rules.returns_to("https://app.example/bye?x=1"));
        for other in ["https://app.example/bye", "https://app.example/bye?x=1&y=2", "", "/bye"] {
            assert!(!rules.returns_to(other), "{other}");
        }
    }

    #[test]
    fn addresses_obey_the_rules_of_redirect_uris_and_channels_are_of_the_web() {
        let fine = rules();
        assert_eq!(fine.check(), Ok(()));
        let uri = |text: &str| Some(text.to_owned());
        let many = vec!["https://a.example/".to_owned(); RETURN_URIS_MAX + 1];
        let table = [
            ClientRules { post_logout_redirect_uris: vec!["/bye".into()], ..fine.clone() },
            ClientRules { post_logout_redirect_uris: many, ..fine.clone() },
            ClientRules { frontchannel_logout_uri: uri("com.example.app:/x"), ..fine.clone() },
            ClientRules { backchannel_logout_uri: uri("com.example.app:/x"), ..fine.clone() },
            ClientRules { backchannel_logout_uri: uri("http://app.example/"), ..fine.clone() },
            ClientRules { backchannel_logout_uri: uri("https://app.example/#f"), ..fine },
        ];
        for rules in table {
            assert!(rules.check().is_err(), "{rules:?}");
        }
    }
}
