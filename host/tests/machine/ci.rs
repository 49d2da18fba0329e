//! `.ci/check-ignored`, which allows a test to be ignored only if it names a tool that the machine cannot have.

use std::process::Command;

use hotshoe_test_support::workspace;

const LOG: &str = "
running 5 tests
test [needs chromium, chromedriver] page    ... ignored
test [needs Python module cv2]      opencv  ... ignored
test [needs camera VM]              camera  ... ok
test                                plain   ... ok
test doc::tests::of_the_standard_harness ... ok
";

pub fn rejects_ignored_tests() {
    assert_eq!(check(LOG, &["chromium", "chromedriver", "Python module cv2"]), "");
    // All tools that a test names must be excused, by exactly these names.
    assert_eq!(
        check(LOG, &["chromium", "firefox", "Python module cv2"]),
        "page was ignored: it says that chromedriver is missing, but this machine should have it\n"
    );
    assert_eq!(
        check(LOG, &["chromium", "chromedriver", "cv2", "Python module"]),
        "opencv was ignored: it says that Python module cv2 is missing, but this machine should have it\n"
    );
    // An ignored test that names no tool is never excused.
    for line in ["test slow ... ignored", "test slow ... ignored, takes an hour"] {
        let log = format!("{LOG}{line}\n");
        assert_eq!(
            check(&log, &["chromium", "chromedriver", "Python module cv2"]),
            "slow was ignored: it does not name a missing tool\n"
        );
    }
}

/// Returns the output of the check for a log on a machine that cannot have these tools. The check must fail if and only
/// if it prints something.
fn check(log: &str, missing: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    std::fs::write(&file, log).unwrap();
    let output = Command::new(workspace().join(".ci/check-ignored")).arg(file).args(missing).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.success(), text.is_empty(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
