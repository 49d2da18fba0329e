//! What a server keeps itself from doing.

use std::fs;

use hotshoe_test_support::client::get;
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::{guests, wait_until};

/// A field of /proc/PID/status (proc_pid_status(5)), which must be the same for all threads that serve.
fn field(server: &Server, name: &str) -> Vec<String> {
    let threads = server.threads().into_iter().filter(|(_, thread)| ["requests", "streams"].contains(&thread.as_str()));
    let mut values: Vec<_> = threads
        .map(|(id, _)| {
            let status = fs::read_to_string(format!("/proc/{}/task/{id}/status", server.pid())).unwrap();
            status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
        })
        .collect();
    values.dedup();
    values
}

#[test]
fn a_server_can_gain_no_privileges_and_still_compiles_stores_and_listens() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::PRINTS);
    let [cache, store, socket] = ["cache", "store", "socket"].map(|name| folder.path().join(name));
    let unix = format!("unix:{}", socket.display());
    let mut command = command();
    command.args(["--camera", "emulated", "--listen", "127.0.0.1:0", "--listen", &unix]);
    command.arg("--cache").arg(&cache).arg("--guest-store").arg(&store);
    let mut server = Server::start_command(command);
    server.wait_for_log("INFO confinement: ");
    assert_eq!(field(&server, "NoNewPrivs:"), ["1"]);
    let compiled = || fs::read_dir(cache.join("artifacts")).unwrap().count();
    let before = compiled();
    assert!(before > 0, "the built-in guest");
    // In a child process, which is this program again.
    let reply = server.put_guest(&fs::read(guest).unwrap());
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(compiled(), before + 1);
    assert_eq!(get(server.address, "/state").status, 200);
    assert!(socket.exists() && store.exists());
    server.signal(rustix::process::Signal::TERM);
    assert!(server.wait().success());
    assert!(!socket.exists(), "the socket is removed");
    assert_eq!(server.warnings(), [""; 0]);
}

#[test]
fn programs_of_cameras_keep_the_rights_of_their_user() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("written");
    let camera = format!("exec:touch {},keep-open", file.display());
    let server = Server::start(&["--camera", &camera]);
    server.wait_for_log("confinement: off, because the program of a camera would inherit it");
    assert_eq!(field(&server, "NoNewPrivs:"), ["0"]);
    wait_until("the program has written its file", || file.exists());
}
