//! `hotshoe guest imports`: shows what a guest, driver or filter can reach.

use std::path::Path;

use super::error::CommandError;
use super::output::print;
use crate::config::grant_args::GrantArgs;
use crate::sandbox::{Candidate, describe_imports};

/// Prints the imports of a component, or of the built-in guest, as they are with these grants.
pub(super) fn run(file: Option<&Path>, grants: &GrantArgs) -> Result<(), CommandError> {
    print(&describe_imports(&Candidate::read(file)?, &grants.grants()?)?)
}
