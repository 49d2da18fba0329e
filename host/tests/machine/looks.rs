//! How the page looks, and whether everyone can use it: on a desktop and a phone, light and dark, with one camera and
//! four, and with one that is unplugged.
//!
//! With `HOTSHOE_SCREENSHOTS` set to a folder, the pictures of it are written there (`just screenshots`).

use std::path::PathBuf;

use hotshoe_conformance::browser::Browser;
use serde_json::json;

use hotshoe_test_support::DEADLINE;
use hotshoe_test_support::server::Server;

use crate::browser::{ACCESSIBILITY, start, waits};

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
        ("unplugged", &UNPLUGGED, vec!["live", "lost"]),
    ] {
        let server = Server::start(&[args, &["--allow-control"]].concat());
        for (screen, phone) in [("desktop", false), ("phone", true)] {
            let browser = start();
            if phone {
                browser.be_phone(390, 844, 1.0).unwrap();
            } else {
                browser.be_screen(1280, 800).unwrap();
            }
            browser.open(&format!("http://{}/", server.address)).unwrap();
            let found = "return [...document.querySelectorAll('figure')].map(figure => figure.dataset.state)";
            waits(&browser, found, &json!(states));
            // The rate is measured on two frames at least.
            let rates = "return [...document.querySelectorAll('[data-state=live] .fps')].every(fps => fps.textContent)";
            waits(&browser, rates, &json!(true));
            let sizes = "return [...document.images].every(image => image.naturalWidth === 640)";
            waits(&browser, sizes, &json!(true));
            for (scheme, dark) in [("light", false), ("dark", true)] {
                browser.prefer_dark(dark).unwrap();
                let name = format!("{cameras}-{screen}-{scheme}");
                faults.extend(check(&browser, &name));
                if let Some(folder) = &folder {
                    std::fs::write(folder.join(format!("{name}.png")), browser.screenshot_page().unwrap()).unwrap();
                }
            }
            for panel in ["stream", "controls"] {
                browser.run(&format!("document.querySelector('[data-panel={panel}]').open = true")).unwrap();
                let inside = format!("return document.querySelector('[data-panel={panel}] .inside .foot') !== null");
                browser.wait_for(&inside, &json!(true), DEADLINE).unwrap();
                faults.extend(check(&browser, &format!("{cameras}-{screen}-{panel}")));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// What is wrong with the page as it is now.
fn check(browser: &Browser, name: &str) -> Vec<String> {
    let found = browser.run(ACCESSIBILITY).unwrap();
    found.as_array().unwrap().iter().map(|fault| format!("{name}: {fault}")).collect()
}
