//! Clients that read filtered cameras in every way that there is, and check each picture.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hotshoe_test_support::client::{Viewer, get};

use super::shown::{Hidden, LEFT_HALF, LOWER_RIGHT, Seen, look};

/// The camera with one filter. The guest knows its name.
pub(super) const SINGLE: &str = "emulated";

/// The camera with two filters.
pub(super) const PAIR: &str = "pair";

/// How long a client waits for its next request if there is no picture, or if there would be the same one again.
const PAUSE: Duration = Duration::from_millis(40);

/// A picture that a client has got, and what it may not see of it.
type Shown = (Vec<u8>, &'static [Hidden]);

/// What the viewers of a camera may not see.
pub(super) fn hidden(camera: &str) -> &'static [Hidden] {
    if camera == PAIR { &[LEFT_HALF, LOWER_RIGHT] } else { &[LEFT_HALF] }
}

/// The images of a clip.
fn images_of(clip: &[u8], hidden: &'static [Hidden]) -> Vec<Shown> {
    let starts: Vec<_> = (0..clip.len()).filter(|at| clip[*at..].starts_with(&[0xFF, 0xD8, 0xFF])).collect();
    let ends = starts.iter().skip(1).copied().chain([clip.len()]);
    starts.iter().zip(ends).map(|(start, end)| (clip[*start..end].to_vec(), hidden)).collect()
}

/// Clients, each in a thread of its own.
#[derive(Default)]
pub(super) struct Readers {
    readers: Vec<Reader>,
    stop: Arc<AtomicBool>,
    /// The number of the newest frame of the camera with one filter that a viewer has got.
    newest: Arc<AtomicU64>,
}

struct Reader {
    name: String,
    counts: Arc<Counts>,
    thread: JoinHandle<()>,
}

/// The pictures that a client has got and checked.
#[derive(Default)]
struct Counts {
    masked: AtomicU64,
    placeholders: AtomicU64,
}

impl Readers {
    /// Starts all clients. `own` receives the stream that a guest writes itself.
    pub(super) fn start(address: SocketAddr, mut own: Viewer) -> Self {
        let mut readers = Self::default();
        readers.add("what a guest reads".to_owned(), move || vec![(own.chunk(), hidden(SINGLE))]);
        for camera in [SINGLE, PAIR] {
            let (mut viewer, newest) = (Viewer::watch(address, &format!("/stream/{camera}")), readers.newest.clone());
            readers.add(format!("/stream/{camera}"), move || {
                let part = viewer.part();
                if let (SINGLE, Some(sequence)) = (camera, part.header("x-sequence")) {
                    newest.store(sequence.parse().unwrap(), Ordering::Relaxed);
                }
                vec![(part.jpeg, hidden(camera))]
            });
            let path = format!("/snapshot/{camera}");
            readers.add(path.clone(), move || {
                thread::sleep(PAUSE);
                let reply = get(address, &path);
                // Without a picture, there is none to check.
                if reply.status == 200 { vec![(reply.body, hidden(camera))] } else { Vec::new() }
            });
            let path = format!("/clip/{camera}?seconds=0.5");
            readers.add(path.clone(), move || {
                thread::sleep(4 * PAUSE);
                let reply = get(address, &path);
                // Before two frames have passed the filters, there is none.
                if reply.status == 200 { images_of(&reply.body, hidden(camera)) } else { Vec::new() }
            });
        }
        let mut all = Viewer::watch(address, "/pictures");
        readers.add("/pictures".to_owned(), move || {
            let part = all.part();
            let hidden = hidden(part.header("x-camera").unwrap());
            vec![(part.jpeg, hidden)]
        });
        let mut event = 1;
        readers.add("/events/ID.jpg".to_owned(), move || {
            let reply = get(address, &format!("/events/{event}.jpg"));
            if reply.status != 200 {
                thread::sleep(PAUSE);
                return Vec::new();
            }
            event += 1;
            vec![(reply.body, hidden(SINGLE))]
        });
        readers
    }

    /// Starts a client. `next` returns the next pictures, and may block.
    fn add(&mut self, name: String, mut next: impl FnMut() -> Vec<Shown> + Send + 'static) {
        let (counts, stop) = (Arc::<Counts>::default(), self.stop.clone());
        let (reader, counted) = (name.clone(), counts.clone());
        let thread = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                for (jpeg, hidden) in next() {
                    let count = match look(&jpeg, hidden) {
                        Ok(Seen::Masked) => &counted.masked,
                        Ok(Seen::Placeholder) => &counted.placeholders,
                        Err(error) => panic!("{reader}: {error}"),
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        self.readers.push(Reader { name, counts, thread });
    }

    /// The number of the newest frame of the camera with one filter that a viewer has got.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }

    /// The placeholders that the viewer of a camera has got.
    pub(super) fn placeholders(&self, camera: &str) -> u64 {
        let name = format!("/stream/{camera}");
        let reader = self.readers.iter().find(|reader| reader.name == name).unwrap();
        reader.counts.placeholders.load(Ordering::Relaxed)
    }

    /// Panics if a client has seen what it must not see.
    pub(super) fn assert_running(&self) {
        for reader in &self.readers {
            assert!(!reader.thread.is_finished(), "{} has ended; its message is above", reader.name);
        }
    }

    /// Stops all clients. Panics if one has seen what it must not see, or no picture at all. Returns a line for each.
    pub(super) fn stop(self) -> String {
        self.stop.store(true, Ordering::Relaxed);
        let line = |Reader { name, counts, thread }: Reader| {
            thread.join().unwrap();
            let [masked, placeholders] =
                [&counts.masked, &counts.placeholders].map(|count| count.load(Ordering::Relaxed));
            assert!(masked > 0, "{name} has got no picture");
            format!("{name}: {masked} masked pictures, {placeholders} placeholders\n")
        };
        self.readers.into_iter().map(line).collect()
    }
}
