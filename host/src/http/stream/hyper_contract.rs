//! What [this module](super) relies on in hyper, tested with real hyper on a recording I/O object.
//!
//! If one of these tests fails after an update, hyper has changed: do not pin the new version before the module works
//! with it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::server::conn::http1::Connection;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::http1;
use super::http1_io::explain;
use crate::buf_list::BufList;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Frames smaller and larger than hyper's buffer.
const SIZES: [usize; 6] = [1, 100, http1::BUFFER_SIZE - 1, http1::BUFFER_SIZE, 100_000, 7];

#[derive(Debug, PartialEq)]
enum Event {
    /// hyper wrote these bytes, in this number of slices.
    Write(Vec<u8>, usize),
    /// hyper tried to write, but the client accepted no bytes.
    WriteBlocked,
    Flush,
    Shutdown,
    /// The body returned a frame of this length.
    Frame(usize),
    BodyPending,
    BodyEnd,
}

/// What a connection and its body share with the test.
#[derive(Default)]
struct Shared {
    events: Vec<Event>,
    /// What the client has sent and hyper has not read.
    input: VecDeque<u8>,
    /// How many more bytes the client accepts.
    window: usize,
    /// What the body returns. `None` ends a body.
    frames: VecDeque<Option<Bytes>>,
    /// Whether writing fails.
    is_broken: bool,
}

/// One connection, polled by the test alone.
#[derive(Clone)]
struct Recorder(Arc<Mutex<Shared>>);

impl Recorder {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Shared { window: usize::MAX, ..Shared::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap()
    }

    fn send_request(&self) {
        self.lock().input.extend(REQUEST);
    }

    fn push_frame(&self, bytes: impl Into<Bytes>) {
        self.lock().frames.push_back(Some(bytes.into()));
    }

    fn end_body(&self) {
        self.lock().frames.push_back(None);
    }

    fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.lock().events)
    }

    /// Returns the future that serves the connection, for [`poll`].
    fn serve(&self) -> Pin<Box<impl Future<Output = hyper::Result<()>> + use<>>> {
        Box::pin(self.connection(false))
    }

    fn connection(&self, half_close: bool) -> Connection<TokioIo<Self>, impl ServesRecordedBody + use<>> {
        let recorder = self.clone();
        let service = service_fn(move |_: Request<Incoming>| {
            let body = RecordedBody(recorder.clone());
            ready(Ok::<_, Infallible>(Response::new(body)))
        });
        http1::builder().half_close(half_close).serve_connection(TokioIo::new(self.clone()), service)
    }
}

/// A service whose responses have a [`RecordedBody`].
trait ServesRecordedBody: HttpService<Incoming, ResBody = RecordedBody, Error = Infallible, Future: Unpin> {}

impl<S: HttpService<Incoming, ResBody = RecordedBody, Error = Infallible, Future: Unpin>> ServesRecordedBody for S {}

/// Polls a few times, as if the task was also woken without a reason.
fn poll<F: Future<Output = hyper::Result<()>>>(serving: &mut Pin<Box<F>>) -> Poll<hyper::Result<()>> {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..4 {
        if let Poll::Ready(result) = serving.as_mut().poll(&mut context) {
            return Poll::Ready(result);
        }
    }
    Poll::Pending
}

impl AsyncRead for Recorder {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.lock();
        if shared.input.is_empty() {
            return Poll::Pending;
        }
        let count = shared.input.len().min(buffer.remaining());
        buffer.put_slice(&shared.input.drain(..count).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut shared = self.lock();
        if shared.is_broken {
            return Poll::Ready(Err(io::Error::other("lent")));
        }
        if shared.window == 0 {
            shared.events.push(Event::WriteBlocked);
            return Poll::Pending;
        }
        let mut bytes = slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<_>>();
        bytes.truncate(shared.window);
        shared.window -= bytes.len();
        let count = bytes.len();
        shared.events.push(Event::Write(bytes, slices.iter().filter(|slice| !slice.is_empty()).count()));
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().events.push(Event::Flush);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().events.push(Event::Shutdown);
        Poll::Ready(Ok(()))
    }
}

