//! The options of the command line that are keys of the file and variables of the environment.

use std::ffi::OsString;

use clap::{Arg, ArgAction, CommandFactory as _};

use super::key::{OptionKey, OptionKind};
use crate::config::cli::Cli;

/// The options that only the command line has: what they name cannot name itself.
const COMMAND_LINE_ONLY: [&str; 3] = ["config", "help", "version"];

/// Returns the options of serving, in the order of `--help`.
pub fn serve_options() -> Vec<OptionKey> {
    definitions().into_iter().map(|(option, _)| option).collect()
}

/// Returns the options of serving, each with its definition.
pub(super) fn definitions() -> Vec<(OptionKey, Arg)> {
    let mut command = Cli::command();
    // Completes the definitions. Only then can they be displayed.
    command.build();
    let option = |arg: &Arg| {
        let key = arg.get_long().filter(|long| !COMMAND_LINE_ONLY.contains(long))?.replace('-', "_");
        let kind = match arg.get_action() {
            ArgAction::SetTrue => OptionKind::Flag,
            ArgAction::Append => OptionKind::Repeatable,
            _ => OptionKind::Single,
        };
        Some((OptionKey { id: arg.get_id().to_string(), key, kind }, arg.clone()))
    };
    command.get_arguments().filter_map(option).collect()
}

/// Whether an argument is valid on its own. If not, returns what is wrong with it, and calls it `name`.
pub(super) fn check(option: &OptionKey, argument: &OsString, name: &str) -> Result<(), String> {
    use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument};
    match parse([argument.clone()]) {
        Ok(()) => Ok(()),
        // Other options decide about these.
        Err(error) if matches!(error.kind(), ArgumentConflict | MissingRequiredArgument) => Ok(()),
        Err(error) => {
            let definitions = definitions();
            let arg = definitions.iter().find(|(other, _)| other.id == option.id).map(|(_, arg)| arg.to_string());
            Err(message(&error).replace(&format!("'{}'", arg.unwrap_or_default()), &format!("`{name}`")))
        }
    }
}

/// Whether arguments are valid together. If not, returns what is wrong with them.
pub(super) fn check_all(arguments: Vec<OsString>) -> Result<(), String> {
    parse(arguments).map_err(|error| message(&error))
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<(), clap::Error> {
    let all = std::iter::once(OsString::from("hotshoe")).chain(arguments);
    Cli::command().try_get_matches_from(all).map(drop)
}

fn message(error: &clap::Error) -> String {
    let text = first_paragraph(error);
    text.strip_prefix("error: ").unwrap_or(&text).to_owned()
}

/// The error in one line, without the tips and the usage that clap adds.
pub fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}
