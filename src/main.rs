//! The `sealgate` binary: parses arguments, runs one subcommand, turns its error into an exit code.

use clap::Parser as _;
use sealgate::cli::Arguments;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

// The system allocator hands memory back slowly under many small buffers of several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// After how many milliseconds the allocator gives freed memory back to the system.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.serves() {
        give_memory_back();
    }
    sealgate::cli::run(arguments)
}

/// Begins the program again with an allocator that gives back at once what is freed: it reads its settings before
/// `main`, once. Otherwise a gateway at rest would keep much of what only its start needed. An operator's own setting
/// stands, and a program that cannot begin again goes on as it is.
fn give_memory_back() {
    if std::env::var_os(PURGE_DELAY).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut given = std::env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = given.next() {
        again.arg0(name);
    }
    let refused = again.args(given).env(PURGE_DELAY, "0").exec();
    eprintln!("sealgate: memory is given back late: cannot begin again: {refused}");
}
