//! `hotshoe compile` and `hotshoe compose`: the compiler process of a server. Hidden, because only the server runs it.

use std::process::ExitCode;

use crate::config::cli::{CompileArgs, CompilerArgs};
use crate::sandbox::compiler_process::{self, ProcessOptions};

/// Compiles the component on standard input. The exit code tells the server about errors.
pub fn run(args: &CompileArgs) -> ExitCode {
    compiler_process::compile(&options(&args.process), &args.key, args.guest_memory, args.functions.as_deref())
}

/// Composes the components on standard input. The exit code tells the server about errors.
pub fn run_compose(args: &CompilerArgs) -> ExitCode {
    compiler_process::compose(&options(args))
}

fn options(args: &CompilerArgs) -> ProcessOptions<'_> {
    let CompilerArgs { lengths, memory_limit, background, threads } = args;
    ProcessOptions { lengths, memory_limit: *memory_limit, background: *background, threads: *threads }
}
