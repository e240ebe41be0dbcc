//! The only source of randomness of the process: ids, tokens, salts, nonces.
//!
//! Key generation inside the crypto library draws from the same generator. Nothing here can fail
//! softly: a process without entropy must not go on, so it aborts.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::runtime::{
    clock::Clock,
    secret::{ClientSecret, Token, TokenKind},
};

use identity::id::RequestId;

/// Draws random values; ids also carry the wall clock. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Random {
    system: SystemRandom,
    clock: Clock,
}

impl Random {
    /// A source whose ids are dated by `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { system: SystemRandom::new(), clock }
    }

    /// Fills a buffer; aborts the process if the operating system has no entropy to give.
    pub fn fill(&self, buffer: &mut [u8]) {
        if self.system.fill(buffer).is_err() {
            tracing::error!("no entropy from the operating system; stopping at once");
            std::process::abort();
        }
    }

    /// An array of random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A new id, as in `random.id(UserId::from_bytes)`: a version 7 UUID (RFC 9562 §5.7), so ids of
    /// one node are roughly in order of their making.
    pub fn id<T>(&self, make: impl FnOnce([u8; 16]) -> T) -> T {
        make(version_7(self.clock.wall_ms(), self.bytes()))
    }

    /// The id of one draft.
    pub fn request_id(&self) -> RequestId {
        self.id(RequestId::from_bytes)
    }

    /// A salt for a hash or for an erasable personal value.
    pub fn salt(&self) -> [u8; 16] {
        self.bytes()
    }

    /// An opaque token: the kind's prefix and 256 random bits as base64url.
    pub fn token(&self, kind: TokenKind) -> Token {
        let secret = Zeroizing::new(self.bytes::<32>());
        let mut text = String::with_capacity(kind.prefix().len() + 43);
        text.push_str(kind.prefix());
        URL_SAFE_NO_PAD.encode_string(secret.as_slice(), &mut text);
        Token::new(text)
    }

    /// A new client secret of 256 random bits.
    pub fn client_secret(&self) -> ClientSecret {
        self.token(TokenKind::ClientSecret).into()
    }

    /// The generator itself, for signatures that ask for one.
    pub(crate) const fn system(&self) -> &SystemRandom {
        &self.system
    }
}

/// 48 bits of milliseconds, the version, 12 random bits, the variant, 62 random bits.
fn version_7(wall_ms: u64, random: [u8; 10]) -> [u8; 16] {
    let [_, _, m0, m1, m2, m3, m4, m5] = wall_ms.to_be_bytes();
    let [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9] = random;
    let (version, variant) = ((r0 & 0x0f) | 0x70, (r2 & 0x3f) | 0x80);
    [m0, m1, m2, m3, m4, m5, version, r1, variant, r3, r4, r5, r6, r7, r8, r9]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use identity::id::UserId;

    use super::*;

    #[test]
    fn an_id_is_a_version_7_uuid_of_its_millisecond() {
        // The example of RFC 9562 appendix A.6.
        let random = [0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
        let id = UserId::from_bytes(version_7(0x017F_22E2_79B0, random));
        assert_eq!(id.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    }

    #[test]
    fn ids_of_later_milliseconds_sort_later() {
        let clock = Clock::manual(1_000);
        let random = Random::new(clock.clone());
        let first = random.id(UserId::from_bytes);
        clock.advance_ms(1);
        assert!(first < random.id(UserId::from_bytes));
    }

    #[test]
    fn tokens_carry_their_prefix_and_never_repeat() {
        let random = Random::new(Clock::manual(0));
        let tokens: BTreeSet<String> =
            (0..1_000).map(|_| random.token(TokenKind::RefreshToken).expose().to_owned()).collect();
        assert_eq!(tokens.len(), 1_000);
        for token in &tokens {
            assert!(token.starts_with("vlt_rt_") && token.len() == 7 + 43, "{token}");
        }
        assert!(random.client_secret().expose().starts_with("vlt_cs_"));
    }
}
