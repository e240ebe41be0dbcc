//! A client with a key, and the proofs that it makes (RFC 9449 §4.2) with another implementation of
//! JWS than the server's.

use actors::runtime::signer;
use identity::keys::Algorithm;
use jsonwebtoken::{EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};

use super::{Answer, TestNode, Visitor};

/// A client's key.
pub(crate) struct Prover {
    key: EncodingKey,
    jwk: Jwk,
    /// Its thumbprint.
    pub(crate) thumbprint: String,
}

impl Prover {
    pub(crate) fn new(node: &TestNode) -> Self {
        let made = signer::generate(Algorithm::Es256, node.context.random()).unwrap();
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": made.jwk["x"], "y": made.jwk["y"] });
        Self {
            key: EncodingKey::from_ec_der(&made.der),
            jwk: serde_json::from_value(jwk).unwrap(),
            thumbprint: made.kid,
        }
    }

    /// Claims of a new proof for a request.
    pub(crate) fn claims(&self, node: &TestNode, method: &str, url: &str) -> Value {
        let jti = node.context.random().request_id().to_string();
        json!({ "jti": jti, "htm": method, "htu": url, "iat": node.context.now_ms() / 1000 })
    }

    /// A proof of these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header {
            typ: Some("dpop+jwt".into()),
            jwk: Some(self.jwk.clone()),
            ..Header::new(jsonwebtoken::Algorithm::ES256)
        };
        encode(&header, claims, &self.key).unwrap()
    }

    /// A new proof for the token endpoint of the demo tenant.
    pub(crate) fn for_token(&self, node: &TestNode) -> String {
        self.sign(&self.claims(node, "POST", &node.demo_at("/oauth/token")))
    }

    /// A new proof for a request with an access token.
    pub(crate) fn beside(&self, node: &TestNode, method: &str, url: &str, token: &str) -> String {
        let mut claims = self.claims(node, method, url);
        claims["ath"] = json!(actors::runtime::verifier::dpop::hash(token));
        self.sign(&claims)
    }
}

/// Asks userinfo of the demo tenant in a scheme, with as many proofs as are given.
pub(crate) async fn userinfo(
    node: &TestNode,
    scheme: &str,
    token: &str,
    proofs: &[&str],
) -> Answer {
    let authorization = format!("{scheme} {token}");
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(proofs.iter().map(|proof| ("dpop", *proof)));
    let url = node.demo_at("/oauth/userinfo");
    Visitor::new().send(reqwest::Method::GET, &url, &headers, None).await
}
