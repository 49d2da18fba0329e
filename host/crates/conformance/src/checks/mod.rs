//! The rows of the table.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::Target;
use crate::program;

mod browsers;
mod connections;
mod dialects;
mod page;
mod parsers;
mod programs;
mod python;
mod snapshots;
mod streams;

/// One client's demand.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Whose it is.
    pub client: &'static str,
    /// What is demanded.
    pub what: &'static str,
    /// Whether every server should meet it.
    pub category: Category,
    /// Whether the client can read only frames that have no second picture and no boundary inside. It is a fault of
    /// the client's: its row says nothing about a server that has other frames.
    pub plain_only: bool,
    /// What the check cannot do without.
    pub needs: Needs,
    /// Tries it. The error is one line that says what was seen.
    pub run: fn(&Target) -> Result<(), String>,
}

/// Which servers a demand is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// All.
    Core,
    /// Those that answer at another server's addresses and understand its parameters.
    Dialect,
}

impl Category {
    /// Its name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Dialect => "dialect",
        }
    }
}

/// What a check needs of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Programs in the search path.
    pub programs: &'static [&'static str],
    /// Modules of [`program::python`].
    pub python: &'static [&'static str],
}

impl Needs {
    /// Nothing.
    pub const NOTHING: Self = Self { programs: &[], python: &[] };

    const fn programs(programs: &'static [&'static str]) -> Self {
        Self { programs, python: &[] }
    }

    const fn python(python: &'static [&'static str]) -> Self {
        Self { programs: &[], python }
    }

    /// All that is missing, separated by commas: programs by their names, and "Python module NAME".
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let programs = self.programs.iter().filter(|name| !program::exists(name)).map(|name| (*name).to_owned());
        let modules = self.python.iter().filter(|name| !imports(name)).map(|name| format!("Python module {name}"));
        let missing: Vec<_> = programs.chain(modules).collect();
        (!missing.is_empty()).then(|| missing.join(", "))
    }
}

/// Whether Python can import a module. Large ones take a second, so the answer is kept.
fn imports(module: &'static str) -> bool {
    static KNOWN: Mutex<Option<HashMap<&str, bool>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    *known.get_or_insert_default().entry(module).or_insert_with(|| {
        let mut python = Command::new(program::python());
        python.args(["-c", &format!("import {module}")]);
        program::run(&mut python, Duration::from_secs(20))
            .is_ok_and(|ended| ended.status.is_some_and(|it| it.success()))
    })
}

/// All checks, in the order of the table.
#[must_use]
pub fn checks() -> Vec<Check> {
    [
        streams::checks(),
        snapshots::checks(),
        connections::checks(),
        parsers::checks(),
        programs::checks(),
        python::checks(),
        browsers::checks(),
        dialects::checks(),
    ]
    .concat()
}

/// A row that every server should pass, and that needs nothing.
const fn core(client: &'static str, what: &'static str, run: fn(&Target) -> Result<(), String>) -> Check {
    Check { client, what, category: Category::Core, plain_only: false, needs: Needs::NOTHING, run }
}

impl Check {
    const fn needs(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }

    const fn plain_only(self) -> Self {
        Self { plain_only: true, ..self }
    }

    const fn dialect(self) -> Self {
        Self { category: Category::Dialect, ..self }
    }
}
