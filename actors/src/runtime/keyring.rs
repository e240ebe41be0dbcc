//! The root secret and the keys derived from it: sealing keys, HMAC keys, the checkpoint key.
//!
//! Derivation is HKDF-SHA256 (RFC 5869) with length-prefixed context, so two purposes never share a
//! key. Two roots may be open at once, current and previous, while records are wrapped anew.
//! It stores nothing and replicates nothing. Invariant: a derived key is a pure function of root,
//! purpose and tenant, the same on every node.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    hmac,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::runtime::random::Random;

use identity::id::TenantId;

/// The shortest root secret, in bytes.
pub const ROOT_LEN_MIN: usize = 32;

/// Frozen: another salt would be another set of keys.
const EXTRACT_SALT: &[u8] = b"vaultara root secret, format 1";

/// Why a root secret cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RootRefused {
    /// Fewer than 32 bytes.
    #[error("the root secret is {0} bytes long, at least {ROOT_LEN_MIN} are needed")]
    TooShort(usize),
    /// The crypto library made no key of it.
    #[error("no keys could be derived from the root secret")]
    Underivable,
}

/// One root secret, kept only as the key that derives others.
pub struct Root {
    derive: hmac::Key,
    key: u32,
    check_value: [u8; 32],
    checkpoint: Ed25519KeyPair,
}

impl Root {
    /// Takes the bytes of `MASTER_KEY` or `JWT_SECRET`; refuses fewer than 32.
    pub fn parse(secret: &[u8]) -> Result<Self, RootRefused> {
        if secret.len() < ROOT_LEN_MIN {
            return Err(RootRefused::TooShort(secret.len()));
        }
        let extract = hmac::Key::new(hmac::HMAC_SHA256, EXTRACT_SALT);
        let derive = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&extract, secret).as_ref());
        let seed = expand(&derive, &[b"audit checkpoint"]);
        let checkpoint = Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
            .map_err(|_| RootRefused::Underivable)?;
        let [k0, k1, k2, k3, ..] = *expand(&derive, &[b"key id"]);
        let key = u32::from_be_bytes([k0, k1, k2, k3]);
        let check_value = *expand(&derive, &[b"key check"]);
        Ok(Self { derive, key, check_value, checkpoint })
    }

    /// The id that every `Sealed` of this root carries.
    pub const fn key(&self) -> u32 {
        self.key
    }

    /// Derives 32 bytes for a purpose; the parts are length-prefixed, so no two lists collide.
    pub(crate) fn derive(&self, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        expand(&self.derive, parts)
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root({:08x}, redacted)", self.key)
    }
}

/// HKDF-Expand for one block of output: HMAC(PRK, info ‖ 0x01) (RFC 5869 §2.3 with L = 32).
fn expand(prk: &hmac::Key, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut context = hmac::Context::with_key(prk);
    update_parts(&mut context, parts);
    context.update(&[1]);
    Zeroizing::new(tag_bytes(&context.sign()))
}

fn update_parts(context: &mut hmac::Context, parts: &[&[u8]]) {
    for part in parts {
        let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
        context.update(&len.to_be_bytes());
        context.update(part);
    }
}

fn tag_bytes(tag: &hmac::Tag) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    bytes
}

/// What an HMAC key is for; each purpose and tenant has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacPurpose {
    /// Bodies behind an `Idempotency-Key`: a bare hash would be a password oracle.
    Idempotency,
    /// Page cursors.
    Cursor,
    /// Codes short enough to be guessed: user codes, one-time passwords by mail.
    UserCode,
    /// CSRF tokens of forms.
    Form,
    /// Personal values in logs, counters and rate limits, where a bare hash could be searched.
    Pseudonym,
    /// Headers of backups: who can encrypt for a recipient cannot make one.
    Backup,
}

impl MacPurpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Idempotency => b"idempotency",
            Self::Cursor => b"cursor",
            Self::UserCode => b"user code",
            Self::Form => b"form",
            Self::Pseudonym => b"pseudonym",
            Self::Backup => b"backup",
        }
    }
}

/// The open roots of this node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Keyring {
    pub(super) roots: Arc<Roots>,
    pub(super) random: Random,
}

#[derive(Debug)]
pub(super) struct Roots {
    pub(super) current: Root,
    pub(super) previous: Option<Root>,
}

