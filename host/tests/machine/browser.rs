//! A real browser, driven over WebDriver (W3C), which is JSON over HTTP.

use hotshoe_conformance::browser::{Browser, Options};
use serde_json::json;

use hotshoe_test_support::server::Server;
use hotshoe_test_support::{DEADLINE, guests, wait_until};

/// The page shows the pictures of both cameras, and they move: an image looks otherwise some time later.
pub fn shows_moving_pictures() {
    let server = Server::start(&["--camera", "front=emulated,fps=4", "--camera", "yard=emulated,fps=4"]);
    let browser = start();
    browser.open(&format!("http://{}/", server.address)).unwrap();
    let images = browser.find_all("img").unwrap();
    assert_eq!(images.len(), 2);
    for image in &images {
        browser.moves(image, DEADLINE).unwrap();
    }
    let sizes = browser.run("return [...document.images].map(i => [i.naturalWidth, i.naturalHeight])").unwrap();
    assert_eq!(sizes, json!([[640, 480], [640, 480]]), "what moves are the camera's pictures");
}

/// The page loads itself again when another guest serves, and shows what that has to show.
pub fn reloads_itself() {
    let server = Server::start(&["--camera", "emulated,fps=4", "--drain", "0.2"]);
    let browser = start();
    browser.open(&format!("http://{}/", server.address)).unwrap();
    let shown = || browser.run("return document.documentElement.dataset.guest").unwrap();
    let built_in = guests::built_in();
    for number in 1..4 {
        server.put_guest(&guests::variant(&built_in, number));
        let serving = server.generations()["current"]["sha256"].clone();
        wait_until("the new guest's page is shown", || shown() == serving);
        shows_moving_picture(&browser);
    }
}

/// The page comes back to its streams when the server was away, though nothing tells it that they ended.
pub fn comes_back() {
    let camera = ["--camera", "emulated,fps=4"];
    let server = Server::start(&camera);
    let address = server.address;
    let browser = start();
    browser.open(&format!("http://{address}/")).unwrap();
    shows_moving_picture(&browser);
    browser.run("document.sameAsBefore = true").unwrap();
    drop(server);
    let server = Server::start(&[&camera[..], &["--listen", &address.to_string()]].concat());
    wait_until("it watches again", || server.capture_threads() == 1);
    shows_moving_picture(&browser);
    assert_eq!(browser.run("return document.sameAsBefore").unwrap(), true, "the same guest needs no other page");
}

/// More cameras than a browser has connections: all of them are seen, and the page still hears of a swap.
pub fn shows_many_cameras() {
    let cameras: Vec<_> =
        (0..10).flat_map(|number| ["--camera".to_owned(), format!("c{number}=emulated,fps=4")]).collect();
    let server = Server::start(&cameras);
    let browser = start();
    browser.open(&format!("http://{}/", server.address)).unwrap();
    let seen = "return [...document.images].filter(image => image.naturalWidth == 640).length";
    wait_until("all pictures are seen", || browser.run(seen).unwrap() == 10);
    server.put_guest(&guests::variant(&guests::built_in(), 1));
    let serving = server.generations()["current"]["sha256"].clone();
    wait_until("the new guest's page is shown", || {
        browser.run("return document.documentElement.dataset.guest").unwrap() == serving
    });
    wait_until("all pictures are seen", || browser.run(seen).unwrap() == 10);
}

fn start() -> Browser {
    Browser::start(&Options::default()).unwrap()
}

/// The page must show one picture, and it must move.
#[track_caller]
fn shows_moving_picture(browser: &Browser) {
    browser.moves(&browser.find("img").unwrap(), DEADLINE).unwrap();
    let width = browser.run("return document.images[0].naturalWidth").unwrap();
    assert_eq!(width, 640, "what moves is the camera's picture");
}
