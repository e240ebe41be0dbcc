//! A proof of the RFC, of every algorithm, of another implementation, and every proof that must not
//! be taken.

use jsonwebtoken::{EncodingKey, Header as OtherHeader, encode, jwk::Jwk};
use serde_json::json;

use crate::runtime::{
    clock::Clock,
    random::Random,
    signer::{GeneratedKey, SigningKey, generate},
};

use super::{ProofRefused as No, *};

const NOW_S: u64 = 1_800_000_000;
const ADDRESS: &str = "https://id.example/t/acme/oauth/token";
const TOKEN: &str = "an.access.token";

fn key(algorithm: Algorithm) -> (GeneratedKey, SigningKey) {
    let random = Random::new(Clock::manual(0));
    let made = generate(algorithm, &random).unwrap();
    let key = SigningKey::parse(algorithm, made.kid.clone(), &made.der, random).unwrap();
    (made, key)
}

fn demand(access_token: Option<&str>) -> Demand<'_> {
    Demand { method: "POST", address: ADDRESS, access_token, now_ms: NOW_S * 1000 }
}

/// The public key as clients write it: without what a published key has.
fn jwk(key: &SigningKey) -> Value {
    let mut jwk = key.jwk();
    for name in ["kid", "alg", "use"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    jwk
}

fn header(key: &SigningKey) -> Value {
    json!({ "typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": jwk(key) })
}

fn claims() -> Value {
    json!({ "jti": "a jti", "htm": "POST", "htu": ADDRESS, "iat": NOW_S, "ath": hash(TOKEN) })
}

fn signed(key: &SigningKey, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key.sign_raw(message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn proof(key: &SigningKey) -> String {
    signed(key, &header(key).to_string(), &claims().to_string())
}

fn with(mut object: Value, name: &str, value: Value) -> String {
    object[name] = value;
    object.to_string()
}

fn without(mut object: Value, name: &str) -> String {
    object.as_object_mut().unwrap().remove(name);
    object.to_string()
}

#[test]
fn the_proof_of_the_rfc_verifies() {
    // RFC 9449 §4.2, figures 2 and 4.
    let proof = concat!(
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMz",
        "R0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFq",
        "SG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwia",
        "HRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjY",
        "yNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV3",
        "7xRZT3Lg",
    );
    let demand = Demand {
        method: "POST",
        address: "https://server.example.com/token",
        access_token: None,
        now_ms: 1_562_262_616_000,
    };
    let read = verify(proof, &demand).unwrap();
    assert_eq!(read.jti, "-BwC3ESc6acc2lTc");
    // RFC 9449 §6.1, figure 8.
    assert_eq!(read.thumbprint, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    assert_eq!(read.expires_at_ms, 1_562_262_676_000);
    // RFC 9449 §7.1, figure 12.
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    assert_eq!(hash(token), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
}

#[test]
fn a_proof_of_every_algorithm_is_good_for_its_request() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa] {
        let (_, key) = key(algorithm);
        let read = verify(&proof(&key), &demand(Some(TOKEN))).unwrap();
        assert_eq!(read.thumbprint, key.public().thumbprint(), "{algorithm:?}");
        assert_eq!((read.jti.as_str(), read.expires_at_ms), ("a jti", NOW_S * 1000 + LIFE_MS));
        assert!(ALGORITHMS.contains(&algorithm.name()));
    }
    let (_, key) = key(Algorithm::EdDsa);
    let newer = with(header(&key), "alg", json!("Ed25519"));
    assert!(verify(&signed(&key, &newer, &claims().to_string()), &demand(None)).is_ok());
}

#[test]
fn a_proof_of_another_implementation_verifies() {
    let (made, key) = key(Algorithm::Es256);
    let public: Jwk = serde_json::from_value(jwk(&key)).unwrap();
    let header = OtherHeader {
        typ: Some("dpop+jwt".into()),
        jwk: Some(public),
        ..OtherHeader::new(jsonwebtoken::Algorithm::ES256)
    };
    let proof = encode(&header, &claims(), &EncodingKey::from_ec_der(&made.der)).unwrap();
    assert_eq!(verify(&proof, &demand(Some(TOKEN))).unwrap().thumbprint, made.kid);
}

#[test]
fn every_broken_header_is_refused() {
    let (_, key) = key(Algorithm::Es256);
    let (_, other) = self::key(Algorithm::Es256);
    let (_, rsa) = self::key(Algorithm::Ps256);
    let base = header(&key);
    let inside = |name: &str, value: Value| {
        let mut jwk = jwk(&key);
        jwk[name] = value;
        with(header(&key), "jwk", jwk)
    };
    let mut table = vec![
        (without(base.clone(), "typ"), No::Type),
        (with(base.clone(), "typ", json!("JWT")), No::Type),
        (with(base.clone(), "typ", json!("at+jwt")), No::Type),
        (without(base.clone(), "alg"), No::Malformed),
        (without(base.clone(), "jwk"), No::Key),
        (with(base.clone(), "jwk", json!(null)), No::Key),
        (with(base.clone(), "jwk", json!(["EC"])), No::Malformed),
        (with(base.clone(), "jwk", json!({})), No::Algorithm),
        (with(base.clone(), "jwk", jwk(&other)), No::Signature),
        (with(base.clone(), "jwk", jwk(&rsa)), No::Algorithm),
        (with(base.clone(), "jwk", json!({ "kty": "oct", "k": "AAAA" })), No::Private),
        (with(base.clone(), "crit", json!(["exp"])), No::Extension),
        (with(base.clone(), "b64", json!(false)), No::Extension),
        (with(base.clone(), "zip", json!(null)), No::Extension),
        (inside("crv", json!("P-384")), No::Algorithm),
        (inside("x", json!("AAAA")), No::Key),
        (inside("x", json!(7)), No::Key),
        (inside("alg", json!("RS256")), No::Algorithm),
        (inside("use", json!("enc")), No::Key),
        (base.to_string().replace('{', "["), No::Malformed),
        ("[]".to_owned(), No::Malformed),
        ("{\"alg\":\"ES256\",\"alg\":\"none\"}".to_owned(), No::Malformed),
    ];
    for name in PRIVATE {
        table.push((inside(name, json!("AAAA")), No::Private));
        table.push((inside(name, json!(null)), No::Private));
    }
    for alg in ["none", "None", "", "HS256", "HS512", "ES384", "RS256", "PS256", "EdDSA", "es256"] {
        table.push((with(base.clone(), "alg", json!(alg)), No::Algorithm));
    }
    for (header, expected) in table {
        let proof = signed(&key, &header, &claims().to_string());
        assert_eq!(verify(&proof, &demand(Some(TOKEN))), Err(expected), "{header}");
    }
}

#[test]
fn a_key_has_one_spelling() {
    let (_, key) = key(Algorithm::Es256);
    let x = jwk(&key)["x"].as_str().unwrap().to_owned();
    // The last letter of 32 bytes has two bits that nobody needs.
    let last = x.chars().next_back().unwrap();
    let next = char::from(u8::try_from(last).unwrap() + 1);
    let twin = format!("{}{next}", &x[..x.len() - 1]);
    for spelled in [twin, format!("{x}="), format!("{x}AAAA"), format!(" {x}")] {
        let mut jwk = jwk(&key);
        jwk["x"] = json!(spelled);
        let header = with(header(&key), "jwk", jwk);
        let proof = signed(&key, &header, &claims().to_string());
        assert_eq!(verify(&proof, &demand(None)), Err(No::Key), "{spelled}");
    }
}

#[test]
fn every_broken_claim_is_refused_and_others_are_ignored() {
    let (_, key) = key(Algorithm::Es256);
    let base = claims();
    let table = [
        (without(base.clone(), "jti"), Some(No::Claims)),
        (with(base.clone(), "jti", json!("")), Some(No::Claims)),
        (with(base.clone(), "jti", json!("j".repeat(JTI_LEN_MAX))), None),
        (with(base.clone(), "jti", json!("j".repeat(JTI_LEN_MAX + 1))), Some(No::Claims)),
        (with(base.clone(), "jti", json!(7)), Some(No::Claims)),
        (without(base.clone(), "htm"), Some(No::Claims)),
        (with(base.clone(), "htm", json!("GET")), Some(No::Method)),
        (with(base.clone(), "htm", json!("post")), Some(No::Method)),
        (without(base.clone(), "htu"), Some(No::Claims)),
        (without(base.clone(), "iat"), Some(No::Claims)),
        (with(base.clone(), "iat", json!("now")), Some(No::Claims)),
        (with(base.clone(), "iat", json!(-1)), Some(No::Claims)),
        (with(base.clone(), "iat", json!(NOW_S - 59)), None),
        (with(base.clone(), "iat", json!(NOW_S - 60)), Some(No::Time)),
        (with(base.clone(), "iat", json!(NOW_S + 15)), None),
        (with(base.clone(), "iat", json!(NOW_S + 16)), Some(No::Time)),
        (with(base.clone(), "iat", json!(u64::MAX)), Some(No::Time)),
        (with(base.clone(), "iat", json!(NOW_S as f64 + 0.5)), None),
        (without(base.clone(), "ath"), Some(No::AccessToken)),
        (with(base.clone(), "ath", json!(hash("another"))), Some(No::AccessToken)),
        (with(base.clone(), "ath", json!("")), Some(No::AccessToken)),
        (with(base.clone(), "exp", json!(1)), None),
        (with(base.clone(), "nbf", json!(u64::MAX)), None),
        (with(base.clone(), "nonce", json!("of nobody")), None),
        ("[]".to_owned(), Some(No::Claims)),
        ("null".to_owned(), Some(No::Claims)),
        (String::new(), Some(No::Claims)),
    ];
    for (claims, expected) in table {
        let proof = signed(&key, &header(&key).to_string(), &claims);
        assert_eq!(verify(&proof, &demand(Some(TOKEN))).err(), expected, "{claims}");
    }
    // Where no access token is shown nobody looks for its hash.
    let bare = signed(&key, &header(&key).to_string(), &without(base, "ath"));
    assert!(verify(&bare, &demand(None)).is_ok());
}

#[test]
fn an_address_is_compared_as_a_whole_but_for_query_and_spelling() {
    for (htu, same) in [
        (ADDRESS, true),
        ("https://id.example/t/acme/oauth/token?x=1#y", true),
        ("HTTPS://ID.Example:443/t/acme/oauth/token", true),
        ("https://id.example/t/acme/oauth/../oauth/token", true),
        ("https://id.example/t/acme/oauth/token/", false),
        ("https://id.example/t/other/oauth/token", false),
        ("https://id.example/oauth/token", false),
        ("https://id.example:444/t/acme/oauth/token", false),
        ("http://id.example/t/acme/oauth/token", false),
        ("https://evil.example/t/acme/oauth/token", false),
        ("https://id.example@evil.example/t/acme/oauth/token", false),
        ("https://u:p@id.example/t/acme/oauth/token", false),
        ("https://id.example/T/acme/oauth/token", false),
        ("/t/acme/oauth/token", false),
        ("", false),
    ] {
        assert_eq!(same_address(htu, ADDRESS), same, "{htu}");
    }
}

#[test]
fn what_was_changed_cut_or_is_no_proof_is_refused() {
    let (_, key) = key(Algorithm::Es256);
    let proof = proof(&key);
    let demand = demand(Some(TOKEN));
    for (place, letter) in proof.char_indices() {
        for other in ['A', 'Q', '-', '.', '=', '\u{0}'] {
            let mut changed = proof.clone();
            changed.replace_range(place..=place, &other.to_string());
            assert_eq!(verify(&changed, &demand).is_ok(), other == letter, "{place} {other}");
        }
        assert!(verify(&proof[..place], &demand).is_err(), "cut at {place}");
        assert!(verify(&proof[place + 1..], &demand).is_err(), "cut before {place}");
    }
    let long = format!("{proof}{}", "A".repeat(PROOF_LEN_MAX));
    let two = format!("{proof}, {proof}");
    for other in ["", ".", "..", "...", "a.b.c", "é.é.é", "e30.e30.", &two, &long] {
        assert!(verify(other, &demand).is_err(), "{other:.20}");
    }
}
