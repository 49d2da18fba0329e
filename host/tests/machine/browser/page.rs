//! What the page shows and does while all is well.

use hotshoe_conformance::browser::Kind;
use serde_json::json;

use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, guests, wait_until};

use super::proxy::Proxy;
use super::{CAMERA, all_live, cameras, clients, open, start, waits};

/// One, four and eight cameras: all of them are live, by one connection, and the first one's picture changes on the screen.
pub fn shows_live_pictures(kind: Kind) {
    let browser = start(kind);
    for count in [1, 4, 8] {
        let server = Server::start(&cameras(count));
        browser.open(&format!("http://{}/", server.address)).unwrap();
        all_live(&browser, count);
        browser.wait_for_change(&browser.find("[data-camera=c0] canvas").unwrap(), DEADLINE).unwrap();
        // By one response that carries all of them.
        let streams =
            "return performance.getEntriesByType('resource').filter(entry => entry.name.includes('video_feed')).length";
        waits(&browser, streams, &json!(0));
        assert_eq!(clients(&server, "c0"), 1);
    }
}

/// A page that is loaded again leaves no connection behind.
pub fn is_live_after_each_of_five_reloads(kind: Kind) {
    let server = Server::start(&cameras(8));
    let browser = open(kind, &server);
    all_live(&browser, 8);
    for _ in 0..5 {
        browser.open(&format!("http://{}/", server.address)).unwrap();
        all_live(&browser, 8);
    }
    wait_until("the pages before have left", || (0..8).all(|camera| clients(&server, &format!("c{camera}")) == 1));
}

/// Nobody looks at a hidden tab: it holds no stream, so that the camera can close; and when it is shown again, its
/// pictures are those of now.
pub fn is_live_after_being_hidden_and_shown_five_times(kind: Kind) {
    let server = Server::start(&[cameras(4), vec!["--linger".into(), "0.1".into()]].concat());
    let browser = open(kind, &server);
    for round in 1..=5 {
        all_live(&browser, 4);
        // WebKitGTK's driver cannot hide a page, so it is only told that it is hidden.
        let tell = |hidden: bool| {
            let script = "Object.defineProperty(document, 'hidden', { value: HIDDEN, configurable: true });
                document.dispatchEvent(new Event('visibilitychange'));";
            browser.run(&script.replace("HIDDEN", &hidden.to_string())).unwrap();
        };
        let tab = (kind != Kind::WebKit).then(|| browser.open_tab().unwrap());
        if tab.is_none() {
            tell(true);
        }
        server.wait_for_logs("camera c3: closed, no readers left", round);
        wait_until("its events are closed as well", || server.generations()["current"]["under_way"] == 0);
        match tab {
            Some(tab) => browser.close_tab(&tab).unwrap(),
            None => tell(false),
        }
    }
    all_live(&browser, 4);
}

/// A tab that is closed lets its cameras go.
pub fn closing_the_tab_releases_the_viewer(kind: Kind) {
    let server = Server::start(&CAMERA);
    let browser = start(kind);
    browser.open("about:blank").unwrap();
    // WebKitGTK opens tabs behind the present one, where nothing is watched.
    let tab = (kind != Kind::WebKit).then(|| browser.open_tab().unwrap());
    browser.open(&format!("http://{}/", server.address)).unwrap();
    all_live(&browser, 1);
    match tab {
        Some(tab) => browser.close_tab(&tab).unwrap(),
        None => browser.close_opener(&browser.open_tab().unwrap()).unwrap(),
    }
    wait_until("nobody watches", || clients(&server, "front") == 0);
    wait_until("its events are closed as well", || server.generations()["current"]["under_way"] == 0);
}

/// Whichever of eight cameras has the focus, all are live. One that fills the screen is the only one that is streamed.
pub fn moves_the_focus_among_eight(kind: Kind) {
    let server = Server::start(&cameras(8));
    let browser = open(kind, &server);
    all_live(&browser, 8);
    for camera in 0..8 {
        let name = format!("c{camera}");
        browser
            .run(&format!("document.querySelector('[data-camera={name}] [data-action=fullscreen]').focus()"))
            .unwrap();
        all_live(&browser, 8);
    }
    browser.click(&browser.find("[data-camera=c5] [data-action=fullscreen]").unwrap()).unwrap();
    waits(
        &browser,
        "return document.fullscreenElement === document.querySelector('[data-camera=c5] .stage')",
        &json!(true),
    );
    wait_until("only that one is streamed", || {
        (0..8).all(|camera| clients(&server, &format!("c{camera}")) == u64::from(camera == 5))
    });
    let state = "return document.querySelector('[data-camera=c5]').dataset.state";
    waits(&browser, state, &json!("live"));
    browser.run("document.exitFullscreen()").unwrap();
    all_live(&browser, 8);
}

