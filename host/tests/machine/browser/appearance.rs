//! The page's appearance and accessibility: on a desktop and a phone, in light and dark, with one camera, four cameras
//! and an unplugged one.
//!
//! If `HOTSHOE_SCREENSHOTS` names a folder, screenshots are written there (`just screenshots`).

use std::path::PathBuf;

use hotshoe_conformance::browser::{Browser, Kind};
use serde_json::json;

use hotshoe_test_support::server::Server;

use super::helpers::{cameras, card_states, open_page, start, wait_for, wait_until_live};

/// A script that checks names, ids, headings, contrast, focus and width, and returns a list of problems.
const ACCESSIBILITY_CHECK: &str = include_str!("a11y.js");

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

/// The accessibility check finds no problem in any variant of the page.
pub fn is_accessible() {
    let folder = std::env::var_os("HOTSHOE_SCREENSHOTS").map(PathBuf::from);
    let mut problems = Vec::new();
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
            open_page(&browser, &server);
            wait_for(&browser, &card_states(states.len()), &json!(states));
            // Measuring the frame rate takes at least two frames.
            let rates = "return [...document.querySelectorAll('[data-state=live] .fps')].every(fps => fps.textContent)";
            wait_for(&browser, rates, &json!(true));
            for (scheme, dark) in [("light", false), ("dark", true)] {
                browser.emulate_dark_scheme(dark).unwrap();
                let name = format!("{cameras}-{screen}-{scheme}");
                problems.extend(check(&browser, &name));
                if let Some(folder) = &folder {
                    std::fs::write(folder.join(format!("{name}.png")), browser.screenshot_page().unwrap()).unwrap();
                }
            }
            for (panel, content) in
                [("stream", ".panel-footer"), ("controls", ".panel-footer"), ("minute", ".plot .rate")]
            {
                browser.run(&format!("document.querySelector('[data-panel={panel}]').open = true")).unwrap();
                let has_content =
                    format!("return document.querySelector('[data-panel={panel}] .panel-body {content}') !== null");
                wait_for(&browser, &has_content, &json!(true));
                problems.extend(check(&browser, &format!("{cameras}-{screen}-{panel}")));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// In a window of 1280x800 pixels, four cameras fit without scrolling.
pub fn four_cameras_fit_the_window() {
    let server = Server::start(&FOUR);
    let browser = start(Kind::Chromium);
    browser.emulate_desktop(1280, 800).unwrap();
    open_page(&browser, &server);
    wait_for(&browser, &card_states(4), &json!(vec!["live"; 4]));
    wait_for(&browser, "return document.querySelector('.size').textContent", &json!("640×480"));
    let is_scrollable = "return document.documentElement.scrollHeight > innerHeight";
    assert_eq!(browser.run(is_scrollable).unwrap(), false);
    let are_large = "return [...document.querySelectorAll('.stage')].every(stage => stage.offsetWidth >= 360)";
    assert_eq!(browser.run(are_large).unwrap(), true, "the images are as large as possible");
}

/// In three columns, opening the panel of one camera does not move the cards of the others.
pub fn an_open_panel_moves_no_card() {
    let server = Server::start(&[cameras(6), vec!["--allow-control".into()]].concat());
    let browser = start(Kind::Chromium);
    browser.emulate_desktop(1280, 800).unwrap();
    open_page(&browser, &server);
    wait_until_live(&browser, 6);
    let positions =
        "return [...document.querySelectorAll('figure')].map(figure => [figure.offsetLeft, figure.offsetTop])";
    let before = browser.run(positions).unwrap();
    for panel in ["stream", "controls"] {
        browser.run(&format!("document.querySelector('[data-panel={panel}]').open = true")).unwrap();
        let has_content =
            format!("return document.querySelector('[data-panel={panel}] .panel-body .panel-footer') !== null");
        wait_for(&browser, &has_content, &json!(true));
        assert_eq!(browser.run(positions).unwrap(), before, "{panel}");
    }
}

/// Returns the problems of the page in its present state.
fn check(browser: &Browser, name: &str) -> Vec<String> {
    let problems = browser.run(ACCESSIBILITY_CHECK).unwrap();
    problems.as_array().unwrap().iter().map(|problem| format!("{name}: {problem}")).collect()
}
