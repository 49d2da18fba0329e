//! What applies: the command line, then the environment, then the configuration file, then the defaults.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use super::accounts::Accounts;
use super::cli::Cli;
use super::file::{ConfigError, ConfigFile, OptionKey, OptionKind, serve_options};
use super::option_values::OptionValues;

/// The option for the configuration file, and its variable.
const CONFIG: &str = "config";
const CONFIG_VARIABLE: &str = "HOTSHOE_CONFIG";

/// The option that replaces the users and tokens of the file.
const USERS: &str = "users";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The command line, or a variable of the environment that stands for an option, is invalid. Or it is `--help` or
    /// `--version`.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// A variable of the environment is not UTF-8.
    #[error("the variable {0} is not valid UTF-8; set it again, or unset it")]
    NotUtf8(String),
    /// The variable of a flag says neither yes nor no.
    #[error("{0} must be 1 or 0")]
    NoFlag(String),
    /// The configuration file cannot be used.
    #[error(transparent)]
    File(#[from] ConfigError),
}

/// Parses the command line, and adds what the environment and the configuration file say about serving. `arguments`
/// begins with the name of the program. Blocks while it reads the file.
///
/// A repeatable option replaces the values of a lower layer. In the environment, each of its values is a line.
pub fn load(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Cli, LoadError> {
    load_with(arguments, variable, ConfigFile::read)
}

/// Like [`load`] with nothing but a configuration file, to check it. It may be for a server of another user. Blocks
/// while it reads the file.
pub fn load_for_check(path: &Path) -> Result<Cli, LoadError> {
    let mut option = OsString::from("--config=");
    option.push(path);
    load_with(["hotshoe".into(), option], |_| None, ConfigFile::read_for_check)
}

/// [`load`], with a function that reads the configuration file.
fn load_with(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
    read: fn(&Path) -> Result<ConfigFile, ConfigError>,
) -> Result<Cli, LoadError> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let command = Cli::command();
    let matches = command.clone().try_get_matches_from(&arguments)?;
    if matches.subcommand_name().is_some() {
        return Ok(Cli::from_arg_matches(&matches)?);
    }
    let options = serve_options();
    let mut given: Vec<String> =
        options.iter().filter(|option| is_given(&matches, &option.id)).map(|option| option.id.clone()).collect();
    let mut lower = Vec::new();
    let mut in_environment = Vec::new();
    for option in &options {
        let Some(value) = variable(&option.variable()).filter(|value| !value.is_empty()) else { continue };
        if is_overridden(&command, &given, &option.id) {
            continue;
        }
        lower.extend(arguments_of(option, &value)?);
        in_environment.push(option.id.clone());
    }
    given.extend(in_environment);
    let path = matches.get_one::<PathBuf>(CONFIG).cloned();
    let path = path.or_else(|| variable(CONFIG_VARIABLE).filter(|path| !path.is_empty()).map(Into::into));
    let mut accounts = Accounts::default();
    if let Some(path) = &path {
        let file = read(path)?;
        if !is_overridden(&command, &given, USERS) {
            accounts = file.accounts().clone();
        }
        lower.extend(file.arguments(|id| is_overridden(&command, &given, id)).cloned());
    }
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_else(|| OsStr::new("hotshoe").to_owned());
    let all = std::iter::once(program).chain(lower).chain(arguments);
    let matches = command.try_get_matches_from(all)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    cli.serve.config = path;
    cli.serve.accounts = accounts;
    cli.serve.values =
        OptionValues::new(&matches, options.iter().map(|option| (option.id.as_str(), option.key.as_str())));
    Ok(cli)
}

