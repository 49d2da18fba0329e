//! Replacing the guest: by upload, SIGHUP and `--watch`, and what happens to responses in flight.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;

use hotshoe_test_support::client::{Viewer, connect, get, request, try_request};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{guests, pictures, wait_until};
use rustix::process::Signal;
use serde_json::json;

/// A server whose guest is read from a file.
struct FileServer {
    server: Server,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl FileServer {
    fn start(component: &[u8], options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("builds").join("guest.wasm");
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, component).unwrap();
        let mut args = vec!["--camera", "emulated,fps=20", "--guest", file.to_str().unwrap()];
        args.extend(options);
        Self { server: Server::start(&args), file, _folder: folder }
    }

    #[track_caller]
    fn wait_for_generation(&self, generation: u64) {
        self.server.wait_for_log(&format!("generation {generation}: "));
        assert_eq!(self.server.generation(), generation);
    }
}

/// Replaces a file by renaming, as build tools do.
fn rename_into(component: &[u8], file: &Path) {
    let new = file.with_extension("new");
    fs::write(&new, component).unwrap();
    fs::rename(new, file).unwrap();
}

#[test]
fn the_admin_listener_replaces_the_guest_and_shows_both() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let first = server.generations();
    assert_eq!(first["current"]["generation"], 1);
    assert_eq!(first["current"]["from"], "the built-in guest");
    assert_eq!((&first["previous"], &first["draining"], &first["refused"]), (&json!(null), &json!([]), &json!(null)));

    let other = guests::serving(guests::TRAPS);
    let reply = server.put_guest(&other);
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{}", reply.text());
    let second = reply.json();
    assert_eq!(second["current"]["generation"], 2);
    assert_eq!(second["current"]["from"], "the uploaded guest");
    assert_eq!(second["current"]["bytes"], other.len());
    assert_eq!(second["previous"]["generation"], 1);
    assert_eq!(second["previous"]["sha256"], first["current"]["sha256"]);
    assert!(second["current"]["since"].as_f64() >= first["current"]["since"].as_f64());
    server.wait_for_log(&format!(
        "generation 2: serving the uploaded guest, sha256 {}",
        second["current"]["sha256"].as_str().unwrap()
    ));
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
}

#[test]
fn uploading_the_same_component_changes_nothing() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let reply = server.put_guest(&guests::built_in());
    assert_eq!((reply.status, reply.json()["current"]["generation"].as_u64()), (200, Some(1)));
    server.wait_for_log("generation 1 already runs this component");
}

#[test]
fn a_rollback_is_immediate_and_a_second_one_undoes_it() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let roll_back = || request(server.admin.unwrap(), "POST", "/guest/rollback");
    let refused = roll_back();
    assert_eq!(refused.status, 409);
    assert!(refused.json()["error"].as_str().unwrap().contains("no earlier guest to roll back to"));

    server.put_guest(&guests::serving(guests::TRAPS));
    assert_eq!(get(server.address, "/snapshot").status, 502);
    let first = roll_back().json();
    assert_eq!((first["current"]["generation"].as_u64(), first["previous"]["generation"].as_u64()), (Some(3), Some(2)));
    assert_eq!(first["current"]["from"], "the built-in guest");
    assert_eq!(get(server.address, "/snapshot").status, 200);
    roll_back();
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
    assert_eq!(server.generation(), 4);
}

#[test]
fn sighup_reloads_the_file() {
    let built_in = guests::built_in();
    let running = FileServer::start(&built_in, &[]);
    running.server.signal(Signal::HUP);
    running.server.wait_for_log("generation 1 already runs this component");
    fs::write(&running.file, guests::variant(&built_in, 1)).unwrap();
    running.server.signal(Signal::HUP);
    running.wait_for_generation(2);
    fs::remove_file(&running.file).unwrap();
    running.server.signal(Signal::HUP);
    running.server.wait_for_log("guest not replaced, generation 2 continues: cannot read the guest");
}

