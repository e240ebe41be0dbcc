//! Typed 128-bit identifiers.
//!
//! An id is drawn by a flow (never here) and is never reused. In keys it is its 16 raw bytes, in
//! JSON the hyphenated form. Invariant: two different kinds of id cannot be confused at compile
//! time.

use uuid::Uuid;

/// A text that is not a hyphenated 128-bit identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier of the form 01234567-89ab-cdef-0123-456789abcdef")]
pub struct Malformed;

pub(crate) fn parse(text: &str) -> Result<[u8; 16], Malformed> {
    // Only the hyphenated form: one spelling per id, so that ids compare as text too.
    if text.len() != 36 {
        return Err(Malformed);
    }
    Uuid::try_parse(text).map(|id| *id.as_bytes()).map_err(|_| Malformed)
}

/// Defines kinds of id: those that many slices name stand here, one that only its own slice needs
/// stands there.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Wraps raw bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The raw bytes, as they stand in keys.
            pub const fn bytes(&self) -> [u8; 16] {
                self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::id::Malformed;

            fn from_str(text: &str) -> Result<Self, $crate::id::Malformed> {
                $crate::id::parse(text).map(Self)
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                if to.is_human_readable() { to.collect_str(self) } else { self.0.serialize(to) }
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                if from.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                    text.parse().map_err(<D::Error as ::serde::de::Error>::custom)
                } else {
                    <[u8; 16]>::deserialize(from).map(Self)
                }
            }
        }
    )+};
}

pub(crate) use ids;

ids! {
    /// An isolated realm of users, clients and keys.
    TenantId,
    /// A person's account.
    UserId,
    /// A registered OAuth client (its record, not its `client_id` text).
    ClientId,
    /// A login session.
    SessionId,
    /// A license key.
    LicenseId,
    /// What a user has given a client: scopes, session; tokens hang off it.
    GrantId,
    /// What a person allowed a client; made of both.
    ConsentId,
    /// A signing key's record.
    SigningKeyId,
    /// What a scope means in a tenant.
    ClientScopeId,
    /// A role.
    RoleId,
    /// A group of users.
    GroupId,
    /// A permission: drawn for one that somebody defines, made of the name for a built-in one.
    PermissionId,
    /// One draft; the same id again is the same request.
    RequestId,
    /// What one node joins the cluster with.
    JoinTokenId,
    /// A change of several steps, finished by the leader if its client goes away.
    SagaId,
}

impl TenantId {
    /// The cluster placement: not a tenant, but where cluster-wide rows live.
    pub const CLUSTER: Self = Self([0; 16]);
}

impl RoleId {
    /// Built in: everything in its tenant, and the platform if that is the default tenant.
    pub const ADMINISTRATOR: Self = Self(*b"administrator\0\0\0");
    /// Built in: reading whatever this server itself knows of its tenant, and of the platform if
    /// that is the default tenant.
    pub const READER: Self = Self(*b"reader\0\0\0\0\0\0\0\0\0\0");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_prints() {
        let id = UserId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
        assert_eq!(
            serde_json::from_str::<UserId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
    }

    #[test]
    fn other_spellings_of_an_id_are_refused() {
        for text in
            ["", "30313233343536373839616263646566", "{30313233-3435-3637-3839-616263646566}", "x"]
        {
            assert_eq!(text.parse::<UserId>(), Err(Malformed), "{text}");
        }
    }
}
