//! Replacing the guest, by each way there is, and what becomes of those who are connected.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;

use hotshoe_test_support::client::{Viewer, connect, get, request, try_request};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{guests, pictures, wait_until};
use rustix::process::Signal;
use serde_json::json;

/// A server whose guest is a file, which is watched if that is asked for.
struct FromFile {
    server: Server,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl FromFile {
    fn start(component: &[u8], more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("builds").join("guest.wasm");
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, component).unwrap();
        let mut args = vec!["--camera", "emulated,fps=20", "--guest", file.to_str().unwrap()];
        args.extend(more);
        Self { server: Server::start(&args), file, _folder: folder }
    }

    #[track_caller]
    fn comes_to(&self, generation: u64) {
        self.server.wait_for_log(&format!("generation {generation}: "));
        assert_eq!(self.server.generation(), generation);
    }
}

/// Put a file in another's place, as builders do.
fn rename_into(component: &[u8], file: &Path) {
    let beside = file.with_extension("new");
    fs::write(&beside, component).unwrap();
    fs::rename(beside, file).unwrap();
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
fn the_same_component_again_changes_nothing() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let reply = server.put_guest(&guests::built_in());
    assert_eq!((reply.status, reply.json()["current"]["generation"].as_u64()), (200, Some(1)));
    server.wait_for_log("generation 1 already runs this component");
}

#[test]
fn one_can_go_back_and_forth_at_once() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let back = || request(server.admin.unwrap(), "POST", "/guest/rollback");
    let nothing = back();
    assert_eq!(nothing.status, 409);
    assert!(nothing.json()["error"].as_str().unwrap().contains("no earlier guest to roll back to"));

    server.put_guest(&guests::serving(guests::TRAPS));
    assert_eq!(get(server.address, "/snapshot").status, 502);
    let first = back().json();
    assert_eq!((first["current"]["generation"].as_u64(), first["previous"]["generation"].as_u64()), (Some(3), Some(2)));
    assert_eq!(first["current"]["from"], "the built-in guest");
    assert_eq!(get(server.address, "/snapshot").status, 200);
    back();
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
    assert_eq!(server.generation(), 4);
}

#[test]
fn sighup_loads_the_file_again() {
    let built_in = guests::built_in();
    let trial = FromFile::start(&built_in, &[]);
    trial.server.signal(Signal::HUP);
    trial.server.wait_for_log("generation 1 already runs this component");
    fs::write(&trial.file, guests::variant(&built_in, 1)).unwrap();
    trial.server.signal(Signal::HUP);
    trial.comes_to(2);
    fs::remove_file(&trial.file).unwrap();
    trial.server.signal(Signal::HUP);
    trial.server.wait_for_log("guest not replaced, generation 2 continues: cannot read the guest");
}

#[test]
fn a_watched_file_is_served_when_it_was_replaced_by_renaming() {
    let built_in = guests::built_in();
    let trial = FromFile::start(&built_in, &["--watch"]);
    for generation in 2..5 {
        rename_into(&guests::variant(&built_in, generation), &trial.file);
        trial.comes_to(generation.into());
    }
}

#[test]
fn a_watched_file_that_is_written_in_pieces_is_served_when_it_is_whole() {
    let built_in = guests::built_in();
    let trial = FromFile::start(&built_in, &["--watch"]);
    let whole = guests::variant(&built_in, 1);
    let mut file = fs::File::create(&trial.file).unwrap();
    for piece in whole.chunks(whole.len() / 20) {
        file.write_all(piece).unwrap();
        thread::sleep(std::time::Duration::from_millis(20));
    }
    drop(file);
    trial.comes_to(2);
    assert!(!trial.server.log().contains("not replaced"), "{}", trial.server.log());
}

#[test]
fn a_watched_file_that_was_cut_off_by_a_power_cut_is_refused_and_the_whole_one_is_served() {
    let built_in = guests::built_in();
    let trial = FromFile::start(&built_in, &["--watch"]);
    let whole = guests::variant(&built_in, 1);
    for (round, length) in [0, 5, 8, 100, whole.len() / 2, whole.len() - 200].into_iter().enumerate() {
        fs::write(&trial.file, &whole[..length]).unwrap();
        trial.server.wait_for_logs("guest not replaced, generation 1 continues: ", round + 1);
        assert_eq!(get(trial.server.address, "/snapshot").status, 200);
    }
    fs::write(&trial.file, &whole).unwrap();
    trial.comes_to(2);
    assert_eq!(get(trial.server.address, "/snapshot").status, 200);
}

