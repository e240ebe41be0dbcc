//! The `vaultara` binary: everything is in the library, so that tests can run it too.

use std::process::ExitCode;

use mimalloc::MiMalloc;

use vaultara_node::{cli, config::Surroundings};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run(&Surroundings::of_process()).into()
}
