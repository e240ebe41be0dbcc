//! What is accepted, and everything that must not be: by the vectors of the RFCs, against another
//! implementation, and by table of forgeries.

use jsonwebtoken::{EncodingKey, Header as OtherHeader, encode, jwk::Jwk};
use serde_json::{Value, json};

use crate::runtime::{
    clock::Clock,
    random::Random,
    signer::{GeneratedKey, SigningKey, TokenType, generate},
};

use identity::keys::Algorithm;

use super::*;

const NOW_S: u64 = 1_800_000_000;
const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "https://id.example/api";
const ALL: [Algorithm; 4] =
    [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa];

fn key(algorithm: Algorithm) -> (GeneratedKey, SigningKey) {
    let random = Random::new(Clock::manual(0));
    let made = generate(algorithm, &random).unwrap();
    let key = SigningKey::parse(algorithm, made.kid.clone(), &made.der, random).unwrap();
    (made, key)
}

fn set(keys: &[&SigningKey]) -> KeySet {
    let mut set = KeySet::new();
    for key in keys {
        let verifying = VerifyingKey::parse(key.algorithm(), key.public()).unwrap();
        set.insert(key.kid().to_owned(), verifying);
    }
    set
}

fn expected() -> Expected<'static> {
    Expected {
        kind: ExpectedType::Exactly("at+jwt"),
        issuer: ISSUER,
        audience: Some(AUDIENCE),
        now_s: NOW_S,
        leeway_s: 0,
    }
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": NOW_S + 300, "iat": NOW_S, "sub": "alice" })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// A token with any header and payload, signed correctly.
fn forge(key: &SigningKey, header: &str, payload: &str) -> String {
    // The signer writes its own header, so the forged one is signed by way of the raw pair.
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key.sign_raw(message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn every_algorithm_of_ours_verifies_and_gives_the_claims() {
    for algorithm in ALL {
        let (_, key) = key(algorithm);
        let token = key.sign(&claims(), TokenType::AccessToken).unwrap();
        let read: Value = set(&[&key]).verify(&token, &expected()).unwrap();
        assert_eq!(read, claims());
    }
}

#[test]
fn tokens_of_another_implementation_verify() {
    let (made, key) = key(Algorithm::Es256);
    let header = OtherHeader {
        typ: Some("at+jwt".into()),
        kid: Some(made.kid.clone()),
        ..OtherHeader::new(jsonwebtoken::Algorithm::ES256)
    };
    let token = encode(&header, &claims(), &EncodingKey::from_ec_der(&made.der)).unwrap();
    assert!(set(&[&key]).verify::<Value>(&token, &expected()).is_ok());
}

#[test]
fn the_signatures_of_the_rfcs_verify() {
    // RFC 7515 appendix A.3.
    let jwk: Jwk = serde_json::from_value(json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }))
    .unwrap();
    let es256 = VerifyingKey::from_jwk(Algorithm::Es256, &jwk).unwrap();
    let message = concat!(
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9",
        "leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
    )
    .as_bytes();
    let signature =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(es256.verify(message, &signature));
    assert!(!es256.verify(&message[1..], &signature));
    // RFC 8037 appendix A.4.
    let jwk: Jwk = serde_json::from_value(json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }))
    .unwrap();
    let ed25519 = VerifyingKey::from_jwk(Algorithm::EdDsa, &jwk).unwrap();
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(ed25519.verify(message, &URL_SAFE_NO_PAD.decode(signature).unwrap()));
}

#[test]
fn no_other_algorithm_passes_for_that_of_the_key() {
    let (_, es256) = key(Algorithm::Es256);
    let (made, rs256) = key(Algorithm::Rs256);
    let keys = set(&[&es256, &rs256]);
    let payload = claims().to_string();
    for key in [&es256, &rs256] {
        for alg in
            ["none", "None", "NONE", "HS256", "HS512", "PS256", "ES384", "EdDSA", "", "es256"]
        {
            let header = json!({ "alg": alg, "kid": key.kid(), "typ": "at+jwt" }).to_string();
            let token = forge(key, &header, &payload);
            let refused = keys.verify::<Value>(&token, &expected()).unwrap_err();
            assert_eq!(refused, Refused::Algorithm, "{alg}");
        }
    }
    // The classic: the public key as an HMAC secret.
    let header = OtherHeader {
        typ: Some("at+jwt".into()),
        kid: Some(made.kid.clone()),
        ..OtherHeader::new(jsonwebtoken::Algorithm::HS256)
    };
    let secret = EncodingKey::from_secret(made.jwk["n"].as_str().unwrap().as_bytes());
    let token = encode(&header, &claims(), &secret).unwrap();
    assert_eq!(keys.verify::<Value>(&token, &expected()).unwrap_err(), Refused::Algorithm);
    // A token without a signature.
    let header = json!({ "alg": "ES256", "kid": es256.kid(), "typ": "at+jwt" }).to_string();
    let token = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    assert_eq!(keys.verify::<Value>(&token, &expected()).unwrap_err(), Refused::Signature);
}

