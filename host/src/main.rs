//! The `hotshoe` program: parses the command line and runs the command. Everything else is in the library.

use std::env;
use std::process::ExitCode;

use hotshoe::app::{self, AppError};
use hotshoe::commands;
use hotshoe::config::cli::Command;
use hotshoe::config::{LoadError, first_paragraph, load};
use hotshoe::http::listen::InheritedSockets;
use hotshoe::logging::Log;

/// The exit code for an invalid command line or configuration. All other errors exit with 1.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let cli = match load(env::args_os(), |name| env::var_os(name)) {
        Ok(cli) => cli,
        // `--help` and `--version`.
        Err(LoadError::CommandLine(output)) if !output.use_stderr() => output.exit(),
        Err(error) => {
            eprintln!("{}", describe(&error));
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
            .map_err(|error| {
                (error.to_string(), if error.is_usage_error() { USAGE_ERROR.into() } else { ExitCode::FAILURE })
            }),
        Some(command) => commands::run(command).map_err(|error| (error.to_string(), ExitCode::FAILURE)),
    };
    result.unwrap_or_else(|(error, code)| {
        // Not `eprintln!`, which would block if the reader of standard error has stopped.
        log.print_error(&error);
        code
    })
}

/// The error in one line. The errors of a configuration file have a line each.
fn describe(error: &LoadError) -> String {
    match error {
        LoadError::CommandLine(error) => format!("{}; see `hotshoe --help`", first_paragraph(error)),
        error => format!("error: {error}"),
    }
}
