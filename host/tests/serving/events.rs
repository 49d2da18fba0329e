//! `/events`: the state of cameras, their viewers, and the guest.

use serde_json::{Value, json};

use hotshoe_test_support::client::{Viewer, get, send};
use hotshoe_test_support::guests;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;

/// A client of `/events`.
struct Events(Viewer);

impl Events {
    fn connect(server: &Server) -> Self {
        let mut stream = Viewer::watch(server.address, "/events");
        assert_eq!((stream.status, stream.header("content-type")), (200, Some("text/event-stream")));
        assert_eq!(stream.header("x-accel-buffering"), Some("no"));
        let first = String::from_utf8(stream.chunk()).unwrap();
        let first = first.strip_prefix("retry: 250\n\n").expect("the delay after which browsers reconnect");
        state(first);
        Self(stream)
    }

    fn next(&mut self) -> Value {
        state(std::str::from_utf8(&self.0.chunk()).unwrap())
    }

    /// Reads until the state fulfils a condition. The timeout of the client limits the wait.
    fn until(&mut self, condition: impl Fn(&Value) -> bool) -> Value {
        loop {
            let state = self.next();
            if condition(&state) {
                return state;
            }
        }
    }
}

/// Returns the JSON of an event.
fn state(event: &str) -> Value {
    let data = event.strip_prefix("event: state\ndata: ").and_then(|data| data.strip_suffix("\n\n"));
    serde_json::from_str(data.expect("one event with one line of data")).unwrap()
}

#[test]
fn events_report_every_camera_without_opening_it() {
    let server = Server::start(&["--camera", "front=emulated,fps=20", "--camera", "yard=/dev/video99"]);
    let mut events = Events::connect(&server);
    let state = events.next();
    assert_eq!(server.capture_threads(), 0);
    let front = &state["cameras"][0];
    assert_eq!((&front["name"], &front["state"], &front["viewers"]), (&json!("front"), &json!("idle"), &json!(0)));
    assert_eq!((&front["age"], &front["width"], &front["fps"]), (&Value::Null, &Value::Null, &json!(0.0)));
    assert_eq!(state["cameras"][1]["name"], "yard");

    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let mut fast = Viewer::watch(server.address, "/stream/front?extra_headers=1");
    let reader = std::thread::spawn(move || while viewer.try_part().is_ok() {});
    let is_expected = |fps: f64| (15.0..25.0).contains(&fps);
    let state = events.until(|state| {
        let front = &state["cameras"][0];
        front["fps"].as_f64().is_some_and(is_expected) && front["viewers"] == 2
    });
    let front = &state["cameras"][0];
    assert_eq!(front["state"], "live");
    assert_eq!((&front["width"], &front["height"], &front["rate"]), (&json!(640), &json!(480), &json!(20.0)));
    assert!(front["age"].as_f64() < Some(5.0) && front["frames"].as_u64() > Some(10), "{front}");
    fast.chunk();
    drop(fast);
    events.until(|state| state["cameras"][0]["viewers"] == 1);
    drop(server);
    reader.join().unwrap();
}

#[test]
fn an_outage_is_reported_at_once_with_its_reason() {
    let server = Server::start(&["--camera", "yard=/dev/video99"]);
    let mut events = Events::connect(&server);
    let _viewer = Viewer::watch(server.address, "/video_feed");
    let state = events.until(|state| state["cameras"][0]["state"] == "lost");
    let yard = &state["cameras"][0];
    assert_eq!(yard["cause"], "not-found");
    assert!(yard["reason"].as_str().unwrap().starts_with("no device at /dev/video99"), "{yard}");
}

#[test]
fn a_new_guest_is_reported_on_the_same_connection() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let built_in = guests::built_in();
    let mut events = Events::connect(&server);
    for number in 1..4 {
        server.put_guest(&guests::variant(&built_in, number));
        let current = server.generations()["current"].clone();
        let state = events.until(|state| state["guest"]["digest"] == current["sha256"]);
        assert_eq!(state["guest"]["number"], current["generation"]);
        assert!(
            get(server.address, "/").text().contains(current["sha256"].as_str().unwrap()),
            "the page contains the digest of its guest"
        );
        assert!(state["guest"]["since"].as_u64() > Some(1_700_000_000), "{state}");
    }
}

#[test]
fn all_clients_share_one_instance() {
    let server = Server::start(&["--camera", "emulated,fps=20"]);
    let mut all: Vec<_> = (0..50).map(|_| Events::connect(&server)).collect();
    for events in &mut all {
        events.next();
    }
    wait_until("only the publisher of the channel runs", || server.generations()["current"]["under_way"] == 1);
}

#[test]
fn a_guest_without_events_ends_the_stream_after_draining() {
    let server = Server::start(&["--camera", "emulated,fps=20", "--drain", "0.2"]);
    let mut events = Events::connect(&server);
    server.put_guest(&guests::joining_without_publishing("c"));
    // Properly, so that browsers reconnect and find the new page.
    while events.0.next_chunk().is_some() {}
}

#[test]
fn many_streams_in_all_formats_leave_a_channel_for_events() {
    let cameras: Vec<_> =
        (0..24).flat_map(|number| ["--camera".to_owned(), format!("c{number}=emulated,fps=5")]).collect();
    let server = Server::start(&cameras);
    let queries = ["", "?extra_headers=1", "?advance_headers=1"];
    let formats = ["video_feed", "stream"].map(|path| queries.map(|query| (path, query))).concat();
    let streams =
        (0..24).flat_map(|camera| formats.iter().map(move |(path, query)| format!("/{path}/c{camera}{query}")));
    let streams: Vec<_> = streams.map(|path| Viewer::watch(server.address, &path)).collect();
    assert!(streams.iter().all(|stream| stream.status == 200));
    Events::connect(&server);
}

#[test]
fn post_is_not_allowed() {
    let server = Server::start(&["--camera", "emulated"]);
    assert_eq!(send(server.address, "POST", "/events", &[], b"").status, 405);
}
