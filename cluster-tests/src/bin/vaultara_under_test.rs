//! The product's binary with whatever faults the tests plant: the same as `vaultara`, built here so
//! that the tests of this crate find it.

use std::process::ExitCode;

use node::{cli, config::Surroundings};

fn main() -> ExitCode {
    cli::run(&Surroundings::of_process()).into()
}