#[test]
fn a_watched_file_that_is_replaced_by_renaming_is_served() {
    let built_in = guests::built_in();
    let running = FileServer::start(&built_in, &["--watch"]);
    for generation in 2..5 {
        rename_into(&guests::variant(&built_in, generation), &running.file);
        running.wait_for_generation(generation.into());
    }
}

#[test]
fn a_watched_file_that_is_written_in_pieces_is_served_when_it_is_complete() {
    let built_in = guests::built_in();
    let running = FileServer::start(&built_in, &["--watch"]);
    let whole = guests::variant(&built_in, 1);
    let mut file = fs::File::create(&running.file).unwrap();
    for piece in whole.chunks(whole.len() / 20) {
        file.write_all(piece).unwrap();
        thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(file);
    running.wait_for_generation(2);
    assert!(!running.server.log().contains("not replaced"), "{}", running.server.log());
}

#[test]
fn a_truncated_watched_file_is_refused_and_the_complete_one_is_served() {
    let built_in = guests::built_in();
    let running = FileServer::start(&built_in, &["--watch"]);
    let whole = guests::variant(&built_in, 1);
    for (round, length) in [0, 5, 8, 100, whole.len() / 2, whole.len() - 200].into_iter().enumerate() {
        fs::write(&running.file, &whole[..length]).unwrap();
        running.server.wait_for_logs("guest not replaced, generation 1 continues: ", round + 1);
        assert_eq!(get(running.server.address, "/snapshot").status, 200);
    }
    fs::write(&running.file, &whole).unwrap();
    running.wait_for_generation(2);
    assert_eq!(get(running.server.address, "/snapshot").status, 200);
}

#[test]
fn touching_or_rewriting_a_watched_file_changes_nothing() {
    let built_in = guests::built_in();
    let running = FileServer::start(&built_in, &["--watch"]);
    // Longer than the debounce.
    let pause = || thread::sleep(std::time::Duration::from_millis(400));
    fs::write(&running.file, &built_in).unwrap();
    pause();
    rename_into(&built_in, &running.file);
    pause();
    // The next change is found, and the writes before it were not offered.
    rename_into(&guests::variant(&built_in, 1), &running.file);
    running.wait_for_generation(2);
    assert!(!running.server.log().contains("not replaced"), "{}", running.server.log());
}

#[test]
fn an_unreadable_watched_file_is_served_once_it_is_readable() {
    use std::os::unix::fs::PermissionsExt as _;
    let built_in = guests::built_in();
    let running = FileServer::start(&built_in, &["--watch"]);
    // Root can read every file, so for root it is served a little earlier.
    let new = running.file.with_extension("new");
    fs::write(&new, guests::variant(&built_in, 1)).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o000)).unwrap();
    fs::rename(&new, &running.file).unwrap();
    thread::sleep(std::time::Duration::from_millis(300));
    fs::set_permissions(&running.file, fs::Permissions::from_mode(0o644)).unwrap();
    running.wait_for_generation(2);
}

#[test]
fn a_watched_file_is_found_after_its_folder_was_recreated() {
    let built_in = guests::built_in();
    let running = FileServer::start(&built_in, &["--watch"]);
    for generation in 2..4 {
        let folder = running.file.parent().unwrap();
        fs::remove_dir_all(folder).unwrap();
        wait_until("the server answers", || get(running.server.address, "/snapshot").status == 200);
        fs::create_dir(folder).unwrap();
        fs::write(&running.file, guests::variant(&built_in, generation)).unwrap();
        running.wait_for_generation(generation.into());
    }
}

