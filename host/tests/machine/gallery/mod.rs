//! The components in `guest/gallery`, built as its README says.

mod detectors;
mod documentation;
mod pictures;
mod sequence;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hotshoe::camera::JpegImage;
use hotshoe::camera::pixels::{Decoder, Format, Scale};
use hotshoe_conformance::browser::Kind;
use hotshoe_test_support::client::{Reply, Viewer, connect, get, send};
use hotshoe_test_support::guests::{DRIVES, built_in, driver, driver_file, variant};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{built_in_pictures, wait_until, workspace};
use libtest_mimic::Trial;

use crate::harness::{Lane, missing_programs, run_successfully, trial_in};
use crate::toolchains;

const TARGET: &str = "wasm32-wasip2";

/// The users in `users`, in base64.
const ALICE: (&str, &str) = ("authorization", "Basic YWxpY2U6c2VjcmV0");
const BOB_IN_LOWER_CASE: (&str, &str) = ("authorization", "basic Ym9iOnBhc3M6d8O2cmQg");

/// Two users. One password contains a colon, a letter beyond ASCII and a space at its end.
const USERS: &str = "alice:secret\nbob:pass:w\u{f6}rd \n";

/// Returns the tests. `target`, `javascript` and `python` list the tools that are missing for the gallery and for guests
/// in these languages.
pub fn trials(target: &Option<String>, javascript: &Option<String>, python: &Option<String>) -> Vec<Trial> {
    let both = |one: &Option<String>| {
        let both: Vec<_> = [one, target].into_iter().flatten().cloned().collect();
        (!both.is_empty()).then(|| both.join(", "))
    };
    let in_browser = both(&missing_programs(&[&Kind::Chromium.programs()[..], &["ffmpeg"]].concat()));
    let with_ffmpeg = both(&missing_programs(&["ffmpeg", "ffprobe"]));
    let gallery = |name, missing, test: fn()| trial_in(Lane::Compilers, name, missing, test);
    vec![
        gallery("gallery_asks_for_passwords_and_logs_requests", target, in_front_of_the_built_in_guest),
        gallery("gallery_guest_of_wasi_0_3_serves", target, async_guest),
        gallery("gallery_emulated_camera_fails_by_its_script", target, faults_of_the_emulated_camera),
        gallery(
            "gallery_emulated_camera_and_a_guest_are_swapped_in_under_viewers",
            target,
            swapping_the_emulated_camera,
        ),
        gallery("gallery_mask_hides_areas", target, mask),
        gallery("gallery_motion_is_found_where_it_is", target, detectors::motion_is_found_where_it_is),
        gallery("gallery_faces_are_found_where_they_are", &with_ffmpeg, detectors::faces_are_found_where_they_are),
        gallery("gallery_overlay_writes_a_line", target, pictures::overlay_writes_a_line),
        gallery("gallery_timelapse_keeps_a_film", &with_ffmpeg, pictures::timelapse_keeps_a_film),
        gallery("gallery_table_has_a_million_rows", target, pictures::table_has_a_million_rows),
        gallery("gallery_table_in_python_is_the_same", &both(python), pictures::table_in_python_is_the_same),
        gallery("gallery_pictures_show_each_component", &in_browser, documentation::show_each_component),
        gallery("gallery_works_in_front_of_a_javascript_guest", &both(javascript), in_front_of_a_javascript_guest),
    ]
}

/// Builds the gallery once, and returns the folder with the components.
fn build() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // Kept between runs, because a full build takes a minute.
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gallery");
        let mut cargo = Command::new(env!("CARGO"));
        // In a fresh clone, downloads the packages that only the gallery needs.
        cargo.current_dir(workspace().join("guest/gallery")).args(["build", "--locked", "--release"]);
        run_successfully(cargo.args(["--target", TARGET]).env("CARGO_TARGET_DIR", &folder));
        folder.join(TARGET).join("release")
    })
}

/// Starts a server whose requests are first logged and then checked. `users` are the users that may pass.
fn serve(folder: &Path, users: &str) -> Server {
    let gallery = build();
    let file = folder.join("users");
    fs::write(&file, users).unwrap();
    let mut chmod = Command::new("chmod");
    run_successfully(chmod.arg("600").arg(&file));
    let users = format!("BASIC_AUTH_USERS={}", file.display());
    let [log, auth] = ["access_log.wasm", "basic_auth.wasm"].map(|name| gallery.join(name).display().to_string());
    Server::start(&["--camera", "emulated,fps=20", "--wrap", &log, "--wrap", &auth, "--guest-env-file", &users])
}

