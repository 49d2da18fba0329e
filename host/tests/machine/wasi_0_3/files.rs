//! The files of a directory (`--guest-dir`) for guests of WASI 0.3.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::start;

const NOT_PERMITTED: &str = "ErrorCode::NotPermitted";

/// A folder with the folder `www`, which is granted, and a file outside that.
struct Site {
    folder: TempDir,
    server: Server,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let www = folder.path().join("www");
        fs::create_dir(&www).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(www.join("file"), "content").unwrap();
        fs::create_dir(www.join("empty")).unwrap();
        let server = start(&["--guest-dir", www.to_str().unwrap()]);
        Self { folder, server }
    }

    fn www(&self) -> PathBuf {
        self.folder.path().join("www")
    }

    /// Lets the guest do something to a file: its outcome as text.
    fn get(&self, request: &str) -> String {
        get(self.server.address, &format!("/files/{request}")).text()
    }
}

pub fn files_are_read_as_they_are_now() {
    let site = Site::new();
    assert_eq!(site.get("read/file"), "content");
    fs::write(site.www().join("file"), "x".repeat(300_000)).unwrap();
    assert_eq!(site.get("read/file"), "x".repeat(300_000));
    assert_eq!(site.get("read/none"), "ErrorCode::NoEntry");
    assert_eq!(site.get("directory/empty"), "opened");
    assert_eq!(site.get("directory/file"), "ErrorCode::NotDirectory");
    symlink("file", site.www().join("link")).unwrap();
    assert_eq!(
        site.get("list/."),
        "empty DescriptorType::Directory\nfile DescriptorType::RegularFile\nlink DescriptorType::SymbolicLink"
    );
    assert_eq!(site.get("list/empty"), "");
    assert_eq!(site.get("list/file"), "ErrorCode::NotDirectory");
    assert_eq!(site.get("stat/link"), "DescriptorType::RegularFile, 300000 bytes");
    assert_eq!(site.get("read-link/link"), "file");
    fs::write(site.www().join("empty").join(OsStr::from_bytes(b"\xFF")), "").unwrap();
    assert_eq!(site.get("list/empty"), "ErrorCode::IllegalByteSequence", "a name that is not Unicode");
    assert_eq!(get(start(&[]).address, "/files/read/file").text(), "0 directories", "nothing is granted");
}

pub fn no_path_leads_out_and_nothing_can_be_changed() {
    let site = Site::new();
    let secret = site.folder.path().join("secret");
    for (link, target) in
        [("relative", "../secret"), ("absolute", secret.to_str().unwrap()), ("parent", ".."), ("loop", "loop")]
    {
        symlink(target, site.www().join(link)).unwrap();
    }
    for path in ["relative", "absolute", "parent/secret", "../secret", "empty/../../secret", "/etc/passwd", ".."] {
        for action in ["read", "list", "hold", "directory"] {
            let outcome = site.get(&format!("{action}/{path}"));
            assert!(outcome.ends_with(NOT_PERMITTED), "{action} {path}: {outcome}");
        }
    }
    assert_eq!(site.get("read/loop"), "ErrorCode::Loop");
    assert_eq!(site.get("read-no-follow/relative"), "ErrorCode::Loop");

    for path in ["absolute", "parent/secret", "../secret", "/etc/passwd"] {
        assert_eq!(site.get(&format!("stat/{path}")), NOT_PERMITTED, "{path}");
    }
    assert_eq!(site.get("read-link/parent/link"), NOT_PERMITTED);

    for action in
        ["create", "truncate", "write", "append", "unlink", "rename", "link", "symlink", "set-size", "set-times"]
    {
        assert_eq!(site.get(&format!("{action}/file")), NOT_PERMITTED, "{action}");
    }
    for request in ["create/new", "make-directory/new", "remove-directory/empty"] {
        assert_eq!(site.get(request), NOT_PERMITTED, "{request}");
    }
    assert_eq!(site.get("read/file"), "content");
    assert!(site.www().join("empty").exists() && !site.www().join("new").exists());
}

pub fn pipes_and_sockets_are_refused_without_blocking() {
    let site = Site::new();
    mknodat(CWD, site.www().join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    symlink("pipe", site.www().join("link")).unwrap();
    let _socket = UnixListener::bind(site.www().join("socket")).unwrap();
    // With a thread blocked for each, these would exhaust Tokio's pool of 512.
    for _ in 0..200 {
        for path in ["pipe", "link", "socket"] {
            assert_eq!(site.get(&format!("read/{path}")), NOT_PERMITTED, "{path}");
        }
    }
    assert_eq!(site.get("read/file"), "content");
}

pub fn open_files_and_listings_are_limited() {
    let site = Site::new();
    let each = |count| format!("{count} ErrorCode::Quota");
    // The requests of an instance share its limit, which is 16 for each of the 16 that it may have.
    assert_eq!(site.get("hold/file"), each(256));
    assert_eq!(site.get("hold-streams/file"), each(256));
    assert_eq!(site.get("hold-listings/."), each(64));
    // All are closed again.
    let requests: Vec<_> = (0..4)
        .map(|_| {
            let address = site.server.address;
            thread::spawn(move || get(address, "/files/read/file").text())
        })
        .collect();
    for request in requests {
        assert_eq!(request.join().unwrap(), "content");
    }
    wait_until("the listings are closed", || site.get("list/empty").is_empty());

    let large = site.www().join("large");
    fs::create_dir(&large).unwrap();
    // Hard links are faster to make than files.
    for number in 0..10_000 {
        fs::hard_link(site.www().join("file"), large.join(number.to_string())).unwrap();
    }
    assert_eq!(site.get("list/large").lines().count(), 10_000);
    fs::hard_link(site.www().join("file"), large.join("one-more")).unwrap();
    assert_eq!(site.get("list/large"), "ErrorCode::Overflow");
}
