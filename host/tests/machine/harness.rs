//! Tests that are ignored if this machine lacks a tool.

use std::process::{Command, Output};

use hotshoe_conformance::program;
use libtest_mimic::Trial;

/// Creates a test. It is ignored if tools are missing, and its output line names them: `test [needs TOOL, TOOL] NAME`.
pub fn trial(name: &str, missing: &Option<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    let trial = Trial::test(name, move || {
        test();
        Ok(())
    });
    match missing {
        Some(missing) => trial.with_kind(format!("needs {missing}")).with_ignored_flag(true),
        None => trial,
    }
}

/// Lists the programs that are not installed, separated by commas. Returns `None` if all are installed.
pub fn missing_programs(names: &[&str]) -> Option<String> {
    let missing: Vec<_> = names.iter().filter(|name| !program::exists(name)).copied().collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// Like [`missing_programs`], for tests that only root can run.
pub fn missing_as_root(programs: &[&str]) -> Option<String> {
    let is_root = rustix::process::geteuid().is_root();
    let missing: Vec<_> = missing_programs(programs).into_iter().chain((!is_root).then(|| "root".to_owned())).collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// Runs a command until it exits. Panics if it fails.
#[track_caller]
pub fn run_successfully(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}
