//! The rule of `.ci/run` that a test may be ignored only for want of a tool that the machine cannot have.

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

pub fn fails_without_excuse() {
    assert_eq!(unexcused(LOG, &["chromium", "chromedriver", "Python module cv2"]), "");
    // Each of the tools that a test names has to be excused, and no other tool excuses it.
    assert_eq!(
        unexcused(LOG, &["chromium", "firefox", "Python module cv2"]),
        "page was ignored: it says that chromedriver is missing, but this machine should have it\n"
    );
    assert_eq!(
        unexcused(LOG, &["chromium", "chromedriver", "cv2", "Python module"]),
        "opencv was ignored: it says that Python module cv2 is missing, but this machine should have it\n"
    );
    // A test that is ignored for no tool has no excuse.
    for line in ["test slow ... ignored", "test slow ... ignored, takes an hour"] {
        let log = format!("{LOG}{line}\n");
        assert_eq!(
            unexcused(&log, &["chromium", "chromedriver", "Python module cv2"]),
            "slow was ignored: it does not name a tool that is missing\n"
        );
    }
}

/// What the check says about this log, if the machine cannot have these tools. It fails exactly if it says something.
fn unexcused(log: &str, missing: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    std::fs::write(&file, log).unwrap();
    let output = Command::new(workspace().join(".ci/check-ignored")).arg(file).args(missing).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.success(), said.is_empty(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
