//! The compile cache: a start with a known guest compiles nothing, and neither does a damaged cache end it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hotshoe_test_support::client::get;
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];

/// The compiled guests in a cache.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for path in found.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(entries(&path));
        } else if path.extension().is_none() && !path.file_name().unwrap().to_string_lossy().starts_with('.') {
            files.push(path);
        }
    }
    files
}

fn start(cache: &Path, more: &[&str]) -> Server {
    let mut command = hotshoe_test_support::server::command();
    command.args(CAMERA).arg("--cache").arg(cache).args(more);
    Server::start_command(command)
}

#[test]
fn a_known_guest_is_not_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    drop(start(&cache, &[]));
    let compiled = entries(&cache);
    assert_eq!(compiled.len(), 1);
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let written = fs::metadata(&compiled[0]).unwrap().modified().unwrap();
    let server = start(&cache, &[]);
    assert_eq!(get(server.address, "/snapshot").status, 200);
    assert_eq!(entries(&cache), compiled);
    assert_eq!(fs::metadata(&compiled[0]).unwrap().modified().unwrap(), written);
    // One that is swapped in is kept as well.
    assert_eq!(server.put_guest(&guests::serving(guests::TRAPS)).status, 200);
    assert_eq!(entries(&cache).len(), 2);
}

#[test]
fn a_damaged_cache_is_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    drop(start(&cache, &[]));
    let compiled = entries(&cache).pop().unwrap();
    let whole = fs::read(&compiled).unwrap();
    for damaged in [&b""[..], b"garbage", &whole[..whole.len() / 2], &vec![0; whole.len()]] {
        fs::write(&compiled, damaged).unwrap();
        assert_eq!(get(start(&cache, &[]).address, "/snapshot").status, 200, "{} bytes", damaged.len());
    }
}

#[test]
fn a_cache_that_others_can_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let server = start(&cache, &[]);
    let line = server.wait_for_log("compiled guests are not kept");
    assert!(line.contains("WARN") && line.contains("can be written by them") && line.contains("remove it"), "{line}");
    assert_eq!(get(server.address, "/snapshot").status, 200);
    assert!(entries(&cache).is_empty());
}

#[test]
fn a_cache_that_cannot_be_made_is_said_and_done_without() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let server = start(file.path(), &[]);
    server.wait_for_log("compiled guests are not kept");
    assert_eq!(get(server.address, "/snapshot").status, 200);
}

#[test]
fn there_can_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = hotshoe_test_support::server::command();
    command.args(CAMERA).arg("--no-cache").env("XDG_CACHE_HOME", folder.path());
    let server = Server::start_command(command);
    assert_eq!(get(server.address, "/snapshot").status, 200);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
