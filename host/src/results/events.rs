//! Events: when something came into the picture, and when it left.
//!
//! Boxes with the same label form an event if there are several within a short time. It ends when there was none for a
//! longer time. So a single false result begins no event, and a single missed one ends none.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::sleep;

use super::entries::Entry;
use crate::camera::frame::monotonic_now;
use crate::camera::{JpegImage, Timestamp};

/// The number of frames with a box of the same label after which an event begins.
const BEGIN_SIGHTINGS: u32 = 3;

/// An event ends when there was no box with its label for this long. Sightings that are further apart do not belong to
/// the same event. Long enough for a detector that looks at one frame per second and misses one.
pub const END_AFTER: Duration = Duration::from_secs(3);

/// The most events that are kept, with those that continue.
pub const MAX_EVENTS: usize = 128;

/// The most labels of all cameras that are followed at the same time. Boxes with further labels begin no events.
pub const MAX_LABELS: usize = 64;

/// The most bytes of images that are kept for events.
pub const MAX_IMAGE_BYTES: usize = 64 << 20;

/// An event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number, from 1.
    pub id: u64,
    /// The name of the camera.
    pub camera: String,
    /// The label of the boxes.
    pub label: String,
    /// When the first frame with such a box was captured.
    pub begin: SystemTime,
    /// When the last frame with such a box was captured. `None` while the event continues.
    pub end: Option<SystemTime>,
    /// The number of the best frame.
    pub best_sequence: u64,
    /// Its score.
    pub best_score: f64,
    /// The best frame, unless the camera no longer had it, or it had to make room.
    image: Option<JpegImage>,
}

/// A label of a camera that was seen a short time ago.
#[derive(Debug)]
struct Label {
    event: Event,
    sightings: u32,
    /// When the last frame with such a box was captured. Frames are ordered by the monotonic time: the time of day can be
    /// set back.
    last_capture: Timestamp,
    /// The monotonic time at which its results arrived, which also counts for detectors that are late.
    last_seen: Duration,
}

impl Label {
    fn has_begun(&self) -> bool {
        self.event.id > 0
    }
}

#[derive(Debug, Default)]
struct State {
    labels: Vec<Label>,
    /// Events that have ended, in the order of their ends.
    ended: VecDeque<Event>,
    last_id: u64,
}

/// The events of all cameras.
#[derive(Debug, Default)]
pub(super) struct Events {
    state: Mutex<State>,
    /// Counts beginnings and ends.
    changes: watch::Sender<u64>,
}

impl Events {
    /// Takes the results of a frame into account. `image` returns the picture to keep if the frame is the best one.
    pub(super) fn observe(&self, camera: &str, entry: &Entry, image: impl FnOnce() -> Option<JpegImage>) {
        self.observe_at(camera, entry, image, monotonic_now());
    }

    fn observe_at(&self, camera: &str, entry: &Entry, image: impl FnOnce() -> Option<JpegImage>, now: Duration) {
        let mut state = self.state();
        let mut changes = state.expire(now);
        // Looked up once, even if several labels need it.
        let mut image = LazyImage::Unknown(Some(image));
        for (index, found) in entry.findings.boxes.iter().enumerate() {
            let same = |other: &&super::findings::BoundingBox| other.label == found.label;
            if entry.findings.boxes.iter().take(index).any(|other| same(&other)) {
                continue;
            }
            let score = entry.findings.boxes.iter().filter(same).map(|other| other.score).fold(0.0, f64::max);
            changes += state.sight(camera, &found.label, entry, score, &mut image, now);
        }
        state.limit_images();
        drop(state);
        self.count(changes);
    }

    /// Returns all events that are kept.
    pub(super) fn list(&self) -> Vec<Event> {
        self.expire();
        let state = self.state();
        let continuing = state.labels.iter().filter(|label| label.has_begun()).map(|label| &label.event);
        let mut events: Vec<_> = state.ended.iter().chain(continuing).cloned().collect();
        events.sort_unstable_by_key(|event| event.id);
        events
    }

    /// Returns how many events have begun so far.
    pub(super) fn count_begun(&self) -> u64 {
        self.state().last_id
    }

    /// Returns the image of an event.
    pub(super) fn image(&self, id: u64) -> Option<JpegImage> {
        let state = self.state();
        let mut events = state.ended.iter().chain(state.labels.iter().map(|label| &label.event));
        // 0 is the number of those that have not begun.
        events.find(|event| event.id == id && id > 0)?.image.clone()
    }

