//! Workers: each generation has one instance that works without being asked.

use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, get, request};
use hotshoe_test_support::middleware::{PASSES_ON, middleware};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{guests, wait_until};
use rustix::process::Signal;

/// Prints `working` twenty times a second.
const WORKS: &str = "(loop $again (call $print_working) (call $pause (i64.const 50)) (br $again))";

/// Prints `working` once, and waits for an hour.
const WORKS_ONCE: &str = "(call $print_working) (call $pause (i64.const 3600000))";

/// Prints `working`, waits until it is replaced, prints `replaced`, and goes on to print `working`.
const NOTICES_REPLACEMENT: &str = "(local $replaced i32)
  (call $print_working)
  (local.set $replaced (call $replaced))
  (call $block (local.get $replaced))
  (call $drop_pollable (local.get $replaced))
  (call $print_replaced)
  (loop $again (call $print_working) (call $pause (i64.const 50)) (br $again))";

/// Prints `working`, and computes forever.
const SPINS: &str = "(call $print_working) (loop $again (br $again))";

const WORKING: &str = "guest stdout: working";

/// Starts a server with a guest whose worker does this.
fn serve(work: &str, options: &[&str]) -> Server {
    start(&guests::working(work), options)
}

fn start(guest: &[u8], options: &[&str]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guest.wasm");
    std::fs::write(&file, guest).unwrap();
    Server::start(&[&["--camera", "emulated,fps=20", "--guest", file.to_str().unwrap()], options].concat())
}

/// A message in the log about this generation.
fn of_generation(number: u32, message: &str) -> String {
    format!("generation {number}: {message}")
}

/// How often this text is in the log.
fn count(server: &Server, text: &str) -> usize {
    server.log().matches(text).count()
}

#[test]
fn a_worker_runs_without_viewers_once_for_each_generation() {
    let server = serve(WORKS_ONCE, &[]);
    server.wait_for_log(&of_generation(1, WORKING));
    for _ in 0..20 {
        assert_eq!(get(server.address, "/ok").text(), "ok\n");
    }
    let other = guests::variant(&guests::working(WORKS_ONCE), 1);
    assert_eq!(server.put_guest(&other).status, 200);
    server.wait_for_log(&of_generation(2, WORKING));
    assert_eq!(count(&server, WORKING), 2, "neither a request nor the test request runs it: {}", server.log());
}

#[test]
fn a_worker_that_traps_at_once_is_restarted_ever_less_often_and_its_guest_serves() {
    let server = serve("(call $print_working) unreachable", &[]);
    for delay in [1, 2, 4] {
        let message = format!("the worker failed, restarting in {delay} s: the guest trapped");
        server.wait_for_log(&of_generation(1, &message));
    }
    assert_eq!(count(&server, WORKING), 3);
    // Its failures are not those of its guest.
    let current = &server.generations()["current"];
    assert_eq!((&current["generation"], &current["failures"]), (&1.into(), &0.into()));
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}

#[test]
fn a_worker_that_returns_has_finished() {
    let server = serve("(call $print_working)", &[]);
    server.wait_for_log(&of_generation(1, "the worker has finished"));
    // Longer than the first pause before a restart.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(count(&server, WORKING), 1, "{}", server.log());
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}

#[test]
fn a_worker_that_computes_forever_is_limited_while_pages_and_streams_continue() {
    let server = start(&guests::publishing_and_working("c", guests::PUBLISHES, "part", SPINS), &[]);
    server.wait_for_log(&of_generation(1, WORKING));
    let mut viewer = Viewer::watch(server.address, "/bad");
    let (used_before, started) = (cpu_time(&server), Instant::now());
    // Longer than requests and publishers may compute.
    while started.elapsed().as_millis() < 3000 {
        viewer.chunk();
        assert_eq!(get(server.address, "/ok").text(), "ok\n");
    }
    let used = cpu_time(&server) - used_before;
    let share = used.as_secs_f64() / started.elapsed().as_secs_f64();
    // The requests of this test need some as well.
    assert!(share < 0.9, "the server used {share:.2} processors, of which the worker may use a half");
    assert!(!server.log().contains("the worker failed"), "{}", server.log());
}

/// The processor time that the server has used so far.
fn cpu_time(server: &Server) -> Duration {
    // proc_pid_stat(5): fields 14 and 15, in ticks of 10 ms. The second field is a name in parentheses.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    Duration::from_millis(fields[11..13].iter().map(|ticks| 10 * ticks.parse::<u64>().unwrap()).sum())
}

#[test]
fn a_replaced_worker_is_told_and_ends_at_the_drain_limit_while_the_new_one_works() {
    let server = serve(NOTICES_REPLACEMENT, &["--drain", "0.5"]);
    server.wait_for_log(&of_generation(1, WORKING));
    server.put_guest(&guests::working(WORKS));
    server.wait_for_log(&of_generation(1, "guest stdout: replaced"));
    server.wait_for_log(&of_generation(2, WORKING));
    let lines = |number| count(&server, &of_generation(number, WORKING));
    wait_until("the replaced worker has ended", || {
        let (of_old, of_new) = (lines(1), lines(2));
        wait_until("the new worker works", || lines(2) > of_new + 3);
        lines(1) == of_old
    });
    assert!(!server.log().contains("drain limit reached"), "there was no response: {}", server.log());
    // The next guest has no worker. Its replacement ends the last one.
    server.put_guest(&guests::serving(guests::TRAPS));
    wait_until("the last worker has ended", || {
        let of_new = lines(2);
        std::thread::sleep(Duration::from_millis(200));
        lines(2) == of_new
    });
}

#[test]
fn after_a_rollback_the_worker_of_the_earlier_guest_starts_again() {
    let server = serve(WORKS_ONCE, &[]);
    server.wait_for_log(&of_generation(1, WORKING));
    server.put_guest(&guests::serving(guests::TRAPS));
    assert_eq!(request(server.admin.unwrap(), "POST", "/guest/rollback").status, 200);
    server.wait_for_log(&of_generation(3, WORKING));
    assert_eq!(count(&server, WORKING), 2);
}

#[test]
fn only_the_newest_of_the_replaced_workers_continues() {
    let server = serve(WORKS, &["--drain", "3600"]);
    server.wait_for_log(&of_generation(1, WORKING));
    for number in 2..5 {
        server.put_guest(&guests::variant(&guests::working(WORKS), number));
        server.wait_for_log(&of_generation(number, WORKING));
    }
    let lines = |number| count(&server, &of_generation(number, WORKING));
    let before = [1, 2, 3, 4].map(lines);
    wait_until("the last two work", || lines(3) > before[2] + 2 && lines(4) > before[3] + 2);
    assert_eq!([1, 2].map(lines), before[..2]);
}

#[test]
fn a_shutdown_ends_the_worker() {
    for work in [WORKS, SPINS] {
        let mut server = serve(work, &[]);
        server.wait_for_log(&of_generation(1, WORKING));
        server.signal(Signal::TERM);
        assert!(server.wait().success());
    }
}

#[test]
fn a_guest_behind_middleware_keeps_its_worker_and_its_publisher() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("middleware.wasm");
    std::fs::write(&file, middleware(PASSES_ON, "")).unwrap();
    let guest = guests::publishing_and_working("c", guests::PUBLISHES, "part", WORKS_ONCE);
    let server = start(&guest, &["--wrap", file.to_str().unwrap()]);
    server.wait_for_log(&of_generation(1, WORKING));
    assert_eq!(Viewer::watch(server.address, "/bad").chunk(), b"opening\npart");
}
