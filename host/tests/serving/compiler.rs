//! The compiler process: it may die, it ends when nobody needs it, and the system gets its memory back.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, connect, get};
use hotshoe_test_support::server::{Server, command, end};
use hotshoe_test_support::{guests, wait_until};
use rustix::process::{Pid, Signal, kill_process};

const SERVER: [&str; 3] = ["--camera", "emulated,fps=20", "--no-cache"];

/// A number of functions that takes seconds to compile.
const MANY_FUNCTIONS: usize = 20_000;

/// A cancelled compiler ends within milliseconds, but it runs at low priority beside other tests. [`MANY_FUNCTIONS`]
/// would keep it busy for ten seconds or more.
const CANCELLED_WITHIN: Duration = Duration::from_secs(8);

/// The fields of `/proc/PID/stat` after the name, which may contain any character (proc_pid_stat(5)): the state, the
/// parent, and more. Returns `None` if there is no such process, or if it is a zombie.
fn live_process_stat(pid: Pid) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<_> = fields.split(' ').map(str::to_owned).collect();
    (!["Z", "X"].contains(&fields[0].as_str())).then_some(fields)
}

/// Whether a process has used half a second of CPU time, `utime` in units of 10 ms.
fn has_used_cpu_time(pid: Pid) -> bool {
    live_process_stat(pid).is_some_and(|fields| fields[11].parse::<u64>().unwrap() >= 50)
}

/// The compiler processes of a server.
pub(crate) fn compilers(server: u32) -> Vec<Pid> {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(Pid::from_raw)
        .filter(|pid| live_process_stat(*pid).is_some_and(|fields| fields[1] == server.to_string()))
        .collect()
}

/// A server that compiles an upload.
struct Compiling {
    server: Server,
    /// The connection of the upload.
    client: TcpStream,
    compilers: Vec<Pid>,
}

impl Compiling {
    /// Starts a server and uploads a component that takes seconds to compile.
    fn start() -> Self {
        Self::start_at(Server::start(&SERVER))
    }

    /// Uploads it to this server.
    fn start_at(server: Server) -> Self {
        let component = guests::large(guests::TRAPS, MANY_FUNCTIONS);
        let mut client = connect(server.admin.unwrap());
        write!(client, "PUT /guest HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", component.len())
            .unwrap();
        client.write_all(&component).unwrap();
        // Before the compiler has read the whole component, it would end for another reason.
        wait_until("the compiler compiles", || compilers(server.pid()).into_iter().any(has_used_cpu_time));
        let compilers = compilers(server.pid());
        Self { server, client, compilers }
    }
}

/// Waits until the processes have ended, much sooner than they would finish the component by themselves.
pub(crate) fn wait_for_end(processes: &[Pid]) {
    let start = Instant::now();
    wait_until("the compiler ends", || processes.iter().all(|pid| live_process_stat(*pid).is_none()));
    let elapsed = start.elapsed();
    assert!(elapsed < CANCELLED_WITHIN, "the compiler ran for another {elapsed:?}");
}

#[test]
fn if_the_compiler_is_killed_the_guest_is_refused_with_that_reason() {
    let server = Server::start(&SERVER);
    let component = guests::large(guests::TRAPS, MANY_FUNCTIONS);
    let reply = std::thread::scope(|scope| {
        let reply = scope.spawn(|| server.put_guest(&component));
        wait_until("the compiler runs", || !compilers(server.pid()).is_empty());
        for compiler in compilers(server.pid()) {
            kill_process(compiler, Signal::KILL).unwrap();
        }
        reply.join().unwrap()
    });
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(reply.status, 422, "{error}");
    assert!(error.contains("the uploaded guest cannot be compiled: the compiler was killed"), "{error}");
    server.wait_for_log(&format!("guest not replaced, generation 1 continues: {error}"));
    assert_eq!(get(server.address, "/snapshot").status, 200);
}

