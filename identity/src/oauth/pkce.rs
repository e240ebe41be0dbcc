//! Proof Key for Code Exchange (RFC 7636), S256 only: `plain` protects against nothing.

use sha2::{Digest as _, Sha256};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The challenge of a verifier: base64url of its SHA-256, without padding (RFC 7636 §4.2).
pub fn challenge(verifier: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(verifier.as_bytes()).into();
    let mut text = String::with_capacity(43);
    for chunk in digest.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let word = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for place in 0..=chunk.len() {
            let six = (word >> (18_usize.saturating_sub(place.saturating_mul(6)))) & 63;
            let letter = ALPHABET.get(six as usize).copied().unwrap_or(b'A');
            text.push(char::from(letter));
        }
    }
    text
}

/// Whether a text has the form of a verifier: 43 to 128 unreserved characters (RFC 7636 §4.1).
pub fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
}

/// Whether a text has the form of an S256 challenge: 43 base64url characters.
pub fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_holds() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(is_verifier(verifier));
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_challenge(&challenge(verifier)));
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in [
            "",
            &"a".repeat(42),
            &"a".repeat(129),
            &"é".repeat(43),
            &format!("{} ", "a".repeat(43)),
        ] {
            assert!(!is_verifier(bad), "{bad}");
        }
        for bad in ["", &"a".repeat(42), &"a".repeat(44), &format!("{}=", "a".repeat(42))] {
            assert!(!is_challenge(bad), "{bad}");
        }
    }
}
