//! Files to read: `--guest-dir`.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::{Server, command_with_limit, start_failing};
use hotshoe_test_support::wait_until;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

const IMPORTS: &str = r#"
  (import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $directories (param i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.open-at"
    (func $open (param i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.read" (func $read (param i32 i64 i64 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.read-via-stream" (func $stream (param i32 i64 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.stat-at" (func $stat (param i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.create-directory-at"
    (func $create_directory (param i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.unlink-file-at" (func $unlink (param i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.remove-directory-at"
    (func $remove_directory (param i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.rename-at"
    (func $rename (param i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.link-at"
    (func $link (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.symlink-at"
    (func $symlink (param i32 i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.set-times-at"
    (func $set_times (param i32 i32 i32 i32 i32 i64 i32 i32 i64 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.set-size" (func $set_size (param i32 i64 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.write" (func $file_write (param i32 i32 i32 i64 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.read-directory" (func $list (param i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]directory-entry-stream.read-directory-entry"
    (func $next_entry (param i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[resource-drop]descriptor" (func $close (param i32)))
"#;

/// Does to a file what a letter says: a request for `/rindex.html` reads `index.html`. Responds with `E` and an error
/// code, or else with `D` and the data.
const USES_FILES: &str = r#"
  (data (i32.const 1104) "new")
  (func $respond (param $out i32) (param $length i32)
    (local $stream i32)
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (i32.const 1100) (local.get $length))
    (call $end (local.get $stream)))

  ;; Responds with the outcome of a call: the error code at this offset of its result, or nothing.
  (func $outcome (param $out i32) (param $offset i32)
    (if (i32.load8_u (i32.const 256))
      (then
        (i32.store8 (i32.const 1100) (i32.const 0x45))
        (i32.store8 (i32.const 1101) (i32.load8_u (i32.add (i32.const 256) (local.get $offset))))
        (call $respond (local.get $out) (i32.const 2)))
      (else
        (i32.store8 (i32.const 1100) (i32.const 0x44))
        (call $respond (local.get $out) (i32.const 1)))))

  ;; Responds with data.
  (func $data (param $out i32) (param $at i32) (param $length i32)
    (local $stream i32)
    (local.set $stream (call $start (local.get $out)))
    (i32.store8 (i32.const 1100) (i32.const 0x44))
    (call $write_bytes (local.get $stream) (i32.const 1100) (i32.const 1))
    (call $write_bytes (local.get $stream) (local.get $at) (local.get $length))
    (call $end (local.get $stream)))

  (func $misbehave (param $out i32)
    (local $root i32) (local $path i32) (local $length i32) (local $do i32) (local $file i32) (local $count i32)
    (local $stream i32)
    ;; The prelude has read the path of the request.
    (local.set $do (i32.load8_u offset=1 (i32.load (i32.const 260))))
    (local.set $path (i32.add (i32.load (i32.const 260)) (i32.const 2)))
    (local.set $length (i32.sub (i32.load (i32.const 264)) (i32.const 2)))
    (call $directories (i32.const 256))
    (if (i32.ne (i32.load (i32.const 260)) (i32.const 1)) (then unreachable))
    (local.set $root (i32.load (i32.load (i32.const 256))))

    ;; p: the path of the directory
    (if (i32.eq (local.get $do) (i32.const 0x70)) (then
      (local.set $path (i32.load (i32.const 256)))
      (call $data (local.get $out) (i32.load offset=4 (local.get $path)) (i32.load offset=8 (local.get $path)))
      (return)))
    ;; s: status
    (if (i32.eq (local.get $do) (i32.const 0x73)) (then
      (call $stat (local.get $root) (i32.const 1) (local.get $path) (local.get $length) (i32.const 256))
      (if (i32.load8_u (i32.const 256))
        (then (call $outcome (local.get $out) (i32.const 8)))
        (else (call $data (local.get $out) (i32.const 264) (i32.const 1))))
      (return)))
    ;; c: create a file
    (if (i32.eq (local.get $do) (i32.const 0x63)) (then
      (call $open (local.get $root) (i32.const 0) (local.get $path) (local.get $length) (i32.const 1) (i32.const 2)
        (i32.const 256))
      (call $outcome (local.get $out) (i32.const 4))
      (return)))
    ;; t: truncate a file
    (if (i32.eq (local.get $do) (i32.const 0x74)) (then
      (call $open (local.get $root) (i32.const 1) (local.get $path) (local.get $length) (i32.const 8) (i32.const 1)
        (i32.const 256))
      (call $outcome (local.get $out) (i32.const 4))
      (return)))
    ;; w: open a file to write
    (if (i32.eq (local.get $do) (i32.const 0x77)) (then
      (call $open (local.get $root) (i32.const 1) (local.get $path) (local.get $length) (i32.const 0) (i32.const 3)
        (i32.const 256))
      (call $outcome (local.get $out) (i32.const 4))
      (return)))
    ;; m: make a directory
    (if (i32.eq (local.get $do) (i32.const 0x6d)) (then
      (call $create_directory (local.get $root) (local.get $path) (local.get $length) (i32.const 256))
      (call $outcome (local.get $out) (i32.const 1))
      (return)))
    ;; u: unlink
    (if (i32.eq (local.get $do) (i32.const 0x75)) (then
      (call $unlink (local.get $root) (local.get $path) (local.get $length) (i32.const 256))
      (call $outcome (local.get $out) (i32.const 1))
      (return)))
    ;; x: remove a directory
    (if (i32.eq (local.get $do) (i32.const 0x78)) (then
      (call $remove_directory (local.get $root) (local.get $path) (local.get $length) (i32.const 256))
      (call $outcome (local.get $out) (i32.const 1))
      (return)))
    ;; v: move
    (if (i32.eq (local.get $do) (i32.const 0x76)) (then
      (call $rename (local.get $root) (local.get $path) (local.get $length) (local.get $root) (i32.const 1104)
        (i32.const 3) (i32.const 256))
      (call $outcome (local.get $out) (i32.const 1))
      (return)))
    ;; k: make a hard link
    (if (i32.eq (local.get $do) (i32.const 0x6b)) (then
      (call $link (local.get $root) (i32.const 0) (local.get $path) (local.get $length) (local.get $root)
        (i32.const 1104) (i32.const 3) (i32.const 256))
      (call $outcome (local.get $out) (i32.const 1))
      (return)))
    ;; y: make a symbolic link
    (if (i32.eq (local.get $do) (i32.const 0x79)) (then
      (call $symlink (local.get $root) (local.get $path) (local.get $length) (i32.const 1104) (i32.const 3)
        (i32.const 256))
      (call $outcome (local.get $out) (i32.const 1))
      (return)))
    ;; i: set the times to now
    (if (i32.eq (local.get $do) (i32.const 0x69)) (then
      (call $set_times (local.get $root) (i32.const 1) (local.get $path) (local.get $length)
        (i32.const 1) (i64.const 0) (i32.const 0) (i32.const 1) (i64.const 0) (i32.const 0) (i32.const 256))
      (call $outcome (local.get $out) (i32.const 1))
      (return)))
    ;; h: open the file until that fails, keep it open, and respond with the number of times and the error
    ;; S: the same, but keep only a stream of each. Both then wait.
    (if (i32.or (i32.eq (local.get $do) (i32.const 0x68)) (i32.eq (local.get $do) (i32.const 0x53))) (then
      (loop $again
        (call $open (local.get $root) (i32.const 1) (local.get $path) (local.get $length) (i32.const 0) (i32.const 1)
          (i32.const 256))
        (if (i32.eqz (i32.load8_u (i32.const 256))) (then
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (if (i32.eq (local.get $do) (i32.const 0x53)) (then
            (local.set $file (i32.load (i32.const 260)))
            (call $stream (local.get $file) (i64.const 0) (i32.const 256))
            (call $close (local.get $file))))
          (br_if $again (i32.lt_u (local.get $count) (i32.const 200))))))
      (i32.store8 (i32.const 1100) (local.get $count))
      (i32.store8 (i32.const 1101) (i32.load8_u (i32.const 260)))
      (local.set $stream (call $start (local.get $out)))
      (call $write_bytes (local.get $stream) (i32.const 1100) (i32.const 2))
      (call $pause (i64.const 3600000))))

    ;; n: read, but follow no symbolic link. Others: open to read.
    (call $open (local.get $root) (i32.ne (local.get $do) (i32.const 0x6e)) (local.get $path) (local.get $length)
      (i32.const 0) (i32.const 1) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then (call $outcome (local.get $out) (i32.const 4)) (return)))
    (local.set $file (i32.load (i32.const 260)))
    ;; z: set the size
    (if (i32.eq (local.get $do) (i32.const 0x7a)) (then
      (call $set_size (local.get $file) (i64.const 0) (i32.const 256))
      (call $outcome (local.get $out) (i32.const 1))
      (return)))
    ;; b: write bytes
    (if (i32.eq (local.get $do) (i32.const 0x62)) (then
      (call $file_write (local.get $file) (i32.const 16) (i32.const 2) (i64.const 0) (i32.const 256))
      (call $outcome (local.get $out) (i32.const 8))
      (return)))
    ;; l: list a directory: the memory that its names were written to
    (if (i32.eq (local.get $do) (i32.const 0x6c)) (then
      (call $list (local.get $file) (i32.const 256))
      (if (i32.load8_u (i32.const 256)) (then (call $outcome (local.get $out) (i32.const 4)) (return)))
      (local.set $stream (i32.load (i32.const 260)))
      (local.set $path (global.get $top))
      (loop $again
        (call $next_entry (local.get $stream) (i32.const 256))
        (if (i32.load8_u (i32.const 256)) (then unreachable))
        (br_if $again (i32.load8_u (i32.const 260))))
      (call $data (local.get $out) (local.get $path) (i32.sub (global.get $top) (local.get $path)))
      (return)))
    ;; L: list a directory until that fails
    (if (i32.eq (local.get $do) (i32.const 0x4c)) (then
      (loop $again
        (call $list (local.get $file) (i32.const 256))
        (br_if $again (i32.eqz (i32.load8_u (i32.const 256)))))
      (call $outcome (local.get $out) (i32.const 4))
      (return)))
    (call $read (local.get $file) (i64.const 4096) (i64.const 0) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then (call $outcome (local.get $out) (i32.const 4)) (return)))
    (call $data (local.get $out) (i32.load (i32.const 260)) (i32.load (i32.const 264))))
"#;

/// Error codes of `wasi:filesystem/types`, and an outcome without data.
const QUOTA: &[u8] = &[b'E', 6];
const LOOP: &[u8] = &[b'E', 15];
const NO_ENTRY: &[u8] = &[b'E', 20];
const NOT_DIRECTORY: &[u8] = &[b'E', 24];
const OVERFLOW: &[u8] = &[b'E', 30];
const NOT_PERMITTED: &[u8] = &[b'E', 31];

/// The most files that an instance may have open.
const FILES_PER_INSTANCE: u8 = 16;

/// A folder with the folder `www`, a file outside that, and the guest.
struct Site {
    folder: TempDir,
    guest: PathBuf,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let guest = folder.path().join("guest.wasm");
        fs::write(&guest, guests::importing(IMPORTS, USES_FILES)).unwrap();
        fs::create_dir(folder.path().join("www")).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        Self { folder, guest }
    }

    fn www(&self) -> PathBuf {
        self.folder.path().join("www")
    }

    fn args(&self) -> Vec<String> {
        let args = ["--camera", "emulated", "--guest", self.guest.to_str().unwrap(), "--guest-dir"];
        args.into_iter().map(str::to_owned).chain([self.www().to_str().unwrap().to_owned()]).collect()
    }

    fn serve(&self) -> Server {
        Server::start(&self.args())
    }
}

fn make_fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn a_guest_reads_the_files_of_its_directory_as_they_are_now() {
    let site = Site::new();
    let server = site.serve();
    let read = |path: &str| get(server.address, path).body;
    assert_eq!(read("/p"), b"D/", "the path of the directory");
    assert_eq!(read("/rindex.html"), NO_ENTRY);
    for content in ["one", "two"] {
        fs::write(site.www().join("index.html"), content).unwrap();
        assert_eq!(read("/rindex.html"), format!("D{content}").as_bytes());
    }
    fs::create_dir_all(site.www().join("css/dark")).unwrap();
    fs::write(site.www().join("css/dark/site.css"), "css").unwrap();
    for path in ["css/dark/site.css", "./css//dark/site.css", "css/../css/dark/../dark/site.css"] {
        assert_eq!(read(&format!("/r{path}")), b"Dcss", "{path}");
    }
    let list = read("/l.");
    let has = |name: &str| list.windows(name.len()).any(|window| window == name.as_bytes());
    assert!(has("index.html") && has("css") && !has("site.css"), "{list:?}");
    assert_eq!(read("/lindex.html"), NOT_DIRECTORY);

    let report = get(server.admin.unwrap(), "/guest").json();
    assert_eq!(report["grants"]["directory"], site.www().to_str().unwrap());
    assert!(server.log().contains(&format!("grants: directory {}", site.www().display())), "{}", server.log());
}

#[test]
fn no_path_leads_out_of_the_directory() {
    let site = Site::new();
    fs::write(site.www().join("inside"), "inside").unwrap();
    let secret = site.folder.path().join("secret");
    for (link, target) in [
        ("relative", Path::new("../secret")),
        ("absolute", &secret),
        ("parent", Path::new("..")),
        ("root", Path::new("/")),
        ("process", Path::new("/proc/self/root")),
        ("good", Path::new("inside")),
        ("loop", Path::new("loop")),
    ] {
        symlink(target, site.www().join(link)).unwrap();
    }
    let server = site.serve();
    let get = |path: &str| get(server.address, path).body;
    for path in [
        "relative",
        "absolute",
        "parent/secret",
        "root/etc/passwd",
        "process/etc/passwd",
        "../secret",
        "inside/../../secret",
        "./../www/inside",
        "/etc/passwd",
        "..",
        "/",
    ] {
        for action in ["r", "n", "s", "l"] {
            let outcome = get(&format!("/{action}{path}"));
            let is_refused = [NOT_PERMITTED, NOT_DIRECTORY].contains(&&outcome[..]);
            // Without following the last link, this describes or refuses the link itself.
            let is_link = action == "n" && outcome == LOOP;
            assert!(is_refused || is_link, "{action} {path}: {outcome:?}");
        }
    }
    assert_eq!(get("/rgood"), b"Dinside");
    assert_eq!(get("/ngood"), LOOP);
    assert_eq!(get("/rloop"), LOOP);
}

#[test]
fn a_guest_cannot_change_anything() {
    let site = Site::new();
    fs::write(site.www().join("file"), "content").unwrap();
    fs::create_dir(site.www().join("folder")).unwrap();
    let modified = fs::metadata(site.www().join("file")).unwrap().modified().unwrap();
    let server = site.serve();
    for path in [
        "/ccreated",
        "/cfile",
        "/tfile",
        "/wfile",
        "/wfolder",
        "/mcreated",
        "/ufile",
        "/xfolder",
        "/vfile",
        "/kfile",
        "/yfile",
        "/ifile",
        "/zfile",
        "/bfile",
    ] {
        assert_eq!(get(server.address, path).body, NOT_PERMITTED, "{path}");
    }
    assert_eq!(get(server.address, "/rfile").body, b"Dcontent");
    assert_eq!(fs::metadata(site.www().join("file")).unwrap().modified().unwrap(), modified);
    assert_eq!(fs::read_dir(site.www()).unwrap().count(), 2);
}

#[test]
fn pipes_sockets_and_devices_are_refused_without_blocking() {
    let site = Site::new();
    make_fifo(&site.www().join("pipe"));
    symlink("pipe", site.www().join("link")).unwrap();
    let _socket = UnixListener::bind(site.www().join("socket")).unwrap();
    let server = site.serve();
    // With a thread blocked for each, these would exhaust Tokio's pool of 512.
    for _ in 0..150 {
        for path in ["/rpipe", "/rlink", "/npipe", "/rsocket"] {
            assert_eq!(get(server.address, path).body, NOT_PERMITTED, "{path}");
        }
    }
    assert_eq!(get(server.address, "/rpipe/file").body, NOT_DIRECTORY);
    assert!(get(server.address, "/spipe").body.starts_with(b"D"), "a pipe has a status");
    // A device, if this user may create one: /dev/null.
    let device = site.www().join("device");
    if mknodat(CWD, &device, FileType::CharacterDevice, Mode::RUSR, rustix::fs::makedev(1, 3)).is_ok() {
        assert_eq!(get(server.address, "/rdevice").body, NOT_PERMITTED);
    }
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}

#[test]
fn open_files_are_limited_for_each_instance_and_in_total() {
    let site = Site::new();
    fs::write(site.www().join("file"), "content").unwrap();
    // A quarter of the files are for guests: fewer than two instances may have.
    let mut command = command_with_limit("-n 100");
    command.args(site.args());
    let server = Server::start_command(command);
    let hold = |path: &str| {
        let mut viewer = Viewer::watch(server.address, path);
        let outcome = viewer.chunk();
        (viewer, outcome)
    };
    let (first, outcome) = hold("/Sfile");
    assert_eq!(outcome, [FILES_PER_INSTANCE, QUOTA[1]], "streams count although their descriptors are closed");
    let (second, outcome) = hold("/hfile");
    assert_eq!(outcome, [25 - FILES_PER_INSTANCE, QUOTA[1]]);
    assert_eq!(get(server.address, "/rfile").body, QUOTA);
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
    drop(first);
    wait_until("the files are closed", || get(server.address, "/rfile").body == b"Dcontent");
    drop(second);
    wait_until("all files are closed", || hold("/hfile").1[0] == FILES_PER_INSTANCE);
}

#[test]
fn listings_are_limited_in_number_and_length() {
    let site = Site::new();
    let server = site.serve();
    assert_eq!(get(server.address, "/L.").body, QUOTA);
    let large = site.www().join("large");
    fs::create_dir(&large).unwrap();
    // Hard links are faster to make than files.
    let first = large.join("first");
    fs::write(&first, "").unwrap();
    for number in 0..10_000 {
        fs::hard_link(&first, large.join(number.to_string())).unwrap();
    }
    assert_eq!(get(server.address, "/llarge").body, OVERFLOW);
    assert_eq!(get(server.address, "/rlarge/first").body, b"D");
}

#[test]
fn a_directory_that_cannot_be_read_is_a_startup_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    make_fifo(&folder.path().join("pipe"));
    for (path, reason) in [
        (folder.path().join("missing"), "No such file or directory"),
        (file, "not a directory"),
        (folder.path().join("pipe"), "not a directory"),
    ] {
        let output = start_failing(["--guest-dir", path.to_str().unwrap()]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = format!("error: --guest-dir: cannot open {}: {reason}", path.display());
        assert!(stderr.contains(&expected), "{stderr}");
    }
}
