//! Filters between a camera and everyone who sees its frames. The camera's pictures are red on the left, which no
//! client may ever see, and blue or green on the right.
//!
//! * `shown`: what clients see. `readers`: clients that read in every way. `mask`: no fault lets them see too much.
//! * `uploads`: filters that the admin listener replaces.

mod mask;
mod readers;
mod shown;
mod uploads;

use std::fs;
use std::path::PathBuf;

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::guests::{
    HOARDS_IMAGES, LEAKS_IMAGES, MASKS_ALWAYS, RETURNS_NOTHING, SKIPS_FRAMES, SPINS_AT_TIMES, TRAPS_AT_ONCE,
    TRAPS_AT_TIMES, masking,
};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;
use rustix::process::Signal;
use serde_json::Value;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use shown::{Seen, WIDTH, check, picture};

/// A server with the camera `front`, whose pictures pass one filter or two.
struct Setup {
    server: Server,
    /// The file of the first filter.
    filter: PathBuf,
    _folder: tempfile::TempDir,
}

impl Setup {
    /// Starts a server with this filter.
    fn new(filter: &[u8], options: &str) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), filter, options)
    }

    /// Starts a server with this filter, and one after it that always masks.
    fn with_second(filter: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let second = folder.path().join("second.wasm");
        fs::write(&second, masking(MASKS_ALWAYS)).unwrap();
        Self::in_folder(folder, filter, &format!(",filter={},fps=30", second.display()))
    }

    fn in_folder(folder: tempfile::TempDir, filter: &[u8], options: &str) -> Self {
        let (file, pictures) = (folder.path().join("filter.wasm"), folder.path().join("pictures"));
        fs::write(&file, filter).unwrap();
        fs::create_dir(&pictures).unwrap();
        fs::write(pictures.join("1.jpg"), picture()).unwrap();
        let camera = format!("front=emulated:{},filter={}{options}", pictures.display(), file.display());
        Self { server: Server::start(&["--camera", &camera, "--linger", "0"]), filter: file, _folder: folder }
    }

    /// Writes another filter to the file, and lets the server load it.
    fn replace(&self, filter: &[u8]) {
        let temporary = self.filter.with_extension("new");
        fs::write(&temporary, filter).unwrap();
        fs::rename(&temporary, &self.filter).unwrap();
        self.server.signal(Signal::HUP);
    }
}

#[test]
fn every_client_gets_filtered_frames_only() {
    let setup = Setup::new(&masking(MASKS_ALWAYS), ",fps=30");
    let address = setup.server.address;
    assert_eq!(check(&get(address, "/snapshot").body), Seen::Masked);
    let mut viewer = Viewer::watch(address, "/stream");
    for _ in 0..10 {
        assert_eq!(check(&viewer.part().jpeg), Seen::Masked);
    }
}

#[test]
fn filters_apply_one_after_the_other() {
    // The first one returns nothing for every third frame, so the second one never sees it.
    let setup = Setup::with_second(&masking(SKIPS_FRAMES));
    let mut viewer = Viewer::watch(setup.server.address, "/stream");
    let mut last = viewer.part();
    for _ in 0..10 {
        let part = viewer.part();
        assert_eq!(check(&part.jpeg), Seen::Masked);
        assert!(part.sequence() > last.sequence());
        last = part;
    }
}

#[test]
fn a_filter_that_fails_shows_the_placeholder_with_a_reason() {
    for (filter, reason) in [
        (masking(TRAPS_AT_ONCE), "filter.wasm trapped: wasm trap: wasm `unreachable` instruction executed"),
        (b"no component".to_vec(), "filter.wasm is not a WebAssembly component"),
        (masking(LEAKS_IMAGES), "filter.wasm trapped"),
        (masking(HOARDS_IMAGES), "filter.wasm holds more than 16 images; drop those of earlier frames"),
    ] {
        let setup = Setup::new(&filter, ",fps=30");
        let mut viewer = Viewer::watch(setup.server.address, "/stream");
        wait_until("the placeholder is sent", || check(&viewer.part().jpeg) == Seen::Placeholder);
        setup.server.wait_for_log(reason);
    }
}

#[test]
fn a_mask_hides_what_viewers_see_there_if_exif_turns_the_picture() {
    let setup = Setup::new(&masking(MASKS_ALWAYS), ",fps=30,rotate=180");
    let shown = get(setup.server.address, "/snapshot").body;
    assert_eq!(hotshoe::camera::jpeg::orientation(&shown), None, "viewers would turn it once more");
    let options = DecoderOptions::new_fast().jpeg_set_out_colorspace(ColorSpace::RGB);
    let pixels = JpegDecoder::new_with_options(ZCursor::new(&shown), options).decode().unwrap();
    for (index, [red, green, blue]) in pixels.as_chunks::<3>().0.iter().enumerate() {
        match index % WIDTH as usize {
            0..30 => assert!([red, green, blue].into_iter().all(|value| *value < 60), "{index} is not hidden"),
            // What is on the left of the camera's picture.
            34.. => assert!(*red > 200 && *blue < 60, "{index} is not turned: {red} {green} {blue}"),
            _ => {}
        }
    }
}

