//! What systemd does for services, from the outside: sockets that it opens, and what it wants to be told.

use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use hotshoe_test_support::client::{Viewer, connect, get, read_head, send_over};
use hotshoe_test_support::server::{Server, command, end, end_with_sockets, program, set_environment};
use hotshoe_test_support::{DEADLINE, guests, wait_until};
use rustix::process::Signal;
use tempfile::TempDir;

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

/// The server said that it serves, and could accept no connection.
#[test]
fn a_socket_that_does_not_listen_is_an_error() {
    let listening = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let unix = || OwnedFd::from(UnixStream::pair().unwrap().0);
    let tcp = || {
        let connected = std::net::TcpStream::connect(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        OwnedFd::from(connected.unwrap())
    };
    for socket in [unix(), tcp()] {
        let (mut command, stdin) = activated([listening(), socket], "web:other", &["--listen", "systemd:web"]);
        command.stdin(stdin);
        let output = end_with_sockets(command);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("a socket that systemd has opened: other does not listen"), "{error}");
    }
}

/// The socket that the server sends its messages to.
struct Notifications {
    socket: UnixDatagram,
    _folder: TempDir,
}

impl Notifications {
    /// Also makes `command` use the socket.
    fn new(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        command.env("NOTIFY_SOCKET", path);
        Self { socket, _folder: folder }
    }

    /// Waits for the next message, at most for this long.
    fn next(&self, time: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8(message[..length].to_vec()).unwrap())
    }

    #[track_caller]
    fn expect(&self, text: &str) -> String {
        let message = self.next(DEADLINE).unwrap_or_else(|| panic!("no message, expected {text}"));
        assert!(message.lines().any(|line| line == text), "{message:?} lacks {text}");
        message
    }
}

#[test]
fn systemd_learns_when_the_server_is_ready_reloads_and_stops() {
    let mut command = command();
    command.args(["--camera", "emulated,fps=20"]);
    let notifications = Notifications::new(&mut command);
    let mut server = Server::start_command(command);
    let message = notifications.expect("READY=1");
    assert_eq!(get(server.address, "/state").status, 200);
    assert!(message.contains(&format!("STATUS=serving at http://{}/", server.address)), "{message}");

    server.signal(Signal::HUP);
    let message = notifications.expect("RELOADING=1");
    let time = message.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    assert!(time.parse::<u64>().unwrap() > 0);
    notifications.expect("READY=1");
    assert_eq!(notifications.next(Duration::from_millis(1)), None, "no watchdog was asked for");

    server.signal(Signal::TERM);
    notifications.expect("STOPPING=1");
    assert!(server.wait().success());
}

/// Threads that are stopped one by one, while the others of their process run. A signal would stop all of them.
struct StoppedThreads(Vec<libc::pid_t>);

impl StoppedThreads {
    fn stop(server: &Server, name: &str) -> Self {
        let threads = server.threads().into_iter().filter(|(_, found)| found == name);
        let threads = threads.map(|(thread, _)| libc::pid_t::try_from(thread).unwrap());
        // Idle threads for blocking calls may have ended.
        let stopped: Vec<_> = threads.filter(|thread| trace(libc::PTRACE_SEIZE, *thread)).collect();
        assert!(!stopped.is_empty());
        assert!(stopped.iter().all(|thread| trace(libc::PTRACE_INTERRUPT, *thread)));
        for thread in &stopped {
            // SAFETY: the call may write the status to an address, which is null here (wait(2)).
            #[allow(unsafe_code, reason = "rustix has no waitpid with __WALL")]
            let waited = unsafe { libc::waitpid(*thread, std::ptr::null_mut(), libc::__WALL) };
            assert_eq!(waited, *thread);
        }
        Self(stopped)
    }
}

impl Drop for StoppedThreads {
    fn drop(&mut self) {
        self.0.iter().for_each(|thread| assert!(trace(libc::PTRACE_DETACH, *thread)));
    }
}

/// Makes a request of ptrace(2) without an address and data.
#[allow(unsafe_code, reason = "rustix has no ptrace")]
fn trace(request: libc::c_uint, thread: libc::pid_t) -> bool {
    let nothing: *mut libc::c_void = std::ptr::null_mut();
    // SAFETY: these requests concern another process. They neither read nor write memory of this one (ptrace(2)).
    unsafe { libc::ptrace(request, thread, nothing, nothing) == 0 }
}

#[test]
fn the_watchdog_is_fed_only_while_the_server_serves_requests_and_streams() {
    const TIMEOUT: Duration = Duration::from_millis(600);
    let mut command = command();
    command.args(["--camera", "emulated,fps=20"]).env("WATCHDOG_USEC", TIMEOUT.as_micros().to_string());
    let notifications = Notifications::new(&mut command);
    let server = Server::start_command(command);
    notifications.expect("READY=1");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    (0..3).for_each(|_| drop(notifications.expect("WATCHDOG=1")));
    for runtime in ["requests", "streams"] {
        let stopped = StoppedThreads::stop(&server, runtime);
        // Those that were sent before.
        while notifications.next(Duration::from_millis(1)).is_some() {}
        if runtime == "requests" {
            // The rest of the process runs, timers included.
            (0..10).for_each(|_| drop(viewer.part()));
        }
        assert_eq!(notifications.next(4 * TIMEOUT), None, "systemd restarts the server if {runtime} hangs");
        drop(stopped);
        notifications.expect("WATCHDOG=1");
        viewer.part();
    }
}

#[test]
fn the_watchdog_is_fed_when_the_limit_on_connections_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let guest = guests::component(folder.path(), guests::NEVER_ANSWERS);
    let mut command = command();
    command.args(["--camera", "emulated", "--answer-timeout", "3600", "--max-connections", "4", "--guest"]).arg(guest);
    let notifications = Notifications::new(command.env("WATCHDOG_USEC", "400000"));
    let server = Server::start_command(command);
    notifications.expect("READY=1");
    // One after the other: a connection without a request would make room for that of the watchdog.
    let _busy: Vec<_> = (1..=4)
        .map(|count| {
            let mut stream = connect(server.address);
            write!(stream, "GET /bad HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            wait_until("the request is in progress", || server.generations()["current"]["under_way"] == count);
            stream
        })
        .collect();
    server.wait_for_log("503, server at capacity (--max-connections)");
    while notifications.next(Duration::from_millis(1)).is_some() {}
    (0..5).for_each(|_| drop(notifications.expect("WATCHDOG=1")));
    assert_eq!(get(server.address, "/ok").status, 503, "all are still busy");
}
