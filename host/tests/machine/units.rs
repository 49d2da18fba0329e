//! The units for systemd in `packaging/`.

use std::process::Command;

use hotshoe_test_support::workspace;

/// The most that `systemd-analyze security` may report, in tenths: 1.5 of 10, where 10 is an unconfined service.
const EXPOSURE_LIMIT: &str = "--threshold=15";

/// The service has few rights, by the judgement of systemd itself, and yet the right to use cameras.
pub fn service_is_hardened() {
    let unit = workspace().join("packaging/hotshoe.service");
    let mut command = Command::new("systemd-analyze");
    let output =
        command.args(["security", "--offline=true", "--no-pager", EXPOSURE_LIMIT]).arg(&unit).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    assert!(report.contains("char-video4linux:rw"), "cameras work: {report}");
}

/// systemd finds no mistake in the socket and in the service that it starts.
pub fn units_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["hotshoe.service", "hotshoe.socket"] {
        let unit = std::fs::read_to_string(workspace().join("packaging").join(name)).unwrap();
        // The program need not be installed here, and neither its manual.
        let unit = unit.replace("/usr/bin/hotshoe", "/bin/true").replace("Documentation=man:hotshoe(1)\n", "");
        std::fs::write(folder.path().join(name), unit).unwrap();
    }
    let units = ["hotshoe.service", "hotshoe.socket"].map(|name| folder.path().join(name));
    let output = Command::new("systemd-analyze").arg("verify").args(units).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    let about_ours: Vec<_> = complaints.lines().filter(|line| line.contains("hotshoe")).collect();
    assert!(about_ours.is_empty(), "{complaints}");
}
