//! Encryption at rest: fields of records, rotated refresh tokens, cookies. AES-256-GCM throughout.
//!
//! The associated data says what is sealed and where it belongs, so a ciphertext moved to another
//! tenant, table, record or field does not open. It knows no record types and keeps no state.
//! Invariant: what cannot be authenticated yields an error and no byte of plaintext.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::runtime::{
    keyring::{Keyring, Root},
    secret::Token,
};

use identity::{id::TenantId, secret::Sealed, table::Table};

/// The crypto library refused to encrypt; nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value could not be sealed")]
pub struct SealFailed;

/// Why a sealed value does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unseal {
    /// No open root has this id: the root secret was changed without its predecessor.
    #[error("sealed under root {0:08x}, which this node does not have")]
    UnknownRoot(u32),
    /// Altered, moved from another place, or sealed for somebody else.
    #[error("the sealed value is not genuine in this place")]
    NotGenuine,
}

/// Why a sealed cookie does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CookieRefused {
    /// Its time is over.
    #[error("the cookie has expired")]
    Expired,
    /// Malformed, altered, for another purpose or tenant, or of an unknown root.
    #[error("the cookie is not genuine")]
    NotGenuine,
}

/// The place that a sealed field belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The tenant of the record.
    pub tenant: TenantId,
    /// The table of the record.
    pub table: Table,
    /// The id of the record.
    pub record: [u8; 16],
    /// The name of the field, frozen once anything is sealed under it.
    pub name: &'a str,
}

impl Field<'_> {
    fn associated_data(&self) -> Vec<u8> {
        joined(&[b"field", &self.tenant.bytes(), &self.table.0, &self.record, self.name.as_bytes()])
    }
}

/// What a sealed cookie is for; one purpose never opens as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookiePurpose {
    /// A login in progress, before a first factor is presented.
    Login,
    /// The secret half of a form's CSRF token.
    Form,
    /// A browser that signed in to an account before.
    Device,
    /// The question whether to sign out.
    Logout,
}

impl CookiePurpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Login => b"login",
            Self::Form => b"form",
            Self::Device => b"device",
            Self::Logout => b"logout",
        }
    }
}

/// A cookie is the root's id, the expiry, this salt of the key, and the ciphertext.
const COOKIE_SALT_LEN: usize = 16;
/// Longest sealed state that is opened; a browser keeps cookies of 4 KiB, a form carries more.
const COOKIE_LEN_MAX: usize = 16_384;

impl Keyring {
    /// Seals one field of a record under the tenant's sealing key.
    pub fn seal(&self, field: &Field<'_>, plaintext: &[u8]) -> Result<Sealed, SealFailed> {
        let root = &self.roots.current;
        let key = aead_key(&tenant_key(root, field.tenant)).ok_or(SealFailed)?;
        self.seal_under(root, &key, &field.associated_data(), plaintext)
    }

    /// Opens what `seal` made for the same field, under the current or the previous root.
    pub fn unseal(&self, field: &Field<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Unseal> {
        let root = self.roots.by_key(sealed.key).ok_or(Unseal::UnknownRoot(sealed.key))?;
        let key = aead_key(&tenant_key(root, field.tenant)).ok_or(Unseal::NotGenuine)?;
        open_under(&key, &field.associated_data(), sealed)
    }

    /// Whether a value should be wrapped anew because the current root did not seal it.
    pub fn needs_rewrap(&self, sealed: &Sealed) -> bool {
        sealed.key != self.key()
    }

    /// Seals a field again under the current root; the plaintext stays the same.
    pub fn rewrap(&self, field: &Field<'_>, sealed: &Sealed) -> Result<Sealed, Unseal> {
        let plaintext = self.unseal(field, sealed)?;
        self.seal(field, &plaintext).map_err(|SealFailed| Unseal::NotGenuine)
    }

    /// Seals the successor of a refresh token so that only the bearer of the predecessor, on a node
    /// with the root secret, can open it: an old token plus a backup opens nothing.
    pub fn seal_successor(
        &self,
        tenant: TenantId,
        predecessor: &Token,
        successor: &Token,
    ) -> Result<Sealed, SealFailed> {
        let root = &self.roots.current;
        let key = successor_key(root, tenant, predecessor).ok_or(SealFailed)?;
        self.seal_under(root, &key, &successor_data(tenant), successor.expose().as_bytes())
    }

    /// Opens a sealed successor with the predecessor that was presented.
    pub fn unseal_successor(
        &self,
        tenant: TenantId,
        predecessor: &Token,
        sealed: &Sealed,
    ) -> Result<Token, Unseal> {
        let root = self.roots.by_key(sealed.key).ok_or(Unseal::UnknownRoot(sealed.key))?;
        let key = successor_key(root, tenant, predecessor).ok_or(Unseal::NotGenuine)?;
        let plaintext = open_under(&key, &successor_data(tenant), sealed)?;
        let text = std::str::from_utf8(&plaintext).map_err(|_| Unseal::NotGenuine)?;
        Ok(Token::new(text.to_owned()))
    }

    /// Seals state that a browser carries from page to page, until `expires_at_ms`; any node with
    /// the root secret can continue from it.
    pub fn seal_cookie(
        &self,
        purpose: CookiePurpose,
        tenant: TenantId,
        expires_at_ms: u64,
        plaintext: &[u8],
    ) -> Result<String, SealFailed> {
        let root = &self.roots.current;
        let salt = self.random.bytes::<COOKIE_SALT_LEN>();
        let key = cookie_key(root, purpose, tenant, &salt).ok_or(SealFailed)?;
        let expires_at = expires_at_ms.to_be_bytes();
        // The key serves this one cookie, so its nonce may be fixed.
        let ciphertext = seal(&key, [0; NONCE_LEN], &expires_at, plaintext).ok_or(SealFailed)?;
        let head = [&root.key().to_be_bytes()[..], &expires_at, &salt].concat();
        Ok(URL_SAFE_NO_PAD.encode([head, ciphertext].concat()))
    }

    /// Opens a cookie of the same purpose and tenant, if it has not expired at `now_ms`.
    pub fn open_cookie(
        &self,
        purpose: CookiePurpose,
        tenant: TenantId,
        now_ms: u64,
        cookie: &str,
    ) -> Result<Zeroizing<Vec<u8>>, CookieRefused> {
        let (expires_at_ms, plaintext) =
            self.authenticate_cookie(purpose, tenant, cookie).ok_or(CookieRefused::NotGenuine)?;
        if now_ms >= expires_at_ms {
            return Err(CookieRefused::Expired);
        }
        Ok(plaintext)
    }

    fn authenticate_cookie(
        &self,
        purpose: CookiePurpose,
        tenant: TenantId,
        cookie: &str,
    ) -> Option<(u64, Zeroizing<Vec<u8>>)> {
        if cookie.len() > COOKIE_LEN_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cookie).ok()?;
        let (key_id, rest) = bytes.split_first_chunk::<4>()?;
        let (expires_at, rest) = rest.split_first_chunk::<8>()?;
        let (salt, ciphertext) = rest.split_first_chunk::<COOKIE_SALT_LEN>()?;
        let root = self.roots.by_key(u32::from_be_bytes(*key_id))?;
        let key = cookie_key(root, purpose, tenant, salt)?;
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let plaintext = open(&key, nonce, expires_at, ciphertext)?;
        Some((u64::from_be_bytes(*expires_at), plaintext))
    }

