//! `hotshoe compile`: the compiler process of a server. Hidden, because only the server runs it.

use std::process::ExitCode;

use crate::config::cli::CompileArgs;
use crate::sandbox::compiler_process::{self, CompileOptions};

/// Compiles the component on standard input. The exit code tells the server about errors.
pub fn run(args: &CompileArgs) -> ExitCode {
    let CompileArgs { key, length, guest_memory, memory_limit, background } = args;
    compiler_process::run(&CompileOptions {
        key,
        length: *length,
        guest_memory: *guest_memory,
        memory_limit: *memory_limit,
        background: *background,
    })
}
