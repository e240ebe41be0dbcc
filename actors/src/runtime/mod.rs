//! Effects and actors: clocks, entropy, hashing, sealing, signing, the way out; the proposer;
//! tenants and sessions in use; housekeeping and deliveries.
//!
//! Time is read only in `clock`, randomness only in `random`; plaintext secrets exist only as the
//! types of `secret`.

mod alive;
pub mod authority;
pub mod clock;
pub mod deliverer;
pub mod denials;
pub mod directory;
pub mod fetcher;
pub mod hasher;
pub mod housekeeper;
pub(crate) mod inbound;
pub(crate) mod kept;
pub mod keyring;
pub mod limiter;
pub(crate) mod membership;
pub mod pictures;
pub mod proposer;
pub mod random;
pub mod sealer;
pub mod secret;
pub mod seen;
pub mod session;
pub mod signer;
pub mod supervisor;
pub mod tenant;
pub mod timekeeper;
pub mod verifier;
