//! Every client of the conformance kit reads this server.

use hotshoe_conformance::{Category, Check, Needs, Target, checks, write_awkward_frames};
use libtest_mimic::{Failed, Trial};

use hotshoe_test_support::server::Server;
use hotshoe_test_support::workspace;

/// One test for each row of the kit's table; and one more for each parser, with pictures that try those, if it can read
/// them.
pub fn trials() -> Vec<Trial> {
    let plain = checks().into_iter().map(|check| trial("client", check, plain));
    let is_parser = |check: &Check| check.needs == Needs::NOTHING && check.category == Category::Core;
    let awkward = checks().into_iter().filter(|check| is_parser(check) && !check.plain_only);
    plain.chain(awkward.map(|check| trial("client_of_awkward_pictures", check, self::awkward))).collect()
}

fn trial(kind: &str, check: Check, run: fn(Check) -> Result<(), String>) -> Trial {
    let name = format!("{kind}_{}_{}", check.client, check.what);
    let words = name.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("_").to_lowercase();
    let trial = Trial::test(name, move || run(check).map_err(Failed::from));
    match check.needs.missing() {
        Some(missing) => trial.with_kind(format!("needs {missing}")).with_ignored_flag(true),
        None => trial,
    }
}

fn plain(check: Check) -> Result<(), String> {
    reads(check, "emulated,fps=15")
}

fn awkward(check: Check) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    write_awkward_frames(&workspace().join("frames/1.jpg"), folder.path())?;
    reads(check, &format!("emulated:{},fps=15", folder.path().display()))
}

/// A client must read what this camera shows.
fn reads(check: Check, camera: &str) -> Result<(), String> {
    let server = Server::start(&["--camera", camera, "--allow-origin", "*"]);
    (check.run)(&Target::new(server.address.to_string()))
        .inspect_err(|_| eprintln!("the server's log:\n{}", server.log()))
}