/// The nice value of a thread of a process (proc_pid_stat(5), the 19th field).
fn niceness(process: u32, thread: u32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{process}/task/{thread}/stat")).unwrap();
    // The name of the thread, in parentheses, may contain blanks.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[test]
fn filters_decode_in_the_threads_of_all_components_and_have_the_priority_of_requests() {
    let setup = Setup::with_second(&masking(MASKS_ALWAYS));
    let mut viewer = Viewer::watch(setup.server.address, "/stream");
    assert_eq!(check(&viewer.part().jpeg), Seen::Masked);
    let (process, threads) = (setup.server.pid(), setup.server.threads());
    let nice_of = |prefix: &str| {
        let found: Vec<_> = threads.iter().filter(|(_, name)| name.starts_with(prefix)).collect();
        assert!(!found.is_empty(), "no thread is named {prefix}: {threads:?}");
        found.iter().map(|(thread, _)| niceness(process, *thread)).max().unwrap()
    };
    // The main thread has the same id as the process.
    let normal = niceness(process, process);
    assert_eq!(nice_of("requests"), normal + 10);
    assert_eq!(nice_of("filter-front"), normal + 10, "with several filters");
    assert!(!threads.iter().any(|(_, name)| name.contains("pixels")), "a filter has threads of its own: {threads:?}");
}

#[test]
fn a_filter_that_computes_forever_is_replaced_by_the_placeholder_and_then_by_a_new_instance() {
    let setup = Setup::new(&masking(SPINS_AT_TIMES), ",fps=30");
    let mut viewer = Viewer::watch(setup.server.address, "/stream");
    wait_until("the placeholder is sent", || check(&viewer.part().jpeg) == Seen::Placeholder);
    setup.server.wait_for_log("filter.wasm takes longer than 3 seconds for a frame");
    wait_until("the filter works again", || check(&viewer.part().jpeg) == Seen::Masked);
}

#[test]
fn a_filter_that_fails_at_its_first_frame_is_rolled_back() {
    let setup = Setup::new(&masking(MASKS_ALWAYS), ",fps=30");
    let mut viewer = Viewer::watch(setup.server.address, "/stream");
    assert_eq!(check(&viewer.part().jpeg), Seen::Masked);
    setup.replace(&masking(TRAPS_AT_ONCE));
    setup.server.wait_for_log("before its first picture; rolling back");
    for _ in 0..10 {
        check(&viewer.part().jpeg);
    }
    wait_until("the former filter masks", || check(&viewer.part().jpeg) == Seen::Masked);
}

#[test]
fn a_filter_that_returns_nothing_is_an_outage_and_never_replaces_one_that_works() {
    let setup = Setup::new(&masking(MASKS_ALWAYS), ",fps=30");
    let mut viewer = Viewer::watch(setup.server.address, "/stream");
    assert_eq!(check(&viewer.part().jpeg), Seen::Masked);
    setup.replace(&masking(RETURNS_NOTHING));
    setup.server.wait_for_log("filter.wasm has returned no frame for 10 seconds, before its first picture");
    wait_until("the former filter masks", || check(&viewer.part().jpeg) == Seen::Masked);

    let setup = Setup::new(&masking(RETURNS_NOTHING), ",fps=30");
    let mut viewer = Viewer::watch(setup.server.address, "/stream");
    wait_until("the placeholder is sent", || check(&viewer.part().jpeg) == Seen::Placeholder);
    setup.server.wait_for_log("filter.wasm has returned no frame for 10 seconds");
}

#[test]
fn rate_cost_and_failures_of_a_filter_are_in_the_state_of_its_camera() {
    let setup = Setup::new(&masking(MASKS_ALWAYS), ",fps=30");
    let server = &setup.server;
    let mut viewer = Viewer::watch(server.address, "/stream");
    let mut wait_for = |what: &str, is_there: &dyn Fn(&Value) -> bool| {
        wait_until(what, || {
            check(&viewer.part().jpeg);
            is_there(&get(server.address, "/state").json()["result"]["filters"][0])
        });
    };
    wait_for("the filter is measured", &|filter| {
        filter["fps"].as_f64() > Some(1.0) && filter["ms"].as_f64() > Some(0.0) && filter["frames"].as_u64() > Some(1)
    });
    let filter = get(server.address, "/state").json()["result"]["filters"][0].clone();
    assert!(filter["description"].as_str().unwrap().ends_with("/filter.wasm"), "{filter}");
    // Frames that came while it was compiled count, too.
    let failed = filter["failed"].as_u64().unwrap();
    let mut events = Viewer::watch(server.address, "/events");
    events.chunk();
    let state = String::from_utf8(events.chunk()).unwrap();
    assert!(state.contains(r#"/filter.wasm","state":"live","#), "the description has no figures: {state}");
    assert!(state.contains(r#""filters":[{"description":"#), "{state}");

    setup.replace(&masking(TRAPS_AT_TIMES));
    wait_for("failures are counted", &|filter| filter["failed"].as_u64() > Some(failed));
    let metrics = get(server.admin.unwrap(), "/metrics").text();
    let line = metrics.lines().find(|line| line.starts_with("hotshoe_filter_failed_frames_total{")).unwrap();
    assert!(line.contains("filter=\"1\"") && !line.ends_with(" 0"), "{line}");
}