    /// Ends the events whose time has come. Returns how long until the next one may end.
    fn expire(&self) -> Option<Duration> {
        let now = monotonic_now();
        let mut state = self.state();
        let changes = state.expire(now);
        let next = state.labels.iter().map(|label| (label.last_seen + END_AFTER).saturating_sub(now)).min();
        drop(state);
        self.count(changes);
        next
    }

    fn count(&self, changes: u64) {
        if changes > 0 {
            self.changes.send_modify(|count| *count += changes);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that runs under the lock can leave the data inconsistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends the events whose labels were not seen for [`END_AFTER`]. Returns how many.
    fn expire(&mut self, now: Duration) -> u64 {
        let ended = self.labels.extract_if(.., |label| label.last_seen + END_AFTER <= now);
        let ended =
            ended.filter(Label::has_begun).map(|label| Event { end: Some(label.last_capture.wall), ..label.event });
        let before = self.ended.len();
        self.ended.extend(ended);
        let count = self.ended.len() - before;
        self.ended.drain(..self.ended.len().saturating_sub(MAX_EVENTS - MAX_LABELS));
        count as u64
    }

    /// Records that a label was seen. Returns 1 if an event begins.
    fn sight<F: FnOnce() -> Option<JpegImage>>(
        &mut self,
        camera: &str,
        label: &str,
        entry: &Entry,
        score: f64,
        image: &mut LazyImage<F>,
        now: Duration,
    ) -> u64 {
        let captured = entry.timestamp;
        let is_full = self.labels.len() >= MAX_LABELS;
        let found = self.labels.iter_mut().find(|found| found.event.camera == camera && found.event.label == label);
        let Some(found) = found else {
            if !is_full {
                let event = Event {
                    id: 0,
                    camera: camera.to_owned(),
                    label: label.to_owned(),
                    begin: captured.wall,
                    end: None,
                    best_sequence: entry.sequence,
                    best_score: score,
                    image: image.get(),
                };
                self.labels.push(Label { event, sightings: 1, last_capture: captured, last_seen: now });
            }
            return 0;
        };
        // A frame can get results several times, and frames can get them in any order.
        if captured.monotonic > found.last_capture.monotonic {
            found.sightings = found.sightings.saturating_add(1);
            found.last_capture = captured;
        }
        found.last_seen = now;
        if score > found.event.best_score {
            (found.event.best_sequence, found.event.best_score) = (entry.sequence, score);
            found.event.image = image.get();
        }
        if found.has_begun() || found.sightings < BEGIN_SIGHTINGS {
            return 0;
        }
        self.last_id += 1;
        found.event.id = self.last_id;
        1
    }

    /// Drops the images of the oldest events until the others fit into [`MAX_IMAGE_BYTES`].
    fn limit_images(&mut self) {
        let mut left = MAX_IMAGE_BYTES;
        let continuing = self.labels.iter_mut().rev().map(|label| &mut label.event);
        for event in continuing.chain(self.ended.iter_mut().rev()) {
            let length = event.image.as_ref().map_or(0, |image| image.bytes.len());
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => event.image = None,
            }
        }
    }
}

/// An image that is looked up when it is first needed.
enum LazyImage<F> {
    Unknown(Option<F>),
    Known(Option<JpegImage>),
}

impl<F: FnOnce() -> Option<JpegImage>> LazyImage<F> {
    fn get(&mut self) -> Option<JpegImage> {
        if let Self::Unknown(look_up) = self {
            *self = Self::Known(look_up.take().and_then(|look_up| look_up()));
        }
        match self {
            Self::Known(image) => image.clone(),
            Self::Unknown(_) => None,
        }
    }
}

/// The beginnings and ends of events since this was created.
#[derive(Clone)]
pub struct EventChanges {
    events: Arc<Events>,
    changes: watch::Receiver<u64>,
    has_changed: bool,
}

impl EventChanges {
    pub(super) fn new(events: Arc<Events>) -> Self {
        let changes = events.changes.subscribe();
        Self { events, changes, has_changed: false }
    }

    /// Returns those after the one that [`ready`](Self::ready) has waited for.
    pub fn reported(self) -> Self {
        Self { has_changed: false, ..self }
    }

