//! The subcommands of `hotshoe`, besides serving.
//!
//! * [`template`]: the files of `hotshoe guest new`.

pub mod template;
