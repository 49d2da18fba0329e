//! Reloading the configuration under viewers. `components`: cameras with drivers and filters.

mod components;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hotshoe_test_support::client::{Viewer, get, request, send};
use hotshoe_test_support::random::Random;
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::tls::{Certificate, FIRST, RENEWED, connect_tls};
use hotshoe_test_support::{guests, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::auth::{Accounts, login, token};
use crate::without_publisher::without_publisher;

/// A server with a configuration file.
struct Configured {
    server: Server,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Configured {
    fn start(text: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), text, &[])
    }

    /// Starts a server with these arguments. The configuration file is in the folder.
    fn start_in(folder: tempfile::TempDir, text: &str, args: &[&str]) -> Self {
        let file = folder.path().join("hotshoe.toml");
        fs::write(&file, text).unwrap();
        let mut command = command();
        command.arg("--config").arg(&file).args(args);
        Self { server: Server::start_command(command), file, _folder: folder }
    }

    /// Reloads this text. Returns the status and the report.
    fn reload(&self, text: &str) -> (u16, Value) {
        fs::write(&self.file, text).unwrap();
        let reply = request(self.server.admin.unwrap(), "POST", "/config/reload");
        (reply.status, reply.json())
    }

    fn snapshot_status(&self, camera: &str) -> u16 {
        get(self.server.address, &format!("/snapshot/{camera}")).status
    }
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A configuration with these cameras, each with its frame rate.
fn cameras(cameras: &[(&str, u32)]) -> String {
    let section = |(name, rate): &(&str, u32)| format!("[cameras.{name}]\nsource = \"emulated\"\nfps = {rate}\n");
    format!("linger = 0.1\n{}", cameras.iter().map(section).collect::<String>())
}

/// A report of changed cameras, and nothing else.
fn report(added: &[&str], changed: &[&str], removed: &[&str]) -> Value {
    json!({
        "cameras": { "added": added, "changed": changed, "removed": removed },
        "users": { "added": [], "changed": [], "removed": [] },
        "tokens": false,
        "certificate": false,
        "limits": [],
        "needs_restart": [],
        "reasons": {},
    })
}

#[test]
fn cameras_are_added_changed_and_removed_under_viewers_of_others() {
    let configured = Configured::start(&cameras(&[("stays", 20), ("goes", 20), ("changes", 20)]));
    let address = configured.server.address;
    let mut stays = Viewer::watch(address, "/video_feed/stays");
    let mut goes = Viewer::watch(address, "/video_feed/goes");
    let mut changes = Viewer::watch(address, "/video_feed/changes");
    let before = stays.part().sequence();
    goes.part();
    changes.part();
    let (status, reported) = configured.reload(&cameras(&[("stays", 20), ("changes", 10), ("new", 20)]));
    assert_eq!((status, reported), (200, report(&["new"], &["changes"], &["goes"])));
    configured.server.wait_for_log("camera goes: removed by the configuration; its streams end");
    configured
        .server
        .wait_for_log("reloaded the configuration: camera new added, camera changes changed, camera goes removed");
    configured.server.wait_for_log("camera changes: changed by the configuration; its streams end");
    // The streams end after a whole part.
    while goes.next_part().is_some() {}
    while changes.next_part().is_some() {}
    assert_eq!(configured.snapshot_status("goes"), 404);
    // The guest sees the same cameras.
    let page = get(address, "/").text();
    let is_on_page = ["stays", "changes", "new", "goes"].map(|name| page.contains(&format!("data-camera=\"{name}\"")));
    assert_eq!(is_on_page, [true, true, true, false], "{page}");
    Viewer::watch(address, "/video_feed/changes").part();
    Viewer::watch(address, "/video_feed/new").part();
    assert!(stays.part().sequence() > before);
    // What comes back begins again.
    assert_eq!(configured.reload(&cameras(&[("stays", 20), ("goes", 20)])).0, 200);
    Viewer::watch(address, "/video_feed/goes").part();
    assert_eq!(configured.snapshot_status("new"), 404);
    stays.part();
}

/// The camera kept the old password until a restart.
#[test]
fn cameras_whose_credentials_file_has_changed_are_changed() {
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("door");
    write_private(&credentials, "ann:old");
    // Nothing listens there.
    let text =
        format!("[cameras.door]\nsource = \"http://127.0.0.1:9/\"\ncredentials = \"{}\"\n", credentials.display());
    let configured = Configured::start_in(folder, &text, &[]);
    assert_eq!(configured.reload(&text), (200, report(&[], &[], &[])));
    write_private(&credentials, "ann:new");
    assert_eq!(configured.reload(&text), (200, report(&[], &["door"], &[])));
    assert_eq!(configured.reload(&text), (200, report(&[], &[], &[])));
    // It was needed only to start.
    fs::remove_file(&credentials).unwrap();
    assert_eq!(configured.reload(&text), (200, report(&[], &[], &[])));
}

#[test]
fn streams_that_the_guest_writes_itself_end_when_their_camera_is_removed() {
    let configured = Configured::start(&cameras(&[("stays", 20), ("goes", 20)]));
    assert_eq!(configured.server.put_guest(&without_publisher()).status, 200);
    let address = configured.server.address;
    let mut stays = Viewer::watch(address, "/video_feed/stays");
    let mut goes = Viewer::watch(address, "/video_feed/goes");
    stays.part();
    goes.part();
    assert_eq!(configured.reload(&cameras(&[("stays", 20)])), (200, report(&[], &[], &["goes"])));
    while goes.next_part().is_some() {}
    assert_eq!(configured.snapshot_status("goes"), 404);
    stays.part();
}

/// The worker waited for ever for frames of the camera that was removed.
#[test]
fn a_worker_whose_camera_is_changed_starts_again_and_reads_the_new_one() {
    let configured = Configured::start(&cameras(&[("emulated", 20)]));
    let server = &configured.server;
    assert_eq!(server.put_guest(&guests::attaching(guests::ATTACHES_ALL)).status, 200);
    let results = || {
        let metrics = request(server.admin.unwrap(), "GET", "/metrics").text();
        let name = "hotshoe_camera_results_total{camera=\"emulated\"} ";
        metrics.lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok()).unwrap()
    };
    wait_until("the worker attaches results", || results() > 0);
    let changed = &["emulated"][..];
    for rate in [10, 20] {
        assert_eq!(configured.reload(&cameras(&[("emulated", rate)])), (200, report(&[], changed, &[])));
        // Those of the new camera begin with 0.
        wait_until("the worker attaches results to frames of the changed camera", || results() > 0);
    }
    server.wait_for_logs("the worker starts again: a camera that it reads was changed or removed", 2);
    assert!(!server.log().contains("the worker failed"), "{}", server.log());
}