/// A body that returns what the test pushed, and is pending otherwise.
struct RecordedBody(Recorder);

impl Body for RecordedBody {
    type Data = BufList;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<BufList>, Infallible>>> {
        let mut shared = self.0.lock();
        let (event, polled) = match shared.frames.pop_front() {
            Some(Some(frame)) => (Event::Frame(frame.len()), Poll::Ready(Some(Ok(Frame::data(frame.into()))))),
            Some(None) => (Event::BodyEnd, Poll::Ready(None)),
            None => (Event::BodyPending, Poll::Pending),
        };
        shared.events.push(event);
        polled
    }
}

fn written(events: &[Event]) -> Vec<u8> {
    let writes = events.iter().filter_map(|event| if let Event::Write(bytes, _) = event { Some(bytes) } else { None });
    writes.flatten().copied().collect()
}

/// Returns the lengths of the chunks in these bytes, which may begin with a head. Returns `None` if one is cut.
fn chunk_lengths(bytes: &[u8]) -> Option<Vec<usize>> {
    let mut rest = bytes;
    if bytes.starts_with(b"HTTP/1.1 200 OK\r\n") {
        rest = &bytes[bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4..];
    }
    let mut lengths = Vec::new();
    while !rest.is_empty() {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        rest = rest[line + 2..].get(length..)?.strip_prefix(b"\r\n")?;
        lengths.push(length);
    }
    Some(lengths)
}

