//! What a check is.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::program;
use crate::target::Target;

/// One expectation of one client.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// The client's name.
    pub client: &'static str,
    /// What the client does, or expects.
    pub description: &'static str,
    /// Which servers should pass.
    pub category: Category,
    /// Whether a bug of the client breaks valid frames, such as those with a thumbnail or with a boundary inside. A
    /// failure with such frames says nothing about the server.
    pub plain_frames_only: bool,
    /// The tools that the check needs.
    pub requirements: Requirements,
    /// Runs the check. The error is one line.
    pub run: fn(&Target) -> Result<(), String>,
}

/// Which servers should pass a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// All servers.
    Core,
    /// Servers that support the URLs and parameters of a particular other server.
    Dialect,
}

impl Category {
    /// Returns the name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Dialect => "dialect",
        }
    }
}

/// The tools that a check needs on this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Programs in `$PATH`.
    pub programs: &'static [&'static str],
    /// Modules of the interpreter [`program::python`].
    pub python_modules: &'static [&'static str],
}

impl Requirements {
    /// No tools.
    pub const NONE: Self = Self { programs: &[], python_modules: &[] };

    pub(super) const fn programs(programs: &'static [&'static str]) -> Self {
        Self { programs, python_modules: &[] }
    }

    /// Modules that Python can import.
    pub const fn python_modules(python_modules: &'static [&'static str]) -> Self {
        Self { programs: &[], python_modules }
    }

    /// Lists the missing tools, separated by commas: the names of programs, and `Python module NAME`. Returns `None` if
    /// nothing is missing.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let programs = self.programs.iter().filter(|name| !program::exists(name)).map(|name| (*name).to_owned());
        let modules = self.python_modules.iter().filter(|name| !can_import(name));
        let modules = modules.map(|name| format!("Python module {name}"));
        let missing: Vec<_> = programs.chain(modules).collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    }
}

/// Whether Python can import a module. Results are cached, because importing a large module takes a second.
fn can_import(module: &'static str) -> bool {
    static CACHE: Mutex<Option<HashMap<&str, bool>>> = Mutex::new(None);
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    *cache.get_or_insert_default().entry(module).or_insert_with(|| {
        let mut python = Command::new(program::python());
        python.args(["-c", &format!("import {module}")]);
        program::run(&mut python, Duration::from_secs(60))
            .is_ok_and(|output| output.status.is_some_and(|status| status.success()))
    })
}

/// A core check that needs no tools.
pub(super) const fn core(
    client: &'static str,
    description: &'static str,
    run: fn(&Target) -> Result<(), String>,
) -> Check {
    Check {
        client,
        description,
        category: Category::Core,
        plain_frames_only: false,
        requirements: Requirements::NONE,
        run,
    }
}

impl Check {
    pub(super) const fn requires(self, requirements: Requirements) -> Self {
        Self { requirements, ..self }
    }

    pub(super) const fn plain_frames_only(self) -> Self {
        Self { plain_frames_only: true, ..self }
    }

    pub(super) const fn dialect(self) -> Self {
        Self { category: Category::Dialect, ..self }
    }
}
