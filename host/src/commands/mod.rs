//! The commands other than serving, one per module.

mod cameras;
pub mod compile;
mod config;
mod error;
mod generate;
mod guest_imports;
mod guest_new;
mod guest_save;
mod output;
mod passwd;
mod password_input;
mod probe;
mod status;
pub mod supervise;
mod token;

use std::process::ExitCode;

use crate::config::cli::{Command, ConfigCommand, GenerateCommand, GuestCommand};

pub use self::error::CommandError;

/// Runs a command and returns the exit code of the program.
pub fn run(command: &Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Cameras => cameras::run()?,
        Command::Probe(args) => probe::run(args)?,
        Command::Status(args) => status::run(args)?,
        Command::Config { command: ConfigCommand::Check { file } } => config::check(file)?,
        Command::Config { command: ConfigCommand::Example } => config::print_example()?,
        Command::Guest { command: GuestCommand::Imports { file, grants } } => {
            guest_imports::run(file.as_deref(), grants)?
        }
        Command::Guest { command: GuestCommand::New { dir, lang, full } } => guest_new::run(dir, *lang, *full)?,
        Command::Guest { command: GuestCommand::Save { file } } => guest_save::run(file)?,
        Command::Generate { command: GenerateCommand::Man { dir } } => generate::man(dir)?,
        Command::Generate { command: GenerateCommand::Completions { shell } } => generate::completions(*shell)?,
        Command::Passwd(args) => passwd::run(args)?,
        Command::Token(args) => token::run(args)?,
        Command::Compile(args) => return Ok(compile::run(args)),
        Command::Compose(args) => return Ok(compile::run_compose(args)),
        Command::Supervise(args) => return Ok(supervise::run(args)),
    }
    Ok(ExitCode::SUCCESS)
}
