//! Results and the last minute on the page.

use hotshoe_conformance::browser::{Browser, Kind};
use serde_json::{Value, json};

use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, guests, wait_until};

use super::helpers::{start_with_page, wait_for, wait_until_live};

/// The key Enter (WebDriver, section 17.4.2).
const ENTER: &str = "\u{e007}";

/// What Chromium tells screen readers: role and name of each element, in their order.
fn accessibility_tree(browser: &Browser) -> Vec<(String, String)> {
    let tree = browser.execute_cdp("Accessibility.getFullAXTree", &json!({})).unwrap();
    let nodes = tree["nodes"].as_array().unwrap();
    let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
    // A node lists the ids of its children.
    let mut found = Vec::new();
    let mut left = vec![nodes[0]["nodeId"].clone()];
    while let Some(id) = left.pop() {
        let Some(node) = nodes.iter().find(|node| node["nodeId"] == id) else { continue };
        left.extend(node["childIds"].as_array().into_iter().flatten().rev().cloned());
        // Lines of a text are not read apart from it.
        if node["ignored"] != true && node["role"]["value"] != "InlineTextBox" {
            found.push((text(&node["role"]), text(&node["name"])));
        }
    }
    found
}

/// Starts a server with a guest whose worker executes `work` for each frame, and then lets the built-in guest serve. The
/// worker continues until the drain limit.
fn serve(work: &str, camera: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guest.wasm");
    std::fs::write(&file, guests::attaching(work)).unwrap();
    let server = Server::start(&["--camera", camera, "--guest", file.to_str().unwrap(), "--drain", "600"]);
    assert_eq!(server.put_guest(&guests::built_in()).status, 200);
    server
}

/// Attaches a box to each frame whose left edge depends on the number of the frame: a tenth of its last digit, halved.
const MOVES: &str = "
  (call $set_box (f64.const 0.875)
    (f64.mul (f64.convert_i64_u (i64.rem_u (local.get $sequence) (i64.const 10))) (f64.const 0.05)))
  (if (call $attach_to (local.get $sequence) (i32.const 1) (i32.const 0) (i32.const 0)) (then unreachable))";

/// Returns the numbers of the frame and of the results on the page, and the columns of the overlay in which the left and
/// the right edge of a box are drawn, in the row in the middle of the picture.
const DRAWN: &str = "
  const { sequence, boxes } = document.querySelector('figure').dataset;
  const canvas = document.querySelector('.overlay');
  const { width, height } = canvas;
  const row = width ? canvas.getContext('2d').getImageData(0, Math.floor(height / 2), width, 1).data : [];
  const columns = [...Array(width).keys()].filter(column => row[4 * column + 3] > 128 && row[4 * column] > 200);
  return { sequence, boxes, width, first: columns[0] ?? null, last: columns.at(-1) ?? null };";

fn drawn(browser: &Browser) -> Value {
    browser.run(DRAWN).unwrap()
}

/// The box of each frame is drawn on that frame, and the button hides all boxes.
pub fn draws_boxes_on_their_frame(kind: Kind) {
    let server = serve(MOVES, "emulated,fps=5");
    let browser = start_with_page(kind, &server);
    wait_until_live(&browser, 1);
    let matches = "const { sequence, boxes } = document.querySelector('figure').dataset; return boxes !== '' && sequence === boxes";
    wait_for(&browser, matches, &json!(true));
    let mut compared = Vec::new();
    // On a busy machine, results can take longer than those before. Then the last boxes stay.
    wait_until("the boxes of eight frames were drawn on them", || {
        let state = drawn(&browser);
        let sequence: u64 = state["sequence"].as_str().unwrap().parse().unwrap();
        if state["sequence"] != state["boxes"] || compared.contains(&sequence) {
            return false;
        }
        compared.push(sequence);
        let width = state["width"].as_f64().unwrap();
        let left = (sequence % 10) as f64 * 0.05 * width;
        let near = |found: &Value, expected: f64| (found.as_f64().unwrap() - expected).abs() <= 3.0;
        assert!(near(&state["first"], left) && near(&state["last"], left + 0.5 * width), "{left}: {state}");
        compared.len() == 8
    });
    wait_for(&browser, "return document.querySelector('.found').textContent", &json!("face 88 %"));
    let button = browser.find("[data-action=boxes]").unwrap();
    browser.click(&button).unwrap();
    let pressed = "return document.querySelector('[data-action=boxes]').getAttribute('aria-pressed')";
    wait_for(&browser, pressed, &json!("false"));
    assert_eq!((&drawn(&browser)["boxes"], &drawn(&browser)["first"]), (&json!(""), &Value::Null));
    wait_until_live(&browser, 1);
    // The keyboard shows them again.
    browser.send_keys(&button, "b").unwrap();
    wait_for(&browser, matches, &json!(true));
}

