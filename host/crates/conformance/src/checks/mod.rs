//! All checks.

mod browsers;
mod check;
mod connections;
mod dialects;
mod page;
mod parsers;
mod programs;
mod python;
mod snapshots;
mod streams;

pub use check::{Category, Check, Requirements};

/// Returns all checks, in the order of the table.
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
