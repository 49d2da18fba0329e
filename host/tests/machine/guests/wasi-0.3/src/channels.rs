//! Viewers: responses that join channels, and guests that use the streams in other ways.

use wit_bindgen::{StreamReader, StreamResult, spawn_local};

use crate::hotshoe::server::channels::{ErrorCode, ViewerOptions, count_viewers, join, join_all, list_viewers};
use crate::wasi::http::types::{Fields, Response};
use crate::{say, wit_future, wit_stream};

/// More than an instance may hold.
const MANY: usize = 300;

/// Answers `/channel/WHAT/NAME`.
pub async fn respond(path: &str) -> Response {
    let mut segments = path.split('/').skip(2);
    let what = segments.next().unwrap();
    let name = segments.next().unwrap_or_default();
    match what {
        "join" if name == "camera" => {
            let opening = b"--frame\r\n".to_vec();
            viewer(join(name, &ViewerOptions { opening, ..options("viewer") }).unwrap())
        }
        "join" => viewer(join(name, &options("viewer")).unwrap()),
        "join-all" => viewer(join_all(&names(name), &options("viewer")).unwrap()),
        "copy" => copied(join(name, &options("copy")).unwrap()),
        "slow" => read_slowly(join(name, &options("slow")).unwrap()).await,
        "rest" => {
            let mut stream = join(name, &options("rest")).unwrap();
            // The first byte of the opening.
            let (_, read) = stream.read(Vec::with_capacity(1)).await;
            assert_eq!(read, b"o");
            body(stream)
        }
        "drop" => {
            drop(join(name, &options("drop")).unwrap());
            text(&count_viewers(name).to_string())
        }
        "hold" => {
            // Held by a task that never ends.
            let stream = join(name, &options("hold")).unwrap();
            spawn_local(async move {
                crate::wait_for(3_600_000 * crate::MILLISECOND).await;
                drop(stream);
            });
            text("held")
        }
        "cancel" => {
            let mut stream = join(name, &options("cancel")).unwrap();
            {
                let mut read = std::pin::pin!(stream.read(Vec::with_capacity(100)));
                std::future::poll_fn(|context| {
                    assert!(read.as_mut().poll(context).is_pending(), "nobody pushes to this channel");
                    std::task::Poll::Ready(())
                })
                .await;
                let (result, read) = read.cancel();
                assert_eq!((result, read.len()), (StreamResult::Cancelled, 0));
            }
            drop(stream);
            text("cancelled")
        }
        "viewers" => {
            let labels: Vec<_> = list_viewers(name).into_iter().map(|viewer| viewer.label).collect();
            text(&format!("{} {labels:?}", count_viewers(name)))
        }
        "errors" => text(&errors()),
        "too-many" => text(&too_many()),
        _ => text("unknown"),
    }
}

fn names(names: &str) -> Vec<String> {
    names.split('+').map(str::to_owned).collect()
}

fn options(label: &str) -> ViewerOptions {
    let (opening, closing) = (b"opening\n".to_vec(), b"closing\n".to_vec());
    ViewerOptions { opening, closing, max_rate: None, label: label.to_owned() }
}

/// A response whose trailers never come if the host does not take over the stream.
fn viewer(contents: StreamReader<u8>) -> Response {
    let fields = Fields::new();
    fields.append("content-type", b"multipart/x-mixed-replace; boundary=frame").unwrap();
    let (never, trailers) = wit_future::new(|| Ok(None));
    let (response, sent) = Response::new(fields, Some(contents), trailers);
    spawn_local(async move {
        println!("sent: {}", sent.await.is_ok());
        drop(never);
    });
    response
}

fn body(contents: StreamReader<u8>) -> Response {
    let fields = Fields::new();
    fields.append("content-type", b"multipart/x-mixed-replace; boundary=frame").unwrap();
    let (_, trailers) = wit_future::new(|| Ok(None));
    Response::new(fields, Some(contents), trailers).0
}

fn text(text: &str) -> Response {
    let text = text.to_owned();
    let (mut writer, contents) = wit_stream::new();
    spawn_local(async move {
        say(&mut writer, &text).await;
    });
    let (_, trailers) = wit_future::new(|| Ok(None));
    Response::new(Fields::new(), Some(contents), trailers).0
}

/// Passes on what it reads, in upper case.
fn copied(mut stream: StreamReader<u8>) -> Response {
    let (mut writer, contents) = wit_stream::new();
    spawn_local(async move {
        loop {
            let (result, mut read) = stream.read(Vec::with_capacity(64)).await;
            read.make_ascii_uppercase();
            if !writer.write_all(read).await.is_empty() || matches!(result, StreamResult::Dropped) {
                return;
            }
        }
    });
    body(contents)
}

/// Reads the first part, and another one after a second. Answers with both.
async fn read_slowly(mut stream: StreamReader<u8>) -> Response {
    let mut parts = Vec::new();
    for _ in 0..2 {
        let start = parts.len();
        while !parts[start..].ends_with(b".\n") {
            let (_, read) = stream.read(Vec::with_capacity(64)).await;
            parts.extend(read);
        }
        crate::wait_for(1_000 * crate::MILLISECOND).await;
    }
    text(&String::from_utf8(parts).unwrap())
}

/// Every error of joining a channel, one on a line.
fn errors() -> String {
    let long = |opening: usize, label: usize| ViewerOptions {
        opening: vec![0; opening],
        label: "l".repeat(label),
        ..options("")
    };
    let failures = [
        join("", &options("")),
        join("no spaces", &options("")),
        join(&"n".repeat(65), &options("")),
        join("tick", &long(0, 65)),
        join("tick", &long(65_536, 0)),
        join_all(&[], &options("")),
        join_all(&names("tick+no spaces"), &options("")),
    ];
    failures.into_iter().map(|result| format!("{:?}\n", result.err().unwrap())).collect()
}

/// Holds streams until there are too many, of one channel and of many.
fn too_many() -> String {
    let refused = |names: &mut dyn Iterator<Item = String>| {
        let mut streams = Vec::new();
        for name in names {
            match join(&name, &options("")) {
                Ok(stream) => streams.push(stream),
                Err(error) => return (error, streams.len()),
            }
        }
        panic!("{} streams were not too many", streams.len());
    };
    let streams: (ErrorCode, usize) = refused(&mut std::iter::repeat_n("tick".to_owned(), MANY));
    let channels = refused(&mut (0..MANY).map(|number| format!("idle-{number}")));
    format!("{streams:?} {channels:?}")
}
