//! What the operator grants to guests, and what they get without that.

mod configuration;
mod directory;
mod directory_versions;
mod outgoing;
mod state;

use std::ffi::OsStr;
use std::path::Path;

use hotshoe_test_support::client::get;
use hotshoe_test_support::server::{Server, run};

/// One interface of each package that is always granted.
const GRANTED: [&str; 15] = [
    "hotshoe:camera/cameras@0.2.0",
    "hotshoe:server/channels@0.2.0",
    "wasi:cli/environment@0.2.12",
    "wasi:clocks/monotonic-clock@0.2.12",
    "wasi:config/store@0.2.0-rc.1",
    "wasi:http/types@0.2.12",
    "wasi:io/streams@0.2.12",
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:keyvalue/atomics@0.2.0-draft",
    "wasi:keyvalue/batch@0.2.0-draft2",
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:logging/logging",
    "wasi:logging/logging@0.1.0-draft",
    "wasi:random/random@0.2.12",
    "wasi:cli/stderr@0.2.12",
];

/// All interfaces that nothing, or only an option, grants.
const CONDITIONAL: [&str; 10] = [
    "wasi:filesystem/preopens@0.2.12",
    "wasi:filesystem/types@0.2.12",
    "wasi:http/outgoing-handler@0.2.12",
    "wasi:sockets/instance-network@0.2.12",
    "wasi:sockets/ip-name-lookup@0.2.12",
    "wasi:sockets/network@0.2.12",
    "wasi:sockets/tcp@0.2.12",
    "wasi:sockets/tcp-create-socket@0.2.12",
    "wasi:sockets/udp@0.2.12",
    "wasi:sockets/udp-create-socket@0.2.12",
];

#[test]
fn each_option_grants_its_interfaces_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    let import = |name: &&str| format!("(import {name:?} (instance))");
    let imports: String = GRANTED.iter().chain(&CONDITIONAL).map(import).collect();
    std::fs::write(&path, wat::parse_str(format!("(component {imports})")).unwrap()).unwrap();
    let options: [(&[&str], &[&str]); 4] = [
        (&[], &[]),
        (&["--guest-env", "KEY=value"], &[]),
        (&["--allow-outgoing", "http://192.168.1.20:8123"], &["wasi:http/outgoing-handler"]),
        (&["--guest-dir", folder.path().to_str().unwrap()], &["wasi:filesystem/"]),
    ];
    for (options, granted) in options {
        let lines = imports_of(&path, options);
        let expected: String = GRANTED
            .iter()
            .map(|name| format!("{name}: granted\n"))
            .chain(CONDITIONAL.iter().map(|name| {
                let is_granted = granted.iter().any(|prefix| name.starts_with(prefix));
                format!("{name}: {}\n", if is_granted { "granted" } else { "denied" })
            }))
            .collect();
        assert_eq!(lines, expected, "{options:?}");
    }
}

#[test]
fn without_options_nothing_is_granted() {
    let server = Server::start(&["--camera", "emulated"]);
    assert!(server.log().contains("grants: none"), "{}", server.log());
    let report = get(server.admin.unwrap(), "/guest").json();
    assert_eq!(
        report["grants"],
        serde_json::json!({"configuration": [], "directory": null, "store": null, "outgoing": []})
    );
}

/// Returns what `hotshoe guest imports` prints about a component with these options.
fn imports_of(path: &Path, options: &[&str]) -> String {
    let args = ["guest".as_ref(), "imports".as_ref(), path.as_os_str()];
    let output = run(args.into_iter().chain(options.iter().map(|option| OsStr::new(*option))));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
