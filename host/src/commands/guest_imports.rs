//! `hotshoe guest imports`: shows what a guest can reach.

use std::path::Path;

use super::error::CommandError;
use super::output::print;
use crate::sandbox::{Candidate, describe_imports};

/// Prints the imports of a component, or of the built-in guest.
pub(super) fn run(file: Option<&Path>) -> Result<(), CommandError> {
    print(&describe_imports(&Candidate::read(file)?)?)
}
