//! The compile cache: a known guest is not compiled again, and a damaged or unusable cache does no harm.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use hotshoe_test_support::client::{get, request};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];

/// Lists the entries of a cache, in alphabetical order. Empty if it does not exist.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = found.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn start(cache: &Path) -> Server {
    let mut command = hotshoe_test_support::server::command();
    command.args(CAMERA).arg("--cache").arg(cache);
    Server::start_command(command)
}

#[test]
fn a_known_guest_is_not_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    drop(start(&cache));
    let compiled = entries(&cache);
    assert_eq!(compiled.len(), 1);
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(&compiled[0]).unwrap().permissions().mode() & 0o777, 0o600);
    let inode = fs::metadata(&compiled[0]).unwrap().ino();
    let server = start(&cache);
    assert_eq!(get(server.address, "/snapshot").status, 200);
    assert_eq!(entries(&cache), compiled);
    assert_eq!(fs::metadata(&compiled[0]).unwrap().ino(), inode, "the entry was written again");
    // Uploaded guests are cached as well.
    assert_eq!(server.put_guest(&guests::serving(guests::TRAPS)).status, 200);
    assert_eq!(entries(&cache).len(), 2);
}

#[test]
fn damaged_entries_are_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    drop(start(&cache));
    let entry = entries(&cache).pop().unwrap();
    let intact = fs::read(&entry).unwrap();
    for damaged in [&b""[..], b"garbage", &intact[..intact.len() / 2], &vec![0; intact.len()]] {
        fs::write(&entry, damaged).unwrap();
        let server = start(&cache);
        assert_eq!(get(server.address, "/snapshot").status, 200, "{} bytes", damaged.len());
        server.wait_for_log("in the compile cache is damaged, compiling again");
        assert_eq!(fs::read(&entry).unwrap(), intact, "the entry was not repaired");
    }
}

/// How many bits to flip, at positions spread over the whole entry. `FLIPS` in the environment overrides it.
const FLIPS: usize = 24;

#[test]
fn a_flipped_bit_in_the_cache_is_detected_before_the_code_runs() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let server = start(&cache);
    let known = entries(&cache);
    let other = guests::serving(guests::TRAPS);
    assert_eq!(server.put_guest(&other).status, 200);
    let entry = entries(&cache).into_iter().find(|entry| !known.contains(entry)).unwrap();
    let intact = fs::read(&entry).unwrap();
    let flips = std::env::var("FLIPS").map_or(FLIPS, |flips| flips.parse().unwrap());
    for flip in 0..flips {
        let mut damaged = intact.clone();
        let bit = flip * (8 * intact.len() - 1) / (flips - 1);
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&entry, damaged).unwrap();
        assert_eq!(request(server.admin.unwrap(), "POST", "/guest/rollback").status, 200);
        let reply = server.put_guest(&other);
        assert_eq!(reply.status, 200, "bit {bit}: {}", reply.text());
        server.wait_for_logs("in the compile cache is damaged", flip + 1);
        assert_eq!(get(server.address, "/ok").text(), "ok\n", "bit {bit}");
        assert_eq!(fs::read(&entry).unwrap(), intact, "bit {bit}");
    }
}

#[test]
fn a_cache_that_other_users_can_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let server = start(&cache);
    let line = server.wait_for_log("compiled guests are not cached");
    assert!(
        line.contains("WARN") && line.contains("other users can write to it") && line.contains("remove it"),
        "{line}"
    );
    assert_eq!(get(server.address, "/snapshot").status, 200);
    assert!(entries(&cache).is_empty());
}

#[test]
fn if_the_cache_cannot_be_created_the_server_warns_and_works_without() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let server = start(file.path());
    server.wait_for_log("compiled guests are not cached");
    assert_eq!(get(server.address, "/snapshot").status, 200);
}

#[test]
fn no_cache_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = hotshoe_test_support::server::command();
    command.args(CAMERA).arg("--no-cache").env("XDG_CACHE_HOME", folder.path());
    let server = Server::start_command(command);
    assert_eq!(get(server.address, "/snapshot").status, 200);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
