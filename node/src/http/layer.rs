//! What every request and every answer passes, whatever the route.
//!
//! One layer (`envelope`) instead of a stack of small ones: it runs for every request, so each box
//! and each header map it does not touch is speed. It knows nothing of identity.

pub mod arrival;
pub mod body;
pub mod envelope;
pub mod headers;
pub mod meter;
pub(crate) mod rates;
pub mod screen;
pub mod sharing;

pub(crate) use self::arrival::Dress;
pub use self::{
    arrival::Arrival,
    envelope::{Envelope, RequestIds},
    sharing::Sharing,
};