#[test]
fn a_header_can_neither_bring_a_key_nor_ask_for_an_extension() {
    let (_, ours) = key(Algorithm::Es256);
    let (_, theirs) = key(Algorithm::Es256);
    let keys = set(&[&ours]);
    let base = json!({ "alg": "ES256", "kid": ours.kid(), "typ": "at+jwt" });
    for (name, value, signer, refused) in [
        ("jwk", theirs.jwk(), &theirs, Some(Refused::Signature)),
        ("jku", json!("https://evil.example/jwks"), &theirs, Some(Refused::Signature)),
        ("x5u", json!("https://evil.example/cert"), &theirs, Some(Refused::Signature)),
        ("x5c", json!(["AAAA"]), &theirs, Some(Refused::Signature)),
        ("jwk", theirs.jwk(), &ours, None),
        ("x5c", json!(["AAAA"]), &ours, None),
        ("crit", json!(["exp"]), &ours, Some(Refused::Extension)),
        ("crit", json!([]), &ours, Some(Refused::Extension)),
        ("crit", json!(null), &ours, Some(Refused::Extension)),
        ("b64", json!(false), &ours, Some(Refused::Extension)),
        ("b64", json!(true), &ours, Some(Refused::Extension)),
        ("zip", json!("DEF"), &ours, Some(Refused::Extension)),
        ("kid", json!("../../etc/passwd"), &ours, Some(Refused::UnknownKey)),
        ("kid", json!("' or 1=1"), &ours, Some(Refused::UnknownKey)),
        ("kid", json!("k".repeat(129)), &ours, Some(Refused::UnknownKey)),
        ("kid", json!(""), &ours, Some(Refused::UnknownKey)),
        ("kid", json!(7), &ours, Some(Refused::Malformed)),
        ("kid", Value::Null, &ours, Some(Refused::UnknownKey)),
    ] {
        let mut header = base.clone();
        header[name] = value.clone();
        let token = forge(signer, &header.to_string(), &claims().to_string());
        assert_eq!(keys.verify::<Value>(&token, &expected()).err(), refused, "{name}: {value}");
    }
}

#[test]
fn a_kid_of_128_bytes_is_an_ordinary_name_and_a_longer_one_is_none() {
    let (_, ours) = key(Algorithm::Es256);
    for (len, accepted) in [(KID_LEN_MAX, true), (KID_LEN_MAX + 1, false)] {
        let kid = "k".repeat(len);
        let mut keys = KeySet::new();
        keys.insert(kid.clone(), VerifyingKey::parse(Algorithm::Es256, ours.public()).unwrap());
        let header = json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" }).to_string();
        let token = forge(&ours, &header, &claims().to_string());
        assert_eq!(keys.verify::<Value>(&token, &expected()).is_ok(), accepted, "{len}");
    }
}

#[test]
fn only_the_expected_kind_of_token_is_accepted() {
    let (_, key) = key(Algorithm::Es256);
    let keys = set(&[&key]);
    for (found, exactly, untyped) in [
        (Some("at+jwt"), true, false),
        (Some("AT+JWT"), true, false),
        (Some("application/at+jwt"), true, false),
        (Some("JWT"), false, true),
        (Some("logout+jwt"), false, false),
        (Some("at+jwt "), false, false),
        (Some("application/"), false, false),
        (Some(""), false, false),
        (None, false, true),
    ] {
        let mut header = json!({ "alg": "ES256", "kid": key.kid() });
        if let Some(found) = found {
            header["typ"] = json!(found);
        }
        let token = forge(&key, &header.to_string(), &claims().to_string());
        for (kind, accepted) in
            [(ExpectedType::Exactly("at+jwt"), exactly), (ExpectedType::Untyped, untyped)]
        {
            let rules = Expected { kind, ..expected() };
            let read = keys.verify::<Value>(&token, &rules);
            assert_eq!(read.is_ok(), accepted, "{found:?} as {kind:?}");
            assert!(accepted || read.unwrap_err() == Refused::Type);
        }
    }
}

