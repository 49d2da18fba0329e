//! What systemd does for services, from the outside: sockets that it opens, and what it wants to be told.

use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use hotshoe_test_support::client::{connect, get, read_head, send_over};
use hotshoe_test_support::server::{Server, end, program, set_environment};

/// Returns a command that starts the program as systemd does, with these listening sockets and their names
/// (sd_listen_fds(3)): the first descriptors after standard error.
fn activated([first, second]: [OwnedFd; 2], names: &str, args: &[&str]) -> (Command, Stdio) {
    let script = "exec 3<&0 4<&1 0</dev/null 1>&2; export LISTEN_PID=$$; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    set_environment(&mut command);
    command.args(["-c", script]).arg(program()).args(["--camera", "emulated,fps=20"]).args(args);
    command.stdout(second).env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", names);
    (command, first.into())
}

#[test]
fn sockets_of_systemd_serve_by_name_and_never_refuse_during_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin");
    let viewers = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = UnixListener::bind(&path).unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "0123456789abcdef").unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let start = || {
        let sockets = [viewers.try_clone().unwrap().into(), admin.try_clone().unwrap().into()];
        let token = token.to_str().unwrap();
        let args = ["--listen", "systemd:web", "--admin", "systemd:admin", "--admin-token-file", token];
        let (command, stdin) = activated(sockets, "web:admin", &args);
        Server::start_with_stdin(command, stdin)
    };
    let server = start();
    assert_eq!(server.address, viewers.local_addr().unwrap());
    assert_eq!(get(server.address, "/state").status, 200);
    server.wait_for_log(&format!("admin at unix:{}", path.display()));
    let bearer = [("Authorization", "Bearer 0123456789abcdef")];
    let report = || send_over(UnixStream::connect(&path).unwrap(), "localhost", "GET", "/guest", &bearer, b"");
    assert_eq!(report().json()["current"]["generation"], 1);

    let address = server.address;
    drop(server);
    // Nobody serves. The kernel accepts the connection, and the next server answers.
    let mut early = connect(address);
    write!(early, "GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let server = start();
    assert_eq!(read_head(&mut BufReader::new(early)).0, 200);
    assert_eq!(report().status, 200);
    drop(server);
    assert!(path.exists(), "the socket belongs to systemd");
}

#[test]
fn an_address_without_a_name_takes_the_sockets_that_no_other_address_names() {
    let [first, second] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = [&first, &second].map(|listener| listener.local_addr().unwrap());
    let args = ["--listen", "systemd", "--admin", "off"];
    let (command, stdin) = activated([first.into(), second.into()], "", &args);
    let server = Server::start_with_stdin(command, stdin);
    for address in addresses {
        server.wait_for_log(&format!("open http://{address}/"));
        assert_eq!(get(address, "/state").status, 200);
    }
}

#[test]
fn a_socket_that_is_missing_or_unused_is_reported() {
    let sockets = || [(); 2].map(|()| OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap()));
    let (command, stdin) = activated(sockets(), "web:other", &["--listen", "systemd:web", "--admin", "off"]);
    let server = Server::start_with_stdin(command, stdin);
    server.wait_for_log("WARN nothing serves the socket other of systemd; add --listen systemd:other");

    let mut command = hotshoe_test_support::server::command();
    command.args(["--camera", "emulated", "--listen", "systemd:web", "--admin", "off"]);
    let output = end(command);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--listen systemd:web: systemd has passed no such socket (none at all)"), "{error}");
}
