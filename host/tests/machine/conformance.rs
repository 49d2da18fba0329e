//! The checks of the conformance kit, run against this server.

use hotshoe_conformance::{Category, Check, Requirements, Target, checks, write_awkward_frames};
use libtest_mimic::{Failed, Trial};

use hotshoe_test_support::server::Server;
use hotshoe_test_support::workspace;

/// One test per check. Core checks that need no tools also run with awkward frames, unless a bug of the client prevents
/// that.
pub fn trials() -> Vec<Trial> {
    let plain = checks().into_iter().map(|check| trial("client", check, with_plain_frames));
    let is_parser = |check: &Check| check.requirements == Requirements::NONE && check.category == Category::Core;
    let awkward = checks().into_iter().filter(|check| is_parser(check) && !check.plain_frames_only);
    plain.chain(awkward.map(|check| trial("client_with_awkward_frames", check, with_awkward_frames))).collect()
}

fn trial(prefix: &str, check: Check, run: fn(Check) -> Result<(), String>) -> Trial {
    let name = format!("{prefix}_{}_{}", check.client, check.description);
    let words = name.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("_").to_lowercase();
    let trial = Trial::test(name, move || run(check).map_err(Failed::from));
    match check.requirements.missing() {
        Some(missing) => trial.with_kind(format!("needs {missing}")).with_ignored_flag(true),
        None => trial,
    }
}

fn with_plain_frames(check: Check) -> Result<(), String> {
    run(check, "emulated,fps=15")
}

fn with_awkward_frames(check: Check) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    write_awkward_frames(&workspace().join("frames/1.jpg"), folder.path())?;
    run(check, &format!("emulated:{},fps=15", folder.path().display()))
}

/// Runs a check against a server with this camera.
fn run(check: Check, camera: &str) -> Result<(), String> {
    let server = Server::start(&["--camera", camera, "--allow-origin", "*"]);
    (check.run)(&Target::new(server.address.to_string()))
        .inspect_err(|_| eprintln!("log of the server:\n{}", server.log()))
}
