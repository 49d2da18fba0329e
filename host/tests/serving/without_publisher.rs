//! The built-in guest when a tool that composed it has dropped its export `publisher`: it writes the streams itself.

use std::collections::HashSet;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, guests, wait_until};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions};

const HANDLER: &str = "wasi:http/incoming-handler@0.2.12";

/// Returns the built-in guest with no export but the handler, as a tool composes it that knows only `wasi:http`.
pub(crate) fn without_publisher() -> Vec<u8> {
    let mut graph = CompositionGraph::new();
    let package = Package::from_bytes("guest", None, guests::built_in(), graph.types_mut()).unwrap();
    let package = graph.register_package(package).unwrap();
    let guest = graph.instantiate(package);
    let handler = graph.alias_instance_export(guest, HANDLER).unwrap();
    graph.export(handler, HANDLER).unwrap();
    graph.encode(EncodeOptions::default()).unwrap()
}

/// Starts a server with that guest.
fn start(options: &[&str]) -> Server {
    let server = Server::start(options);
    let reply = server.put_guest(&without_publisher());
    assert_eq!(reply.status, 200, "{}", reply.text());
    server
}

#[test]
fn a_guest_without_publisher_streams_each_picture_to_each_viewer() {
    let server = start(&["--camera", "emulated,fps=20"]);
    let pictures = built_in_pictures();
    let mut viewers: Vec<_> = (0..3).map(|_| Viewer::watch(server.address, "/video_feed")).collect();
    for viewer in &mut viewers {
        assert_eq!(viewer.status, 200);
        let seen: HashSet<_> = (0..6).map(|_| viewer.part().jpeg).collect();
        assert!(seen.len() > 1 && seen.iter().all(|jpeg| pictures.contains(jpeg)), "{} pictures", seen.len());
    }
    drop(viewers);
    wait_until("the instances have ended", || server.generations()["current"]["under_way"] == 0);
}

#[test]
fn a_guest_without_publisher_limits_the_rate() {
    let server = start(&["--camera", "emulated,fps=50"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed?fps=5");
    let times: Vec<f64> = (0..4).map(|_| viewer.part().timestamp.parse().unwrap()).collect();
    // Three intervals of 200 ms. A part may be taken up to a frame late, and the next one is not taken earlier.
    assert!(times[3] - times[0] > 0.5, "{times:?}");
}

#[test]
fn a_guest_without_publisher_streams_several_cameras_in_one_response() {
    let server = start(&["--camera", "front=emulated,fps=20", "--camera", "yard=emulated,fps=10"]);
    let mut viewer = Viewer::watch(server.address, "/pictures");
    let mut text = String::new();
    let wanted = ["X-Camera: front", "X-Camera: yard"];
    while !wanted.iter().all(|name| text.matches(name).count() > 2) {
        text.push_str(&String::from_utf8_lossy(&viewer.next_chunk().expect("the stream continues")));
    }
}

#[test]
fn a_guest_without_publisher_shows_why_there_is_no_picture_and_sends_events() {
    let server = start(&["--camera", "emulated:/nonexistent"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let part = viewer.part();
    assert!(part.jpeg.starts_with(&[0xFF, 0xD8]));
    let mut events = Viewer::watch(server.address, "/events");
    let mut text = String::new();
    while text.matches("event: state\n").count() < 2 {
        text.push_str(&String::from_utf8_lossy(&events.next_chunk().expect("the stream continues")));
    }
    assert!(text.starts_with("retry: 250\n\nevent: state\ndata: {"), "{text}");
    assert!(text.contains("\"state\":\"lost\""), "{text}");
}

#[test]
fn streams_of_a_guest_without_publisher_end_properly_after_a_swap() {
    let server = start(&["--camera", "emulated,fps=20", "--drain", "0.2"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    viewer.part();
    assert_eq!(server.put_guest(&guests::built_in()).status, 200);
    while viewer.next_part().is_some() {}
    assert_eq!(get(server.address, "/").status, 200);
}
