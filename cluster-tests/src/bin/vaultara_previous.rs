//! The product's binary as it was before the last feature level: what a rolling upgrade begins
//! with.

use std::process::ExitCode;

use node::{cli, config::Surroundings};

fn main() -> ExitCode {
    cli::run(&Surroundings::of_process()).into()
}