#[test]
fn anything_but_three_strict_segments_is_malformed() {
    let (_, key) = key(Algorithm::Es256);
    let keys = set(&[&key]);
    let token = key.sign(&claims(), TokenType::AccessToken).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    // The last character of 64 bytes carries four bits that must be zero.
    let loose = format!("{}{}", &signature[..85], if signature.ends_with('A') { 'B' } else { 'Z' });
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        header.into(),
        format!("{header}.{payload}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}.{payload}.{signature}=="),
        format!("{header}.{payload}.{loose}"),
        format!("{header}=.{payload}.{signature}"),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header}.{payload}.{}", signature.replace(['-', '_'], "+")) + "+",
        format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode("[\"ES256\"]")),
        format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode("{")),
        format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode("null")),
        format!("{header}.{}.{signature}", "A".repeat(TOKEN_LEN_MAX)),
    ] {
        let refused = keys.verify::<Value>(&bad, &expected()).unwrap_err();
        assert_eq!(refused, Refused::Malformed, "{bad}");
    }
    let twice = format!(r#"{{"alg":"ES256","alg":"none","kid":"{}","typ":"at+jwt"}}"#, key.kid());
    let token = forge(&key, &twice, &claims().to_string());
    assert_eq!(keys.verify::<Value>(&token, &expected()).unwrap_err(), Refused::Malformed);
}

#[test]
fn every_altered_character_is_noticed() {
    let (_, key) = key(Algorithm::EdDsa);
    let keys = set(&[&key]);
    let token = key.sign(&claims(), TokenType::AccessToken).unwrap();
    for at in 0..token.len() {
        let mut altered = token.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert!(keys.verify::<Value>(&altered, &expected()).is_err(), "character {at}");
    }
}

#[test]
fn times_issuer_and_audience_decide_by_table() {
    let (_, key) = key(Algorithm::EdDsa);
    let keys = set(&[&key]);
    for (claims, leeway_s, refused) in [
        (with("exp", json!(NOW_S + 1)), 0, None),
        (with("exp", json!(NOW_S)), 0, Some(Refused::Expired)),
        (with("exp", json!(NOW_S - 59)), 60, None),
        (with("exp", json!(NOW_S - 60)), 60, Some(Refused::Expired)),
        (with("exp", json!(NOW_S - 60)), 3_600, Some(Refused::Expired)),
        (with("exp", json!(u64::MAX)), 60, None),
        (with("exp", json!(NOW_S as f64 + 1.5)), 0, None),
        (with("exp", json!(-1)), 0, Some(Refused::Claims)),
        (with("exp", json!("1800000300")), 0, Some(Refused::Claims)),
        (with("exp", Value::Null), 0, Some(Refused::Claims)),
        (with("nbf", json!(NOW_S + 1)), 0, Some(Refused::NotYetValid)),
        (with("nbf", json!(NOW_S + 60)), 60, None),
        (with("nbf", json!(NOW_S + 61)), 3_600, Some(Refused::NotYetValid)),
        (with("nbf", json!("soon")), 0, Some(Refused::Claims)),
        (with("iat", json!(NOW_S + 1)), 0, Some(Refused::NotYetValid)),
        (with("iat", json!(0)), 0, None),
        (with("iss", json!("https://id.example/")), 0, Some(Refused::Issuer)),
        (with("iss", json!("https://id.example/t/other")), 0, Some(Refused::Issuer)),
        (with("iss", json!([ISSUER])), 0, Some(Refused::Claims)),
        (with("iss", Value::Null), 0, Some(Refused::Claims)),
        (with("aud", json!([AUDIENCE])), 0, None),
        (with("aud", json!(["x", AUDIENCE])), 0, None),
        (with("aud", json!(["x"])), 0, Some(Refused::Audience)),
        (with("aud", json!([])), 0, Some(Refused::Audience)),
        (with("aud", json!("https://id.example/api/")), 0, Some(Refused::Audience)),
        (with("aud", json!(7)), 0, Some(Refused::Claims)),
        (with("aud", Value::Null), 0, Some(Refused::Claims)),
        (json!(["https://id.example"]), 0, Some(Refused::Claims)),
        (json!("text"), 0, Some(Refused::Claims)),
    ] {
        let token = key.sign(&claims, TokenType::AccessToken).unwrap();
        let rules = Expected { leeway_s, ..expected() };
        assert_eq!(keys.verify::<Value>(&token, &rules).err(), refused, "{claims} ± {leeway_s}");
    }
}

