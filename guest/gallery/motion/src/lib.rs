//! Finds what moves in the pictures of cameras, and attaches boxes with the label `motion` to the frames. It works
//! beside any guest: `--wrap motion.wasm`.
//!
//! The environment variable `MOTION` has the cameras, separated by blanks, each with options:
//! `front?zones=0x0.5_1x0.5_1x1_0x1&sensitivity=70 yard`. Without it, all cameras are watched.

use areas::{Polygon, covered};
use bindings::exports::hotshoe::server::worker::Guest;
use bindings::hotshoe::camera::cameras::{Feed, Frame, list_cameras};
use bindings::hotshoe::camera::frames::Dimensions;
use bindings::hotshoe::camera::pixels::{ErrorCode, Format, Scale, decode};
use bindings::hotshoe::server::results::{BoundingBox, Corner, Findings, Number, attach, set_zones};
use bindings::wasi::io::poll::poll;
use motion_detector::{Detector, Found};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit/server",
        world: "hotshoe:server/guest-companion",
        generate_all,
    });
}

/// The label of boxes and zones.
const LABEL: &str = "motion";

/// The most boxes of a frame. More is a storm.
const MAX_BOXES: usize = 32;

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn run() {
        let all = || list_cameras().into_iter().map(|camera| camera.name).collect();
        let cameras = options::words("MOTION").unwrap_or_else(all);
        let mut watched: Vec<_> = cameras.iter().map(|text| Watched::new(text)).collect();
        assert!(!watched.is_empty(), "MOTION names no camera");
        loop {
            let ready = {
                let pollables: Vec<_> = watched.iter().map(|watched| watched.feed.subscribe()).collect();
                poll(&pollables.iter().collect::<Vec<_>>())
            };
            for index in ready {
                watched[index as usize].look();
            }
        }
    }
}

/// A camera.
struct Watched {
    camera: String,
    feed: Feed,
    zones: Vec<Polygon>,
    /// The smallest difference in luma that counts.
    threshold: f32,
    /// The smallest share of the picture that counts.
    min_size: f64,
    /// The detector with the size of its pictures and the time of the last one, in nanoseconds.
    detector: Option<(Detector, Dimensions, u64)>,
}

impl Watched {
    fn new(text: &str) -> Self {
        let (camera, options) = text.split_once('?').unwrap_or((text, ""));
        let feed = Feed::open(camera).unwrap_or_else(|error| panic!("MOTION={text}: {error}"));
        let (mut zones, mut sensitivity, mut min_size) = (Vec::new(), 50.0, 0.001);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let number = || value.parse::<f64>().ok().filter(|number| (0.0..=100.0).contains(number));
            match (name, number()) {
                ("zones", _) => zones = Polygon::parse_all(value),
                ("sensitivity", Some(number)) => sensitivity = number,
                ("size", Some(percent)) => min_size = percent / 100.0,
                _ => panic!("MOTION={text}: use zones=AREAS, and sensitivity= and size= from 0 to 100"),
            }
        }
        // The page shows where motion counts.
        let corners = |zone: &Polygon| zone.corners().iter().map(|&(x, y)| Corner { x, y }).collect();
        if let Err(error) = set_zones(camera, LABEL, &zones.iter().map(corners).collect::<Vec<_>>()) {
            panic!("MOTION={text}: {error}");
        }
        // From 4, which is little more than noise, to 64 of 255.
        let threshold = 4.0 * 2_f64.powf((100.0 - sensitivity) / 25.0);
        Self { camera: camera.to_owned(), feed, zones, threshold: threshold as f32, min_size, detector: None }
    }

    fn look(&mut self) {
        let Ok(Some(frame)) = self.feed.next() else { return };
        let decode = || {
            let picture = decode(&frame.image, Scale::Eighth, Format::Luma)?;
            Ok::<_, ErrorCode>((picture.info().dimensions, picture.read(None)?))
        };
        match decode() {
            Ok((size, luma)) => self.compare(&frame, size, &luma),
            Err(error) => eprintln!("frame {} of {}: {error}", frame.sequence, self.camera),
        }
    }

    fn compare(&mut self, frame: &Frame, size: Dimensions, luma: &[u8]) {
        let Dimensions { width, height } = size;
        let found = match &mut self.detector {
            Some((detector, known, last)) if known.width == size.width && known.height == size.height => {
                let nanoseconds = frame.monotonic_time.saturating_sub(std::mem::replace(last, frame.monotonic_time));
                detector.look(luma, nanoseconds as f32 / 1e9)
            }
            _ => {
                // Without zones, motion counts everywhere.
                let everywhere = || vec![true; luma.len()];
                let zone = if self.zones.is_empty() { everywhere() } else { covered(&self.zones, width, height) };
                let min_pixels = (self.min_size * luma.len() as f64) as usize;
                let detector = Detector::new(luma, width as usize, zone, self.threshold, min_pixels);
                self.detector = Some((detector, size, frame.monotonic_time));
                Vec::new()
            }
        };
        let share = |pixels: usize, of: u32| pixels as f64 / f64::from(of);
        let area: f64 = found.iter().map(|f| share((f.right - f.left) * (f.bottom - f.top), width * height)).sum();
        let to_box = |found: &Found| BoundingBox {
            label: LABEL.to_owned(),
            score: found.score.into(),
            left: share(found.left, width),
            top: share(found.top, height),
            width: share(found.right - found.left, width),
            height: share(found.bottom - found.top, height),
        };
        let boxes = found.iter().take(MAX_BOXES).map(to_box).collect();
        let numbers = vec![Number { name: "moving".to_owned(), value: area }];
        if let Err(error) =
            attach(&self.camera, frame.sequence, &Findings { boxes, numbers, texts: vec![] }, Some(&frame.image))
        {
            eprintln!("frame {} of {}: {error}", frame.sequence, self.camera);
        }
    }
}
