//! `/results`: attaches results, and reads them and the event that follows.

use crate::MILLISECOND;
use crate::hotshoe::camera::cameras::Feed;
use crate::hotshoe::server::events::{Watcher, get_image, list_events};
use crate::hotshoe::server::results::{BoundingBox, ErrorCode, Findings, Number, Reader, Text, attach, get_entry};

/// Returns what was read, in one line.
pub async fn attach_and_read() -> String {
    let feed = Feed::open("emulated").unwrap();
    let reader = Reader::open("emulated").unwrap();
    let events = Watcher::new();
    let face = BoundingBox { label: "face".into(), score: 0.75, left: 0.5, top: 0.5, width: 2.0, height: 0.25 };
    let mut read = String::new();
    // An event begins with the third.
    for _ in 0..3 {
        let frame = feed.wait_next(4_000 * MILLISECOND).await.unwrap().unwrap();
        let findings = Findings {
            boxes: vec![face.clone()],
            numbers: vec![Number { name: "lux".into(), value: 1.5 }],
            texts: vec![Text { name: "plate".into(), value: "A".into() }],
        };
        attach("emulated", frame.sequence, &findings, Some(&frame.image)).unwrap();
        let entry = reader.wait_next(4_000 * MILLISECOND).await.unwrap();
        assert_eq!((entry.sequence, entry.monotonic_time), (frame.sequence, frame.monotonic_time));
        assert_eq!(get_entry("emulated", entry.sequence).unwrap().unwrap().sequence, entry.sequence);
        let Findings { boxes, numbers, texts } = entry.findings;
        read = format!("{} {} {} {}", boxes[0].label, boxes[0].width, numbers[0].value, texts[0].value);
    }
    assert!(reader.next().is_none() && reader.wait_next(MILLISECOND).await.is_none());
    let refused = attach("emulated", u64::MAX, &Findings { boxes: vec![], numbers: vec![], texts: vec![] }, None);
    assert!(matches!(refused, Err(ErrorCode::UnknownFrame)));
    events.wait_changed().await;
    let begun = &list_events()[0];
    let image = get_image(begun.id).unwrap().unwrap();
    format!("{read}, event {} of {} with {} bytes", begun.id, begun.label, image.info().length)
}
