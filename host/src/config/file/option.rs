//! The options of the command line that are keys of the file and variables of the environment.

use std::ffi::OsString;

use clap::{Arg, ArgAction, CommandFactory as _};

use crate::config::cli::Cli;

/// The options that only the command line has: what they name cannot name itself.
const COMMAND_LINE_ONLY: [&str; 3] = ["config", "help", "version"];

/// How many values an option has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OptionKind {
    /// None: it is given or not.
    Flag,
    /// One.
    Single,
    /// Any number: it is repeatable.
    Repeatable,
}

/// An option of serving.
pub struct ServeOption {
    arg: Arg,
    /// The name in the file, with `_` for `-`.
    pub key: String,
    /// How many values it has.
    pub kind: OptionKind,
}

impl ServeOption {
    /// The identifier in clap.
    pub fn id(&self) -> &str {
        self.arg.get_id().as_str()
    }

    /// The definition in clap.
    pub fn arg(&self) -> &Arg {
        &self.arg
    }

    /// The name of the variable in the environment.
    pub fn variable(&self) -> String {
        format!("HOTSHOE_{}", self.key.to_uppercase())
    }

    /// An argument with this value.
    pub fn argument(&self, value: &str) -> OsString {
        let mut argument = self.flag();
        argument.push("=");
        argument.push(value);
        argument
    }

    /// The argument of a flag.
    pub fn flag(&self) -> OsString {
        format!("--{}", self.key.replace('_', "-")).into()
    }

    /// Whether an argument is valid on its own. If not, returns what is wrong with it, and calls it `name`.
    pub fn check(&self, argument: OsString, name: &str) -> Result<(), String> {
        use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument};
        match Cli::command().try_get_matches_from([OsString::from("hotshoe"), argument]) {
            Ok(_) => Ok(()),
            // Other options decide about these.
            Err(error) if matches!(error.kind(), ArgumentConflict | MissingRequiredArgument) => Ok(()),
            Err(error) => {
                let text = first_paragraph(&error);
                let text = text.strip_prefix("error: ").unwrap_or(&text);
                Err(text.replace(&format!("'{}'", self.arg), &format!("`{name}`")))
            }
        }
    }
}

/// The error in one line, without the tips and the usage that clap adds.
pub fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Returns the options of serving, in the order of `--help`.
pub fn serve_options() -> Vec<ServeOption> {
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
        Some(ServeOption { arg: arg.clone(), key, kind })
    };
    command.get_arguments().filter_map(option).collect()
}
