//! Whatever stands in their fields, values read back as they were written, and no shorter or longer
//! bytes do.

use std::{collections::BTreeMap, fmt::Debug};

use identity::{
    clients::Client,
    codec::{self, Persisted},
    command::{Command, Denials},
    event::HistoryRow,
    grants::Grant,
    id::{RoleId, UserId},
    outcome::{Rejection, Reply},
    principal::{Principal, Source},
    secret::{Digest, PasswordHash, Sealed},
    sessions::Session,
    stamp::{Draft, Entry, Stamp},
    users::User,
};
use proptest::prelude::*;

use crate::{commands, events, records};

fn reads_back<T: Persisted + PartialEq + Debug>(value: &T) -> Result<(), TestCaseError> {
    let mut bytes = codec::encode(value);
    prop_assert_eq!(&codec::decode::<T>(&bytes).unwrap(), value);
    prop_assert!(codec::decode::<T>(&bytes[..bytes.len() - 1]).is_err());
    bytes.push(0);
    prop_assert_eq!(codec::decode::<T>(&bytes), Err(codec::Error::Trailing));
    Ok(())
}

fn word() -> impl Strategy<Value = String> {
    any::<String>()
}

fn words() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map(word(), word(), 0..5)
}

fn some<S: Strategy<Value: Clone>>(of: S) -> impl Strategy<Value = Option<S::Value>> {
    proptest::option::of(of)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn users_read_back(
        (id, revision, username, email) in (any::<[u8; 16]>(), any::<u64>(), word(), some(word())),
        (email_verified, enabled) in any::<(bool, bool)>(),
        (profile, address) in (words(), words()),
        roles in proptest::collection::btree_set(any::<[u8; 16]>(), 0..4),
        (password, credential_revision) in (some(word()), any::<u64>()),
        deleted_at_ms in some(any::<u64>()),
    ) {
        reads_back(&User {
            revision, email, email_verified, enabled, profile, address, credential_revision,
            deleted_at_ms,
            roles: roles.into_iter().map(RoleId::from_bytes).collect(),
            password: password.map(PasswordHash::from_phc),
            ..User::new(UserId::from_bytes(id), username, revision)
        })?;
    }

    #[test]
    fn clients_sessions_and_grants_read_back(
        (text, texts) in (word(), proptest::collection::vec(word(), 0..5)),
        (number, time) in (any::<u64>(), some(any::<u64>())),
        (secret, lifetime) in (some(any::<[u8; 32]>()), some(any::<u32>())),
    ) {
        reads_back(&Client {
            client_id: text.clone(),
            name: text.clone(),
            redirect_uris: texts.clone(),
            scopes: texts.iter().cloned().collect(),
            secret: secret.map(Digest::from_bytes),
            access_token_lifetime_s: lifetime,
            deleted_at_ms: time,
            revision: number,
            ..records::client()
        })?;
        reads_back(&Session {
            address: text.clone(),
            user_agent: text,
            expires_at_ms: number,
            ended_at_ms: time,
            ..records::session()
        })?;
        reads_back(&Grant {
            scopes: texts.into_iter().collect(),
            expires_at_ms: number,
            revoked_at_ms: time,
            ..records::grant()
        })?;
    }

    #[test]
    fn drafts_entries_and_replies_read_back(
        (salt, address, user_agent) in (any::<[u8; 16]>(), word(), word()),
        (not_after_ms, count, ordinal) in (any::<u64>(), any::<u32>(), any::<u16>()),
        drafts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..5),
        (nonce, sealed) in (any::<[u8; 12]>(), proptest::collection::vec(any::<u8>(), 0..64)),
    ) {
        let denials = Denials {
            action: address.clone(),
            reason: user_agent.clone(),
            count,
            minute_ms: not_after_ms,
        };
        let result = Err(Rejection::invalid(address.clone(), user_agent.clone()));
        let source = Source { salt, address, user_agent };
        let command = Command::Denials(denials);
        reads_back(&Draft { source, not_after_ms, ..commands::draft(command) })?;
        let stamp = Stamp { at_ms: not_after_ms, feature_level: ordinal };
        reads_back(&Entry { stamp, drafts })?;
        let once = Sealed { key: count, nonce, bytes: sealed };
        let (index, at_ms) = (not_after_ms, not_after_ms);
        reads_back(&Reply { index, ordinal, at_ms, result, replayed: Some(Some(once)) })?;
    }

    #[test]
    fn audit_events_and_history_read_back(
        (sequence, detail, action) in (any::<u64>(), word(), word()),
        fields in proptest::collection::vec((word(), word(), word()), 0..5),
    ) {
        let mut event = events::audit_event(Principal::System, identity::event::Verdict::Allowed);
        event.sequence = sequence;
        event.detail = detail;
        event.action.clone_from(&action);
        reads_back(&event)?;
        let (at_ms, position) = (sequence, (sequence, 1));
        reads_back(&HistoryRow { at_ms, position, principal: Principal::System, action, fields })?;
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut dressed = codec::encode(&records::user());
        dressed.truncate(5);
        dressed.extend_from_slice(&bytes);
        if let Ok(user) = codec::decode::<User>(&dressed) {
            prop_assert_eq!(codec::decode::<User>(&codec::encode(&user)), Ok(user));
        }
        let _ = codec::decode::<Draft>(&bytes);
    }
}