/// The number of threads of a process.
fn threads(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).map_or(0, Iterator::count)
}

#[test]
fn one_thread_compiles_while_somebody_watches_and_several_otherwise() {
    // The main thread, and the one that waits for the end of standard input.
    const BASE: usize = 2;
    let Compiling { server, client, compilers } = Compiling::start();
    let processors = std::thread::available_parallelism().unwrap().get();
    if processors > 1 {
        wait_until("several threads compile", || compilers.iter().any(|pid| threads(*pid) >= BASE + 2));
    }
    drop(client);
    wait_for_end(&compilers);

    let mut viewer = Viewer::watch(server.address, "/video_feed");
    viewer.part();
    let Compiling { server: _server, client: _client, compilers } = Compiling::start_at(server);
    assert!(compilers.iter().all(|pid| threads(*pid) <= BASE + 1), "one thread compiles");
    viewer.part();
}

#[test]
fn the_compiler_ends_when_its_client_disconnects() {
    let Compiling { server, client, compilers } = Compiling::start();
    drop(client);
    wait_for_end(&compilers);
    assert_eq!(server.generation(), 1);
}

#[test]
fn the_compiler_ends_when_its_server_is_killed() {
    let Compiling { server, client: _client, compilers } = Compiling::start();
    server.signal(Signal::KILL);
    wait_for_end(&compilers);
}

#[test]
fn a_compiler_that_exceeds_its_memory_limit_fails_and_says_so() {
    let component = guests::large(guests::TRAPS, MANY_FUNCTIONS);
    let length = component.len().to_string();
    let mut compiler = command();
    compiler.args(["compile", "--key", "k", "--length", &length, "--guest-memory", "1048576"]);
    compiler.args(["--memory-limit", &(32 << 20).to_string()]);
    let mut child = compiler.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&component).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(stderr.contains("memory allocation of") || stderr.contains("Cannot allocate memory"), "{stderr}");
}

#[test]
fn the_compile_command_is_hidden_from_help() {
    let mut help = command();
    help.arg("--help");
    let output = end(help);
    assert!(output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("compile "));
}

#[test]
fn memory_returns_after_a_large_guest_was_refused() {
    let server = Server::start(&SERVER);
    // The first swap allocates memory in the server and keeps it, so measure after that.
    assert_eq!(server.put_guest(&guests::misbehaving_at_once(guests::TRAPS)).status, 422);
    let before = server.memory_kib();
    // Half as many, so that the client need not wait too long for the reply.
    let component = guests::large_misbehaving_at_once(guests::TRAPS, MANY_FUNCTIONS / 2);
    let reply = server.put_guest(&component);
    assert_eq!(reply.status, 422, "{}", reply.text());
    assert!(reply.text().contains("the guest trapped"), "{}", reply.text());
    wait_until("the memory has returned", || server.memory_kib() < before + (10 << 10));
}

#[test]
fn all_missing_imports_are_reported_at_once_before_anything_is_compiled() {
    let server = Server::start(&SERVER);
    // A module of 20 MB, which would be compiled.
    let data = "x".repeat(20 << 20);
    let component = wat::parse_str(format!(
        r#"(component
            (import "wasi:sockets/tcp@0.3.0" (instance (export "connect" (func))))
            (import "wasi:io/poll@0.2.0" (instance
                (export "pollable" (type (sub resource))) (export "poll-twice" (func)) (export "poll-thrice" (func))))
            (import "own:thing/it@1.0.0" (instance (export "f" (func))))
            (core module (memory 400) (data (i32.const 0) "{data}")))"#
    ))
    .unwrap();
    let reply = server.put_guest(&component);
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(reply.status, 422, "{error}");
    let missing = "own:thing/it@1.0.0, wasi:io/poll@0.2.0 (poll-twice, poll-thrice), wasi:sockets/tcp@0.3.0";
    assert!(error.contains(missing) && error.contains("does not export wasi:http/incoming-handler"), "{error}");
}