impl Roots {
    pub(super) fn by_key(&self, key: u32) -> Option<&Root> {
        std::iter::once(&self.current).chain(&self.previous).find(|root| root.key == key)
    }
}

impl Keyring {
    /// Seals with `current`; also opens what `previous` sealed.
    pub fn new(current: Root, previous: Option<Root>, random: Random) -> Self {
        Self { roots: Arc::new(Roots { current, previous }), random }
    }

    /// The id of the root that seals now.
    pub fn key(&self) -> u32 {
        self.roots.current.key
    }

    /// What `meta` keeps to recognize the root secret at start and at join.
    pub fn check_value(&self) -> [u8; 32] {
        self.roots.current.check_value
    }

    /// Whether a stored key-check value is that of the current root, in constant time.
    pub fn matches(&self, check_value: &[u8; 32]) -> bool {
        self.roots.current.check_value.ct_eq(check_value).into()
    }

    /// Whether a stored key-check value is that of the previous root: the secret is being changed.
    pub fn matches_previous(&self, check_value: &[u8; 32]) -> bool {
        self.roots.previous.as_ref().is_some_and(|root| root.check_value.ct_eq(check_value).into())
    }

    /// The HMAC-SHA256 of the length-prefixed parts under the current root.
    pub fn mac(&self, purpose: MacPurpose, tenant: TenantId, parts: &[&[u8]]) -> [u8; 32] {
        mac(&self.roots.current, purpose, tenant, parts)
    }

    /// The same under the previous root, to find what was stored before the secret changed.
    pub fn previous_mac(
        &self,
        purpose: MacPurpose,
        tenant: TenantId,
        parts: &[&[u8]],
    ) -> Option<[u8; 32]> {
        self.roots.previous.as_ref().map(|root| mac(root, purpose, tenant, parts))
    }

    /// Whether `tag` is the HMAC under either root, in constant time.
    pub fn mac_matches(
        &self,
        purpose: MacPurpose,
        tenant: TenantId,
        parts: &[&[u8]],
        tag: &[u8],
    ) -> bool {
        let current: bool = self.mac(purpose, tenant, parts).ct_eq(tag).into();
        let previous: bool = self
            .previous_mac(purpose, tenant, parts)
            .is_some_and(|previous| previous.ct_eq(tag).into());
        current | previous
    }

    /// Signs an audit checkpoint with the Ed25519 key of the current root.
    pub fn sign_checkpoint(&self, message: &[u8]) -> Option<[u8; 64]> {
        let signature = self.roots.current.checkpoint.try_sign(message).ok()?;
        signature.as_ref().try_into().ok()
    }

    /// The public half of the checkpoint key, for export and for `audit verify`.
    pub fn checkpoint_public_key(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let public = self.roots.current.checkpoint.public_key();
        for (to, from) in bytes.iter_mut().zip(public.as_ref()) {
            *to = *from;
        }
        bytes
    }
}

/// Whether an audit checkpoint was signed by the owner of an exported public key.
pub fn checkpoint_is_genuine(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public_key).verify(message, signature).is_ok()
}

