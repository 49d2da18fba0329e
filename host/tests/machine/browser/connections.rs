//! The page when its connections break: it never shows an old image as live, and reconnects by itself.

use std::time::Instant;

use hotshoe_conformance::browser::{Browser, Kind};
use serde_json::{Value, json};

use hotshoe_test_support::client::get;
use hotshoe_test_support::relay::{ConnectionFault, Relay};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, pictures};

use super::helpers::{ONE_CAMERA, SUMMARY, cameras, card_states, start, start_with_page, wait_for, wait_until_live};

/// The text above the cards while the page has no connection.
const CONNECTION_LOST: &str = "Connection lost, trying again";

/// The page reconnects when the server restarts, five times, without being reloaded.
pub fn reconnects_to_a_restarted_server(kind: Kind) {
    let mut server = Server::start(&cameras(4));
    let address = server.address;
    let browser = start_with_page(kind, &server);
    wait_until_live(&browser, 4);
    browser.run("document.wasNotReloaded = true").unwrap();
    for _ in 0..5 {
        drop(server);
        wait_for(&browser, SUMMARY, &json!(CONNECTION_LOST));
        wait_for(&browser, &card_states(4), &json!(vec!["stalled"; 4]));
        server = Server::start(&[cameras(4), vec!["--listen".into(), address.to_string()]].concat());
        wait_until_live(&browser, 4);
        wait_for(&browser, SUMMARY, &json!("4 cameras"));
    }
    assert_eq!(browser.run("return document.wasNotReloaded").unwrap(), true, "the guest is the same");
}

/// The page notices when the connection of the stream breaks, although events still arrive, and reconnects.
pub fn reconnects_after_the_stream_breaks(kind: Kind) {
    let server = Server::start(&cameras(4));
    let relay = Relay::start(server.address);
    let browser = start(kind);
    browser.open(&format!("http://{}/", relay.address)).unwrap();
    for fault in [ConnectionFault::Fin, ConnectionFault::Rst, ConnectionFault::Silence] {
        wait_until_live(&browser, 4);
        // Keep the page from reconnecting until it has shown the fault.
        relay.refuse(Some("/pictures"));
        assert_eq!(relay.break_connections("/pictures", fault), 1, "{fault:?}");
        wait_for(&browser, &card_states(4), &json!(vec!["stalled"; 4]));
        wait_for(&browser, SUMMARY, &json!("4 cameras"));
        relay.refuse(None);
    }
    wait_until_live(&browser, 4);
}

/// The sequence number on the card belongs to the image on the canvas. A card is live only while its image is about as
/// new as the camera's newest frame; otherwise, it shows the right age.
pub fn describes_the_image_that_it_shows(kind: Kind) {
    const RATE: f64 = 10.0;
    let folder = tempfile::tempdir().unwrap();
    pictures::fill_with_visible_numbers(folder.path());
    let camera = format!("front=emulated:{},fps={RATE},keep-open", folder.path().display());
    let server = Server::start(&["--camera", &camera]);
    let relay = Relay::start(server.address);
    let browser = start(kind);
    browser.open(&format!("http://{}/", relay.address)).unwrap();
    wait_until_live(&browser, 1);
    let first = CardSnapshot::take(&browser, &server);
    let check = |card: &CardSnapshot| {
        // The number in the image and the sequence number always differ by the same amount.
        let difference = (card.number + 1024 - card.sequence % 256) % 256;
        assert_eq!(difference, (first.number + 1024 - first.sequence % 256) % 256, "{card:?} after {first:?}");
        if card.state == "live" {
            assert!(card.min_age <= 2.5 && card.tag.is_empty(), "{card:?}");
        } else {
            assert_eq!(card.state, "stalled", "{card:?}");
            let age: f64 = card.tag.trim_start_matches("Still, ").trim_end_matches(" s old").parse().unwrap();
            // The page rounds the age down and updates it four times per second.
            assert!(age + 2.0 >= card.min_age && age <= card.max_age, "{card:?}");
        }
    };
    (0..20).for_each(|_| check(&CardSnapshot::take(&browser, &server)));
    for fault in [ConnectionFault::Fin, ConnectionFault::Silence] {
        relay.refuse(Some("/pictures"));
        relay.break_connections("/pictures", fault);
        // Check while the image becomes old, and for some time after that.
        let mut stalled = 0;
        let deadline = Instant::now() + DEADLINE;
        while stalled < 10 {
            assert!(Instant::now() < deadline, "{fault:?}: the card never becomes stalled");
            let card = CardSnapshot::take(&browser, &server);
            check(&card);
            stalled += usize::from(card.state == "stalled");
        }
        relay.refuse(None);
        wait_until_live(&browser, 1);
        (0..10).for_each(|_| check(&CardSnapshot::take(&browser, &server)));
    }
}

/// A card at one moment.
#[derive(Debug)]
struct CardSnapshot {
    /// The number that the image on the canvas shows.
    number: u64,
    /// The sequence number on the card.
    sequence: u64,
    state: String,
    tag: String,
    /// The age of the image in seconds, according to the camera's newest frame just before and just after the snapshot.
    min_age: f64,
    max_age: f64,
}

impl CardSnapshot {
    fn take(browser: &Browser, server: &Server) -> Self {
        // A single task of the browser, so that nothing changes in between.
        const SCRIPT: &str = "
            const canvas = document.querySelector('canvas'), copy = document.createElement('canvas');
            [copy.width, copy.height] = [canvas.width, canvas.height];
            const context = copy.getContext('2d', { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            let number = 0;
            for (let column = 0; column < 8; column++) {
                number = number * 2 + (context.getImageData(20 * column + 10, 60, 1, 1).data[0] > 127 ? 1 : 0);
            }
            const figure = document.querySelector('figure');
            const text = name => figure.querySelector('.' + name).textContent;
            return [number, Number(figure.dataset.sequence), text('state'), text('tag')];";
        let newest_before = newest_sequence(server);
        let card = browser.run(SCRIPT).unwrap();
        let newest_after = newest_sequence(server);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (number, sequence) = (card[0].as_u64().unwrap(), card[1].as_u64().unwrap());
        let age = |newest: u64| (newest as f64 - sequence as f64) / 10.0;
        // Plus one frame interval, for a frame that was about to arrive.
        let (min_age, max_age) = (age(newest_before), age(newest_after) + 0.1);
        Self { number, sequence, state: text(&card[2]), tag: text(&card[3]), min_age, max_age }
    }
}

/// Returns the sequence number of the camera's newest frame.
fn newest_sequence(server: &Server) -> u64 {
    let log = get(server.address, "/log/front.csv?rows=1").text();
    log.lines().last().unwrap().split(',').next().unwrap().parse().unwrap()
}

/// A stopped process keeps its connections open but sends nothing.
pub fn shows_a_paused_server_as_stalled(kind: Kind) {
    let server = Server::start(&ONE_CAMERA);
    let browser = start_with_page(kind, &server);
    wait_until_live(&browser, 1);
    server.signal(rustix::process::Signal::STOP);
    wait_for(&browser, &card_states(1), &json!(["stalled"]));
    wait_for(&browser, SUMMARY, &json!(CONNECTION_LOST));
    server.signal(rustix::process::Signal::CONT);
    wait_until_live(&browser, 1);
}
