//! The page in a real browser.

use hotshoe_conformance::browser::{Browser, Options};
use serde_json::{Value, json};

use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, guests, wait_until};

/// Finds what disables people: names, ids, headings, contrast, width. A list of what is wrong.
pub const ACCESSIBILITY: &str = include_str!("a11y.js");

const CAMERA: [&str; 2] = ["--camera", "front=emulated,fps=4"];

/// The page shows the pictures of both cameras, and they move: an image looks otherwise some time later.
pub fn shows_moving_pictures() {
    let server = Server::start(&["--camera", "front=emulated,fps=4", "--camera", "yard=emulated,fps=4"]);
    let browser = open(&server);
    let images = browser.find_all("figure img").unwrap();
    assert_eq!(images.len(), 2);
    for image in &images {
        browser.moves(image, DEADLINE).unwrap();
    }
    let sizes = browser.run("return [...document.images].map(i => [i.naturalWidth, i.naturalHeight])").unwrap();
    assert_eq!(sizes, json!([[640, 480], [640, 480]]), "what moves are the camera's pictures");
}

/// The page loads itself again when another guest serves, and shows what that has to show.
pub fn reloads_itself() {
    let server = Server::start(&[&CAMERA[..], &["--drain", "0.2"]].concat());
    let browser = open(&server);
    let built_in = guests::built_in();
    for number in 1..4 {
        server.put_guest(&guests::variant(&built_in, number));
        let serving = server.generations()["current"]["sha256"].clone();
        waits(&browser, "return document.documentElement.dataset.guest", &serving);
        waits(&browser, "return document.getElementById('guest').title", &serving);
        shows_moving_picture(&browser);
    }
}

/// The page comes back to its streams when the server was away, though nothing tells it that they ended.
pub fn comes_back() {
    let server = Server::start(&CAMERA);
    let address = server.address;
    let browser = open(&server);
    shows_moving_picture(&browser);
    browser.run("document.sameAsBefore = true").unwrap();
    drop(server);
    waits(&browser, "return document.getElementById('summary').textContent", &json!("Connection lost, trying again"));
    let still = "return [...document.querySelectorAll('figure')].map(figure => figure.dataset.showing)";
    waits(&browser, still, &json!(["still"]));
    let server = Server::start(&[&CAMERA[..], &["--listen", &address.to_string()]].concat());
    wait_until("it watches again", || server.capture_threads() == 1);
    shows_moving_picture(&browser);
    waits(&browser, "return document.getElementById('summary').textContent", &json!("1 camera"));
    assert_eq!(browser.run("return document.sameAsBefore").unwrap(), true, "the same guest needs no other page");
}

/// More cameras than a browser has connections: all of them are seen, those in focus live, and the page still hears of a
/// swap.
pub fn shows_many_cameras() {
    let cameras: Vec<_> =
        (0..10).flat_map(|number| ["--camera".to_owned(), format!("c{number}=emulated,fps=4")]).collect();
    let server = Server::start(&cameras);
    let browser = open(&server);
    let seen = "const all = [...document.querySelectorAll('figure')].map(figure => figure.dataset.showing);
        return [all.filter(showing => showing === 'stream').length, all.filter(showing => showing === 'still').length]";
    waits(&browser, seen, &json!([4, 6]));
    // The last one comes into focus, and is a stream instead of another.
    browser.run("document.querySelector('figure[data-camera=c9] .stage').focus()").unwrap();
    let last = "return document.querySelector('figure[data-camera=c9]').dataset.showing";
    waits(&browser, last, &json!("stream"));
    waits(&browser, seen, &json!([4, 6]));
    let streams = || (0..10).map(|number| clients(&server, &format!("c{number}"))).sum::<u64>();
    wait_until("four streams are open", || streams() == 4);
    server.put_guest(&guests::variant(&guests::built_in(), 1));
    let serving = server.generations()["current"]["sha256"].clone();
    waits(&browser, "return document.documentElement.dataset.guest", &serving);
    waits(&browser, seen, &json!([4, 6]));
}

