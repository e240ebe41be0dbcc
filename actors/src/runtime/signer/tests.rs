//! What our keys sign, another implementation accepts; and every key is published as it should be.

use jsonwebtoken::{DecodingKey, Validation, decode, decode_header, jwk::Jwk};
use serde_json::json;

use crate::runtime::clock::Clock;

use super::*;

const ALL: [Algorithm; 4] =
    [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa];

fn random() -> Random {
    Random::new(Clock::manual(0))
}

fn parsed(generated: &GeneratedKey) -> SigningKey {
    SigningKey::parse(generated.algorithm, generated.kid.clone(), &generated.der, random()).unwrap()
}

#[test]
fn another_implementation_accepts_every_algorithm_by_the_published_key() {
    let claims = json!({ "sub": "alice", "exp": 4_000_000_000_u64, "text": "ä\"\\\u{7}" });
    for algorithm in ALL {
        let key = parsed(&generate(algorithm, &random()).unwrap());
        let jwk: Jwk = serde_json::from_value(key.jwk()).unwrap();
        for kind in [TokenType::AccessToken, TokenType::IdToken, TokenType::LogoutToken] {
            let token = key.sign(&claims, kind).unwrap();
            let header = decode_header(&token).unwrap();
            assert_eq!(header.typ.as_deref(), Some(kind.name()));
            assert_eq!(header.kid.as_deref(), Some(key.kid()));
            let mut rules = Validation::new(header.alg);
            rules.validate_aud = false;
            assert_eq!(format!("{:?}", header.alg).to_uppercase(), algorithm.name().to_uppercase());
            let decoding = DecodingKey::from_jwk(&jwk).unwrap();
            let read = decode::<Value>(&token, &decoding, &rules).unwrap();
            assert_eq!(read.claims, claims);
        }
    }
}

#[test]
fn a_kid_is_the_thumbprint_that_another_implementation_computes() {
    for algorithm in ALL {
        let generated = generate(algorithm, &random()).unwrap();
        let jwk: Jwk = serde_json::from_value(generated.jwk.clone()).unwrap();
        let thumbprint = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
        assert_eq!(generated.kid, thumbprint);
        assert_eq!(parsed(&generated).jwk(), generated.jwk);
    }
}

#[test]
fn a_published_key_has_no_private_member() {
    for algorithm in ALL {
        let jwk = generate(algorithm, &random()).unwrap().jwk;
        let members: Vec<&String> = jwk.as_object().unwrap().keys().collect();
        for member in members {
            assert!(
                ["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"].contains(&member.as_str()),
                "{member}"
            );
        }
    }
}

#[test]
fn a_key_of_another_algorithm_or_a_damaged_one_is_refused() {
    let keys = [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa]
        .map(|algorithm| generate(algorithm, &random()).unwrap());
    for key in &keys {
        for algorithm in ALL {
            let fits = key.algorithm == algorithm
                || (key.algorithm == Algorithm::Rs256 && algorithm == Algorithm::Ps256);
            let read = SigningKey::parse(algorithm, "k".into(), &key.der, random());
            assert_eq!(read.is_ok(), fits, "{} as {}", key.algorithm.name(), algorithm.name());
        }
        let cut = &key.der[..key.der.len() / 2];
        assert!(SigningKey::parse(key.algorithm, "k".into(), cut, random()).is_err());
    }
}

#[test]
fn a_kid_with_quotes_cannot_add_to_the_header() {
    let generated = generate(Algorithm::Es256, &random()).unwrap();
    let kid = r#"a","alg":"none"#.to_owned();
    let key = SigningKey::parse(Algorithm::Es256, kid.clone(), &generated.der, random()).unwrap();
    let header = decode_header(key.sign(&json!({}), TokenType::IdToken).unwrap()).unwrap();
    assert_eq!(header.kid, Some(kid));
    assert_eq!(header.alg, jsonwebtoken::Algorithm::ES256);
}

#[test]
fn keys_print_without_their_private_part() {
    let generated = generate(Algorithm::Es256, &random()).unwrap();
    let key = parsed(&generated);
    assert_eq!(format!("{key:?}"), format!("SigningKey(ES256, {}, redacted)", key.kid()));
    assert!(format!("{generated:?}").ends_with("redacted)"));
}

#[tokio::test]
async fn the_pool_hands_out_different_keys_for_both_paddings() {
    let pool = RsaPool::start(1, random()).unwrap();
    let first = pool.take(Padding::Pkcs1).await.unwrap();
    let second = pool.take(Padding::Pss).await.unwrap();
    assert_ne!(first.kid, second.kid);
    assert_eq!((first.algorithm, second.algorithm), (Algorithm::Rs256, Algorithm::Ps256));
    assert_eq!(second.jwk["alg"], "PS256");
    assert!(parsed(&second).sign(&json!({}), TokenType::IdToken).is_ok());
}
