//! The protocol between nodes as a whole.

mod samples;
mod wire;
