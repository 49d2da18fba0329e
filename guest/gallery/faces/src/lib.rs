//! Finds faces in the pictures of cameras, and attaches boxes with the label `face` to the frames. It works beside any
//! guest: `--wrap faces.wasm`.
//!
//! The detector is SeetaFace, a cascade of classifiers, in the Rust of the package `rustface`. It looks at pictures of
//! half the width and height, one after the other: while it works on one, it misses others, and the stream does not wait.
//!
//! | variable | |
//! | --- | --- |
//! | `FACES_CAMERAS` | the cameras, separated by blanks; by default all |
//! | `FACES_SIZE` | the smallest face, as a share of the height of the picture, by default 0.1 |

use bindings::exports::hotshoe::server::worker::Guest;
use bindings::hotshoe::camera::cameras::{Feed, Frame, list_cameras};
use bindings::hotshoe::camera::frames::Dimensions;
use bindings::hotshoe::camera::pixels::{Format, Scale, decode};
use bindings::hotshoe::server::results::{BoundingBox, Findings, attach};
use bindings::wasi::io::poll::poll;
use rustface::{Detector, FaceInfo, ImageData};

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit/server",
        world: "hotshoe:server/guest-companion",
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);

static MODEL: &[u8] = include_bytes!(env!("FACE_MODEL"));

/// The smallest face that the model knows, in pixels.
const MODEL_SIZE: u32 = 20;

/// The least certain faces, in the units of the model.
const MIN_SCORE: f64 = 2.0;

/// The most faces of a frame. The host accepts 128 boxes.
const MAX_FACES: usize = 100;

impl Guest for Component {
    fn run() {
        let all = || list_cameras().into_iter().map(|camera| camera.name).collect();
        let cameras = options::words("FACES_CAMERAS").unwrap_or_else(all);
        let size = options::number("FACES_SIZE", 0.1, 0.0..=1.0);
        let open = |name| Feed::open(name).unwrap_or_else(|error| panic!("FACES_CAMERAS={name}: {error}"));
        let feeds: Vec<_> = cameras.iter().map(|name| (name, open(name))).collect();
        assert!(!feeds.is_empty(), "FACES_CAMERAS names no camera");
        let mut detector =
            rustface::create_detector_with_model(rustface::read_model(MODEL).expect("the model is valid"));
        detector.set_score_thresh(MIN_SCORE);
        loop {
            let ready = {
                let pollables: Vec<_> = feeds.iter().map(|(_, feed)| feed.subscribe()).collect();
                poll(&pollables.iter().collect::<Vec<_>>())
            };
            for (camera, feed) in ready.into_iter().map(|index| &feeds[index as usize]) {
                if let Ok(Some(frame)) = feed.next()
                    && let Err(error) = look(&mut *detector, camera, &frame, size)
                {
                    eprintln!("frame {} of {camera}: {error}", frame.sequence);
                }
            }
        }
    }
}

/// Attaches the faces in a frame to it.
fn look(detector: &mut dyn Detector, camera: &str, frame: &Frame, size: f64) -> Result<(), String> {
    let picture = decode(&frame.image, Scale::Half, Format::Luma).map_err(|error| error.to_string())?;
    let Dimensions { width, height } = picture.info().dimensions;
    if width.min(height) < MODEL_SIZE {
        return Err("the picture is too small".to_owned());
    }
    let luma = picture.read(None).map_err(|error| error.to_string())?;
    detector.set_min_face_size(((size * f64::from(height)) as u32).max(MODEL_SIZE));
    let faces = detector.detect(&ImageData::new(&luma, width, height));
    let boxes = faces.iter().take(MAX_FACES).map(|face| to_box(face, width, height)).collect();
    let findings = Findings { boxes, numbers: vec![], texts: vec![] };
    attach(camera, frame.sequence, &findings, Some(&frame.image)).map_err(|error| error.to_string())
}

fn to_box(face: &FaceInfo, width: u32, height: u32) -> BoundingBox {
    let bounds = face.bbox();
    BoundingBox {
        label: "face".to_owned(),
        // The units of the model have no upper limit.
        score: 1.0 - (-face.score() / (2.0 * MIN_SCORE)).exp(),
        left: f64::from(bounds.x()) / f64::from(width),
        top: f64::from(bounds.y()) / f64::from(height),
        width: f64::from(bounds.width()) / f64::from(width),
        height: f64::from(bounds.height()) / f64::from(height),
    }
}
