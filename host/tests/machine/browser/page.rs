//! The page while everything works.

use hotshoe_conformance::browser::Kind;
use serde_json::json;

use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, guests, wait_until};

use super::helpers::{
    ONE_CAMERA, SUMMARY, cameras, open_page, start, start_with_page, viewers, wait_for, wait_until_live,
};
use super::proxy::Proxy;

/// One, four and eight cameras are live over a single connection, and the images on the screen change.
pub fn shows_live_images(kind: Kind) {
    let browser = start(kind);
    for count in [1, 4, 8] {
        let server = Server::start(&cameras(count));
        open_page(&browser, &server);
        wait_until_live(&browser, count);
        browser.wait_for_change(&browser.find("[data-camera=c0] canvas[role=img]").unwrap(), DEADLINE).unwrap();
        // All images arrive in one response.
        let streams =
            "return performance.getEntriesByType('resource').filter(entry => entry.name.includes('video_feed')).length";
        wait_for(&browser, streams, &json!(0));
        assert_eq!(viewers(&server, "c0"), 1);
    }
}

/// A reload closes the connections of the page before.
pub fn is_live_after_five_reloads(kind: Kind) {
    let server = Server::start(&cameras(8));
    let browser = start_with_page(kind, &server);
    wait_until_live(&browser, 8);
    for _ in 0..5 {
        open_page(&browser, &server);
        wait_until_live(&browser, 8);
    }
    wait_until("the old pages have left", || (0..8).all(|camera| viewers(&server, &format!("c{camera}")) == 1));
}

/// A hidden page closes its streams, so that the cameras can close. When it is shown again, it is live.
pub fn is_live_after_being_hidden_five_times(kind: Kind) {
    let server = Server::start(&[cameras(4), vec!["--linger".into(), "0.1".into()]].concat());
    let browser = start_with_page(kind, &server);
    for round in 1..=5 {
        wait_until_live(&browser, 4);
        // WebKitGTK's driver cannot hide a page, so simulate the event.
        let set_hidden = |hidden: bool| {
            let script = "Object.defineProperty(document, 'hidden', { value: HIDDEN, configurable: true });
                document.dispatchEvent(new Event('visibilitychange'));";
            browser.run(&script.replace("HIDDEN", &hidden.to_string())).unwrap();
        };
        let tab = (kind != Kind::WebKit).then(|| browser.open_tab().unwrap());
        if tab.is_none() {
            set_hidden(true);
        }
        server.wait_for_logs("camera c3: closed, no viewers left", round);
        wait_until("the event stream is closed too", || server.generations()["current"]["under_way"] == 0);
        match tab {
            Some(tab) => browser.close_tab(&tab).unwrap(),
            None => set_hidden(false),
        }
    }
    wait_until_live(&browser, 4);
}

pub fn closing_the_tab_releases_the_camera(kind: Kind) {
    let server = Server::start(&ONE_CAMERA);
    let browser = start(kind);
    browser.open("about:blank").unwrap();
    // WebKitGTK opens tabs in the background, where the page would not stream.
    let tab = (kind != Kind::WebKit).then(|| browser.open_tab().unwrap());
    open_page(&browser, &server);
    wait_until_live(&browser, 1);
    match tab {
        Some(tab) => browser.close_tab(&tab).unwrap(),
        None => browser.close_opener(&browser.open_tab().unwrap()).unwrap(),
    }
    wait_until("the camera has no viewers", || viewers(&server, "front") == 0);
    wait_until("the event stream is closed too", || server.generations()["current"]["under_way"] == 0);
}

/// All eight cameras stay live while the focus moves among them. In full screen, only one camera streams.
pub fn focus_and_full_screen(kind: Kind) {
    let server = Server::start(&cameras(8));
    let browser = start_with_page(kind, &server);
    wait_until_live(&browser, 8);
    for camera in 0..8 {
        let name = format!("c{camera}");
        browser
            .run(&format!("document.querySelector('[data-camera={name}] [data-action=fullscreen]').focus()"))
            .unwrap();
        wait_until_live(&browser, 8);
    }
    browser.click(&browser.find("[data-camera=c5] [data-action=fullscreen]").unwrap()).unwrap();
    wait_for(
        &browser,
        "return document.fullscreenElement === document.querySelector('[data-camera=c5] .stage')",
        &json!(true),
    );
    wait_until("only the camera in full screen streams", || {
        (0..8).all(|camera| viewers(&server, &format!("c{camera}")) == u64::from(camera == 5))
    });
    let state = "return document.querySelector('[data-camera=c5]').dataset.state";
    wait_for(&browser, state, &json!("live"));
    browser.run("document.exitFullscreen()").unwrap();
    wait_until_live(&browser, 8);
}

/// Scrolling starts the streams of cameras that come into view and stops those of cameras that leave it.
pub fn streams_only_cameras_in_view(kind: Kind) {
    let server = Server::start(&cameras(12));
    let browser = start(kind);
    // In one column, the window shows two or three cards.
    browser.resize(500, 700).unwrap();
    open_page(&browser, &server);
    let streams = |camera: u32| viewers(&server, &format!("c{camera}")) == 1;
    wait_until("the first cameras stream", || streams(0) && streams(1));
    assert!(!streams(11));
    wait_until("the last camera streams instead", || {
        // Again each time: pictures that arrive above can change the height of the page.
        browser.run("document.querySelector('[data-camera=c11]').scrollIntoView()").unwrap();
        streams(11) && !streams(0)
    });
    wait_for(&browser, "return document.querySelector('[data-camera=c11]').dataset.state", &json!("live"));
}