fn is_given(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// Whether one of the options that were given is this one, or excludes it.
fn is_overridden(command: &Command, given: &[String], id: &str) -> bool {
    let excludes = |one: &str, other: &str| {
        let arg = command.get_arguments().find(|arg| arg.get_id() == one);
        arg.is_some_and(|arg| command.get_arg_conflicts_with(arg).iter().any(|arg| arg.get_id() == other))
    };
    given.iter().any(|given| given == id || excludes(given, id) || excludes(id, given))
}

/// The arguments that the variable of an option stands for.
fn arguments_of(option: &OptionKey, value: &OsStr) -> Result<Vec<OsString>, LoadError> {
    let value = value.to_str().ok_or_else(|| LoadError::NotUtf8(option.variable()))?;
    Ok(match option.kind {
        OptionKind::Flag => match value.to_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => vec![option.flag()],
            "0" | "false" | "no" | "off" => Vec::new(),
            _ => return Err(LoadError::NoFlag(option.variable())),
        },
        OptionKind::Single => vec![option.argument(value)],
        OptionKind::Repeatable => {
            value.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| option.argument(line)).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    /// What applies with these arguments, variables and lines of a file.
    fn applies(arguments: &[&str], variables: &[(&str, &str)], file: &str) -> Result<Cli, LoadError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotshoe.toml");
        std::fs::write(&path, file).unwrap();
        let config = ["--config".into(), path.into_os_string()];
        let arguments = ["hotshoe".into()].into_iter().chain(config).chain(arguments.iter().map(OsString::from));
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        load(arguments, |name| variables.get(name).map(OsString::from))
    }

    #[test]
    fn the_command_line_overrides_the_environment_which_overrides_the_file() {
        let file = "max_requests = 7\nlinger = 3\nanswer_timeout = 4\nlisten = [\":1\", \":2\"]\nwatch = true";
        let variables = [("HOTSHOE_LINGER", "5"), ("HOTSHOE_MAX_REQUESTS", "8"), ("HOTSHOE_LISTEN", "")];
        let serve = applies(&["--max-requests", "9"], &variables, file).unwrap().serve;
        assert_eq!((serve.max_requests, serve.linger.as_secs(), serve.answer_timeout.as_secs()), (9, 5, 4));
        assert_eq!((serve.listen.len(), serve.watch), (2, true));
        let serve = applies(&["--listen", ":3"], &[("HOTSHOE_WATCH", "0")], file).unwrap().serve;
        assert_eq!((serve.listen.len(), serve.watch), (1, false));
        let serve = applies(&[], &[("HOTSHOE_LISTEN", ":4\n:5\n:6")], file).unwrap().serve;
        assert_eq!(serve.listen.len(), 3);
    }

    #[test]
    fn the_variable_of_a_flag_is_on_or_off() {
        for (value, is_on) in
            [("1", true), ("TRUE", true), ("Yes", true), ("on", true), ("0", false), ("false", false), ("No", false)]
        {
            let serve = applies(&[], &[("HOTSHOE_WATCH", value)], "").unwrap().serve;
            assert_eq!(serve.watch, is_on, "{value}");
        }
        assert!(!applies(&[], &[("HOTSHOE_WATCH", "off")], "watch = true").unwrap().serve.watch);
        for value in ["disabled", "2", " 1", "y"] {
            let error = applies(&[], &[("HOTSHOE_WATCH", value)], "").unwrap_err().to_string();
            assert_eq!(error, "HOTSHOE_WATCH must be 1 or 0", "{value}");
        }
        // The command line replaces it.
        assert!(applies(&["--watch"], &[("HOTSHOE_WATCH", "disabled")], "").unwrap().serve.watch);
    }

    #[test]
    fn variables_are_utf_8() {
        let invalid = |name: &str| (name == "HOTSHOE_GUEST").then(|| OsString::from_vec(vec![b'/', 0xff]));
        let error = load(["hotshoe".into()], invalid).unwrap_err().to_string();
        assert_eq!(error, "the variable HOTSHOE_GUEST is not valid UTF-8; set it again, or unset it");
    }

    #[test]
    fn cameras_replace_those_of_a_lower_layer() {
        let file = "[cameras.a]\nsource = \"emulated\"\n[cameras.b]\nsource = \"emulated\"";
        assert_eq!(applies(&[], &[], file).unwrap().serve.cameras.len(), 2);
        assert_eq!(applies(&["--camera", "auto"], &[], file).unwrap().serve.cameras.len(), 1);
        let with_spaces = [("HOTSHOE_CAMERA", "c=exec:cat a b.jpg")];
        assert_eq!(applies(&[], &with_spaces, file).unwrap().serve.cameras.len(), 1);
    }

    #[test]
    fn an_option_replaces_those_that_it_excludes() {
        let serve = applies(&["--no-cache"], &[], "cache = \"folder\"").unwrap().serve;
        assert_eq!((serve.cache, serve.no_cache), (None, true));
        let serve = applies(&["--cache", "folder"], &[], "no_cache = true").unwrap().serve;
        assert_eq!((serve.cache, serve.no_cache), (Some("folder".into()), false));
    }

    #[test]
    fn the_environment_may_name_the_file() {
        let missing = |name: &str| (name == CONFIG_VARIABLE).then(|| OsString::from("/nowhere/hotshoe.toml"));
        let error = load(["hotshoe".into()], missing).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the configuration /nowhere/hotshoe.toml: "), "{error}");
    }

    #[test]
    fn a_file_of_users_replaces_those_of_the_configuration() {
        let file = "[users.ann]\npassword_file = \"ann\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"\n";
        let serve = applies(&[], &[], file).unwrap().serve;
        assert_eq!((serve.accounts.users.len(), serve.users, serve.tls_key), (1, None, Some("k".into())));
        let serve = applies(&["--users", "other"], &[], file).unwrap().serve;
        assert_eq!((serve.accounts.is_empty(), serve.users), (true, Some("other".into())));
    }

    #[test]
    fn commands_ignore_the_environment() {
        let invalid = |_: &str| Some(OsString::from("nonsense"));
        assert!(load(["hotshoe".into(), "cameras".into()], invalid).is_ok());
        assert!(load(["hotshoe".into()], invalid).is_err());
    }
}
