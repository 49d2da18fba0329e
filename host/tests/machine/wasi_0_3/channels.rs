//! Viewers of channels.

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::{built_in_pictures, guests, wait_until};

use super::{component, read_to_end, start, under_way};

/// Returns the numbers of the parts of a channel, which must be whole.
#[track_caller]
pub fn numbers(parts: &str, channel: &str) -> Vec<u32> {
    let number = |line: &str| line.strip_prefix(channel)?.strip_prefix(' ')?.strip_suffix('.')?.parse().ok();
    parts.lines().map(|line| number(line).unwrap_or_else(|| panic!("{line:?} in {parts:?}"))).collect()
}

#[track_caller]
fn text(chunk: Vec<u8>) -> String {
    String::from_utf8(chunk).unwrap()
}

pub fn sent_without_the_guest() {
    let server = start(&[]);
    let mut viewers: Vec<_> = (0..20).map(|_| Viewer::watch(server.address, "/channel/join/tick")).collect();
    for viewer in &mut viewers {
        let first = text(viewer.chunk());
        assert_eq!(numbers(first.strip_prefix("opening\n").unwrap(), "tick").len(), 1, "{first:?}");
    }
    // Nothing but the publisher.
    assert_eq!(under_way(&server), 1);
    server.wait_for_logs("guest stdout: sent: true", 20);
    assert_eq!(get(server.address, "/channel/viewers/tick").text(), format!("20 {:?}", vec!["viewer"; 20]));
    // The end of the instances does not matter to the viewers.
    for _ in 0..3 {
        assert_eq!(get(server.address, "/trap").status, 502);
    }
    for viewer in &mut viewers {
        let parts: String = (0..10).map(|_| text(viewer.chunk())).collect();
        assert!(numbers(&parts, "tick").is_sorted(), "{parts:?}");
    }
    drop(viewers);
    wait_until("the publisher has ended", || under_way(&server) == 0);

    let mut viewer = Viewer::watch(server.address, "/channel/join/camera");
    assert!(built_in_pictures().contains(&viewer.part().jpeg));
    let mut both = Viewer::watch(server.address, "/channel/join-all/a+b");
    let parts: String = (0..20).map(|_| text(both.chunk())).collect();
    // The newest ones: on a busy machine, the first are over before the viewer can be sent any.
    let (a, b): (Vec<_>, Vec<_>) =
        parts.strip_prefix("opening\n").unwrap().lines().partition(|line| line.starts_with('a'));
    for (parts, channel) in [(a, "a"), (b, "b")] {
        assert!(parts.len() > 1 && numbers(&parts.join("\n"), channel).is_sorted(), "{parts:?}");
    }
}

pub fn read_by_the_guest() {
    let server = start(&[]);
    // The same bytes as a viewer would be sent, to the end.
    let copy = get(server.address, "/channel/copy/returns").text();
    let parts = copy.strip_prefix("OPENING\n").unwrap().strip_suffix("CLOSING\n").unwrap();
    // On a busy machine, the guest may skip any part but the last one.
    let are_parts = |numbers: Vec<u32>| numbers.is_sorted_by(|one, next| one < next) && numbers.last() == Some(&2);
    assert!(are_parts(numbers(parts, "RETURNS")), "{copy}");
    // The bytes that were read before are not sent again, and no others are lost.
    let rest = get(server.address, "/channel/rest/returns").text();
    let parts = rest.strip_prefix("pening\n").unwrap().strip_suffix("closing\n").unwrap();
    assert!(are_parts(numbers(parts, "returns")), "{rest}");
    // A guest that reads slowly skips parts.
    let slow = get(server.address, "/channel/slow/tick").text();
    let numbers = numbers(slow.strip_prefix("opening\n").unwrap(), "tick");
    assert!(numbers.len() == 2 && numbers[1] - numbers[0] > 10, "{numbers:?}");
    assert_eq!(get(server.address, "/channel/cancel/silent").text(), "cancelled");
    assert_eq!(get(server.address, "/channel/drop/silent").text(), "0");
    wait_until("no channel is open", || under_way(&server) == 0);
}

pub fn joining_is_bounded() {
    let server = start(&[]);
    let errors = get(server.address, "/channel/errors").text();
    let expected = [
        "InvalidName",
        "InvalidName",
        "InvalidName",
        "InvalidLabel",
        "OptionsTooLarge(65536)",
        "InvalidName",
        "InvalidName",
    ];
    assert_eq!(errors.lines().collect::<Vec<_>>(), expected.map(|error| format!("ErrorCode::{error}")));
    server.wait_for_log("generation 1: a viewer cannot join a channel: invalid channel name");
    let bounds = get(server.address, "/channel/too-many").text();
    assert!(bounds.contains("(ErrorCode::TooManyStreams(256), 256)"), "{bounds}");
    assert!(bounds.contains("(ErrorCode::TooManyChannels(73), 7"), "{bounds}");
    wait_until("the channels are closed", || under_way(&server) == 0);
    assert!(Viewer::watch(server.address, "/channel/join/tick").chunk().starts_with(b"opening\n"));
}

pub fn held_streams_end() {
    let server = start(&[]);
    assert_eq!(get(server.address, "/channel/hold/silent").text(), "held");
    assert_eq!(get(server.address, "/channel/viewers/silent").text(), "1 [\"hold\"]");
    assert_eq!(under_way(&server), 1);
    // The instance ends when it has had no requests for ten seconds.
    wait_until("the channel is closed", || under_way(&server) == 0);
}

pub fn copies_are_drained() {
    let server = start(&["--drain", "1"]);
    let mut copy = Viewer::watch(server.address, "/channel/copy/tick");
    let mut viewer = Viewer::watch(server.address, "/channel/join/tick");
    assert_eq!(server.put_guest(&guests::variant(&component(), 1)).status, 200);
    let end = read_to_end(&mut copy);
    assert!(end.ends_with(".\n\r\n--frame--\r\n"), "{end:?}");
    // The channel continues.
    wait_until("the first generation is gone", || server.generations()["draining"].as_array().unwrap().is_empty());
    (0..20).for_each(|_| drop(viewer.chunk()));
}

pub fn replacement_is_noticed() {
    let server = start(&[]);
    let generation = get(server.address, "/generation").text();
    let current = &server.generations()["current"];
    for expected in ["number: 1,", current["sha256"].as_str().unwrap()] {
        assert!(generation.contains(expected), "{expected} in {generation}");
    }
    let mut viewer = Viewer::watch(server.address, "/replaced");
    assert_eq!(viewer.chunk(), b"waiting\n");
    // The instance is not blocked while a request waits.
    for _ in 0..5 {
        assert_eq!(get(server.address, "/ok").status, 200);
    }
    // Too many waits trap, which ends only the responses of their instance.
    let other = start(&[]);
    assert_eq!(get(other.address, "/wait-often").status, 502);
    other.wait_for_log("GET /wait-often: 502, the guest trapped");
    assert_eq!(get(other.address, "/ok").status, 200);

    assert_eq!(server.put_guest(&guests::variant(&component(), 1)).status, 200);
    assert_eq!(viewer.chunk(), b"replaced\n");
    assert_eq!(viewer.next_chunk(), None);
}
