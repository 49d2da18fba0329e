//! The publisher. What it does depends on the name of the channel.

use std::rc::Rc;

use wit_bindgen::spawn_local;

use crate::exports::hotshoe::server::publisher::{Channel, Guest};
use crate::hotshoe::camera::cameras::Feed;
use crate::hotshoe::server::channels::{HeadPiece, ViewerOptions, count_viewers, join};
use crate::{Component, MILLISECOND, spin, wait_for};

impl Guest for Component {
    async fn publish(channel: Channel) {
        let name = channel.name();
        match name.as_str() {
            "camera" => camera(&channel).await,
            "frames" => frames(channel).await,
            "pieces" => pieces(&channel).await,
            "too-much" => too_much(&channel).await,
            "silent" => wait_for(3_600_000 * MILLISECOND).await,
            "nothing" => panic!("out of ink"),
            "returns" => tick(&channel, 3).await,
            "traps" => {
                tick(&channel, 3).await;
                panic!("out of paper");
            }
            "spins" => {
                tick(&channel, 3).await;
                spin();
            }
            "yields" => {
                push(&channel, "begun\n");
                loop {
                    wit_bindgen::yield_async().await;
                }
            }
            "leaks" => {
                tick(&channel, 3).await;
                loop {
                    std::mem::forget(crate::wit_stream::new::<u8>());
                }
            }
            "large" => {
                let error = channel.push(&vec![b'x'; 5 << 20], None, b"").unwrap_err();
                push(&channel, &format!("{error:?}.\n"));
                wait_for(500 * MILLISECOND).await;
                tick(&channel, 3).await;
                let _ = channel.push(&vec![b'x'; 9 << 20], None, b"");
            }
            "feeds" => {
                let feeds: Vec<_> = (0..).map_while(|_| Feed::open("emulated").ok()).collect();
                push(&channel, &format!("{} feeds.\n", feeds.len()));
                wait_for(3_600_000 * MILLISECOND).await;
            }
            "itself" => {
                // A viewer of its own channel, which then never has none.
                let options = ViewerOptions { opening: vec![], closing: vec![], max_rate: None, label: String::new() };
                let stream = join("itself", &options).unwrap();
                push(&channel, &format!("{} viewers.\n", count_viewers("itself")));
                wait_for(3_600_000 * MILLISECOND).await;
                drop(stream);
            }
            _ => tick(&channel, u64::MAX).await,
        }
    }
}

/// Pushes this many parts.
async fn tick(channel: &Channel, count: u64) {
    for number in 0..count {
        push(channel, &format!("{} {number}.\n", channel.name()));
        wait_for(20 * MILLISECOND).await;
    }
}

fn push(channel: &Channel, text: &str) {
    // In two pieces.
    let (head, tail) = text.split_at(1);
    channel.push(head.as_bytes(), None, tail.as_bytes()).unwrap();
}

/// Lets the host push the frames of the camera. Meanwhile, tries to do so twice, and pushes parts with the outcome.
async fn frames(channel: Channel) {
    let channel = Rc::new(channel);
    spawn_local({
        let channel = channel.clone();
        async move {
            wait_for(100 * MILLISECOND).await;
            let feed = Feed::open("emulated").unwrap();
            let error = channel.push_frames(&feed, Vec::new(), Vec::new(), MILLISECOND).await.unwrap_err();
            loop {
                push(&channel, &format!("{error:?}\n"));
                wait_for(20 * MILLISECOND).await;
            }
        }
    });
    let feed = Feed::open("emulated").unwrap();
    loop {
        let head = vec![HeadPiece::Bytes(b"frame ".to_vec()), HeadPiece::Sequence, HeadPiece::Bytes(b"\n".to_vec())];
        let _ = channel.push_frames(&feed, head, b"\n".to_vec(), 1_000 * MILLISECOND).await.unwrap();
    }
}

/// Lets the host push a frame of a slow camera with all pieces of a head, and pushes it again. Meanwhile it takes as many
/// images as it gets.
async fn pieces(channel: &Channel) {
    spawn_local(async {
        // Not before the frame is pushed.
        wait_for(200 * MILLISECOND).await;
        let newest = || Feed::open("emulated").unwrap().next();
        let _held: Vec<_> = std::iter::from_fn(|| newest().ok()).collect();
        wait_for(u64::MAX).await;
    });
    let text = |text: &str| HeadPiece::Bytes(text.into());
    let head = vec![
        text("n="),
        HeadPiece::Sequence,
        text(" l="),
        HeadPiece::Length,
        text(" t="),
        HeadPiece::WallTime,
        text("\n"),
    ];
    let feed = Feed::open("emulated").unwrap();
    let last = channel.push_frames(&feed, head, b"tail".to_vec(), 500 * MILLISECOND).await.unwrap().unwrap();
    channel.push(b"again\n", Some(&last.image), b"tail").unwrap();
    wait_for(u64::MAX).await;
}

/// Exceeds each limit of `push-frames`, and pushes the errors.
async fn too_much(channel: &Channel) {
    let feed = Feed::open("emulated").unwrap();
    let bytes = |length: usize| HeadPiece::Bytes(vec![b'a'; length]);
    let mut errors = String::new();
    for head in [vec![bytes((4 << 20) + 1)], vec![bytes(1); 65]] {
        let error = channel.push_frames(&feed, head, Vec::new(), MILLISECOND).await.unwrap_err();
        errors += &format!("{error:?}; ");
    }
    let newest = || Feed::open("emulated").unwrap().next();
    let _held: Vec<_> = std::iter::from_fn(|| newest().ok()).collect();
    let error = channel.push_frames(&feed, Vec::new(), Vec::new(), MILLISECOND).await.unwrap_err();
    push(channel, &format!("{errors}{error:?}"));
    wait_for(u64::MAX).await;
}

/// Pushes the frames of the camera.
async fn camera(channel: &Channel) {
    let feed = Feed::open("emulated").unwrap();
    loop {
        let Ok(Some(frame)) = feed.wait_next(1_000 * MILLISECOND).await else { continue };
        let length = frame.image.info().length;
        let head = format!("Content-Type: image/jpeg\r\nContent-Length: {length}\r\nX-Timestamp: 0.000000\r\n\r\n");
        channel.push(head.as_bytes(), Some(&frame.image), b"\r\n--frame\r\n").unwrap();
    }
}