#[tokio::test]
async fn hyper_flushes_only_when_it_has_written_everything() {
    for window in [499, 1000, 9000, 1 << 20] {
        let recorder = Recorder::new();
        recorder.send_request();
        recorder.lock().window = 0;
        SIZES.iter().for_each(|size| recorder.push_frame(vec![b'x'; *size]));
        let mut serving = recorder.serve();
        let mut events = Vec::new();
        while chunk_lengths(&written(&events)).is_none_or(|lengths| lengths != SIZES) {
            assert!(poll(&mut serving).is_pending());
            events.extend(recorder.take_events());
            recorder.lock().window += window;
        }
        assert!(events.contains(&Event::WriteBlocked));
        let flushes = events.iter().enumerate().filter(|(_, event)| **event == Event::Flush).map(|(index, _)| index);
        for before in flushes.map(|index| &events[..index]) {
            let frames = before.iter().filter_map(|event| match event {
                Event::Frame(size) => Some(*size),
                _ => None,
            });
            assert_eq!(chunk_lengths(&written(before)).unwrap(), frames.collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn hyper_writes_each_frame_as_one_whole_chunk_by_one_call() {
    let recorder = Recorder::new();
    recorder.send_request();
    let mut serving = recorder.serve();
    for size in SIZES {
        recorder.push_frame(vec![b'x'; size]);
        assert!(poll(&mut serving).is_pending());
        let events = recorder.take_events();
        let writes: Vec<_> = events.iter().filter(|event| matches!(event, Event::Write(..))).collect();
        assert_eq!(writes.len(), 1, "{size}");
        assert_eq!(chunk_lengths(&written(&events)).unwrap(), [size]);
    }
}

#[tokio::test]
async fn hyper_writes_nothing_while_the_body_is_pending() {
    let recorder = Recorder::new();
    recorder.send_request();
    let mut serving = recorder.serve();
    recorder.push_frame("part");
    assert!(poll(&mut serving).is_pending());
    recorder.take_events();
    // The client sends nothing, the next request, or garbage.
    for input in [&b""[..], REQUEST, b"\r\n\r\n\0\0\0\0"] {
        recorder.lock().input.extend(input);
        assert!(poll(&mut serving).is_pending());
        let events = recorder.take_events();
        assert!(events.iter().all(|event| matches!(event, Event::Flush | Event::BodyPending)), "{events:?}");
    }
}

#[tokio::test]
async fn hyper_polls_the_body_again_after_it_has_flushed_a_frame() {
    for size in SIZES {
        let recorder = Recorder::new();
        recorder.send_request();
        recorder.push_frame(vec![b'x'; size]);
        let mut serving = recorder.serve();
        assert!(serving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let events = recorder.take_events();
        let write = events.iter().rposition(|event| matches!(event, Event::Write(..))).unwrap();
        let flush = write + events[write..].iter().position(|event| *event == Event::Flush).unwrap();
        assert!(events[flush..].contains(&Event::BodyPending), "{events:?}");
    }
}

#[tokio::test]
async fn hyper_ends_the_response_with_the_last_chunk_and_serves_the_next_request() {
    let recorder = Recorder::new();
    let mut serving = recorder.serve();
    for closing in [None, Some("closing")] {
        recorder.send_request();
        recorder.push_frame("part");
        assert!(poll(&mut serving).is_pending());
        assert_eq!(chunk_lengths(&written(&recorder.take_events())).unwrap(), [4]);
        closing.into_iter().for_each(|closing| recorder.push_frame(closing));
        recorder.end_body();
        assert!(poll(&mut serving).is_pending());
        let events = recorder.take_events();
        let expected = if closing.is_some() { "7\r\nclosing\r\n0\r\n\r\n" } else { "0\r\n\r\n" };
        assert_eq!(written(&events), expected.as_bytes());
        let end = events.iter().position(|event| *event == Event::BodyEnd).unwrap();
        assert!(events[end..].contains(&Event::Flush) && !events.contains(&Event::Shutdown), "{events:?}");
    }
}

#[tokio::test]
async fn hyper_gives_back_all_bytes_after_the_request_when_the_connection_is_taken_out() {
    let recorder = Recorder::new();
    recorder.send_request();
    recorder.lock().input.extend(b"GET /next");
    recorder.push_frame("part");
    let mut serving = recorder.connection(true);
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut serving).poll(&mut context).is_pending());
    assert_eq!(chunk_lengths(&written(&recorder.take_events())).unwrap(), [4]);
    // With `half_close`, hyper leaves this for the next request.
    recorder.lock().input.extend(b" HTTP/1.1");
    assert!(Pin::new(&mut serving).poll(&mut context).is_pending());
    assert_eq!(serving.into_parts().read_buf, b"GET /next"[..]);
    assert_eq!(recorder.lock().input, b" HTTP/1.1");
    let events = recorder.take_events();
    assert!(events.iter().all(|event| matches!(event, Event::Flush | Event::BodyPending)), "{events:?}");
}

#[tokio::test]
async fn hyper_ends_the_connection_when_a_write_fails() {
    let recorder = Recorder::new();
    recorder.send_request();
    let mut serving = recorder.serve();
    recorder.push_frame("part");
    assert!(poll(&mut serving).is_pending());
    recorder.lock().is_broken = true;
    recorder.push_frame("part");
    assert!(matches!(poll(&mut serving), Poll::Ready(Err(_))));
    assert!(!recorder.take_events().iter().any(|event| matches!(event, Event::Shutdown)));
}

#[tokio::test]
async fn hyper_writes_its_own_errors_as_one_slice_with_known_headers() {
    let long = vec![b'x'; 70_000];
    let many = b"X: x\r\n".repeat(101);
    for (code, request) in [
        ("400", [b"GET / HTTP/1.1\r\nHost\0: x\r\n\r\n".as_slice(), b"", b""]),
        ("431", [b"GET / HTTP/1.1\r\nX: ", &long[..10_000], b"\r\n\r\n"]),
        ("431", [b"GET / HTTP/1.1\r\n", &many, b"\r\n"]),
    ] {
        let recorder = Recorder::new();
        recorder.lock().input.extend(request.concat());
        assert!(poll(&mut recorder.serve()).is_ready());
        let events = recorder.take_events();
        let [Event::Write(bytes, 1)] =
            &events.iter().filter(|event| matches!(event, Event::Write(..))).collect::<Vec<_>>()[..]
        else {
            panic!("{events:?}");
        };
        let explained = String::from_utf8(explain(bytes).unwrap()).unwrap();
        assert!(explained.starts_with(&format!("HTTP/1.1 {code} ")) && !explained.contains("invalid request"));
    }
}
