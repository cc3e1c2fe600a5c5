//! The `sealgate` binary: parses arguments, runs one subcommand, turns its error into an exit code.

use clap::Parser as _;
use std::process::ExitCode;

// The system allocator hands memory back slowly under many small buffers of several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sealgate::cli::run(sealgate::cli::Arguments::parse())
}
