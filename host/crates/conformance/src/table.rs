//! The table that a run prints.

use crate::Check;

/// How a check went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client is satisfied.
    Pass,
    /// It is not, and why.
    Fail(String),
    /// What it needs is not on this machine.
    Needs(String),
}

/// One row's columns before its outcome.
#[must_use]
pub fn row(check: &Check) -> String {
    let note = if check.plain_only { " [plain frames only]" } else { "" };
    format!("{:8} | {:24} | {}{note}", check.category.name(), check.client, check.what)
}

/// The table's head.
#[must_use]
pub fn head() -> String {
    format!(
        "core: what every server of MJPEG should do. dialect: addresses and parameters of one peer, which another \
         server may lack.\n{:8} | {:24} | {}\n{}",
        "category",
        "client",
        "what it checks | result",
        "-".repeat(110)
    )
}

/// The last column.
#[must_use]
pub fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Pass => "pass".into(),
        // One line, whatever a program said.
        Outcome::Fail(why) => format!("FAIL: {}", why.split_whitespace().collect::<Vec<_>>().join(" ")),
        Outcome::Needs(what) => format!("needs {what}"),
    }
}

/// Runs a check if what it needs is there.
#[must_use]
pub fn try_check(check: &Check, target: &crate::Target) -> Outcome {
    if let Some(missing) = check.needs.missing() {
        return Outcome::Needs(missing);
    }
    match (check.run)(target) {
        Ok(()) => Outcome::Pass,
        Err(why) => Outcome::Fail(why),
    }
}
