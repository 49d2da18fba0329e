//! The `hotshoe` command. See the library for everything else.

use std::process::ExitCode;

use clap::Parser as _;
use hotshoe::app;
use hotshoe::config::cli::{Cli, Command, CompileArgs, GuestCommand};
use hotshoe::logging::Log;
use hotshoe::sandbox::compiler_process;

/// The exit code for something that was typed wrong; everything else that fails is 1.
const USAGE_ERROR: u8 = 2;

/// What is wrong, in one line, without the tips and the usage that clap adds below.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Be the compiler of a server.
fn compile(args: &CompileArgs) -> ExitCode {
    let CompileArgs { key, length, guest_memory, memory_limit, background } = args;
    compiler_process::run(&compiler_process::CompileOptions {
        key,
        length: *length,
        guest_memory: *guest_memory,
        memory_limit: *memory_limit,
        background: *background,
    })
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) if !asked.use_stderr() => asked.exit(),
        Err(error) => {
            eprintln!("{}; see `hotshoe --help`", first_paragraph(&error));
            return ExitCode::from(USAGE_ERROR);
        }
    };
    // The compiler's standard error is for the server alone, so it has no log.
    if let Some(Command::Compile(args)) = &cli.command {
        return compile(args);
    }
    let log = match Log::start() {
        Ok(log) => log,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = match &cli.command {
        // Done above.
        Some(Command::Compile(_)) => Ok(()),
        None => app::serve(&cli.serve),
        Some(Command::Cameras) => app::print_cameras(),
        Some(Command::Guest { command }) => match command {
            GuestCommand::Imports { file } => app::print_imports(file.as_deref()),
            GuestCommand::New { dir } => app::new_guest(dir),
            GuestCommand::Save { file } => app::save_guest(file),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // By the log, which does not wait for a reader of standard error that has stopped.
            log.print(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
