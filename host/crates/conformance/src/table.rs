//! The table of results.

use crate::checks::Check;
use crate::target::Target;

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server works with this client.
    Pass,
    /// The server does not work with this client, for this reason.
    Fail(String),
    /// The check was skipped, because this machine lacks these tools.
    Skipped(String),
}

/// Formats the columns before the outcome.
#[must_use]
pub fn row(check: &Check) -> String {
    let note = if check.plain_frames_only { " [plain frames only]" } else { "" };
    format!("{:8} | {:24} | {}{note}", check.category.name(), check.client, check.description)
}

/// Formats the table's header.
#[must_use]
pub fn header() -> String {
    format!(
        "core: for every MJPEG server. dialect: URLs and parameters of a particular server, which others may lack.\n\
         {:8} | {:24} | {}\n{}",
        "category",
        "client",
        "check | result",
        "-".repeat(110)
    )
}

/// Formats the last column, on one line.
#[must_use]
pub fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Pass => "pass".into(),
        Outcome::Fail(reason) => format!("FAIL: {}", reason.split_whitespace().collect::<Vec<_>>().join(" ")),
        Outcome::Skipped(missing) => format!("skipped: needs {missing}"),
    }
}

/// Runs a check, unless this machine lacks a tool that the check needs.
#[must_use]
pub fn run(check: &Check, target: &Target) -> Outcome {
    if let Some(missing) = check.requirements.missing() {
        return Outcome::Skipped(missing);
    }
    match (check.run)(target) {
        Ok(()) => Outcome::Pass,
        Err(reason) => Outcome::Fail(reason),
    }
}
