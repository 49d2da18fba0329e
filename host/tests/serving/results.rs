//! Results of frames: what guests attach, and what clients of `/results` receive.

use serde_json::{Value, json};

use hotshoe_test_support::client::{Viewer, connect, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{guests, wait_until};

/// Starts a server with a guest whose worker executes `work` for each frame, and then lets the built-in guest serve. The
/// worker continues until the drain limit.
fn serve(work: &str, camera: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guest.wasm");
    std::fs::write(&file, guests::attaching(work)).unwrap();
    let server = Server::start(&["--camera", camera, "--guest", file.to_str().unwrap(), "--drain", "600"]);
    assert_eq!(server.put_guest(&guests::built_in()).status, 200);
    server
}

/// A client that reads results.
struct Results {
    stream: Viewer,
    lines: Vec<String>,
}

impl Results {
    fn watch(server: &Server, path: &str, headers: &[(&str, &str)]) -> Self {
        let stream = Viewer::watch_with(connect(server.address), path, headers);
        assert_eq!(stream.status, 200);
        Self { stream, lines: Vec::new() }
    }

    /// Returns the next line.
    fn line(&mut self) -> String {
        loop {
            if !self.lines.is_empty() {
                return self.lines.remove(0);
            }
            let chunk = String::from_utf8(self.stream.chunk()).unwrap();
            assert!(chunk.ends_with('\n'), "whole entries: {chunk}");
            // Without the lines that only show that the connection is alive.
            self.lines.extend(chunk.lines().filter(|line| !matches!(*line, "" | ":")).map(str::to_owned));
        }
    }

    fn entry(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }
}

#[test]
fn clients_receive_one_entry_for_each_frame_in_step_with_the_stream() {
    let server = serve(guests::ATTACHES_ALL, "emulated,fps=10");
    let mut pictures = Viewer::watch(server.address, "/video_feed/emulated");
    let mut results = Results::watch(&server, "/results/emulated", &[]);
    assert_eq!(results.stream.header("content-type"), Some("application/x-ndjson"));
    let mut last = None;
    for _ in 0..10 {
        let entry = results.entry();
        let sequence = entry["sequence"].as_u64().unwrap();
        assert!(last.is_none_or(|last| sequence == last + 1), "{sequence} after {last:?}");
        last = Some(sequence);
        let found = json!({ "label": "face", "score": 0.875, "left": 0.25, "top": 0.25, "width": 0.5, "height": 0.5 });
        assert_eq!(entry["boxes"], json!([found]));
        assert_eq!((&entry["numbers"], &entry["texts"]), (&json!({ "lux": sequence }), &json!({ "plate": "\"A<B\"" })));
        assert_eq!(entry["camera"], "emulated");
        // The part of the stream has the same number and time.
        let part = std::iter::repeat_with(|| pictures.part()).find(|part| part.sequence() >= sequence).unwrap();
        if part.sequence() == sequence {
            assert_eq!(part.timestamp, format!("{:.6}", entry["time"].as_f64().unwrap()));
        }
        // The same entry can be requested.
        let reply = get(server.address, &format!("/results/emulated?at={sequence}"));
        assert_eq!((reply.status, reply.json()), (200, entry));
    }
}

#[test]
fn a_refused_guest_that_attaches_results_does_not_replace_the_worker() {
    let server = serve(guests::ATTACHES_ALL, "emulated,fps=20");
    let mut results = Results::watch(&server, "/results/emulated", &[]);
    let before = results.entry()["sequence"].as_u64().unwrap();
    let refused = server.put_guest(&guests::attaching_and_trapping());
    assert_eq!(refused.status, 422, "{}", refused.text());
    let newest = get(server.address, "/state/emulated").json()["result"]["source"]["sequence"].as_u64();
    let newest = newest.unwrap_or(before + 100);
    while results.entry()["sequence"].as_u64().unwrap() <= newest {}
    assert_eq!(results.entry()["boxes"][0]["score"], 0.875);
}

#[test]
fn the_accept_header_or_a_parameter_selects_server_sent_events() {
    let server = serve(guests::ATTACHES_ALL, "emulated,fps=20");
    for (path, headers) in [
        ("/results/emulated", &[("Accept", "text/event-stream")][..]),
        ("/results?format=events&cameras=emulated", &[]),
    ] {
        let mut results = Results::watch(&server, path, headers);
        assert_eq!(results.stream.header("content-type"), Some("text/event-stream"), "{path}");
        for _ in 0..3 {
            assert_eq!(results.line(), "event: results");
            let id = results.line();
            let data: Value = serde_json::from_str(results.line().strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(id, format!("id: {}", data["sequence"]));
        }
    }
}

#[test]
fn requests_for_results_that_do_not_exist_are_refused_with_the_reason() {
    let server = Server::start(&["--camera", "front=emulated,fps=20"]);
    for (path, status, reason) in [
        ("/results/front?at=7", 404, "404 frame 7 has no results, or they are no longer kept\n"),
        ("/results/front?at=last", 400, "400 at= is the number of a frame, as in X-Sequence\n"),
        ("/results/front?format=xml", 400, "400 format= is events or lines\n"),
        ("/results/yard", 404, "404 there is no camera with this name; see /\n"),
        ("/results?cameras=front,yard", 404, "404 there is no camera with this name; see /\n"),
        ("/events/1.jpg", 404, "404 there is no event with this number, or its picture was not kept\n"),
    ] {
        let reply = get(server.address, path);
        assert_eq!((reply.status, reply.text().as_str()), (status, reason), "{path}");
    }
    // Reading results opens no camera.
    let _results = Results::watch(&server, "/results/front", &[]);
    assert_eq!(server.capture_threads(), 0);
}

#[test]
fn results_outlive_their_guest_and_those_of_an_older_generation_are_ignored() {
    let server = serve(guests::ATTACHES_ALL, "emulated,fps=20");
    let mut results = Results::watch(&server, "/results/emulated", &[]);
    let attached = results.entry()["sequence"].clone();
    // The first frame of the newer worker is a later one.
    results.entry();
    // A newer generation attaches results without boxes, while the worker of the first one goes on.
    let newer =
        guests::attaching("(drop (call $attach_to (local.get $sequence) (i32.const 0) (i32.const 0) (i32.const 0)))");
    assert_eq!(server.put_guest(&newer).status, 200);
    assert_eq!(server.put_guest(&guests::variant(&guests::built_in(), 1)).status, 200);
    let mut results = Results::watch(&server, "/results/emulated", &[]);
    wait_until("the results are those of the newer guest", || results.entry()["boxes"] == json!([]));
    for _ in 0..10 {
        assert_eq!(results.entry()["boxes"], json!([]), "of the older guest");
    }
    let earlier = get(server.address, &format!("/results/emulated?at={attached}"));
    assert_eq!((earlier.status, earlier.json()["boxes"].as_array().unwrap().len()), (200, 1));
}

#[test]
fn zones_reach_clients_until_a_newer_generation_attaches_results() {
    let server = serve("(if (call $set_zones (i32.const 1) (i32.const 3)) (then unreachable))", "emulated,fps=20");
    let zones = |expected: Value| {
        let mut stream = Viewer::watch(server.address, "/events");
        wait_until("the state has the zones", || {
            let chunk = String::from_utf8(stream.chunk()).unwrap();
            let state: Value = serde_json::from_str(chunk.split_once("data: ").unwrap().1.trim_end()).unwrap();
            state["cameras"][0]["zones"] == expected
        });
    };
    zones(json!([{ "label": "face", "corners": [[0, 0.5], [1, 0.5], [1, 1]] }]));
    // The worker of the older generation goes on to set its zones.
    assert_eq!(server.put_guest(&guests::attaching(guests::ATTACHES_ALL)).status, 200);
    assert_eq!(server.put_guest(&guests::variant(&guests::built_in(), 1)).status, 200);
    zones(json!([]));
}

/// Executes the attempts in a guest and returns the error of each: 0 for success, 1 for `unknown-camera`, 2 for
/// `unknown-frame`, 3 for `too-many`, 4 for `invalid-value`.
fn errors_of(attempts: &str) -> (Server, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guest.wasm");
    std::fs::write(&file, guests::attaching_in_handler(attempts)).unwrap();
    let server = Server::start(&["--camera", "emulated,fps=20", "--guest", file.to_str().unwrap()]);
    let reply = get(server.address, "/bad");
    assert_eq!(reply.status, 200, "{}", server.log());
    assert_eq!(get(server.address, "/ok").text(), "ok\n");
    (server, reply.text())
}

#[test]
fn results_that_break_a_rule_are_refused_with_an_error_and_change_nothing() {
    let attempt = |setup: &str, sequence: &str, boxes: u32, numbers: u32, texts: u32| {
        format!(
            "{setup} (call $report (call $attach_to {sequence} \
             (i32.const {boxes}) (i32.const {numbers}) (i32.const {texts})))\n"
        )
    };
    let frame = "(local.get $sequence)";
    let valid = "(call $set_box (f64.const 1) (f64.const 0)) (call $set_number (f64.const 1))
        (call $set_text (i32.const 1184) (i32.const 5))";
    let cases = [
        ("valid results", attempt("", frame, 1, 1, 1), '0'),
        (
            "a frame that does not exist yet",
            attempt("", "(i64.add (local.get $sequence) (i64.const 1000000))", 1, 0, 0),
            '2',
        ),
        ("the largest number of a frame", attempt("", "(i64.const -1)", 1, 0, 0), '2'),
        ("a score that is not a number", attempt("(call $set_box (f64.const nan) (f64.const 0))", frame, 1, 0, 0), '4'),
        ("a score above 1", attempt("(call $set_box (f64.const 1.5) (f64.const 0))", frame, 1, 0, 0), '4'),
        ("an infinite coordinate", attempt("(call $set_box (f64.const 1) (f64.const inf))", frame, 1, 0, 0), '4'),
        ("an infinite number", attempt("(call $set_number (f64.const -inf))", frame, 0, 1, 0), '4'),
        ("a number that is too large", attempt("(call $set_number (f64.const 1e16))", frame, 0, 1, 0), '4'),
        ("a long text", attempt("(call $set_text (i32.const 1184) (i32.const 20000))", frame, 0, 0, 1), '3'),
        ("a long label", attempt(&format!("{valid} (i32.store (i32.const 1028) (i32.const 65))"), frame, 1, 0, 0), '4'),
        ("an empty label", attempt("(i32.store (i32.const 1028) (i32.const 0))", frame, 1, 0, 0), '4'),
        ("a zone", "(call $report (call $set_zones (i32.const 1) (i32.const 3)))\n".to_owned(), '0'),
        ("two corners", "(call $report (call $set_zones (i32.const 1) (i32.const 2)))\n".to_owned(), '4'),
        ("too many corners", "(call $report (call $set_zones (i32.const 1) (i32.const 33)))\n".to_owned(), '3'),
        ("no zone", "(call $report (call $set_zones (i32.const 0) (i32.const 0)))\n".to_owned(), '0'),
        ("valid results again", attempt(valid, frame, 1, 1, 1), '0'),
    ];
    let (_server, found) = errors_of(&cases.iter().map(|(_, attempt, _)| attempt.as_str()).collect::<String>());
    let found: Vec<_> = cases.iter().map(|(name, ..)| *name).zip(found.chars()).collect();
    let expected: Vec<_> = cases.iter().map(|(name, _, error)| (*name, *error)).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_results_of_a_frame_are_limited_however_they_are_attached() {
    // Two boxes at a time, until the limit of 128 is reached.
    let attempts = "(memory.copy (i32.const 1072) (i32.const 1024) (i32.const 48))
        (local.set $left (i32.const 66))
        (loop $again
          (call $report (call $attach_to (local.get $sequence) (i32.const 2) (i32.const 0) (i32.const 0)))
          (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";
    let (_server, found) = errors_of(attempts);
    assert_eq!(found, format!("{}33", "0".repeat(64)));
}

#[test]
fn the_oldest_results_of_a_camera_make_room_for_new_ones() {
    // The results of 65 such frames fit.
    let work = "(call $set_text (i32.const 8192) (i32.const 16000))
        (if (call $attach_to (local.get $sequence) (i32.const 0) (i32.const 0) (i32.const 1)) (then unreachable))";
    let server = serve(work, "emulated,fps=50");
    let mut results = Results::watch(&server, "/results", &[]);
    let first = results.entry()["sequence"].as_u64().unwrap();
    let path = format!("/results?at={first}");
    assert_eq!(get(server.address, &path).status, 200);
    let last = (0..80).map(|_| results.entry()["sequence"].as_u64().unwrap()).last().unwrap();
    assert_eq!(get(server.address, &path).status, 404);
    assert_eq!(get(server.address, &format!("/results?at={last}")).status, 200);
}

#[test]
fn an_event_begins_and_ends_with_its_boxes_and_has_the_best_frame() {
    // A face in five frames of which the third is the best; then none.
    let attaches = "(global.set $count (i32.add (global.get $count) (i32.const 1)))
        (call $set_box (select (f64.const 0.9) (f64.const 0.5) (i32.eq (global.get $count) (i32.const 12))) (f64.const 0))
        (if (call $attach_to (local.get $sequence) (i32.lt_u (i32.sub (global.get $count) (i32.const 10)) (i32.const 5))
          (i32.const 0) (i32.const 0)) (then unreachable))";
    let server = serve(attaches, "emulated,fps=10");
    let mut stream = Viewer::watch(server.address, "/events");
    let mut next = || -> Value {
        let chunk = String::from_utf8(stream.chunk()).unwrap();
        let data = chunk.split_once("data: ").unwrap().1;
        serde_json::from_str(data.trim_end()).unwrap()
    };
    let begun = std::iter::repeat_with(&mut next).find(|state| state["events"][0].is_object()).unwrap();
    let event = &begun["events"][0];
    assert_eq!((&event["id"], &event["camera"], &event["label"]), (&json!(1), &json!("emulated"), &json!("face")));
    assert!(begun["cameras"][0]["results"].is_u64(), "{begun}");
    let ended = std::iter::repeat_with(&mut next).find(|state| !state["events"][0]["end"].is_null()).unwrap();
    let event = &ended["events"][0];
    assert_eq!(event["score"], 0.9);
    let best = event["sequence"].as_u64().unwrap();
    // The best of the five frames is the one in the middle. The worker may have skipped some between them.
    let boxed = |sequence: u64| {
        let reply = get(server.address, &format!("/results?at={sequence}"));
        (reply.status == 200).then(|| reply.json()).filter(|entry| entry["boxes"] != json!([]))
    };
    let first = (0..best).rev().filter_map(boxed).nth(1).expect("two frames before the best one");
    let last = (best + 1..best + 1000).filter_map(boxed).nth(1).expect("two frames after the best one");
    assert_eq!((&event["begin"], &event["end"]), (&first["time"], &last["time"]));
    // The picture is that of the best frame: the emulated camera repeats its pictures.
    let image = get(server.address, "/events/1.jpg");
    assert_eq!((image.status, image.header("content-type")), (200, Some("image/jpeg")));
    let mut pictures = Viewer::watch(server.address, "/video_feed");
    let count = hotshoe_test_support::built_in_pictures().len() as u64;
    let same = std::iter::repeat_with(|| pictures.part()).find(|part| part.sequence() % count == best % count).unwrap();
    assert!(image.body == same.jpeg, "another picture");
}
