//! `hotshoe probe`: the report and the picture.

use std::fs;
use std::path::Path;
use std::process::Output;

use hotshoe_test_support::built_in_pictures;
use hotshoe_test_support::pictures::jpeg_size;
use hotshoe_test_support::server::{command, end};

/// Runs a probe in this folder.
fn probe(folder: &Path, args: &[&str]) -> Output {
    let mut command = command();
    command.arg("probe").args(args).current_dir(folder);
    end(command)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The rest of the line that starts with this word.
#[track_caller]
fn line<'a>(report: &'a str, word: &str) -> &'a str {
    let found = report.lines().find_map(|line| line.strip_prefix(word));
    found.unwrap_or_else(|| panic!("no line {word:?} in\n{report}")).trim()
}

#[test]
fn a_probe_reports_what_a_camera_delivers_and_saves_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let output = probe(folder.path(), &["front=emulated,fps=20,keep-open", "--seconds", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let report = stdout(&output);
    let program = line(&report, "program");
    assert!(program.starts_with(&format!("hotshoe {}, Linux ", env!("CARGO_PKG_VERSION"))), "{program}");
    assert_eq!(line(&report, "camera"), "emulated: 3 built-in pictures");
    assert_eq!(line(&report, "mode"), "640x480, 20 fps");
    assert!(line(&report, "opening").starts_with("first picture after "), "{report}");
    let frames: u32 = line(&report, "frames").split(' ').next().unwrap().parse().unwrap();
    assert!((2..=22).contains(&frames), "{report}");
    assert!(line(&report, "frames").ends_with(" fps"), "{report}");
    // A busy machine may be late.
    assert!(line(&report, "lost") == "0" || line(&report, "lost").ends_with(" late"), "{report}");
    assert!(line(&report, "intervals").contains(" ms, standard deviation "), "{report}");
    let lengths = built_in_pictures().into_iter().map(|picture| picture.len() as f64 / 1000.0);
    let (smallest, largest) = lengths.fold((f64::MAX, 0_f64), |(a, b), length| (a.min(length), b.max(length)));
    if frames >= 3 {
        assert!(line(&report, "sizes").ends_with(&format!("({smallest:.1} to {largest:.1}) kB")), "{report}");
    }
    let picture = fs::read(folder.path().join("probe.jpg")).unwrap();
    assert!(built_in_pictures().contains(&picture));
    assert_eq!(line(&report, "picture"), format!("probe.jpg, 640x480, {} bytes", picture.len()));
}

#[test]
fn a_probe_never_overwrites_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("probe.jpg"), "mine").unwrap();
    // A link to nowhere must not be followed.
    std::os::unix::fs::symlink("elsewhere.jpg", path("probe-2.jpg")).unwrap();
    let output = probe(folder.path(), &["emulated", "--seconds", "0"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(line(&stdout(&output), "picture").starts_with("probe-3.jpg, "), "{}", stdout(&output));
    assert_eq!(jpeg_size(&fs::read(path("probe-3.jpg")).unwrap()), (640, 480));
    for existing in ["probe.jpg", "probe-2.jpg"] {
        let output = probe(folder.path(), &["emulated", "--output", existing]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(stderr(&output), format!("error: {existing} already exists; choose another file with --output\n"));
        assert_eq!(stdout(&output), "");
    }
    assert_eq!(fs::read(path("probe.jpg")).unwrap(), b"mine");
    assert!(!path("elsewhere.jpg").exists());
    let output = probe(folder.path(), &["emulated", "--seconds", "0", "--output", "no/such/folder.jpg"]);
    assert!(stderr(&output).contains("error: cannot write no/such/folder.jpg: "), "{}", stderr(&output));
}

#[test]
fn a_probe_of_a_camera_without_pictures_fails_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let output = probe(folder.path(), &["/dev/video987"]);
    assert_eq!(output.status.code(), Some(1));
    let report = stdout(&output);
    assert_eq!(line(&report, "camera"), "a camera at /dev/video987");
    assert_eq!((line(&report, "mode"), line(&report, "frames")), ("unknown", "0"));
    assert!(line(&report, "outage").starts_with("no device at /dev/video987"), "{report}");
    assert!(stderr(&output).contains("error: no picture: no device at /dev/video987"), "{}", stderr(&output));
    let output = probe(folder.path(), &["/dev/null"]);
    assert!(stderr(&output).contains("error: camera null: /dev/null is not a usable camera"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it left files behind");
}