/// The left half black, and a corner of the right half as a mosaic. Without valid areas, nothing is shown.
fn mask() {
    let file = build().join("mask.wasm").display().to_string();
    let serve =
        |configuration: &str| Server::start(&["--camera", &format!("emulated,fps=20,filter={file}{configuration}")]);
    let server = serve("?areas=0x0_0.5x0_0.5x1_0x1");
    let image = JpegImage::new(get(server.address, "/snapshot").body.into()).unwrap();
    let picture = Decoder::default().decode(&image, Scale::Eighth, Format::Luma).unwrap();
    let width = picture.dimensions().width as usize;
    let (mut left, mut right) = (0, 0);
    for (index, luma) in picture.pixels().iter().enumerate() {
        let x = index % width;
        if x < width / 2 {
            left = left.max(*luma);
        } else if x > width / 2 {
            right = right.max(*luma);
        }
    }
    assert!(left < 10 && right > 60, "{left} on the left, {right} on the right");

    let server = serve("?areas=0x0_1x0_1x1_0x1&mosaic=4");
    let image = JpegImage::new(get(server.address, "/snapshot").body.into()).unwrap();
    let picture = Decoder::default().decode(&image, Scale::Full, Format::Luma).unwrap();
    let row = &picture.pixels()[..32];
    let range = row.iter().max().unwrap() - row.iter().min().unwrap();
    assert!(range < 12, "a tile is not even: {row:?}");

    for wrong in ["", "?areas=", "?areas=0x0_1x1", "?areas=0x0_1x0_1xNaN", "?areas=20x10_50x10_50x60"] {
        let server = serve(wrong);
        let mut viewer = Viewer::watch(server.address, "/stream");
        // The placeholder has no colour.
        let jpeg = viewer.part().jpeg;
        let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        assert_eq!(jpeg[frame + 9], 1, "{wrong}");
        server.wait_for_log("mask.wasm trapped");
    }
}

fn get_as(server: &Server, path: &str, user: (&str, &str)) -> Reply {
    send(server.address, "GET", path, &[user], b"")
}

/// The built-in guest serves its page, pictures and streams to those who log in, and every request is logged.
fn in_front_of_the_built_in_guest() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), USERS);
    let stranger = get(server.address, "/snapshot?token=1");
    assert_eq!(stranger.status, 401);
    assert_eq!(stranger.header("www-authenticate"), Some("Basic realm=\"Hotshoe\", charset=\"UTF-8\""));
    for wrong in ["", "Basic", "Basic ", "Basic YWxpY2U6c2VjcmV", "Basic YWxpY2U6c2VjcmV1", "Bearer YWxpY2U6c2VjcmV0"] {
        assert_eq!(get_as(&server, "/", ("authorization", wrong)).status, 401, "{wrong:?}");
    }
    let twice = send(server.address, "GET", "/", &[ALICE, ALICE], b"");
    assert_eq!(twice.status, 401, "an ambiguous header");
    for user in [ALICE, BOB_IN_LOWER_CASE] {
        assert!(get_as(&server, "/", user).text().contains("video_feed/emulated"));
        assert_eq!(get_as(&server, "/snapshot", user).header("content-type"), Some("image/jpeg"));
        let mut viewer = Viewer::watch_with(connect(server.address), "/video_feed", &[user]);
        viewer.part();
        viewer.part();
    }
    server.wait_for_logs("guest stdout: GET /video_feed", 2);
    // One of the stranger, and one of each user. Queries may contain secrets.
    server.wait_for_logs("guest stdout: GET /snapshot", 3);
    assert!(!server.log().contains("token"), "{}", server.log());
    send(server.address, "POST", "/controls", &[ALICE], b"");
    server.wait_for_log("guest stdout: POST /controls");

    let server = serve(folder.path(), "\n");
    assert_eq!(get_as(&server, "/", ALICE).status, 503);
    server.wait_for_log("BASIC_AUTH_USERS is not set");
}

/// The guest of WASI 0.3 serves its page, pictures, and streams.
fn async_guest() {
    let guest = build().join("async_guest.wasm").display().to_string();
    let server = Server::start(&["--camera", "emulated,fps=20", "--guest", &guest]);
    assert!(get(server.address, "/").text().contains("<img src=\"/stream/emulated\" alt=\"emulated\">"));
    let snapshot = get(server.address, "/snapshot/emulated");
    assert_eq!(snapshot.header("content-type"), Some("image/jpeg"));
    assert!(built_in_pictures().contains(&snapshot.body));
    for path in ["/stream/emulated", "/unshared/emulated"] {
        let mut viewers: Vec<_> = (0..5).map(|_| Viewer::watch(server.address, path)).collect();
        for _ in 0..5 {
            for viewer in &mut viewers {
                let part = viewer.chunk();
                let is_in_part = |picture: &Vec<u8>| part.windows(picture.len()).any(|bytes| bytes == picture);
                assert!(built_in_pictures().iter().any(is_in_part), "{path}");
            }
        }
        let under_way = if path.starts_with("/stream") { 1 } else { 5 };
        assert_eq!(server.generations()["current"]["under_way"], under_way, "{path}");
        drop(viewers);
        wait_until("the viewers have left", || server.generations()["current"]["under_way"] == 0);
    }
    for path in ["/other", "/snapshot/other", "/stream/other", "/unshared/other"] {
        assert_eq!(get(server.address, path).status, 404, "{path}");
    }
}