    /// Waits until there is one. Completes at once afterwards. Cancel-safe.
    pub async fn ready(&mut self) {
        while !self.has_changed {
            let next = self.events.expire();
            let ends = async {
                match next {
                    Some(next) => sleep(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Cannot fail: `self.events` holds the sender.
                _ = self.changes.changed() => self.has_changed = true,
                () = ends => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use bytes::Bytes;

    use super::*;
    use crate::results::entries::Entries;
    use crate::results::findings::{BoundingBox, Findings};

    const SECOND: Duration = Duration::from_secs(1);

    /// Lets a label with this score be seen in the frame that was captured at this second, whose number is the second.
    fn see(events: &Events, second: u64, label: &str, score: f64) {
        see_at(events, second, UNIX_EPOCH + SECOND * second as u32, label, score);
    }

    /// The same, at another time of day.
    fn see_at(events: &Events, second: u64, wall: SystemTime, label: &str, score: f64) {
        let boxed = |label: &str, score| BoundingBox {
            label: label.into(),
            score,
            left: 0.0,
            top: 0.0,
            width: 1.0,
            height: 1.0,
        };
        let boxes = if label.is_empty() { vec![] } else { vec![boxed(label, score / 2.0), boxed(label, score)] };
        let at = SECOND * second as u32;
        let timestamp = Timestamp { monotonic: at, wall };
        let findings = Findings { boxes, ..Findings::default() };
        let entry = Entries::default().attach(second, timestamp, findings, 1).unwrap().unwrap();
        let image = || JpegImage::new(Bytes::from_static(include_bytes!("../../../frames/1.jpg"))).ok();
        events.observe_at("front", &entry, image, at);
    }

    /// The label, begin, end and best frame of each event, without ending any because of the time now.
    fn list(events: &Events) -> Vec<(String, u64, Option<u64>, u64)> {
        let state = events.state();
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let begun = state.labels.iter().filter(|label| label.has_begun()).map(|label| &label.event);
        let all = state.ended.iter().chain(begun);
        all.map(|event| (event.label.clone(), seconds(event.begin), event.end.map(seconds), event.best_sequence))
            .collect()
    }

    #[test]
    fn an_event_begins_with_the_third_sighting_and_ends_after_three_seconds_without() {
        let events = Events::default();
        see(&events, 1, "face", 0.5);
        see(&events, 2, "face", 0.9);
        assert!(list(&events).is_empty());
        see(&events, 4, "face", 0.9);
        assert_eq!(list(&events), [("face".into(), 1, None, 2)], "the first of the best frames");
        see(&events, 6, "", 0.0);
        assert_eq!(list(&events), [("face".into(), 1, None, 2)], "a missed face");
        see(&events, 7, "", 0.0);
        assert_eq!(list(&events), [("face".into(), 1, Some(4), 2)]);
        assert_eq!(*events.changes.borrow(), 2, "a beginning and an end");
        assert!(events.image(1).is_some() && events.image(0).is_none() && events.image(2).is_none());
    }

    #[test]
    fn an_event_begins_and_ends_while_the_time_of_day_is_set_back() {
        let events = Events::default();
        let hour = UNIX_EPOCH + SECOND * 3600;
        see_at(&events, 1, hour, "face", 0.5);
        for second in 2..5 {
            see(&events, second, "face", 0.5);
        }
        assert_eq!(list(&events), [("face".into(), 3600, None, 1)]);
        see(&events, 7, "", 0.0);
        assert_eq!(list(&events), [("face".into(), 3600, Some(4), 1)], "with the times of day of its frames");
    }

    #[test]
    fn results_that_are_attached_to_the_same_frame_count_once() {
        let events = Events::default();
        for _ in 0..5 {
            see(&events, 1, "face", 0.5);
        }
        assert!(list(&events).is_empty());
    }

    #[test]
    fn sightings_that_are_far_apart_begin_no_event() {
        let events = Events::default();
        for second in [1, 4, 7, 10, 13] {
            see(&events, second, "face", 0.5);
        }
        assert!(list(&events).is_empty());
    }

    #[test]
    fn events_labels_and_images_are_bounded() {
        let events = Events::default();
        for round in 0..300 {
            (0..3).for_each(|second| see(&events, round * 10 + second, "face", 0.5));
        }
        assert_eq!(list(&events).len(), MAX_EVENTS - MAX_LABELS + 1);
        for label in 0..MAX_LABELS + 5 {
            see(&events, 2992, &label.to_string(), 0.5);
        }
        assert_eq!(events.state().labels.len(), MAX_LABELS);
        let mut state = events.state();
        let mut large = JpegImage::new(Bytes::from_static(include_bytes!("../../../frames/1.jpg"))).unwrap();
        large.bytes = Bytes::from(vec![0; MAX_IMAGE_BYTES / 2]);
        state.ended.iter_mut().for_each(|event| event.image = Some(large.clone()));
        state.labels.iter_mut().for_each(|label| label.event.image = None);
        state.limit_images();
        let kept: Vec<_> = state.ended.iter().map(|event| event.image.is_some()).collect();
        assert_eq!(kept.iter().filter(|kept| **kept).count(), 2);
        assert!(kept.ends_with(&[true, true]), "those of the newest events");
    }
}