#[test]
fn a_watched_file_that_is_touched_or_written_again_changes_nothing() {
    let built_in = guests::built_in();
    let trial = FromFile::start(&built_in, &["--watch"]);
    // Longer apart than the file has to be left alone for.
    let pause = || thread::sleep(std::time::Duration::from_millis(400));
    fs::write(&trial.file, &built_in).unwrap();
    pause();
    rename_into(&built_in, &trial.file);
    pause();
    // What comes after them is seen, and they were not offered in between.
    rename_into(&guests::variant(&built_in, 1), &trial.file);
    trial.comes_to(2);
    assert!(!trial.server.log().contains("not replaced"), "{}", trial.server.log());
}

#[test]
fn a_watched_file_that_could_not_be_read_is_served_when_it_can() {
    use std::os::unix::fs::PermissionsExt as _;
    let built_in = guests::built_in();
    let trial = FromFile::start(&built_in, &["--watch"]);
    // Root may read anything; for root it is only served a little earlier.
    let beside = trial.file.with_extension("new");
    fs::write(&beside, guests::variant(&built_in, 1)).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o000)).unwrap();
    fs::rename(&beside, &trial.file).unwrap();
    thread::sleep(std::time::Duration::from_millis(300));
    fs::set_permissions(&trial.file, fs::Permissions::from_mode(0o644)).unwrap();
    trial.comes_to(2);
}

#[test]
fn a_watched_file_is_found_again_when_its_folder_was_removed_and_made_again() {
    let built_in = guests::built_in();
    let trial = FromFile::start(&built_in, &["--watch"]);
    for generation in 2..4 {
        let folder = trial.file.parent().unwrap();
        fs::remove_dir_all(folder).unwrap();
        wait_until("it goes on serving", || get(trial.server.address, "/snapshot").status == 200);
        fs::create_dir(folder).unwrap();
        fs::write(&trial.file, guests::variant(&built_in, generation)).unwrap();
        trial.comes_to(generation.into());
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
    // The kernel tells nothing of this one.
    fs::write(folder.path().join("2.wasm"), guests::variant(&built_in, 3)).unwrap();
    server.wait_for_log("generation 3: ");
}

/// A server whose guest streams its camera at /bad the plain way: an instance for each viewer.
fn streaming(more: &[&str]) -> FromFile {
    FromFile::start(&guests::serving(guests::STREAMS), more)
}

#[test]
fn what_is_under_way_stays_with_its_generation_until_it_ends_by_itself() {
    let FromFile { server, .. } = streaming(&[]);
    let mut viewer = Viewer::watch(server.address, "/bad");
    viewer.part();
    server.put_guest(&guests::serving(guests::TRAPS));
    assert_eq!(get(server.address, "/bad").status, 502, "new requests get the new guest");
    // More than any buffer holds.
    for _ in 0..40 {
        viewer.part();
    }
    assert_eq!(server.generations()["draining"], json!([{ "generation": 1, "under_way": 1 }]));
    drop(viewer);
    wait_until("the old generation is gone", || server.generations()["draining"] == json!([]));
}

#[test]
fn what_is_under_way_at_the_drain_limit_is_ended_between_two_parts() {
    const VIEWERS: usize = 20;
    let FromFile { server, .. } = streaming(&["--drain", "0.3"]);
    let component = guests::serving(guests::STREAMS);
    let mut viewers: Vec<_> = (0..VIEWERS).map(|_| Viewer::watch(server.address, "/bad")).collect();
    for number in 1..5 {
        for viewer in &mut viewers {
            viewer.part();
        }
        server.put_guest(&guests::variant(&component, number));
        for viewer in &mut viewers {
            // Panics if it ends in the middle of a part, or without the end of the transfer encoding.
            while viewer.next_part().is_some() {}
            *viewer = Viewer::watch(server.address, "/bad");
        }
        server.wait_for_log(&format!("generation {number}: drain limit reached, ending {VIEWERS} responses"));
        wait_until("the old generation is gone", || server.generations()["draining"] == json!([]));
    }
}

#[test]
fn a_guest_that_never_waits_is_ended_at_the_drain_limit_as_well() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--drain", "0.2"]);
    assert_eq!(server.put_guest(&guests::serving(guests::WRITES_FOR_EVER)).status, 200);
    let address = server.address;
    let reader = thread::spawn(move || try_request(address, "GET", "/bad").0.body.len());
    wait_until("it writes", || server.generations()["current"]["under_way"] == 1);
    server.put_guest(&guests::built_in());
    assert!(reader.join().unwrap() > 0);
    wait_until("the old generation is gone", || server.generations()["draining"] == json!([]));
}

