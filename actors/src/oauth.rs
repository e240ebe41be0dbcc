//! OAuth flows: read, decide, propose, sign. The decisions themselves live in `identity::oauth`.

pub(crate) mod backchannel;
pub mod discovery;
pub mod dpop;
mod hint;
pub mod introspect;
pub mod login;
pub mod logout;
mod mapped;
pub mod password;
pub mod refresh;
pub mod revoke;
pub mod token;
pub mod userinfo;
