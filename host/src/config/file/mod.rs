//! The configuration file of `--config`.
//!
//! It stands for a command line: a key is the name of an option with `_` for `-`, and a section `[cameras.NAME]` is a
//! `--camera`. Every value becomes an argument, so the file and the command line are checked by the same parsers, and an
//! option that is added to the command line is a key of the file as well. Only users and tokens have no options: their
//! sections may also be in a file of their own.
//!
//! * `config_file`: reads a file. `option`: the options that are keys. `example`: a file with all keys.
//! * `document`: from TOML to arguments. `camera`: from a section to a camera. `account_sections`: users and tokens.
//!   `key`: a key. `value`: its value. These know nothing of clap, so that they can be fuzzed.
//! * `problems`: what is wrong with a text, and where. `error`: why a file cannot be used.

mod account_sections;
mod camera;
mod config_file;
mod document;
mod error;
mod example;
mod key;
mod option;
mod problems;
mod value;

pub use self::account_sections::parse_accounts;
pub use self::config_file::{ConfigFile, FILE_LIMIT};
pub use self::error::ConfigError;
pub use self::example::example;
pub(super) use self::key::{OptionKey, OptionKind};
pub use self::option::first_paragraph;
pub(super) use self::option::serve_options;
pub use self::problems::Problem;