#[test]
fn what_has_an_end_of_its_own_breaks_off_at_the_drain_limit_and_does_not_look_whole() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--drain", "0.2"]);
    assert_eq!(server.put_guest(&guests::serving(guests::WAITS_IN_MID_STREAM)).status, 200);
    let address = server.address;
    let reader = thread::spawn(move || try_request(address, "GET", "/bad"));
    wait_until("it writes", || server.generations()["current"]["under_way"] == 1);
    server.put_guest(&guests::built_in());
    let (reply, rest) = reader.join().unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"begun\n"[..]));
    assert!(rest.is_err(), "nobody could tell that something is missing");
}

#[test]
fn a_named_pipe_in_the_files_place_is_refused_and_the_file_after_it_is_served() {
    let built_in = guests::built_in();
    let mut trial = FromFile::start(&built_in, &["--watch"]);
    fs::remove_file(&trial.file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&trial.file).status().unwrap().success());
    trial.server.wait_for_log("not a regular file");
    fs::remove_file(&trial.file).unwrap();
    fs::write(&trial.file, guests::variant(&built_in, 1)).unwrap();
    trial.comes_to(2);
    trial.server.signal(Signal::TERM);
    assert!(trial.server.wait().success());
}

#[test]
fn a_watched_file_that_is_what_it_was_before_a_rollback_is_said_to_be() {
    let built_in = guests::built_in();
    let trial = FromFile::start(&built_in, &["--watch"]);
    let other = guests::variant(&built_in, 1);
    rename_into(&other, &trial.file);
    trial.comes_to(2);
    assert_eq!(request(trial.server.admin.unwrap(), "POST", "/guest/rollback").status, 200);
    rename_into(&other, &trial.file);
    trial.server.wait_for_log("has not changed, but another guest is serving; send SIGHUP to load it again");
    trial.server.signal(Signal::HUP);
    trial.comes_to(4);
}

#[test]
fn a_request_that_a_replaced_guest_has_not_answered_yet_is_still_answered_by_it() {
    let slow = guests::SLOW.to_owned();
    let server = Server::start(&["--camera", "emulated,fps=20", "--drain", "0.1"]);
    assert_eq!(server.put_guest(&guests::serving(&slow)).status, 200);
    let address = server.address;
    let waiting = thread::spawn(move || get(address, "/bad"));
    wait_until("it waits", || server.generations()["current"]["under_way"] == 1);
    server.put_guest(&guests::built_in());
    server.wait_for_log("generation 2: drain limit reached, ending 1 responses");
    assert_eq!(waiting.join().unwrap().text(), "ok\n");
}

#[test]
fn a_viewer_that_is_slower_than_the_camera_is_ended_between_two_parts_as_well() {
    // Pictures of which a guest writes more than one piece, and a viewer for whom there always is a newer one.
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
    wait_until("the old generation is gone", || server.generations()["draining"] == json!([]));
}

#[test]
fn a_put_whose_client_leaves_changes_nothing_and_compilers_do_not_pile_up() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--no-cache"]);
    let built_in = guests::built_in();
    for number in 0..10 {
        let component = guests::variant(&built_in, number);
        let mut stream = connect(server.admin.unwrap());
        write!(stream, "PUT /guest HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", component.len())
            .unwrap();
        stream.write_all(&component).unwrap();
        let compilers = server.threads().iter().filter(|(_, name)| name == "guest-compiler").count();
        assert!(compilers <= 1, "{compilers} compile at once");
    }
    // Two uploads at a time are taken, so there is room when those that were left are done.
    let last = guests::variant(&built_in, 100);
    wait_until("there is room", || server.put_guest(&last).status == 200);
}

#[test]
fn a_guest_that_wants_to_know_is_told_that_it_was_replaced() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    server.put_guest(&guests::serving(guests::ENDS_WHEN_REPLACED));
    let address = server.address;
    let waiting = thread::spawn(move || get(address, "/bad"));
    wait_until("it waits", || server.generations()["current"]["under_way"] == 1);
    server.put_guest(&guests::built_in());
    let reply = waiting.join().unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "ok\n"));
}
