//! The `hotshoe` program: parses the command line and runs the command. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use hotshoe::app::{self, AppError};
use hotshoe::commands;
use hotshoe::config::cli::{Cli, Command};
use hotshoe::http::listen::InheritedSockets;
use hotshoe::logging::Log;

/// The exit code for an invalid command line. All other errors exit with 1.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // `--help` and `--version`.
        Err(output) if !output.use_stderr() => output.exit(),
        Err(error) => {
            eprintln!("{}; see `hotshoe --help`", first_paragraph(&error));
            return ExitCode::from(USAGE_ERROR);
        }
    };
    // Without a log: the server reads the standard error of these processes.
    match &cli.command {
        Some(Command::Compile(args)) => return commands::compile::run(args),
        Some(Command::Compose(args)) => return commands::compile::run_compose(args),
        Some(Command::Supervise(args)) => return commands::supervise::run(args),
        _ => {}
    }
    // Before any thread starts.
    let inherited = InheritedSockets::from_environment();
    let log = match Log::start() {
        Ok(log) => {
            log.set_format(cli.serve.log_format);
            log
        }
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = match &cli.command {
        None => inherited
            .map_err(AppError::Inherited)
            .and_then(|inherited| app::serve(&cli.serve, inherited))
            .map(|()| ExitCode::SUCCESS)
            .map_err(|error| error.to_string()),
        Some(command) => commands::run(command).map_err(|error| error.to_string()),
    };
    result.unwrap_or_else(|error| {
        // Not `eprintln!`, which would block if the reader of standard error has stopped.
        log.print_error(&error);
        ExitCode::FAILURE
    })
}

/// The error in one line, without the tips and the usage that clap adds.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}