    fn seal_under(
        &self,
        root: &Root,
        key: &LessSafeKey,
        associated_data: &[u8],
        plaintext: &[u8],
    ) -> Result<Sealed, SealFailed> {
        let nonce = self.random.bytes::<NONCE_LEN>();
        let bytes = seal(key, nonce, associated_data, plaintext).ok_or(SealFailed)?;
        Ok(Sealed { key: root.key(), nonce, bytes })
    }
}

/// Encrypts a copy in place; the buffer has room for the tag, so no plaintext is left behind.
fn seal(
    key: &LessSafeKey,
    nonce: [u8; NONCE_LEN],
    associated_data: &[u8],
    plaintext: &[u8],
) -> Option<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(plaintext.len() + AES_256_GCM.tag_len()));
    bytes.extend_from_slice(plaintext);
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(nonce, Aad::from(associated_data), &mut *bytes).ok()?;
    Some(std::mem::take(&mut *bytes))
}

fn open_under(
    key: &LessSafeKey,
    associated_data: &[u8],
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, Unseal> {
    let nonce = Nonce::assume_unique_for_key(sealed.nonce);
    open(key, nonce, associated_data, &sealed.bytes).ok_or(Unseal::NotGenuine)
}

fn open(
    key: &LessSafeKey,
    nonce: Nonce,
    associated_data: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(ciphertext.to_vec());
    let len = key.open_in_place(nonce, Aad::from(associated_data), &mut bytes).ok()?.len();
    bytes.truncate(len);
    Some(bytes)
}

fn tenant_key(root: &Root, tenant: TenantId) -> Zeroizing<[u8; 32]> {
    root.derive(&[b"tenant sealing", &tenant.bytes()])
}

/// HKDF over the predecessor and the tenant's sealing key, so that neither alone is enough.
fn successor_key(root: &Root, tenant: TenantId, predecessor: &Token) -> Option<LessSafeKey> {
    let tenant_key = tenant_key(root, tenant);
    aead_key(&root.derive(&[
        b"refresh successor",
        &tenant.bytes(),
        tenant_key.as_slice(),
        predecessor.expose().as_bytes(),
    ]))
}

fn successor_data(tenant: TenantId) -> Vec<u8> {
    joined(&[b"refresh successor", &tenant.bytes()])
}

/// A key of its own for every cookie: far more are made than random nonces under one key allow.
fn cookie_key(
    root: &Root,
    purpose: CookiePurpose,
    tenant: TenantId,
    salt: &[u8; COOKIE_SALT_LEN],
) -> Option<LessSafeKey> {
    aead_key(&root.derive(&[b"cookie", purpose.label(), &tenant.bytes(), salt]))
}

fn aead_key(bytes: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, bytes).ok().map(LessSafeKey::new)
}

/// Length-prefixed parts, so that no two lists of parts give the same bytes.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    for part in parts {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests;