fn mac(root: &Root, purpose: MacPurpose, tenant: TenantId, parts: &[&[u8]]) -> [u8; 32] {
    let bytes = root.derive(&[b"mac", purpose.label(), &tenant.bytes()]);
    let key = hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice());
    let mut context = hmac::Context::with_key(&key);
    update_parts(&mut context, parts);
    tag_bytes(&context.sign())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hkdf;

    use crate::runtime::clock::Clock;

    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const OTHER: &[u8] = b"another secret of thirty-two byte";

    fn keyring(current: &[u8], previous: Option<&[u8]>) -> Keyring {
        Keyring::new(
            Root::parse(current).unwrap(),
            previous.map(|secret| Root::parse(secret).unwrap()),
            Random::new(Clock::manual(0)),
        )
    }

    #[test]
    fn a_short_root_secret_is_refused() {
        for len in [0, 1, 31] {
            assert_eq!(Root::parse(&vec![7; len]).unwrap_err(), RootRefused::TooShort(len));
        }
        assert!(Root::parse(&[7; 32]).is_ok());
    }

    #[test]
    fn derivation_is_hkdf_sha256_with_one_block_of_output() {
        struct Len;
        impl hkdf::KeyType for Len {
            fn len(&self) -> usize {
                32
            }
        }
        let info = [&3_u64.to_be_bytes()[..], b"abc", &0_u64.to_be_bytes()[..]];
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, EXTRACT_SALT).extract(SECRET);
        let mut expected = [0; 32];
        prk.expand(&info, Len).unwrap().fill(&mut expected).unwrap();
        assert_eq!(*Root::parse(SECRET).unwrap().derive(&[b"abc", b""]), expected);
    }

    // The expected values come from another implementation of RFC 5869 and RFC 8032.
    #[test]
    fn derived_values_of_a_root_never_change() {
        let keyring = keyring(SECRET, None);
        let tag = keyring.mac(MacPurpose::Cursor, TenantId::from_bytes([7; 16]), &[b"a", b"b"]);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(format!("{:08x}", keyring.key()), "c5b87cec");
        assert_eq!(
            hex(&keyring.check_value()),
            "28c318a12b5afdc8579539933cf25bb11bf54d5a8a2625003e61882e8cb95df2"
        );
        assert_eq!(
            hex(&keyring.checkpoint_public_key()),
            "a9cc88be4cbb21f3aa211f8219ad494c9d0edd02bc235dc361c6ec4959675d75"
        );
        assert_eq!(hex(&tag), "a73420b84294b9ac5cba969ef302f1fe6c26456a8fbb7750e505e20131a307ef");
    }

    #[test]
    fn a_wrong_root_secret_does_not_match_the_check_value() {
        let stored = keyring(SECRET, None).check_value();
        assert!(keyring(SECRET, None).matches(&stored));
        assert!(!keyring(OTHER, None).matches(&stored));
        let rotating = keyring(OTHER, Some(SECRET));
        assert!(!rotating.matches(&stored) && rotating.matches_previous(&stored));
        assert!(!keyring(OTHER, None).matches_previous(&stored));
    }

    #[test]
    fn macs_differ_by_purpose_tenant_and_division_into_parts() {
        let keyring = keyring(SECRET, None);
        let (one, two) = (TenantId::from_bytes([1; 16]), TenantId::from_bytes([2; 16]));
        let tags = [
            keyring.mac(MacPurpose::Cursor, one, &[b"ab", b"c"]),
            keyring.mac(MacPurpose::Cursor, one, &[b"a", b"bc"]),
            keyring.mac(MacPurpose::Cursor, one, &[b"abc"]),
            keyring.mac(MacPurpose::Cursor, two, &[b"ab", b"c"]),
            keyring.mac(MacPurpose::Idempotency, one, &[b"ab", b"c"]),
        ];
        for (at, tag) in tags.iter().enumerate() {
            assert!(!tags[..at].contains(tag), "{at}");
        }
    }

    #[test]
    fn a_mac_of_the_previous_root_still_matches_while_it_is_open() {
        let tenant = TenantId::from_bytes([1; 16]);
        let tag = keyring(SECRET, None).mac(MacPurpose::UserCode, tenant, &[b"BDWP"]);
        let matches = |keyring: Keyring, tag: &[u8]| {
            keyring.mac_matches(MacPurpose::UserCode, tenant, &[b"BDWP"], tag)
        };
        assert!(matches(keyring(SECRET, None), &tag));
        assert!(matches(keyring(OTHER, Some(SECRET)), &tag));
        assert!(!matches(keyring(OTHER, None), &tag));
        assert!(!matches(keyring(SECRET, None), &tag[..31]));
        assert!(!matches(keyring(SECRET, None), b""));
    }

    #[test]
    fn a_checkpoint_signature_names_its_root_and_its_message() {
        let (right, wrong) = (keyring(SECRET, None), keyring(OTHER, None));
        let signature = right.sign_checkpoint(b"head 7").unwrap();
        assert!(checkpoint_is_genuine(&right.checkpoint_public_key(), b"head 7", &signature));
        assert!(!checkpoint_is_genuine(&right.checkpoint_public_key(), b"head 8", &signature));
        assert!(!checkpoint_is_genuine(&wrong.checkpoint_public_key(), b"head 7", &signature));
        assert!(!checkpoint_is_genuine(b"", b"head 7", &signature));
    }

    #[test]
    fn a_root_prints_only_its_key_id() {
        let shown = format!("{:?}", keyring(SECRET, Some(OTHER)));
        assert!(shown.contains("redacted") && !shown.contains("0123456789"), "{shown}");
    }
}
