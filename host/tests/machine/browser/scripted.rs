//! The page with states and results that a test passes to it, for what a server sends rarely.

use hotshoe_conformance::browser::{Browser, Kind};
use serde_json::{Value, json};

use hotshoe_test_support::client::Viewer;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;

use super::helpers::{start_with_page, wait_for, wait_until_live};

/// Lets the page connect again, as after it was hidden, and takes the listeners for states and results from it. Records
/// the URLs that it requests, and the errors that it does not handle.
const TAKE_OVER: &str = "
  const listeners = window.listeners = {}, requested = window.requested = [], errors = window.errors = [];
  EventSource.prototype.addEventListener = (type, listener) => { listeners[type] = listener; };
  const fetch = window.fetch;
  window.fetch = (url, options) => { requested.push(String(url)); return fetch(url, options); };
  addEventListener('unhandledrejection', event => errors.push(String(event.reason)));
  const camera = { name: 'front', state: 'live', cause: null, reason: null, width: 640, height: 480, fps: 5, rate: 5,
    format: null, description: 'a test', viewers: 1, age: 0, frames: 9, lost: 0 };
  window.sendState = (results, events = [], zones = []) => listeners.state({ data: JSON.stringify({
    guest: { number: 1, since: 1, digest: document.documentElement.dataset.guest }, now: Date.now() / 1000,
    cameras: [{ ...camera, results, zones }], events }) });
  for (const value of [true, false]) {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }";

fn start(kind: Kind) -> (Server, Browser) {
    let server = Server::start(&["--camera", "front=emulated,fps=5"]);
    let browser = start_with_page(kind, &server);
    wait_until_live(&browser, 1);
    browser.run(TAKE_OVER).unwrap();
    wait_until_live(&browser, 1);
    (server, browser)
}

/// Screen readers tell of each event, even if several begin at once or one is like the last. Focus stays on the button
/// for boxes while there are no results, and keys change nothing that the button would not.
pub fn announces_each_event_and_keeps_the_focus(kind: Kind) {
    let (_server, browser) = start(kind);
    let announced = browser.run(
        "const event = (id, label) => ({ id, camera: 'front', label, begin: 1, end: null, sequence: 1, score: 1 });
         const faces = event(1, 'face'), cats = event(2, 'cat');
         sendState(null);
         sendState(null, [faces, cats]);
         sendState(null, [faces, cats, event(3, 'face')]);
         return [...document.querySelectorAll('#announcements > p')].map(line => line.textContent)",
    );
    assert_eq!(announced.unwrap(), json!(["front: face", "front: cat", "front: face"]));

    // Whether the button is visible, has the focus, is disabled, and is pressed, after each step.
    let steps = browser.run(
        "const button = document.querySelector('[data-action=boxes]'), steps = [];
         const record = () => steps.push([!button.hidden, document.activeElement === button,
           button.getAttribute('aria-disabled'), button.getAttribute('aria-pressed')].join(' '));
         const press = (target, altKey) =>
           target.dispatchEvent(new KeyboardEvent('keydown', { key: 'b', altKey, bubbles: true }));
         press(document.querySelector('summary'), false);
         record();
         sendState(1);
         button.focus();
         record();
         sendState(null);
         press(button, false);
         button.click();
         record();
         sendState(2);
         press(button, true);
         record();
         press(button, false);
         record();
         return steps",
    );
    let expected = [
        "false false true true",
        "true true false true",
        "true true true true",
        "true true false true",
        "true true false false",
    ];
    assert_eq!(steps.unwrap(), json!(expected));
}

/// However often the state changes, the last minute is requested once until the response is there, and once a second. A
/// response that is no JSON is no error.
pub fn asks_for_the_last_minute_once_a_second(kind: Kind) {
    let (_server, browser) = start(kind);
    let count = "requested.filter(url => url.includes('minute/')).length";
    let burst = format!(
        "document.querySelector('[data-panel=minute]').open = true;
         for (let time = 0; time < 50; time++) sendState(null);
         return {count}"
    );
    // The panel reports that it is open a moment later.
    wait_until("the page requests the last minute", || {
        let requests = browser.run(&burst).unwrap();
        assert!(requests == 0 || requests == 1, "{requests}");
        requests == 1
    });
    wait_for(&browser, "return document.querySelector('.plot .rate') !== null", &json!(true));
    browser
        .run("window.fetch = url => { requested.push(url); return Promise.resolve(new Response('<html>')); }")
        .unwrap();
    wait_until("the page requests the last minute again, and again after a wrong response", || {
        browser.run(&format!("sendState(null); return {count}")).unwrap().as_u64() >= Some(3)
    });
    assert_eq!(browser.run("return errors").unwrap(), json!([]));
}

/// After a restart of the server, other frames have the numbers of those that the page has seen.
pub fn draws_no_results_of_another_frame_with_the_same_number(kind: Kind) {
    let (server, browser) = start(kind);
    browser.run("sendState(1)").unwrap();
    let mut stream = Viewer::watch(server.address, "/video_feed/front");
    let mut receive = |later: f64| -> u64 {
        let part = stream.part();
        let found = json!({ "label": "face", "score": 1, "left": 0, "top": 0, "width": 1, "height": 1 });
        let time = part.timestamp.parse::<f64>().unwrap() + later;
        let entry = json!({ "camera": "front", "sequence": part.sequence(), "time": time, "boxes": [found] });
        let entry = Value::from(entry.to_string());
        browser.run(&format!("listeners.results({{ data: {entry} }})")).unwrap();
        part.sequence()
    };
    let drawn =
        "const { sequence, boxes } = document.querySelector('figure').dataset; return [Number(sequence), boxes ?? '']";
    for later in [-3600.0, 3600.0, -3600.0, 3600.0] {
        let sequence = receive(later);
        wait_until("a frame with this or a greater number is drawn", || {
            let state = browser.run(drawn).unwrap();
            assert_eq!(state[1], "", "{later}: {state}");
            state[0].as_u64() >= Some(sequence)
        });
    }
    wait_until("the results of a frame are drawn", || {
        let sequence = receive(0.0);
        browser.run(drawn).unwrap()[1] == json!(sequence.to_string())
    });
}

/// Zones are drawn as white lines, without any results, and the button hides them.
pub fn draws_zones(kind: Kind) {
    let (_server, browser) = start(kind);
    let corners = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]];
    browser.run(&format!("sendState(null, [], [{{ label: 'motion', corners: {} }}])", json!(corners))).unwrap();
    // In the row in the middle, the lines are at a quarter and at three quarters of the width.
    let columns = "const canvas = document.querySelector('.overlay'), { width, height } = canvas;
        const row = width ? canvas.getContext('2d').getImageData(0, Math.floor(height / 2), width, 1).data : [];
        const white = [...Array(width).keys()].filter(column => Math.min(...row.slice(4 * column, 4 * column + 4)) > 128);
        return white.map(column => Math.round(column / width * 20) / 20).filter((at, index, all) => at !== all[index - 1])";
    wait_for(&browser, columns, &json!([0.25, 0.75]));
    browser.click(&browser.find("[data-action=boxes]").unwrap()).unwrap();
    wait_for(&browser, columns, &json!([]));
}
