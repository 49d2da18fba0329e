//! The manual pages and shell completions of packages.

use std::fs;

use hotshoe_test_support::server::run;

fn generate(arguments: &[&str]) -> String {
    let output = run([&["generate"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn manual_pages_describe_every_command_and_its_options() {
    let folder = tempfile::tempdir().unwrap();
    generate(&["man", folder.path().to_str().unwrap()]);
    let page = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap().replace('\\', "");
    let program = page("hotshoe.1");
    for text in ["--camera", "--listen", "test-pattern", "RUST_LOG", "hotshoe-probe(1)"] {
        assert!(program.contains(text), "hotshoe.1 lacks {text}");
    }
    assert!(page("hotshoe-probe.1").contains("--seconds"));
    assert!(page("hotshoe-guest-new.1").contains("--lang"));
    // Those of hidden commands would only confuse.
    assert!(!folder.path().join("hotshoe-supervise.1").exists());
}

#[test]
fn completions_exist_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let script = generate(&["completions", shell]);
        assert!(script.contains("hotshoe") && script.contains("probe") && script.contains("camera"), "{shell}");
    }
}

#[test]
fn a_folder_that_does_not_exist_is_an_error() {
    let output = run(["generate", "man", "/nonexistent/folder"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("cannot write /nonexistent/folder/hotshoe.1"), "{error}");
}