/// What a card says of a camera that works, and of one that is not there.
pub fn tells_the_state_of_cameras() {
    let server = Server::start(&["--camera", "front=emulated,fps=10", "--camera", "yard=/dev/video99"]);
    let browser = open(&server);
    let says = |camera: &str, part: &str| {
        let script = format!("return document.querySelector('figure[data-camera={camera}] .{part}').textContent");
        browser.run(&script).unwrap().as_str().unwrap().to_owned()
    };
    wait_until("the rate is measured", || says("front", "fps").starts_with("10."));
    assert_eq!((says("front", "state").as_str(), says("front", "size").as_str()), ("live", "640×480"));
    assert_eq!(says("front", "viewers"), "1 viewer");
    assert!(says("front", "age").ends_with(" s old"));
    wait_until("the other one is told", || says("yard", "state") == "no picture");
    assert!(says("yard", "reason").starts_with("no device at /dev/video99"));
    let summary = browser.run("return document.getElementById('summary').textContent").unwrap();
    assert_eq!(summary, "2 cameras, 1 without a picture");
    // The picture in its place says so as well.
    let size = "return document.querySelector('figure[data-camera=yard] img').naturalWidth";
    waits(&browser, size, &json!(640));
}

/// Nobody looks at a hidden tab: it holds no stream, so that the camera can close; and it is as before when it is shown.
pub fn a_hidden_tab_watches_nothing() {
    let server = Server::start(&[&CAMERA[..], &["--linger", "0.1"]].concat());
    let browser = open(&server);
    shows_moving_picture(&browser);
    let other = browser.open_tab().unwrap();
    server.wait_for_log("camera front: closed, nobody watches");
    wait_until("its events are closed as well", || server.generations()["current"]["under_way"] == 0);
    browser.close_tab(&other).unwrap();
    server.wait_for_logs("camera front: open", 2);
    shows_moving_picture(&browser);
}

/// What is set on the page is set on the camera. Where that is not allowed, the page says how it can be.
pub fn sets_controls() {
    const OPEN: &str = "document.querySelector('[data-panel=controls]').open = true";
    let server = Server::start(&[&CAMERA[..], &["--allow-control"]].concat());
    let browser = open(&server);
    browser.run(OPEN).unwrap();
    let pause = "[data-control=pause] input";
    waits(&browser, &format!("return document.querySelectorAll('{pause}').length"), &json!(1));
    browser.click(&browser.find(pause).unwrap()).unwrap();
    wait_until("the camera is paused", || get(server.address, "/controls").json()["controls"][0]["value"] == 1);
    browser.click(&browser.find("[data-panel=controls] .reset").unwrap()).unwrap();
    wait_until("the camera is as before", || get(server.address, "/controls").json()["controls"][0]["value"] == 0);

    let server = Server::start(&CAMERA);
    browser.open(&format!("http://{}/", server.address)).unwrap();
    browser.run(OPEN).unwrap();
    let refusal = "return document.querySelector('[data-panel=controls] .refusal')?.textContent ?? ''";
    wait_until("the page says why not", || {
        browser.run(refusal).unwrap().as_str().unwrap().contains("start it with --allow-control")
    });
}

/// Behind a proxy under some path, everything on the page is still found; and another tool gets the whole address.
pub fn works_below_a_path() {
    let server = Server::start(&CAMERA);
    let proxy = crate::proxy::Proxy::start("/cam/era", server.address);
    let browser = start();
    browser.open(&format!("http://{}/cam/era/", proxy.address)).unwrap();
    shows_moving_picture(&browser);
    waits(&browser, "return document.querySelector('figure').dataset.state", &json!("live"));
    browser.run("document.querySelector('[data-panel=stream]').open = true").unwrap();
    let address = json!(format!("http://{}/cam/era/video_feed/front", proxy.address));
    waits(&browser, "return document.querySelector('[data-panel=stream] pre')?.textContent ?? ''", &address);
    for link in ["log/front", "snapshot/front"] {
        let script =
            format!("return fetch(document.querySelector('a[href=\"{link}\"]').href).then(reply => reply.status)");
        assert_eq!(browser.run(&script).unwrap(), 200, "{link}");
    }
}

/// How many watch this camera.
fn clients(server: &Server, camera: &str) -> u64 {
    get(server.address, &format!("/state/{camera}")).json()["result"]["stream"]["clients"].as_u64().unwrap()
}

pub fn start() -> Browser {
    Browser::start(&Options::default()).unwrap()
}

/// A browser with the page.
fn open(server: &Server) -> Browser {
    let browser = start();
    browser.open(&format!("http://{}/", server.address)).unwrap();
    browser
}

#[track_caller]
pub fn waits(browser: &Browser, script: &str, expected: &Value) {
    browser.wait_for(script, expected, DEADLINE).unwrap();
}

/// The page must show one picture, and it must move.
#[track_caller]
fn shows_moving_picture(browser: &Browser) {
    waits(browser, "return document.querySelector('figure img').naturalWidth", &json!(640));
    browser.moves(&browser.find("figure img").unwrap(), DEADLINE).unwrap();
}
