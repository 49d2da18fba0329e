//! The pictures in docs/gallery.md, which show each component at work. If `HOTSHOE_SCREENSHOTS` names a folder, they are
//! written there (`just gallery-pictures`).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hotshoe_conformance::browser::{Browser, Kind, Options};
use hotshoe_test_support::server::Server;
use serde_json::json;

use super::{build, sequence};

/// How long a picture may take. Only failing tests wait this long.
const PICTURE_TIME: Duration = Duration::from_secs(120);

/// Whether the boxes of the picture that is shown are drawn, and their labels match a regular expression.
fn has_boxes(labels: &str) -> String {
    format!(
        "const {{ sequence, boxes }} = document.querySelector('figure').dataset;
         return boxes === sequence && /{labels}/.test(document.querySelector('.found').textContent)"
    )
}

/// A photograph of the astronaut Eileen Collins by NASA, in the public domain: the upper part of the picture `astronaut`
/// in scikit-image.
const PORTRAIT: &[u8] = include_bytes!("portrait.jpg");

/// Whether a picture is shown.
const IS_LIVE: &str = "return document.querySelector('figure').dataset.state === 'live'";

/// Returns whether the middle of each box is darker than 60 or brighter than 190, as the moving shapes are. The results
/// are those of the frame that is shown.
const BOXES_LIE_ON_SHAPES: &str = "
  const done = arguments[0], figure = document.querySelector('figure'), canvas = figure.querySelector('canvas');
  const { sequence } = figure.dataset, { width, height } = canvas;
  const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  fetch(`results/front?at=${sequence}`).then(response => response.json()).then(({ boxes }) => done(boxes.map(
    ({ left, top, width: w, height: h }) => {
      const luma = pixels[4 * (Math.floor((top + h / 2) * height) * width + Math.floor((left + w / 2) * width))];
      return luma < 60 || luma > 190;
    }))).catch(error => done(`${error}`));";

/// Each component of the gallery at work in a browser.
pub fn show_each_component() {
    let folder = std::env::var_os("HOTSHOE_SCREENSHOTS").map(PathBuf::from);
    let save = |name: &str, picture: Vec<u8>| {
        if let Some(folder) = &folder {
            fs::write(folder.join(format!("gallery-{name}.png")), picture).unwrap();
        }
    };
    let gallery = build();
    let component = |name: &str| gallery.join(name).display().to_string();
    let browser = Browser::start(&Options { kind: Kind::Chromium, ..Options::default() }).unwrap();
    browser.emulate_desktop(720, 640).unwrap();
    let open = |server: &Server, path: &str| browser.open(&format!("http://{}{path}", server.address)).unwrap();
    let wait = |script: &str| browser.wait_for(script, &json!(true), PICTURE_TIME).unwrap();
    let figure = || browser.screenshot(&browser.find(".stage").unwrap()).unwrap();

    let shapes = tempfile::tempdir().unwrap();
    sequence::write(shapes.path());
    let camera = |folder: &Path, options: &str| format!("front=emulated:{},{options}", folder.display());
    let server = Server::start(&["--camera", &camera(shapes.path(), "fps=10"), "--wrap", &component("motion.wasm")]);
    open(&server, "/");
    wait(&has_boxes("^motion .*, motion"));
    // The results of a frame stay for a while, so this does not depend on the time.
    let lies_on_shapes = browser.run_async(BOXES_LIE_ON_SHAPES).unwrap();
    assert!(lies_on_shapes.as_array().is_some_and(|boxes| boxes.iter().all(|lies| *lies == true)), "{lies_on_shapes}");
    save("motion", figure());

    let portrait = tempfile::tempdir().unwrap();
    fs::write(portrait.path().join("1.jpg"), PORTRAIT).unwrap();
    // The detector takes a moment on a busy machine.
    let server = Server::start(&["--camera", &camera(portrait.path(), "fps=1"), "--wrap", &component("faces.wasm")]);
    open(&server, "/");
    wait(&has_boxes("^face [0-9]+ %$"));
    save("faces", figure());

    let areas = "0x0_0.5x0_0.5x1_0x1";
    let mask = format!("fps=1,filter={}?areas={areas}&mosaic=4", component("mask.wasm"));
    let server = Server::start(&["--camera", &camera(portrait.path(), &mask)]);
    open(&server, "/");
    wait(IS_LIVE);
    save("mask", figure());

    let overlay = format!("front=emulated,fps=5,filter={}?text=Porch {{time}} UTC", component("overlay.wasm"));
    let server = Server::start(&["--camera", &overlay]);
    open(&server, "/");
    wait(IS_LIVE);
    save("overlay", figure());

    let seconds = ["--guest-env", "TIMELAPSE_SECONDS=0.5"];
    let timelapse = ["--camera", &camera(shapes.path(), "fps=5"), "--wrap", &component("timelapse.wasm")];
    let server = Server::start(&[&timelapse[..], &seconds].concat());
    let film = "return fetch('/timelapse/front').then(response => response.status === 200)";
    open(&server, "/");
    wait(film);
    browser.run("document.body.innerHTML = '<img src=/timelapse/front>'").unwrap();
    wait("return document.images[0].naturalWidth === 640");
    save("timelapse", browser.screenshot(&browser.find("img").unwrap()).unwrap());

    let server = Server::start(&["--camera", "emulated", "--guest", &component("stock_table.wasm")]);
    open(&server, "/?rows=12");
    wait("return document.querySelectorAll('tr').length === 13");
    browser.emulate_desktop(480, 420).unwrap();
    save("stock-table", browser.screenshot_page().unwrap());
}