#[test]
fn a_watched_symbolic_link_is_followed() {
    let built_in = guests::built_in();
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("current.wasm");
    let version = |number: u32| {
        let path = folder.path().join(format!("{number}.wasm"));
        fs::write(&path, guests::variant(&built_in, number)).unwrap();
        path
    };
    std::os::unix::fs::symlink(version(1), &link).unwrap();
    let server = Server::start(&["--camera", "emulated", "--guest", link.to_str().unwrap(), "--watch"]);
    let next = folder.path().join("next");
    std::os::unix::fs::symlink(version(2), &next).unwrap();
    fs::rename(next, &link).unwrap();
    server.wait_for_log("generation 2: ");
    // The target of the link changes, which causes no event.
    fs::write(folder.path().join("2.wasm"), guests::variant(&built_in, 3)).unwrap();
    server.wait_for_log("generation 3: ");
}

/// Starts a server whose guest streams its camera at /bad without a channel, with an instance per viewer.
fn start_streaming(options: &[&str]) -> FileServer {
    FileServer::start(&guests::serving(guests::STREAMS), options)
}

#[test]
fn responses_in_flight_stay_with_their_generation() {
    let FileServer { server, .. } = start_streaming(&[]);
    let mut viewer = Viewer::watch(server.address, "/bad");
    viewer.part();
    server.put_guest(&guests::serving(guests::TRAPS));
    assert_eq!(get(server.address, "/bad").status, 502, "the new guest answers new requests");
    // More parts than any buffer holds.
    for _ in 0..40 {
        viewer.part();
    }
    assert_eq!(server.generations()["draining"], json!([{ "generation": 1, "under_way": 1 }]));
    drop(viewer);
    wait_until("the old generation has ended", || server.generations()["draining"] == json!([]));
}

#[test]
fn streams_end_between_two_parts_at_the_drain_limit() {
    const VIEWERS: usize = 20;
    let FileServer { server, .. } = start_streaming(&["--drain", "0.3"]);
    let component = guests::serving(guests::STREAMS);
    let mut viewers: Vec<_> = (0..VIEWERS).map(|_| Viewer::watch(server.address, "/bad")).collect();
    for number in 1..5 {
        for viewer in &mut viewers {
            viewer.part();
        }
        server.put_guest(&guests::variant(&component, number));
        for viewer in &mut viewers {
            // Panics if the stream ends inside a part, or without the last chunk.
            while viewer.next_part().is_some() {}
            *viewer = Viewer::watch(server.address, "/bad");
        }
        server.wait_for_log(&format!("generation {number}: drain limit reached, ending {VIEWERS} responses"));
        wait_until("the old generation has ended", || server.generations()["draining"] == json!([]));
    }
}

#[test]
fn a_guest_that_never_waits_is_ended_at_the_drain_limit() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--drain", "0.2"]);
    assert_eq!(server.put_guest(&guests::serving(guests::WRITES_FOR_EVER)).status, 200);
    let address = server.address;
    let reader = thread::spawn(move || try_request(address, "GET", "/bad").0.body.len());
    wait_until("the guest responds", || server.generations()["current"]["under_way"] == 1);
    server.put_guest(&guests::built_in());
    assert!(reader.join().unwrap() > 0);
    wait_until("the old generation has ended", || server.generations()["draining"] == json!([]));
}

#[test]
fn other_responses_are_cut_off_at_the_drain_limit_and_do_not_look_complete() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--drain", "0.2"]);
    assert_eq!(server.put_guest(&guests::serving(guests::WAITS_IN_MID_STREAM)).status, 200);
    let address = server.address;
    let reader = thread::spawn(move || try_request(address, "GET", "/bad"));
    wait_until("the guest responds", || server.generations()["current"]["under_way"] == 1);
    server.put_guest(&guests::built_in());
    let (reply, rest) = reader.join().unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"begun\n"[..]));
    assert!(rest.is_err(), "the client must see that the response is incomplete");
}