/// Boxes are relative to the picture as it is seen, also if EXIF data turn it by 90 degrees.
pub fn draws_boxes_over_turned_pictures(kind: Kind) {
    let server = serve(MOVES, "emulated,fps=5,rotate=90");
    let browser = start_with_page(kind, &server);
    wait_until("the box of a frame is drawn on half of the width", || {
        let state = drawn(&browser);
        let Some(Ok(sequence)) = state["boxes"].as_str().map(str::parse::<u64>) else { return false };
        let left = (sequence % 10) as f64 * 0.05 * 480.0;
        let near = |found: &Value, expected: f64| found.as_f64().is_some_and(|found| (found - expected).abs() <= 3.0);
        state["width"] == 480 && near(&state["first"], left) && near(&state["last"], left + 0.5 * 480.0)
    });
}

/// Without results, there is no button, and the page requests none.
pub fn asks_for_results_only_if_there_are_some(kind: Kind) {
    let server = Server::start(&["--camera", "front=emulated,fps=10"]);
    let browser = start_with_page(kind, &server);
    wait_until_live(&browser, 1);
    let requests =
        "return performance.getEntriesByType('resource').filter(entry => entry.name.includes('results')).length";
    assert_eq!(browser.run(requests).unwrap(), 0);
    assert_eq!(browser.run("return document.querySelector('[data-action=boxes]').checkVisibility()").unwrap(), false);
}

/// The panel, opened by keyboard, plots rate, intervals, losses and events, describes them in words, and links to the
/// pictures of events. Screen readers find the key of the plot, and each figure once.
pub fn plots_the_last_minute(kind: Kind) {
    let server = serve(guests::ATTACHES_ALL, "emulated,fps=10");
    let browser = start_with_page(kind, &server);
    wait_until_live(&browser, 1);
    browser.send_keys(&browser.find("[data-panel=minute] summary").unwrap(), ENTER).unwrap();
    let has_all = "const plot = document.querySelector('.plot');
        return plot !== null && ['.rate', '.interval', '.event'].every(shape => plot.querySelector(shape) !== null)";
    wait_for(&browser, has_all, &json!(true));
    let figures = "return /^[0-9.]+ fps on average, .* ms; .* lost; 1 event$/.test(
        document.querySelector('.figures').textContent)";
    browser.wait_for(figures, &json!(true), DEADLINE).unwrap();
    if kind == Kind::Chromium {
        let tree = accessibility_tree(&browser);
        let position = |role: &str, name: &str| {
            let found = tree.iter().position(|node| node.0 == role && node.1 == name);
            found.unwrap_or_else(|| panic!("no {role} is named {name:?}: {tree:#?}"))
        };
        let plot = position("image", "Plot of the last minute of emulated");
        let key = position("list", "Key of the plot");
        let meanings = [
            "Line: frames per second",
            "Bars: longest interval between frames",
            "Marks at the top: frames lost",
            "Marks at the bottom: events",
        ];
        let meanings = meanings.map(|meaning| position("StaticText", meaning));
        assert!(plot < key && key < meanings[0] && meanings.is_sorted(), "{plot} {key} {meanings:?}");
        assert!(position("list", "Events of emulated") > meanings[3]);
        let with_figures: Vec<_> = tree.iter().filter(|(_, name)| name.contains("fps on average")).collect();
        assert_eq!(with_figures.len(), 1, "{with_figures:?}");
    }
    let link = "return document.querySelector('.events a').getAttribute('href')";
    wait_for(&browser, link, &json!("events/1.jpg"));
    assert_eq!(get(server.address, "/events/1.jpg").status, 200);
}
