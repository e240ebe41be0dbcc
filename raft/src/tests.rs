//! The crate as a whole: openraft's own storage suite, and a node that is stopped and started
//! again.

mod node;
mod suite;
