//! Configuration: what the user typed, and what it means on this machine.
//!
//! [`load`] combines the command line, the environment and the configuration file ([`mod@file`]). [`cli`] defines the
//! command line, [`serve_args`] the options for serving, and [`grant_args`] those for grants, which two commands share.
//! [`camera_spec`], [`label`], [`side_address`] and `seconds` parse values. [`accounts`] are the users and tokens of a
//! file, and [`users`] turns them into rules. [`contradictions`] finds options that are not valid together.
//! [`find_cameras`] turns the camera options into cameras, [`change_cameras`] does when the configuration is reloaded,
//! and `secret_files` notices when only a file that they name has changed. [`default_cache_dir`] returns the default of
//! `--cache`.
//!
//! This module depends on [`crate::http`], whose option types (such as
//! [`ListenAddress`](crate::http::listen::ListenAddress)) parse themselves; nothing in `http` depends on this module.

pub mod accounts;
mod cache_dir;
mod camera_changes;
mod camera_names;
pub mod camera_spec;
mod cameras;
pub mod cli;
mod components;
pub mod contradictions;
mod drivers;
pub mod file;
pub mod grant_args;
pub mod label;
mod lifetime;
mod load;
mod option_values;
mod seconds;
mod secret_files;
pub mod serve_args;
pub mod side_address;
pub mod users;

pub use self::cache_dir::default_cache_dir;
pub use self::camera_changes::{CameraChange, CameraChanges, NeedsRestart, change_cameras};
pub use self::cameras::{CamerasError, CommonOptions, ConfiguredCamera, find_cameras};
pub use self::components::CameraComponents;
pub use self::file::first_paragraph;
pub use self::load::{LoadError, load, load_for_check};
pub use self::option_values::OptionValues;
