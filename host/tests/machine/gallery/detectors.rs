//! Detectors find what is there, and little else. They look through the server, as a user would run them.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::workspace;
use serde_json::{Value, json};

use super::sequence::{self, HEIGHT, Rectangle, SCENES, Truth, WIDTH};
use super::{TARGET, build};
use crate::harness::run_successfully;

/// How long a detector may take. Only failing tests wait this long.
const DETECTOR_TIME: Duration = Duration::from_secs(300);

/// What was found, compared with the truth.
#[derive(Clone, Copy, Default)]
struct Score {
    frames: u32,
    objects: u32,
    boxes: u32,
    /// Objects that were found, and boxes that show an object.
    found: u32,
    right: u32,
}

impl Score {
    /// Compares boxes with objects. A box shows an object if their intersection is a third of their union. Boxes may show
    /// `others`, which need not be found.
    fn add(&mut self, boxes: &[Rectangle], objects: &[Rectangle], others: &[Rectangle]) {
        let shows = |one: &Rectangle, other: &Rectangle| intersection_over_union(one, other) > 0.33;
        self.frames += 1;
        self.objects += objects.len() as u32;
        self.boxes += boxes.len() as u32;
        self.found += objects.iter().filter(|object| boxes.iter().any(|found| shows(found, object))).count() as u32;
        self.right +=
            boxes.iter().filter(|found| objects.iter().chain(others).any(|object| shows(found, object))).count() as u32;
    }

    fn precision(&self) -> f64 {
        if self.boxes == 0 { 1.0 } else { f64::from(self.right) / f64::from(self.boxes) }
    }

    fn recall(&self) -> f64 {
        if self.objects == 0 { 1.0 } else { f64::from(self.found) / f64::from(self.objects) }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, objects, boxes, .. } = self;
        let (precision, recall) = (self.precision(), self.recall());
        write!(f, "{frames} frames, {objects} objects, {boxes} boxes: precision {precision:.3}, recall {recall:.3}")
    }
}

fn intersection_over_union(one: &Rectangle, other: &Rectangle) -> f64 {
    let area = |[left, top, right, bottom]: [f64; 4]| (right - left).max(0.0) * (bottom - top).max(0.0);
    let common = area([one[0].max(other[0]), one[1].max(other[1]), one[2].min(other[2]), one[3].min(other[3])]);
    common / (area(*one) + area(*other) - common)
}

/// The boxes of an entry, in pixels of a picture of this size.
fn boxes(entry: &Value, width: u32, height: u32) -> Vec<Rectangle> {
    let to_rectangle = |found: &Value| {
        let edge = |name: &str| found[name].as_f64().unwrap();
        let (width, height) = (f64::from(width), f64::from(height));
        let (left, top) = (edge("left") * width, edge("top") * height);
        [left, top, left + edge("width") * width, top + edge("height") * height]
    };
    entry["boxes"].as_array().unwrap().iter().map(to_rectangle).collect()
}

/// Motion is found where it is, and neither noise nor changes of the light are motion.
#[allow(clippy::print_stdout, reason = "the figures in docs/gallery.md")]
pub fn motion_is_found_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = sequence::write(folder.path());
    let component = build().join("motion.wasm");
    let camera = format!("front=emulated:{},fps=20", folder.path().display());
    let options = ["--camera", &camera, "--wrap", component.to_str().unwrap(), "--guest-env", "MOTION=front"];
    let server = Server::start(&options);
    let (seen, entries) = watch(&server, &pictures);
    let mut scores = [Score::default(); SCENES.len()];
    for entry in &entries {
        let number = entry["sequence"].as_u64().unwrap();
        if let Some(at) = seen.get(&number) {
            let Truth { scene, objects, strips } = &pictures[*at].1;
            let found = boxes(entry, WIDTH, HEIGHT);
            scores[*scene].add(&found, objects, strips);
        }
    }
    let text: Vec<_> = SCENES.iter().zip(scores).map(|(scene, score)| format!("{}: {score}", scene.name)).collect();
    println!("{}", text.join("\n"));
    // On a busy machine, the detector misses frames. All that it has seen count.
    assert!(scores.iter().all(|score| score.frames >= 15), "{text:#?}");
    for score in scores {
        if score.objects == 0 {
            assert!(score.boxes * 50 <= score.frames, "{text:#?}");
        } else {
            assert!(score.precision() >= 0.9 && score.recall() >= 0.85, "{text:#?}");
        }
    }
    // What was found has become an event with a picture.
    assert_eq!(get(server.address, "/events/1.jpg").header("content-type"), Some("image/jpeg"));
    for (wrong, reason) in [
        ("barn", "MOTION=barn: "),
        ("front?zones=0x0_1x1", "`0x0_1x1` is no area"),
        ("front?sensitivity=high", "use zones=AREAS, and sensitivity= and size= from 0 to 100"),
    ] {
        let mut options = options;
        let setting = format!("MOTION={wrong}");
        options[5] = &setting;
        Server::start(&options).wait_for_log(reason);
    }
}

/// The size of the upper part of the group picture as it was looked at to find its faces, by hand.
const GROUP_SIZE: (u32, u32) = (1316, 347);

/// The width and height of the faces.
const FACE_SIZE: f64 = 46.0;

