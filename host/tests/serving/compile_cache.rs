//! The compile cache: a known guest is not compiled again, and a damaged or unusable cache does no harm.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use hotshoe_test_support::client::{Viewer, get, request};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;

const CAMERA: [&str; 2] = ["--camera", "emulated,fps=20"];

/// Lists the files in a folder, in alphabetical order. Empty if it does not exist.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = found.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Lists the compiled guests in a cache.
fn entries(cache: &Path) -> Vec<PathBuf> {
    files(&cache.join("artifacts"))
}

/// Lists the files of compiled functions in a cache.
fn functions(cache: &Path) -> Vec<PathBuf> {
    files(&cache.join("functions"))
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

fn flips() -> usize {
    std::env::var("FLIPS").map_or(FLIPS, |flips| flips.parse().unwrap())
}

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
    let flips = flips();
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

/// A guest of which one function contains this number.
fn numbered(number: u32) -> Vec<u8> {
    let store = format!("(i32.store (i32.const 0) (i32.const {number}))");
    guests::serving(&format!("(func $misbehave (param $out i32) {store} unreachable)"))
}

/// Uploads a guest, and returns the length of the functions that the compiler has stored since, in bytes.
fn put_and_measure(server: &Server, cache: &Path, guest: &[u8]) -> u64 {
    let known = functions(cache);
    assert_eq!(server.put_guest(guest).status, 200);
    let new = functions(cache).into_iter().filter(|file| !known.contains(file));
    new.map(|file| fs::metadata(file).unwrap().len()).sum()
}

#[test]
fn functions_that_have_not_changed_are_not_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let server = start(&cache);
    // While somebody watches, one thread compiles. Several would divide the functions differently each time, which has
    // an influence on their keys.
    let _viewer = Viewer::watch(server.address, "/video_feed");
    fs::remove_dir_all(cache.join("functions")).unwrap();
    let built_in = guests::built_in();
    let all = put_and_measure(&server, &cache, &guests::variant(&built_in, 1));
    let segment = functions(&cache).pop().unwrap();
    assert_eq!(fs::metadata(cache.join("functions")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(segment).unwrap().permissions().mode() & 0o777, 0o600);
    // Another component with the same functions.
    let again = put_and_measure(&server, &cache, &guests::variant(&built_in, 2));
    assert_eq!(entries(&cache).len(), 3);
    assert!(again < all / 4, "{again} of {all} bytes were compiled again");
    assert_eq!(get(server.address, "/snapshot").status, 200);
    // A component with other functions, and one that differs in one of them.
    let all = put_and_measure(&server, &cache, &numbered(1));
    let again = put_and_measure(&server, &cache, &numbered(2));
    assert!(0 < again && again < all / 2, "{again} of {all} bytes were compiled again");
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}

#[test]
fn damaged_functions_are_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let server = start(&cache);
    assert_eq!(server.put_guest(&numbered(0)).status, 200);
    let intact: Vec<_> = functions(&cache).into_iter().map(|file| (fs::read(&file).unwrap(), file)).collect();
    let flips = flips();
    for flip in 0..flips {
        for file in functions(&cache) {
            fs::remove_file(file).unwrap();
        }
        for (bytes, file) in &intact {
            let mut damaged = bytes.clone();
            let bit = flip * (8 * damaged.len() - 1) / (flips - 1);
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(file, damaged).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let reply = server.put_guest(&numbered(1 + u32::try_from(flip).unwrap()));
        assert_eq!(reply.status, 200, "flip {flip}: {}", reply.text());
        assert_eq!(get(server.address, "/ok").text(), "ok\n", "flip {flip}");
    }
}

#[test]
fn functions_that_other_users_can_have_written_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let server = start(&cache);
    let all = put_and_measure(&server, &cache, &numbered(1));
    for file in functions(&cache) {
        fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
    }
    let again = put_and_measure(&server, &cache, &numbered(2));
    assert!(again >= all, "only {again} of {all} bytes were compiled again");
    // Nothing is read from or written to a folder that others can write to.
    fs::set_permissions(cache.join("functions"), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(put_and_measure(&server, &cache, &numbered(3)), 0);
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}

#[test]
fn a_cache_that_other_users_can_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let server = start(&cache);
    let line = server.wait_for_log("compiled guests are not cached");
    let advice = format!("other users can write to it; choose another folder, or run `chmod go-w {}`", cache.display());
    assert!(line.contains("WARN") && line.contains(&advice), "{line}");
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
