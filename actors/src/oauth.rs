//! OAuth flows: read, decide, propose, sign. The decisions themselves live in `identity::oauth`.

pub mod discovery;
pub mod introspect;
pub mod login;
pub mod refresh;
pub mod revoke;
pub mod token;
pub mod userinfo;