/// They stayed open, without results, even for clients that came later.
#[test]
fn results_of_a_camera_that_is_changed_end() {
    let configured = Configured::start(&cameras(&[("stays", 20), ("changes", 20)]));
    let address = configured.server.address;
    let mut stays = Viewer::watch(address, "/results/stays");
    let mut changes = Viewer::watch(address, "/results/changes");
    stays.chunk();
    changes.chunk();
    let text = cameras(&[("stays", 20), ("changes", 10)]);
    assert_eq!(configured.reload(&text), (200, report(&[], &["changes"], &[])));
    while changes.next_chunk().is_some() {}
    // The next one is a heartbeat.
    stays.chunk();
}

/// It was restarted each second, and its guest was rolled back after five failures.
#[test]
fn a_publisher_that_traps_because_its_camera_is_removed_has_not_failed() {
    let configured = Configured::start(&cameras(&[("stays", 20), ("emulated", 20)]));
    let server = &configured.server;
    assert_eq!(server.put_guest(&guests::publishing_until_the_camera_is_removed()).status, 200);
    let mut viewer = Viewer::watch(server.address, "/bad");
    viewer.chunk();
    assert_eq!(configured.reload(&cameras(&[("stays", 20)])), (200, report(&[], &[], &["emulated"])));
    while viewer.next_chunk().is_some() {}
    assert_eq!(server.generations()["current"]["failures"], 0);
    assert!(!server.log().contains("its publisher failed"), "{}", server.log());
}