#[test]
fn a_named_pipe_in_place_of_the_file_is_refused_and_the_next_file_is_served() {
    let built_in = guests::built_in();
    let mut running = FileServer::start(&built_in, &["--watch"]);
    fs::remove_file(&running.file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&running.file).status().unwrap().success());
    running.server.wait_for_log("not a regular file");
    fs::remove_file(&running.file).unwrap();
    fs::write(&running.file, guests::variant(&built_in, 1)).unwrap();
    running.wait_for_generation(2);
    running.server.signal(Signal::TERM);
    assert!(running.server.wait().success());
}

#[test]
fn a_watched_file_that_is_unchanged_after_a_rollback_is_logged() {
    let built_in = guests::built_in();
    let running = FileServer::start(&built_in, &["--watch"]);
    let other = guests::variant(&built_in, 1);
    rename_into(&other, &running.file);
    running.wait_for_generation(2);
    assert_eq!(request(running.server.admin.unwrap(), "POST", "/guest/rollback").status, 200);
    rename_into(&other, &running.file);
    running.server.wait_for_log("has not changed, but another component runs; send SIGHUP to load it again");
    running.server.signal(Signal::HUP);
    running.wait_for_generation(4);
}

#[test]
fn a_replaced_guest_still_answers_its_pending_requests() {
    let slow = guests::SLOW.to_owned();
    let server = Server::start(&["--camera", "emulated,fps=20", "--drain", "0.1"]);
    assert_eq!(server.put_guest(&guests::serving(&slow)).status, 200);
    let address = server.address;
    let waiting = thread::spawn(move || get(address, "/bad"));
    wait_until("the request is in flight", || server.generations()["current"]["under_way"] == 1);
    server.put_guest(&guests::built_in());
    server.wait_for_log("generation 2: drain limit reached, ending 1 responses");
    assert_eq!(waiting.join().unwrap().text(), "ok\n");
}

#[test]
fn streams_of_slow_viewers_end_between_two_parts_at_the_drain_limit() {
    // Frames so large that the guest writes them in several pieces, and so fast that each viewer always has a newer
    // one.
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 30, 1_500_000);
    let camera = format!("emulated=emulated:{},fps=30", folder.path().display());
    let guest = folder.path().join("guest.wasm");
    fs::write(&guest, guests::serving(guests::STREAMS)).unwrap();
    let server = Server::start(&["--camera", &camera, "--guest", guest.to_str().unwrap(), "--drain", "0.5"]);
    let viewers: Vec<_> = (0..3).map(|_| Viewer::watch(server.address, "/bad")).collect();
    server.put_guest(&guests::built_in());
    server.wait_for_log("generation 1: drain limit reached, ending 3 responses");
    for mut viewer in viewers {
        while viewer.next_part().is_some() {
            thread::sleep(std::time::Duration::from_millis(100));
        }
    }
    wait_until("the old generation has ended", || server.generations()["draining"] == json!([]));
}

#[test]
fn abandoned_uploads_change_nothing_and_compilers_do_not_pile_up() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--no-cache"]);
    let built_in = guests::built_in();
    for number in 0..10 {
        let component = guests::variant(&built_in, number);
        let mut stream = connect(server.admin.unwrap());
        write!(stream, "PUT /guest HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", component.len())
            .unwrap();
        stream.write_all(&component).unwrap();
        let compilers = server.threads().iter().filter(|(_, name)| name == "guest-compiler").count();
        assert!(compilers <= 1, "{compilers} compilers at once");
    }
    // Two uploads are admitted at a time, so this one waits for the abandoned ones.
    let last = guests::variant(&built_in, 100);
    wait_until("the upload is admitted", || server.put_guest(&last).status == 200);
}

#[test]
fn a_guest_can_wait_until_it_is_replaced() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    server.put_guest(&guests::serving(guests::ENDS_WHEN_REPLACED));
    let address = server.address;
    let waiting = thread::spawn(move || get(address, "/bad"));
    wait_until("the request is in flight", || server.generations()["current"]["under_way"] == 1);
    server.put_guest(&guests::built_in());
    let reply = waiting.join().unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "ok\n"));
}
