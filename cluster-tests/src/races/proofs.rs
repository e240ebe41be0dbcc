//! One proof of a key, sent many times at the same moment.

use actors::runtime::signer;
use identity::{keys::Algorithm, oauth::error::Code};
use jsonwebtoken::{EncodingKey, Header, encode, jwk::Jwk};
use serde_json::json;

use super::{Race, tokens::all_refused};
use crate::{Failure, during};

impl Race {
    /// A refresh token inside its grace would be good for all; its proof is good for one.
    pub(super) async fn one_proof(&self, fold: usize) -> Result<(), Failure> {
        let token = self.family(&self.begun("openid").await?).await?;
        let proof = self.proof()?;
        let ask = |race: Self| {
            let (token, proof) = (token.clone(), proof.clone());
            async move {
                let grant = ("grant_type", "refresh_token");
                race.ask_with(Some(&proof), &[grant, ("refresh_token", &token)]).await
            }
        };
        let answers = self.all_at_once(fold, ask).await?;
        let won = answers.iter().flatten().count();
        if won != 1 {
            return Err(format!("one proof was taken {won} times"));
        }
        all_refused(&answers, fold - 1, Code::InvalidDpopProof)
    }

    /// A proof of a new key for the token endpoint.
    fn proof(&self) -> Result<String, Failure> {
        let made = signer::generate(Algorithm::Es256, self.ctx.random()).map_err(during("make"))?;
        let (x, y) = (made.jwk.get("x"), made.jwk.get("y"));
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        let jwk: Jwk = serde_json::from_value(jwk).map_err(during("read a key"))?;
        let header = Header {
            typ: Some("dpop+jwt".into()),
            jwk: Some(jwk),
            ..Header::new(jsonwebtoken::Algorithm::ES256)
        };
        let claims = json!({
            "jti": self.ctx.random().request_id().to_string(),
            "htm": "POST",
            "htu": format!("http://localhost:8080/t/{}/oauth/token", actors::demo::TENANT),
            "iat": self.ctx.now_ms() / 1000,
        });
        encode(&header, &claims, &EncodingKey::from_ec_der(&made.der)).map_err(during("sign"))
    }
}
