//! Two versions of a guest, as its developer builds them.

use std::fs;
use std::path::Path;
use std::process::Command;

use hotshoe_test_support::server::run;

/// A copy of the built-in guest, before and after its page got another title. The new title is longer, which moves all
/// constants behind it.
pub struct Edited {
    pub before: Vec<u8>,
    pub after: Vec<u8>,
}

impl Edited {
    /// Builds both, which takes a minute.
    pub fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let guest = folder.path().join("guest");
        assert!(run(["guest".as_ref(), "new".as_ref(), "--full".as_ref(), guest.as_os_str()]).status.success());
        let before = build(&guest);
        let page = guest.join("src/page/page.html");
        let text = fs::read_to_string(&page).unwrap();
        let changed = text.replace("<title>Hotshoe<", "<title>All cameras<");
        assert_ne!(changed, text);
        fs::write(page, changed).unwrap();
        Self { before, after: build(&guest) }
    }
}

fn build(guest: &Path) -> Vec<u8> {
    let status = Command::new("./build").current_dir(guest).env("CARGO_NET_OFFLINE", "true").status().unwrap();
    assert!(status.success());
    fs::read(guest.join("guest.wasm")).unwrap()
}