/// Cameras below the window are streamed when one scrolls to them, and those above no more.
pub fn streams_only_what_is_in_view(kind: Kind) {
    let server = Server::start(&cameras(12));
    let browser = start(kind);
    // One column, of which the window shows two or three.
    browser.resize(500, 700).unwrap();
    browser.open(&format!("http://{}/", server.address)).unwrap();
    let watched = |camera: u32| clients(&server, &format!("c{camera}")) == 1;
    wait_until("the first are streamed", || watched(0) && watched(1));
    assert!(!watched(11));
    browser.run("window.scrollTo(0, document.documentElement.scrollHeight)").unwrap();
    wait_until("the last are streamed instead", || watched(11) && !watched(0));
    waits(&browser, "return document.querySelector('[data-camera=c11]').dataset.state", &json!("live"));
}

/// The page loads itself again when another guest serves, and shows what that has to show.
pub fn loads_itself_again_when_the_guest_is_replaced(kind: Kind) {
    let server = Server::start(&[&CAMERA[..], &["--drain", "0.2"]].concat());
    let browser = open(kind, &server);
    let built_in = guests::built_in();
    for number in 1..4 {
        server.put_guest(&guests::variant(&built_in, number));
        let serving = server.generations()["current"]["sha256"].as_str().unwrap().to_owned();
        waits(&browser, "return document.documentElement.dataset.guest", &json!(serving));
        let told = format!("return document.getElementById('guest').title.includes('{serving}')");
        waits(&browser, &told, &json!(true));
        all_live(&browser, 1);
    }
}

/// What a card says of a camera that works, and of one that is not there: each fact once.
pub fn tells_the_state_of_cameras(kind: Kind) {
    let server = Server::start(&["--camera", "front=emulated,fps=10", "--camera", "yard=/dev/video99"]);
    let browser = open(kind, &server);
    let says = |camera: &str, part: &str| {
        let script = format!("return document.querySelector('figure[data-camera={camera}] .{part}').textContent");
        browser.run(&script).unwrap().as_str().unwrap().to_owned()
    };
    wait_until("the rate is measured", || says("front", "fps") == "10 fps");
    wait_until("it is live", || says("front", "state") == "live");
    assert_eq!((says("front", "size").as_str(), says("front", "viewers").as_str()), ("640×480", "1 viewer"));
    assert_eq!((says("front", "tag").as_str(), says("front", "message").as_str()), ("", ""));
    wait_until("the other one is told", || says("yard", "state") == "no picture");
    assert!(says("yard", "message").starts_with("no device at /dev/video99"));
    waits(&browser, "return document.body.innerText.split('no device at').length", &json!(2));
    waits(&browser, "return document.getElementById('summary').textContent", &json!("2 cameras, 1 without a picture"));
    let hidden = "return getComputedStyle(document.querySelector('[data-camera=yard] canvas')).visibility";
    waits(&browser, hidden, &json!("hidden"));
}

/// What is set on the page is set on the camera. Where that is not allowed, the page says how it can be.
pub fn sets_controls(kind: Kind) {
    const OPEN: &str = "document.querySelector('[data-panel=controls]').open = true";
    let server = Server::start(&[&CAMERA[..], &["--allow-control"]].concat());
    let browser = open(kind, &server);
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
pub fn works_below_a_path(kind: Kind) {
    let server = Server::start(&CAMERA);
    let proxy = Proxy::start("/cam/era", server.address);
    let browser = start(kind);
    browser.open(&format!("http://{}/cam/era/", proxy.address)).unwrap();
    all_live(&browser, 1);
    browser.run("document.querySelector('[data-panel=stream]').open = true").unwrap();
    let address = json!(format!("http://{}/cam/era/video_feed/front", proxy.address));
    waits(&browser, "return document.querySelector('[data-panel=stream] pre')?.textContent ?? ''", &address);
    for link in ["log/front", "snapshot/front"] {
        let script = format!(
            "fetch(document.querySelector('a[href=\"{link}\"]').href).then(reply => arguments[0](reply.status))"
        );
        assert_eq!(browser.run_async(&script).unwrap(), 200, "{link}");
    }
}