#[test]
fn without_an_expected_audience_any_is_accepted_but_one_must_be_there() {
    let (_, key) = key(Algorithm::EdDsa);
    let rules = Expected { audience: None, ..expected() };
    for (aud, accepted) in [(json!("anything"), true), (Value::Null, false)] {
        let token = key.sign(&with("aud", aud), TokenType::AccessToken).unwrap();
        assert_eq!(set(&[&key]).verify::<Value>(&token, &rules).is_ok(), accepted);
    }
}

#[test]
fn escaped_issuers_and_audiences_compare_by_meaning() {
    let (_, key) = key(Algorithm::EdDsa);
    let header = json!({ "alg": "EdDSA", "kid": key.kid(), "typ": "at+jwt" }).to_string();
    let payload = claims().to_string().replace("https://", "https:\\/\\/");
    let token = forge(&key, &header, &payload);
    assert!(set(&[&key]).verify::<Value>(&token, &expected()).is_ok());
}

#[test]
fn unsafe_public_keys_are_refused() {
    let (rsa, _) = key(Algorithm::Rs256);
    let (ec, _) = key(Algorithm::Es256);
    let n = rsa.jwk["n"].as_str().unwrap();
    let small = URL_SAFE_NO_PAD.encode([0xC1; 128]);
    let large = URL_SAFE_NO_PAD.encode([0xC1; 1_025]);
    let even = URL_SAFE_NO_PAD.encode([0xC2; 256]);
    let padded = URL_SAFE_NO_PAD.encode([&[0][..], &URL_SAFE_NO_PAD.decode(n).unwrap()].concat());
    let rsa_key = |n: &str, e: &str| json!({ "kty": "RSA", "n": n, "e": e });
    let x = ec.jwk["x"].as_str().unwrap();
    let ec_key = |x: &str, y: &str| json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    for (algorithm, jwk, refused) in [
        (Algorithm::Rs256, rsa_key(n, "AQAB"), None),
        (Algorithm::Ps256, rsa_key(n, "AQAB"), None),
        (Algorithm::Rs256, rsa_key(n, "Aw"), None),
        (Algorithm::Rs256, rsa_key(n, "AQ"), Some(PublicKeyRefused::Parameters)),
        (Algorithm::Rs256, rsa_key(n, "Ag"), Some(PublicKeyRefused::Parameters)),
        (Algorithm::Rs256, rsa_key(n, ""), Some(PublicKeyRefused::Parameters)),
        (Algorithm::Rs256, rsa_key(n, "AQAAAAE"), Some(PublicKeyRefused::Parameters)),
        (Algorithm::Rs256, rsa_key(&small, "AQAB"), Some(PublicKeyRefused::Parameters)),
        (Algorithm::Rs256, rsa_key(&large, "AQAB"), Some(PublicKeyRefused::Parameters)),
        (Algorithm::Rs256, rsa_key(&even, "AQAB"), Some(PublicKeyRefused::Parameters)),
        (Algorithm::Rs256, rsa_key(&padded, "AQAB"), Some(PublicKeyRefused::Parameters)),
        (Algorithm::Rs256, rsa_key(&format!("{n}="), "AQAB"), Some(PublicKeyRefused::Parameters)),
        (Algorithm::Es256, ec.jwk.clone(), None),
        (Algorithm::Es256, ec_key(x, x), Some(PublicKeyRefused::Parameters)),
        (Algorithm::Es256, ec_key(x, "AA"), Some(PublicKeyRefused::Parameters)),
        (Algorithm::Rs256, ec.jwk.clone(), Some(PublicKeyRefused::Algorithm)),
        (Algorithm::Ps256, rsa.jwk.clone(), Some(PublicKeyRefused::Algorithm)),
        (Algorithm::EdDsa, ec_key(x, x), Some(PublicKeyRefused::Algorithm)),
        (Algorithm::Es256, json!({ "kty": "oct", "k": "AAAA" }), Some(PublicKeyRefused::Algorithm)),
    ] {
        let parsed: Jwk = serde_json::from_value(jwk.clone()).unwrap();
        let read = VerifyingKey::from_jwk(algorithm, &parsed);
        assert_eq!(read.err(), refused, "{} {jwk}", algorithm.name());
    }
    let mut for_encryption = ec.jwk.clone();
    for_encryption["use"] = json!("enc");
    let parsed: Jwk = serde_json::from_value(for_encryption).unwrap();
    let read = VerifyingKey::from_jwk(Algorithm::Es256, &parsed);
    assert_eq!(read.err(), Some(PublicKeyRefused::Use));
}
