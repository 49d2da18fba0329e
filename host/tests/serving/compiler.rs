//! The compiler of guests: a process of its own, which may die, and whose memory is given back.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use hotshoe_test_support::client::{connect, get};
use hotshoe_test_support::server::{Server, command, end};
use hotshoe_test_support::{guests, wait_until};
use rustix::process::{Pid, Signal, kill_process};

const SERVER: [&str; 3] = ["--camera", "emulated,fps=20", "--no-cache"];

/// Enough functions to be compiled for some seconds.
const LARGE: usize = 20_000;

/// The compilers of a server.
fn compilers(server: u32) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes
        .filter(|pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // After the name, which may have anything in it: the state, and the parent's number (proc_pid_stat(5)).
            let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
            let mut fields = fields.split(' ');
            let is_alive = fields.next().is_some_and(|state| state != "Z" && state != "X");
            is_alive && fields.next() == Some(&server.to_string())
        })
        .filter_map(Pid::from_raw)
        .collect()
}

#[test]
fn one_that_is_killed_is_a_refusal_with_a_reason() {
    let server = Server::start(&SERVER);
    let component = guests::large(guests::TRAPS, LARGE);
    let reply = std::thread::scope(|scope| {
        let reply = scope.spawn(|| server.put_guest(&component));
        wait_until("it compiles", || !compilers(server.pid()).is_empty());
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

#[test]
fn one_that_nobody_waits_for_ends() {
    let server = Server::start(&SERVER);
    let component = guests::large(guests::TRAPS, LARGE);
    let mut client = connect(server.admin.unwrap());
    write!(client, "PUT /guest HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", component.len()).unwrap();
    client.write_all(&component).unwrap();
    wait_until("it compiles", || !compilers(server.pid()).is_empty());
    let compiling = compilers(server.pid());
    drop(client);
    wait_until("it ends", || compilers(server.pid()).iter().all(|compiler| !compiling.contains(compiler)));
    assert_eq!(server.generation(), 1);
}

#[test]
fn one_whose_server_was_killed_ends() {
    let server = Server::start(&SERVER);
    let component = guests::large(guests::TRAPS, LARGE);
    let mut client = connect(server.admin.unwrap());
    write!(client, "PUT /guest HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", component.len()).unwrap();
    client.write_all(&component).unwrap();
    wait_until("it compiles", || !compilers(server.pid()).is_empty());
    let compiling = compilers(server.pid());
    server.signal(Signal::KILL);
    for compiler in compiling {
        wait_until("it ends", || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", compiler.as_raw_nonzero())).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, fields)| fields.starts_with(['Z', 'X']))
        });
    }
}

#[test]
fn one_that_takes_too_much_memory_ends_and_says_so() {
    let component = guests::large(guests::TRAPS, LARGE);
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
fn it_is_not_for_people() {
    let mut help = command();
    help.arg("--help");
    let output = end(help);
    assert!(output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("compile "));
}

#[test]
fn memory_returns_after_a_large_guest_was_refused() {
    let server = Server::start(&SERVER);
    // What the first swap takes, and keeps, is not the compiler's.
    assert_eq!(server.put_guest(&guests::misbehaving_at_once(guests::TRAPS)).status, 422);
    let before = server.memory_kib();
    let component = guests::large_misbehaving_at_once(guests::TRAPS, LARGE);
    let reply = server.put_guest(&component);
    assert_eq!(reply.status, 422, "{}", reply.text());
    assert!(reply.text().contains("the guest trapped"), "{}", reply.text());
    wait_until("its memory is given back", || server.memory_kib() < before + (10 << 10));
}

#[test]
fn what_is_missing_is_said_at_once_and_before_anything_is_compiled() {
    let server = Server::start(&SERVER);
    // 20 MB in a module that would be compiled.
    let data = "x".repeat(20 << 20);
    let component = wat::parse_str(format!(
        r#"(component
            (import "wasi:sockets/tcp@0.2.0" (instance (export "connect" (func))))
            (import "wasi:io/poll@0.2.0" (instance
                (export "pollable" (type (sub resource))) (export "poll-twice" (func)) (export "poll-thrice" (func))))
            (import "own:thing/it@1.0.0" (instance (export "f" (func))))
            (core module (memory 400) (data (i32.const 0) "{data}")))"#
    ))
    .unwrap();
    let reply = server.put_guest(&component);
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(reply.status, 422, "{error}");
    let missing = "own:thing/it@1.0.0, wasi:io/poll@0.2.0 (poll-twice, poll-thrice), wasi:sockets/tcp@0.2.0";
    assert!(error.contains(missing) && error.contains("does not export wasi:http/incoming-handler"), "{error}");
}