/// The middle of each face in the group picture.
const FACES: [(f64, f64); 29] = [
    (210.0, 53.0),
    (315.0, 85.0),
    (388.0, 115.0),
    (505.0, 93.0),
    (622.0, 117.0),
    (728.0, 90.0),
    (821.0, 103.0),
    (921.0, 94.0),
    (1031.0, 92.0),
    (1103.0, 52.0),
    (1156.0, 95.0),
    (59.0, 176.0),
    (187.0, 186.0),
    (322.0, 176.0),
    (469.0, 179.0),
    (629.0, 171.0),
    (748.0, 168.0),
    (877.0, 180.0),
    (1019.0, 187.0),
    (1150.0, 190.0),
    (105.0, 220.0),
    (247.0, 228.0),
    (386.0, 225.0),
    (546.0, 231.0),
    (708.0, 221.0),
    (847.0, 222.0),
    (942.0, 223.0),
    (1093.0, 220.0),
    (1199.0, 235.0),
];

/// Writes a part of the group picture, which is a file of the package of the detector, to a folder. Its faces have a
/// hundred pixels. `size` is the size of the part, from the upper left.
fn write_group_picture(folder: &Path, size: (u32, u32)) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET, "--manifest-path"]);
    let metadata = run_successfully(cargo.arg(workspace().join("guest/gallery/Cargo.toml"))).stdout;
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "rustface");
    let manifest = Path::new(package.unwrap()["manifest_path"].as_str().unwrap());
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-loglevel", "error", "-i"]).arg(manifest.with_file_name("test.png"));
    let (width, height) = size;
    let filter = format!("crop={width}:{height}:0:0,scale={}:{}", 2 * width, 2 * height);
    ffmpeg.args(["-vf", &filter]);
    run_successfully(ffmpeg.args(["-pix_fmt", "yuvj420p", "-q:v", "2"]).arg(folder.join("group.jpg")));
}

/// Most faces of a group picture are found, and none where there is none. The detector is slow, and the stream is not.
#[allow(clippy::print_stdout, reason = "the figures in docs/gallery.md")]
pub fn faces_are_found_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    write_group_picture(folder.path(), (1666, 440));
    let component = build().join("faces.wasm");
    let camera = format!("group=emulated:{},fps=10", folder.path().display());
    let component = component.to_str().unwrap();
    let server = Server::start(&["--camera", &camera, "--camera", "still=emulated,fps=10", "--wrap", component]);
    let next = |camera: &str| {
        let mut viewer = Viewer::watch(server.address, &format!("/results/{camera}?format=lines"));
        let started = Instant::now();
        loop {
            assert!(started.elapsed() < DETECTOR_TIME, "no results of {camera}");
            let chunk = String::from_utf8(viewer.chunk()).unwrap();
            if let Some(entry) = chunk.lines().find_map(|line| serde_json::from_str::<Value>(line).ok()) {
                return entry;
            }
        }
    };
    let (width, height) = GROUP_SIZE;
    let half = FACE_SIZE / 2.0;
    let faces: Vec<_> = FACES.iter().map(|(x, y)| [x - half, y - half, x + half, y + half]).collect();
    let mut score = Score::default();
    score.add(&boxes(&next("group"), width, height), &faces, &[]);
    println!("{score}");
    assert!(score.precision() >= 0.9 && score.recall() >= 0.85, "{score}");
    assert_eq!(next("still")["boxes"], json!([]));
    let mut viewer = Viewer::watch(server.address, "/stream/group");
    let first = viewer.part().sequence();
    for _ in 0..20 {
        viewer.part();
    }
    // The stream has its rate, however long the detector takes for a picture.
    let frames = viewer.part().sequence() - first;
    assert!(frames < 60, "{frames} frames were captured while 21 were sent");
}

/// Watches the sequence once. Returns which picture each frame is, by its number, and all results.
fn watch(server: &Server, pictures: &[(Vec<u8>, Truth)]) -> (HashMap<u64, usize>, Vec<Value>) {
    let numbers: HashMap<_, _> = pictures.iter().enumerate().map(|(at, (jpeg, _))| (jpeg.as_slice(), at)).collect();
    let is_over = AtomicBool::new(false);
    let started = Instant::now();
    thread::scope(|scope| {
        let results = scope.spawn(|| {
            let mut viewer = Viewer::watch(server.address, "/results/front?format=lines");
            let mut entries = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let chunk = String::from_utf8(viewer.chunk()).unwrap();
                entries.extend(chunk.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()));
            }
            entries
        });
        let mut viewer = Viewer::watch(server.address, "/stream/front");
        let mut seen = HashMap::new();
        let mut last = 0;
        while last + 2 < pictures.len() {
            assert!(started.elapsed() < DETECTOR_TIME, "the sequence does not end");
            let part = viewer.part();
            let at = numbers[part.jpeg.as_slice()];
            // Only the first time.
            if at < last && last > pictures.len() / 2 {
                break;
            }
            last = at;
            seen.insert(part.sequence(), at);
        }
        // The last results are late.
        thread::sleep(Duration::from_millis(200));
        is_over.store(true, Ordering::Relaxed);
        (seen, results.join().unwrap())
    })
}
