//! How the page looks, and whether everyone can use it: on a desktop and a phone, light and dark, with one camera and
//! four, and with one that is unplugged.
//!
//! With `HOTSHOE_SCREENSHOTS` set to a folder, the pictures of it are written there (`just screenshots`).

use std::path::PathBuf;

use hotshoe_conformance::browser::{Browser, Kind};
use serde_json::json;

use hotshoe_test_support::DEADLINE;
use hotshoe_test_support::server::Server;

use super::{cameras, start, waits};

/// Finds what disables people: names, ids, headings, contrast, width. A list of what is wrong.
const ACCESSIBILITY: &str = include_str!("a11y.js");

const ONE: [&str; 2] = ["--camera", "front=emulated,fps=10"];
const FOUR: [&str; 8] = [
    "--camera",
    "front=emulated,fps=10",
    "--camera",
    "yard=emulated,fps=5",
    "--camera",
    "printer=emulated,fps=2",
    "--camera",
    "aquarium=emulated,fps=1",
];
const UNPLUGGED: [&str; 4] = ["--camera", "front=emulated,fps=10", "--camera", "yard=/dev/video99"];

/// Shows it in each way; what the check of accessibility finds fails the test.
pub fn everyone_can_use_the_page() {
    let folder = std::env::var_os("HOTSHOE_SCREENSHOTS").map(PathBuf::from);
    let mut faults = Vec::new();
    for (cameras, args, states) in [
        ("one-camera", &ONE[..], vec!["live"]),
        ("four-cameras", &FOUR, vec!["live"; 4]),
        ("unplugged", &UNPLUGGED, vec!["live", "offline"]),
    ] {
        let server = Server::start(&[args, &["--allow-control"]].concat());
        for (screen, phone) in [("desktop", false), ("phone", true)] {
            let browser = start(Kind::Chromium);
            if phone {
                browser.emulate_phone(390, 844, 1.0).unwrap();
            } else {
                browser.emulate_desktop(1280, 800).unwrap();
            }
            browser.open(&format!("http://{}/", server.address)).unwrap();
            waits(&browser, &super::states(states.len()), &json!(states));
            // The rate is measured on two frames at least.
            let rates = "return [...document.querySelectorAll('[data-state=live] .fps')].every(fps => fps.textContent)";
            waits(&browser, rates, &json!(true));
            for (scheme, dark) in [("light", false), ("dark", true)] {
                browser.emulate_dark_scheme(dark).unwrap();
                let name = format!("{cameras}-{screen}-{scheme}");
                faults.extend(check(&browser, &name));
                if let Some(folder) = &folder {
                    std::fs::write(folder.join(format!("{name}.png")), browser.screenshot_page().unwrap()).unwrap();
                }
            }
            for panel in ["stream", "controls"] {
                browser.run(&format!("document.querySelector('[data-panel={panel}]').open = true")).unwrap();
                let inside =
                    format!("return document.querySelector('[data-panel={panel}] .panel-body .panel-footer') !== null");
                browser.wait_for(&inside, &json!(true), DEADLINE).unwrap();
                faults.extend(check(&browser, &format!("{cameras}-{screen}-{panel}")));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// At 1280x800, four cameras are seen without scrolling.
pub fn four_cameras_fit_the_window() {
    let server = Server::start(&FOUR);
    let browser = start(Kind::Chromium);
    browser.emulate_desktop(1280, 800).unwrap();
    browser.open(&format!("http://{}/", server.address)).unwrap();
    waits(&browser, &super::states(4), &json!(vec!["live"; 4]));
    waits(&browser, "return document.querySelector('.size').textContent", &json!("640×480"));
    let scrolls = "return document.documentElement.scrollHeight > innerHeight";
    assert_eq!(browser.run(scrolls).unwrap(), false);
    let widths = "return [...document.querySelectorAll('.stage')].every(stage => stage.offsetWidth >= 360)";
    assert_eq!(browser.run(widths).unwrap(), true, "and none is smaller than it has to be");
}

/// In three columns, opening the panel of one camera moves no other.
pub fn an_open_panel_leaves_no_hole() {
    let server = Server::start(&[cameras(6), vec!["--allow-control".into()]].concat());
    let browser = start(Kind::Chromium);
    browser.emulate_desktop(1280, 800).unwrap();
    browser.open(&format!("http://{}/", server.address)).unwrap();
    super::all_live(&browser, 6);
    let places = "return [...document.querySelectorAll('figure')].map(figure => [figure.offsetLeft, figure.offsetTop])";
    let before = browser.run(places).unwrap();
    for panel in ["stream", "controls"] {
        browser.run(&format!("document.querySelector('[data-panel={panel}]').open = true")).unwrap();
        let inside =
            format!("return document.querySelector('[data-panel={panel}] .panel-body .panel-footer') !== null");
        waits(&browser, &inside, &json!(true));
        assert_eq!(browser.run(places).unwrap(), before, "{panel}");
    }
}

/// What is wrong with the page as it is now.
fn check(browser: &Browser, name: &str) -> Vec<String> {
    let found = browser.run(ACCESSIBILITY).unwrap();
    found.as_array().unwrap().iter().map(|fault| format!("{name}: {fault}")).collect()
}
