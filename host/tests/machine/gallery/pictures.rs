//! Text in pictures, films, and a table.

use std::fs;
use std::process::Command;
use std::time::Duration;

use hotshoe::camera::JpegImage;
use hotshoe::camera::pixels::{Decoder, Format, Scale};
use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{wait_until, wait_until_within};

use super::build;
use crate::harness::run_successfully;
use crate::toolchains::{self, componentize_py};

/// The rows that both tables are compared by.
const ROWS: usize = 1000;

/// How long the largest film may take to fill on a busy machine.
const FILM_TIME: Duration = Duration::from_secs(120);

/// The line is in its corner, and the rest of the picture is as it was.
pub fn overlay_writes_a_line() {
    let file = build().join("overlay.wasm").display().to_string();
    let luma = |filter: &str| {
        let server = Server::start(&["--camera", &format!("emulated,fps=20{filter}")]);
        let image = JpegImage::new(get(server.address, "/snapshot").body.into()).unwrap();
        Decoder::default().decode(&image, Scale::Full, Format::Luma).unwrap().pixels().to_vec()
    };
    let line = luma(&format!(",filter={file}?text=Porch {{time}} {{rate}}&at=bottom-right&hours=1.5"));
    let (width, height) = (640, line.len() / 640);
    // "Porch 2026-11-27 01:02:03 0.0 fps" has 33 letters of 10 by 20 pixels.
    let is_dark = |x: usize, y: usize| line[y * width + x] < 60;
    assert!((height - 19..height - 1).all(|y| is_dark(width - 2, y) && is_dark(width - 337, y)), "no dark ground");
    let bright =
        (height - 20..height).flat_map(|y| &line[y * width + 310..(y + 1) * width]).filter(|luma| **luma > 180);
    assert!((300..4000).contains(&bright.count()), "no letters");
    // Of the three pictures, it is one.
    let is_same = |number: usize| {
        let jpeg = hotshoe_test_support::built_in_pictures().swap_remove(number);
        let image = JpegImage::new(jpeg.into()).unwrap();
        let original = Decoder::default().decode(&image, Scale::Full, Format::Luma).unwrap();
        let rest = ..width * (height - 24);
        let pairs = original.pixels()[rest].iter().zip(&line[rest]);
        pairs.map(|(one, other)| u64::from(one.abs_diff(*other))).sum::<u64>() < 2 * (width * height) as u64
    };
    assert!((0..3).any(is_same), "the rest of the picture has changed");
    for (wrong, reason) in [
        ("at=middle", "at=middle: use top-left"),
        ("hours=25", "hours=25: use a number from -24 to 24"),
        ("quality=0", "quality=0: use a number from 1 to 100"),
    ] {
        let server = Server::start(&["--camera", &format!("emulated,fps=20,filter={file}?{wrong}")]);
        assert_eq!(get(server.address, "/snapshot").status, 503);
        server.wait_for_log(reason);
    }
}

/// The film grows up to its limit, plays as a file and as a stream, and survives a restart.
pub fn timelapse_keeps_a_film() {
    let folder = tempfile::tempdir().unwrap();
    let file = build().join("timelapse.wasm").display().to_string();
    let store = folder.path().join("film.store").display().to_string();
    let options = |seconds: &'static str| {
        let options = ["--camera", "front=emulated,fps=100", "--wrap", &file, "--guest-env", "TIMELAPSE_FPS=1000"];
        let more = ["--guest-env", seconds];
        [&options[..], &more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let film = |server: &Server| get(server.address, "/timelapse/front.mkv").body;
    let pictures = |film: &[u8]| film.windows(3).filter(|bytes| *bytes == [0xFF, 0xD8, 0xFF]).count();

    let stored = [options("TIMELAPSE_SECONDS=0.1"), vec!["--guest-store".to_owned(), store]].concat();
    let server = Server::start(&stored);
    // Other requests reach the built-in guest.
    assert!(get(server.address, "/").text().contains("video_feed/front"));
    wait_until("the film has five pictures", || pictures(&film(&server)) >= 5);
    let stream = get(server.address, "/timelapse/front");
    assert_eq!(stream.header("content-type"), Some("multipart/x-mixed-replace; boundary=frame"));
    assert!(pictures(&stream.body) >= 5 && stream.body.ends_with(b"\r\n--frame\r\n--frame--\r\n"));
    for missing in ["/timelapse/barn", "/timelapse/", "/timelapse/barn.mkv"] {
        assert_eq!(get(server.address, missing).status, 404, "{missing}");
    }
    drop(server);
    let server = Server::start(&stored);
    wait_until("the film is there again", || pictures(&film(&server)) >= 5);
    let film_file = folder.path().join("film.mkv");
    fs::write(&film_file, film(&server)).unwrap();
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args([
        "-loglevel",
        "error",
        "-count_frames",
        "-show_entries",
        "stream=codec_name,nb_read_frames",
        "-of",
        "csv",
    ]);
    let probed = run_successfully(ffprobe.arg(&film_file)).stdout;
    let frames = pictures(&fs::read(&film_file).unwrap());
    assert_eq!(String::from_utf8(probed).unwrap().trim(), format!("stream,mjpeg,{frames}"));
    drop(server);

    // Without a store, the film is in memory, within limits.
    const MIB: usize = 1 << 20;
    let server = Server::start(&options("TIMELAPSE_SECONDS=0.01"));
    wait_until_within("the film is as long as it may be", FILM_TIME, || film(&server).len() > 6 * MIB - 100_000);
    let first = film(&server);
    wait_until("the oldest pictures have gone", || film(&server) != first);
    assert!(film(&server).len() < 6 * MIB + 100_000);
    assert!(!server.log().contains("is not kept"), "{}", server.log());

    let server = Server::start(&options("TIMELAPSE_SECONDS=never"));
    server.wait_for_log("TIMELAPSE_SECONDS=never: use a number from 0.01 to 86400");
}

/// A million rows arrive, and the server needs no more memory for them.
pub fn table_has_a_million_rows() {
    let guest = build().join("stock_table.wasm").display().to_string();
    let server = Server::start(&["--camera", "emulated", "--guest", &guest]);
    get(server.address, "/?rows=10000");
    let before = server.peak_memory_kib();
    let table = get(server.address, "/").body;
    let growth = server.peak_memory_kib() - before;
    let rows = table.windows(8).filter(|bytes| *bytes == b"<tr><td>").count();
    assert_eq!(rows, 1_000_000);
    assert!(table.len() > 30_000_000 && growth < 8 * 1024, "{} bytes, {growth} KiB more memory", table.len());
    assert_eq!(get(server.address, "/?rows=many").status, 400);
}

/// The table in Python has the same rows as the one in Rust.
pub fn table_in_python_is_the_same() {
    let rust = build().join("stock_table.wasm").display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("table.wasm");
    let gallery = hotshoe_test_support::workspace().join("guest/gallery/stock-table");
    let mut build = Command::new(componentize_py());
    build.args(["--quiet", "--wit-path", "../../../wit/server", "--world", "hotshoe:server/guest", "componentize"]);
    run_successfully(build.args(["app", "--output"]).arg(&component).current_dir(gallery));
    let server = Server::start(&["--camera", "emulated", "--guest", &rust]);
    let path = format!("/?rows={ROWS}");
    let expected = get(server.address, &path).text();
    assert_eq!(expected.lines().filter(|line| line.starts_with("<tr><td>")).count(), ROWS);
    toolchains::upload(&server, &component);
    assert_eq!(get(server.address, &path).text(), expected);
    assert_eq!(get(server.address, "/?rows=many").status, 400);
}
