//! Prometheus' own checks of the metrics and the alert rules.

use std::io::Write as _;
use std::process::{Command, Stdio};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::workspace;

use crate::harness::run_successfully;

/// The program that checks metrics and rules.
pub const PROMTOOL: &str = "promtool";

/// `promtool check metrics` finds nothing to object to.
pub fn metrics_are_clean() {
    let server = Server::start(&["--camera", "front=emulated", "--camera", "yard=/dev/video987"]);
    drop(Viewer::watch(server.address, "/stream").part());
    assert_eq!(get(server.address, "/snapshot/yard").status, 503);
    let metrics = get(server.admin.unwrap(), "/metrics");
    let mut command = Command::new(PROMTOOL);
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&metrics.body).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

/// `promtool check rules` accepts the alert rules in the documentation.
pub fn alert_rules_are_valid() {
    run_successfully(Command::new(PROMTOOL).args(["check", "rules"]).arg(workspace().join("docs/alerts.yaml")));
}