/// The page reloads itself when another guest serves it.
pub fn reloads_when_the_guest_is_replaced(kind: Kind) {
    let server = Server::start(&[&ONE_CAMERA[..], &["--drain", "0.2"]].concat());
    let browser = start_with_page(kind, &server);
    let built_in = guests::built_in();
    for number in 1..4 {
        server.put_guest(&guests::variant(&built_in, number));
        let sha256 = server.generations()["current"]["sha256"].as_str().unwrap().to_owned();
        wait_for(&browser, "return document.documentElement.dataset.guest", &json!(sha256));
        let has_title = format!("return document.getElementById('guest').title.includes('{sha256}')");
        wait_for(&browser, &has_title, &json!(true));
        wait_until_live(&browser, 1);
    }
}

/// The cards of a working and a missing camera show each fact once.
pub fn shows_the_state_of_cameras(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let filter = folder.path().join("mask.wasm");
    std::fs::write(&filter, guests::masking(guests::MASKS_ALWAYS)).unwrap();
    // A low rate, which a filter of a debug build keeps on a busy machine, too.
    let front = format!("front=emulated,fps=2,filter={}", filter.display());
    let server = Server::start(&["--camera", &front, "--camera", "yard=/dev/video99"]);
    let browser = start_with_page(kind, &server);
    let text = |camera: &str, class: &str| {
        let script = format!("return document.querySelector('figure[data-camera={camera}] .{class}').textContent");
        browser.run(&script).unwrap().as_str().unwrap().to_owned()
    };
    wait_until("the frame rate is measured", || text("front", "fps") == "2 fps");
    wait_until("the working camera is live", || text("front", "state") == "live");
    assert_eq!((text("front", "size").as_str(), text("front", "viewers").as_str()), ("640×480", "1 viewer"));
    wait_until("the cost of the filter is measured", || text("front", "cost").starts_with("filter "));
    browser.run("document.querySelector('[data-panel=minute]').open = true").unwrap();
    let line = "return /mask.wasm: [0-9.]+ fps, [0-9.]+ ms per frame, .* so far, [0-9,]+ failed$/.test(
        document.querySelector('.filters li')?.textContent)";
    wait_for(&browser, line, &json!(true));
    assert_eq!((text("front", "tag").as_str(), text("front", "message").as_str()), ("", ""));
    wait_until("the missing camera has no picture", || text("yard", "state") == "no picture");
    assert!(text("yard", "message").starts_with("no device at /dev/video99"));
    wait_for(&browser, "return document.body.innerText.split('no device at').length", &json!(2));
    wait_for(&browser, SUMMARY, &json!("2 cameras, 1 without a picture"));
    let visibility = "return getComputedStyle(document.querySelector('[data-camera=yard] canvas')).visibility";
    wait_for(&browser, visibility, &json!("hidden"));
}

/// The page sets controls of the camera. Without `--allow-control`, it says how to allow that.
pub fn sets_controls(kind: Kind) {
    const OPEN_PANEL: &str = "document.querySelector('[data-panel=controls]').open = true";
    let server = Server::start(&[&ONE_CAMERA[..], &["--allow-control"]].concat());
    let browser = start_with_page(kind, &server);
    browser.run(OPEN_PANEL).unwrap();
    let pause = "[data-control=pause] input";
    wait_for(&browser, &format!("return document.querySelectorAll('{pause}').length"), &json!(1));
    browser.click(&browser.find(pause).unwrap()).unwrap();
    wait_until("the camera is paused", || get(server.address, "/controls").json()["controls"][0]["value"] == 1);
    browser.click(&browser.find("[data-panel=controls] .reset").unwrap()).unwrap();
    wait_until("the control is reset", || get(server.address, "/controls").json()["controls"][0]["value"] == 0);

    let server = Server::start(&ONE_CAMERA);
    open_page(&browser, &server);
    browser.run(OPEN_PANEL).unwrap();
    let refusal = "return document.querySelector('[data-panel=controls] .refusal')?.textContent ?? ''";
    wait_until("the page explains the refusal", || {
        browser.run(refusal).unwrap().as_str().unwrap().contains("start it with --allow-control")
    });
}

/// Behind a proxy below a path, all links work, and the stream panel shows the full URL.
pub fn works_below_a_path(kind: Kind) {
    let server = Server::start(&ONE_CAMERA);
    let proxy = Proxy::start("/cam/era", server.address);
    let browser = start(kind);
    browser.open(&format!("http://{}/cam/era/", proxy.address)).unwrap();
    wait_until_live(&browser, 1);
    browser.run("document.querySelector('[data-panel=stream]').open = true").unwrap();
    let url = json!(format!("http://{}/cam/era/video_feed/front", proxy.address));
    wait_for(&browser, "return document.querySelector('[data-panel=stream] pre')?.textContent ?? ''", &url);
    for link in ["log/front", "snapshot/front"] {
        let script = format!(
            "fetch(document.querySelector('a[href=\"{link}\"]').href).then(reply => arguments[0](reply.status))"
        );
        assert_eq!(browser.run_async(&script).unwrap(), 200, "{link}");
    }
}

/// The page and the snapshot show pictures as their EXIF data say.
pub fn turns_pictures(kind: Kind) {
    let server = Server::start(&["--camera", "emulated,fps=5,rotate=90"]);
    assert!(
        server.log().contains("camera emulated: emulated: 3 built-in pictures, rotate=90 by EXIF"),
        "{}",
        server.log()
    );
    let browser = start(kind);
    open_page(&browser, &server);
    let size = "const { width, height } = document.querySelector('figure canvas'); return [width, height]";
    wait_for(&browser, size, &json!([480, 640]));
    browser.open(&format!("http://{}/snapshot", server.address)).unwrap();
    wait_for(
        &browser,
        "return [document.images[0].naturalWidth, document.images[0].naturalHeight]",
        &json!([480, 640]),
    );
}