#[test]
fn a_configuration_that_cannot_be_used_changes_nothing() {
    let valid = cameras(&[("one", 20)]);
    let configured = Configured::start(&valid);
    let mut viewer = Viewer::watch(configured.server.address, "/video_feed/one");
    viewer.part();
    let many: Vec<_> = (0..20).map(|number| format!("c{number}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), 1)).collect();
    for (text, message) in [
        ("[cameras.two]\nsource = \"emulated\"\nfsp = 3\n", "line 3: unknown key `fsp`; did you mean `fps`?"),
        (&*cameras(&many), "it has 20 cameras, and without a restart there can be 9"),
        ("users = \"/nowhere/users\"\n[cameras.two]\nsource = \"emulated\"\n", "--users: cannot read"),
        ("[cameras.two]\nsource = \"emulated\"\ncontrol = { x = 1 }\n", "camera two: "),
    ] {
        let (status, reported) = configured.reload(text);
        assert_eq!(status, 422);
        assert!(reported["error"].as_str().unwrap().contains(message), "{reported}");
        configured.server.wait_for_log("the configuration is not reloaded, and nothing changes: ");
        assert_eq!((configured.snapshot_status("two"), configured.snapshot_status("one")), (404, 200));
    }
    viewer.part();
    assert_eq!(configured.reload(&valid), (200, report(&[], &[], &[])));
    assert_eq!(request(configured.server.admin.unwrap(), "GET", "/config/reload").status, 405);
}

#[test]
fn sighup_reloads_the_configuration_and_names_what_needs_a_restart() {
    let configured = Configured::start(&cameras(&[("one", 20)]));
    let text = format!("answer_timeout = 7\nwatch = true\n{}", cameras(&[("one", 20), ("two", 20)]));
    fs::write(&configured.file, text).unwrap();
    configured.server.signal(Signal::HUP);
    let line = configured.server.wait_for_log("these changes of the configuration need a restart: ");
    assert!(line.ends_with("answer_timeout, watch"), "{line}");
    Viewer::watch(configured.server.address, "/video_feed/two").part();
    // A reload that changes nothing still names it.
    let reply = request(configured.server.admin.unwrap(), "POST", "/config/reload").json();
    assert_eq!(reply["needs_restart"], json!(["answer_timeout", "watch"]));
}

#[test]
fn limits_apply_to_the_next_requests_and_connections() {
    let with = |requests: u32, per_address: u32| {
        let options = format!("max_requests = {requests}\nmax_connections_per_address = {per_address}\n");
        // Otherwise connections of the test would be exempt, as those of a proxy.
        options + "trusted_proxy = [\"none\"]\n" + &cameras(&[("one", 20)])
    };
    let configured = Configured::start(&with(5, 50));
    let address = configured.server.address;
    let mut viewer = Viewer::watch(address, "/video_feed");
    let (_, reported) = configured.reload(&with(1, 50));
    assert_eq!((&reported["limits"], &reported["needs_restart"]), (&json!(["max_requests"]), &json!([])));
    assert_eq!(Viewer::watch(address, "/video_feed").status, 503);
    let (_, reported) = configured.reload(&with(5, 50));
    assert_eq!(reported["limits"], json!(["max_requests"]));
    assert_eq!(Viewer::watch(address, "/video_feed").status, 200);
    // One more than the instances that were reserved.
    let (_, reported) = configured.reload(&with(6, 1));
    assert_eq!(reported["limits"], json!(["max_connections_per_address"]));
    assert_eq!(reported["needs_restart"], json!(["max_requests"]));
    let reply = get(address, "/state");
    assert!(reply.status == 503 && reply.text().contains("too many connections from this address"), "{}", reply.text());
    viewer.part();
}

#[test]
fn users_and_tokens_are_reloaded_with_the_configuration() {
    let accounts = Accounts::new();
    accounts.write(&[("view", "view"), ("admin", "admin")], &[]);
    let text = format!("users = \"{}\"\n{}", accounts.file().display(), cameras(&[("one", 20)]));
    let configured = Configured::start(&text);
    let admin = login("admin");
    let reload = || {
        let headers = [("Authorization", admin.as_str())];
        send(configured.server.admin.unwrap(), "POST", "/config/reload", &headers, b"")
    };
    let watch = format!("/video_feed?token={}", token("0a", &[]));
    let mut viewer = Viewer::watch(configured.server.address, &watch);
    viewer.part();
    accounts.write(&[("view", "control"), ("control", "control"), ("admin", "admin")], &["0a"]);
    let report = reload().json();
    assert_eq!(report["users"], json!({ "added": ["control"], "changed": ["view"], "removed": [] }));
    assert_eq!(report["tokens"], json!(true));
    while viewer.try_part().is_ok() {}
    // Nothing opens the server to everyone by mistake.
    fs::write(&configured.file, cameras(&[("one", 20)])).unwrap();
    assert_eq!(reload().json()["needs_restart"], json!(["users"]));
    assert_eq!(get(configured.server.address, "/state").status, 401);
    assert_eq!(request(configured.server.admin.unwrap(), "POST", "/config/reload").status, 401);
}

#[test]
fn the_configuration_may_name_another_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str, pair: &Certificate| {
        let subfolder = folder.path().join(name);
        fs::create_dir(&subfolder).unwrap();
        let [certificate, key] = pair.write(&subfolder);
        let files = format!("tls_certificate = \"{}\"\ntls_key = \"{}\"\n", certificate.display(), key.display());
        files + &cameras(&[("one", 20)])
    };
    let (first, second) = (text("first", &FIRST), text("second", &RENEWED));
    let configured = Configured::start_in(folder, &first, &["--listen", "tls:127.0.0.1:0"]);
    let certificate = || {
        let mut stream = connect_tls(configured.server.address);
        stream.conn.complete_io(&mut stream.sock).unwrap();
        stream.conn.peer_certificates().unwrap()[0].clone()
    };
    assert_eq!(certificate(), FIRST.der());
    let (status, reported) = configured.reload(&second);
    assert_eq!((status, &reported["certificate"], &reported["needs_restart"]), (200, &json!(true), &json!([])));
    assert_eq!(certificate(), RENEWED.der());
    assert_eq!(configured.reload(&second.replace("second", "missing")).0, 422);
    assert_eq!(certificate(), RENEWED.der());
}

#[test]
fn reloads_in_random_order_leave_unchanged_streams_alone() {
    /// Enough to add, change and remove each camera.
    const RELOADS: u32 = 12;
    const VIEWERS: usize = 4;
    let configured = Configured::start(&cameras(&[("stays", 30)]));
    let address = configured.server.address;
    let is_over = Arc::new(AtomicBool::new(false));
    let viewers: Vec<_> = (0..VIEWERS)
        .map(|_| {
            let is_over = is_over.clone();
            thread::spawn(move || {
                let mut viewer = Viewer::watch(address, "/video_feed/stays");
                let mut last = viewer.part().sequence();
                while !is_over.load(Ordering::Relaxed) {
                    let next = viewer.part().sequence();
                    // Equal if no frame came for a second: the last one is sent again.
                    assert!(next >= last, "frame {next} after {last}");
                    last = next;
                }
            })
        })
        .collect();
    let mut random = Random::new(17);
    for _ in 0..RELOADS {
        let others = ["a", "b", "c"].map(|name| (name, 5 + random.below(3) as u32, random.below(2) == 1));
        let mut all = vec![("stays", 30)];
        all.extend(others.iter().filter(|other| other.2).map(|(name, rate, _)| (*name, *rate)));
        assert_eq!(configured.reload(&cameras(&all)).0, 200);
        for (name, _, exists) in others {
            assert_eq!(configured.snapshot_status(name), if exists { 200 } else { 404 });
        }
    }
    assert_eq!(configured.reload(&cameras(&[("stays", 30)])).0, 200);
    is_over.store(true, Ordering::Relaxed);
    viewers.into_iter().for_each(|viewer| viewer.join().unwrap());
    let status = get(configured.server.admin.unwrap(), "/status").json();
    let cameras = status["cameras"].as_array().unwrap();
    assert_eq!((cameras.len(), &cameras[0]["openings"]), (1, &json!(1)), "it was never closed");
    wait_until("the threads of removed cameras end", || configured.server.capture_threads() <= 1);
}