/// A guest in JavaScript is uploaded behind the same middleware.
fn in_front_of_a_javascript_guest() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(folder.path(), USERS);
    toolchains::upload(&server, &toolchains::build_javascript());
    assert_eq!(get(server.address, "/some/path").status, 401);
    assert_eq!(get_as(&server, "/some/path", ALICE).text(), "JavaScript, outgoing request: TypeError\n");
    server.wait_for_logs("guest stdout: GET /some/path", 2);
    server.wait_for_logs("JavaScript received a request for /some/path", 1);
}

/// The width of a part's picture.
fn width(viewer: &mut Viewer) -> u32 {
    JpegImage::new(viewer.part().jpeg.into()).unwrap().dimensions.width
}

/// Each script has the effect that the README promises, and viewers stay connected.
fn faults_of_the_emulated_camera() {
    let emulated = build().join("emulated.wasm");
    let start = |options: &str| {
        let camera = format!("front=component:{},fps=20,{options}", emulated.display());
        Server::start(&["--camera", &camera, "--linger", "0"])
    };
    let pictures = built_in_pictures();
    for (script, reason) in [
        ("pictures:3 silence:60", "delivered no picture for 3 seconds"),
        ("pictures:3 vanish", "the emulated camera was unplugged"),
        ("pictures:3 trap", "trapped: "),
        ("pictures:three", "`pictures:three` needs a number"),
        ("explode", "unknown step `explode`"),
    ] {
        let server = start(&format!("script={script}"));
        let mut viewer = Viewer::watch(server.address, "/video_feed/front");
        server.wait_for_log(reason);
        wait_until("the viewer learns the reason", || viewer.part().header("x-outage").is_some());
    }

    let server = start("script=pictures:2 truncated:5 garbage:3");
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let seen: Vec<_> = (0..9).map(|_| viewer.part().jpeg).collect();
    assert!(pictures.iter().all(|picture| seen.contains(picture)) && seen.iter().all(|jpeg| pictures.contains(jpeg)));
    drop(viewer);
    let closed = server.wait_for_log("camera front: closed, no viewers left; ");
    assert!(closed.contains("8 malformed"), "{closed}");

    let server = start("script=sizes:1000");
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let widths: Vec<_> = (0..12).map(|_| width(&mut viewer)).collect();
    assert!([80, 160, 240, 320].iter().all(|width| widths.contains(width)), "{widths:?}");

    let server = start("pictures=pattern,size=320x240,rotate=180,label=Test");
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let first = viewer.part();
    assert_ne!(first.jpeg, viewer.part().jpeg, "the pattern does not move");
    assert_eq!(width(&mut viewer), 320);

    let server = start(&format!("pictures=directory,dir={}", workspace().join("frames").display()));
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    wait_until("all pictures of the directory arrive", {
        let mut missing = pictures.clone();
        move || {
            let jpeg = viewer.part().jpeg;
            missing.retain(|picture| *picture != jpeg);
            missing.is_empty()
        }
    });
}

/// The driver and the web guest are replaced one after the other, and a viewer notices only the new pictures.
fn swapping_the_emulated_camera() {
    let emulated = fs::read(build().join("emulated.wasm")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (_, camera) = driver_file(folder.path(), &driver(DRIVES, 1));
    let camera = format!("{camera},fps=20,pictures=pattern,size=320x240,script=pictures:20 truncated:5 pictures:5");
    let server = Server::start(&["--camera", &camera]);
    let admin = server.admin.unwrap();
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    assert_eq!(width(&mut viewer), 640);
    let mut last = viewer.part().sequence();
    let mut next = |viewer: &mut Viewer| {
        let part = viewer.part();
        // The publisher of a new guest begins with the newest frame, even if the viewer has it already.
        assert!(part.header("x-outage").is_none() && part.sequence() >= last, "{} after {last}", part.sequence());
        last = part.sequence();
        JpegImage::new(part.jpeg.into()).unwrap().dimensions.width
    };
    assert_eq!(send(admin, "PUT", "/cameras/front", &[], &emulated).status, 200);
    wait_until("the emulated camera has taken over", || next(&mut viewer) == 320);
    assert_eq!(server.put_guest(&variant(&built_in(), 1)).status, 200);
    for _ in 0..40 {
        assert_eq!(next(&mut viewer), 320);
    }
    assert_eq!(server.generation(), 2);
    assert_eq!(send(admin, "PUT", "/cameras/front", &[], &driver(DRIVES, 2)).status, 200);
    wait_until("the first driver has taken over", || next(&mut viewer) == 640);
}
