//! What the page says and does when its connections break: it never calls a picture live that is not, and comes back by
//! itself.

use std::time::Instant;

use hotshoe_conformance::browser::{Browser, Kind};
use serde_json::{Value, json};

use hotshoe_test_support::client::get;
use hotshoe_test_support::relay::{Cut, Relay};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, pictures, wait_until};

use super::{CAMERA, all_live, cameras, open, start, states, waits};

/// The page comes back to a server that was restarted, five times.
pub fn comes_back_to_a_server_that_was_restarted(kind: Kind) {
    let mut server = Server::start(&cameras(4));
    let address = server.address;
    let browser = open(kind, &server);
    all_live(&browser, 4);
    browser.run("document.sameAsBefore = true").unwrap();
    for _ in 0..5 {
        drop(server);
        waits(
            &browser,
            "return document.getElementById('summary').textContent",
            &json!("Connection lost, trying again"),
        );
        waits(&browser, &states(4), &json!(vec!["stalled"; 4]));
        server = Server::start(&[cameras(4), vec!["--listen".into(), address.to_string()]].concat());
        all_live(&browser, 4);
        waits(&browser, "return document.getElementById('summary').textContent", &json!("4 cameras"));
    }
    assert_eq!(browser.run("return document.sameAsBefore").unwrap(), true, "the same guest needs no other page");
}

/// The pictures' connection is cut while the events go on: the page notices, and comes back.
pub fn comes_back_to_pictures_that_were_cut(kind: Kind) {
    let server = Server::start(&cameras(4));
    let relay = Relay::start(server.address);
    let browser = start(kind);
    browser.open(&format!("http://{}/", relay.address)).unwrap();
    for cut in [Cut::Fin, Cut::Rst, Cut::Silence] {
        all_live(&browser, 4);
        // What the page cannot have for now, it does not claim to have.
        relay.refuse(Some("/pictures"));
        assert_eq!(relay.cut("/pictures", cut), 1, "{cut:?}");
        waits(&browser, &states(4), &json!(vec!["stalled"; 4]));
        waits(&browser, "return document.getElementById('summary').textContent", &json!("4 cameras"));
        relay.refuse(None);
    }
    all_live(&browser, 4);
}

/// Each picture shows its number. Whenever the page is looked at, the picture on the canvas is the one that the page says
/// it is; it is called live only if it is as new as the camera's newest, and else its age is told.
pub fn agrees_with_the_picture_that_it_shows(kind: Kind) {
    const RATE: f64 = 10.0;
    let folder = tempfile::tempdir().unwrap();
    pictures::fill_visibly(folder.path());
    let camera = format!("front=emulated:{},fps={RATE},keep-open", folder.path().display());
    let server = Server::start(&["--camera", &camera]);
    let relay = Relay::start(server.address);
    let browser = start(kind);
    browser.open(&format!("http://{}/", relay.address)).unwrap();
    all_live(&browser, 1);
    let first = Sight::take(&browser, &server);
    // A picture's number and its sequence number differ by the same amount for all.
    let check = |sight: &Sight| {
        let shown = (sight.number + 1024 - sight.sequence % 256) % 256;
        assert_eq!(shown, (first.number + 1024 - first.sequence % 256) % 256, "{sight:?} after {first:?}");
        if sight.state == "live" {
            assert!(sight.shortest_age <= 2.5 && sight.tag.is_empty(), "{sight:?}");
        } else {
            assert_eq!(sight.state, "stalled", "{sight:?}");
            let age: f64 = sight.tag.trim_start_matches("Still, ").trim_end_matches(" s old").parse().unwrap();
            // It is rounded down, and told four times a second.
            assert!(age + 2.0 >= sight.shortest_age && age <= sight.longest_age, "{sight:?}");
        }
    };
    (0..20).for_each(|_| check(&Sight::take(&browser, &server)));
    for cut in [Cut::Fin, Cut::Silence] {
        relay.refuse(Some("/pictures"));
        relay.cut("/pictures", cut);
        // Through the time in which the picture becomes old, and some more.
        let mut stalled = 0;
        let deadline = Instant::now() + DEADLINE;
        while stalled < 10 {
            assert!(Instant::now() < deadline, "{cut:?}: the picture is never told to be old");
            let sight = Sight::take(&browser, &server);
            check(&sight);
            stalled += usize::from(sight.state == "stalled");
        }
        relay.refuse(None);
        all_live(&browser, 1);
        (0..10).for_each(|_| check(&Sight::take(&browser, &server)));
    }
}

/// What is seen of the page at one moment.
#[derive(Debug)]
struct Sight {
    /// The number in the picture on the canvas.
    number: u64,
    /// What the page says of it.
    sequence: u64,
    state: String,
    tag: String,
    /// How old it is, in seconds by the frames that the camera has given since: just before and just after.
    shortest_age: f64,
    longest_age: f64,
}

impl Sight {
    fn take(browser: &Browser, server: &Server) -> Self {
        // In one task of the browser's, so that nothing changes in between.
        const LOOK: &str = "
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
        let before = newest(server);
        let seen = browser.run(LOOK).unwrap();
        let after = newest(server);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (number, sequence) = (seen[0].as_u64().unwrap(), seen[1].as_u64().unwrap());
        let age = |newest: u64| (newest as f64 - sequence as f64) / 10.0;
        // One period more, for the frame that may be about to come.
        let (shortest_age, longest_age) = (age(before), age(after) + 0.1);
        Self { number, sequence, state: text(&seen[2]), tag: text(&seen[3]), shortest_age, longest_age }
    }
}

/// The sequence number of the camera's newest frame.
fn newest(server: &Server) -> u64 {
    let log = get(server.address, "/log/front.csv?rows=1").text();
    log.lines().last().unwrap().split(',').next().unwrap().parse().unwrap()
}

/// A server that hangs ends no connection and sends nothing. Its pictures are called live no longer.
pub fn does_not_call_a_paused_server_live(kind: Kind) {
    let server = Server::start(&CAMERA);
    let browser = open(kind, &server);
    all_live(&browser, 1);
    server.signal(rustix::process::Signal::STOP);
    waits(&browser, &states(1), &json!(["stalled"]));
    wait_until("the page says that the connection is lost", || {
        browser.run("return document.getElementById('summary').textContent").unwrap() == "Connection lost, trying again"
    });
    server.signal(rustix::process::Signal::CONT);
    all_live(&browser, 1);
}
