//! The configuration file of `--config`.
//!
//! It stands for a command line: a key is the name of an option with `_` for `-`, and a section `[cameras.NAME]` is a
//! `--camera`. Every value becomes an argument, so the file and the command line are checked by the same parsers, and an
//! option that is added to the command line is a key of the file as well.
//!
//! * `document`: from TOML to arguments. `camera`: from a section to a camera. `option`: the options that are keys.
//!   `value`: their values.
//! * `error`: what is wrong with a file, and where. `example`: a file with all keys.

mod camera;
mod document;
mod error;
mod example;
mod option;
mod value;

pub use self::document::ConfigFile;
pub use self::error::{ConfigError, Problem};
pub use self::example::example;
pub use self::option::first_paragraph;
pub(super) use self::option::{OptionKind, ServeOption, serve_options};
