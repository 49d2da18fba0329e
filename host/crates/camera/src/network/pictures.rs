//! Reads pictures from responses, as fast as they arrive and are taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Response, StatusCode};
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::NetworkError;
use super::metadata::{Metadata, sanitize};
use super::session::Session;
use crate::jpeg::START_OF_IMAGE;
use crate::multipart::{MAX_PART_LENGTH, Parser, declared_boundary};

/// What a reader reports.
#[derive(Debug)]
pub(super) enum Event {
    /// An image, which may be damaged.
    Picture(Picture),
    /// The server responds, but has no newer image.
    Unchanged,
    /// The reader has ended.
    Failed(NetworkError),
}

/// An image with what its headers say.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) body: Bytes,
    pub(super) metadata: Metadata,
}

/// Where a reader reports. Each event waits until there is room, so nothing is read meanwhile and nothing queues.
#[derive(Clone)]
pub(super) struct Report {
    pub(super) events: Sender<Event>,
    /// The number of bytes that it has received.
    pub(super) received: Arc<AtomicU64>,
    /// Whether it requests still images, at the rate of the camera.
    pub(super) is_polling: Arc<AtomicBool>,
}

impl Report {
    async fn picture(&self, body: Bytes, metadata: Metadata) {
        self.send(Event::Picture(Picture { body, metadata })).await;
    }

    async fn send(&self, event: Event) {
        // Fails while the camera closes.
        let _ = self.events.send(event).await;
    }

    /// Waits for bytes. Returns `None` at the end of the body.
    async fn receive(&self, response: &mut Response) -> Result<Option<Bytes>, NetworkError> {
        let bytes = response.chunk().await.map_err(|error| NetworkError::from_client(&error))?;
        self.received.fetch_add(bytes.as_ref().map_or(0, Bytes::len) as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

/// How to request still images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Polling {
    /// The time from one request to the next.
    pub(super) interval: Duration,
    /// How long the head of a response may take. Its body may take as long as the camera may be without a picture, which
    /// is up to who takes the pictures.
    pub(super) head_timeout: Duration,
}

/// What a response contains.
#[derive(Debug)]
pub(super) enum Kind {
    /// A multipart stream with this boundary, if it is declared.
    Stream(Option<String>),
    /// One image.
    Still,
    /// Its type does not say: its first bytes will.
    Unknown,
}

impl Kind {
    /// Decides by the headers of a response.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, NetworkError> {
        let Some(value) = headers.get(CONTENT_TYPE).filter(|value| !value.is_empty()) else { return Ok(Self::Unknown) };
        let value = String::from_utf8_lossy(value.as_bytes());
        let content_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match content_type.as_str() {
            _ if content_type.starts_with("multipart/") => {
                Ok(Self::Stream(declared_boundary(&value).map(str::to_owned)))
            }
            "image/jpeg" | "image/jpg" | "image/pjpeg" => Ok(Self::Still),
            // ffmpeg and some cameras do not know better.
            "application/octet-stream" => Ok(Self::Unknown),
            _ => Err(NetworkError::NotPictures { content_type: sanitize(&content_type) }),
        }
    }
}

/// Reads a response, and for still images the following ones, until something fails.
pub(super) async fn read(session: Session, response: Response, kind: Kind, polling: Polling, report: Report) {
    let Err(error) = read_until_failure(session, response, kind, polling, &report).await;
    report.send(Event::Failed(error)).await;
}

async fn read_until_failure(
    session: Session,
    mut response: Response,
    kind: Kind,
    polling: Polling,
    report: &Report,
) -> Result<std::convert::Infallible, NetworkError> {
    let mut start = BytesMut::new();
    let boundary = match kind {
        Kind::Stream(boundary) => boundary,
        Kind::Still => return poll(session, response, start, polling, report).await,
        Kind::Unknown => {
            while start.len() < START_OF_IMAGE.len() {
                let Some(bytes) = report.receive(&mut response).await? else { break };
                start.extend_from_slice(&bytes);
            }
            if start.starts_with(START_OF_IMAGE) {
                return poll(session, response, start, polling, report).await;
            }
            None
        }
    };
    let mut parser = Parser::new(boundary.as_deref());
    parser.push(&start);
    loop {
        while let Some(part) = parser.next_part()? {
            // Some cameras send text between the images.
            if !part.headers.get("content-type").is_some_and(|value| value.starts_with("text/")) {
                let metadata = Metadata::read(|name| part.headers.get(name));
                report.picture(part.body, metadata).await;
            }
        }
        match report.receive(&mut response).await? {
            Some(bytes) if !parser.has_ended() => parser.push(&bytes),
            _ => return Err(NetworkError::Ended),
        }
    }
}

/// Reads a still image and requests it again and again. An image that has not changed is not reported again.
async fn poll(
    mut session: Session,
    mut response: Response,
    mut start: BytesMut,
    polling: Polling,
    report: &Report,
) -> Result<std::convert::Infallible, NetworkError> {
    report.is_polling.store(true, Ordering::Relaxed);
    let mut due = Instant::now();
    let mut conditions = HeaderMap::new();
    let mut last = Bytes::new();
    loop {
        if response.status() == StatusCode::NOT_MODIFIED {
            report.send(Event::Unchanged).await;
        } else {
            let metadata = Metadata::of_response(&response);
            conditions = conditions_for(response.headers());
            let body = read_body(&mut response, std::mem::take(&mut start), report).await?;
            // A server that numbers its frames knows better whether this is a new one.
            if body == last && metadata.sequence.is_none() && metadata.outage.is_none() {
                report.send(Event::Unchanged).await;
            } else {
                last = body.clone();
                report.picture(body, metadata).await;
            }
        }
        // Skips what is overdue.
        due = (due + polling.interval).max(Instant::now());
        sleep_until(due).await;
        let too_late = |_| NetworkError::NoResponse(polling.head_timeout);
        response = timeout(polling.head_timeout, session.get(&conditions)).await.map_err(too_late)??;
        if response.status() != StatusCode::NOT_MODIFIED
            && let Kind::Stream(_) = Kind::of(response.headers())?
        {
            // The server has changed its mind. Open it again.
            return Err(NetworkError::Ended);
        }
    }
}

async fn read_body(response: &mut Response, mut body: BytesMut, report: &Report) -> Result<Bytes, NetworkError> {
    while let Some(bytes) = report.receive(response).await? {
        body.extend_from_slice(&bytes);
        if body.len() > MAX_PART_LENGTH {
            return Err(NetworkError::TooLong);
        }
    }
    Ok(body.freeze())
}

/// Returns the headers of a request for an image other than that of a response with these headers (RFC 9110, section
/// 13.1).
fn conditions_for(headers: &HeaderMap) -> HeaderMap {
    let pairs = [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)];
    pairs.into_iter().filter_map(|(from, to)| Some((to, headers.get(from)?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::resolver::Resolver;
    use super::*;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc::channel;
    use tokio::time::sleep;

    /// The time is paused: it advances to the next timer while everything waits. So a timeout of the reader would be
    /// over before the server continues.
    #[tokio::test(start_paused = true)]
    async fn a_still_image_that_takes_longer_to_arrive_than_a_head_may_is_read() {
        let polling = Polling { interval: Duration::from_secs(1), head_timeout: Duration::from_secs(5) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                stream.readable().await.unwrap();
                let mut bytes = [0; 1024];
                // Nothing may be there all the same.
                let length = stream.try_read(&mut bytes).unwrap_or_default();
                request.extend_from_slice(&bytes[..length]);
            }
            // What fits into any buffer.
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 4\r\n\r\n";
            stream.writable().await.unwrap();
            assert_eq!(stream.try_write(head).unwrap(), head.len());
            for byte in *b"slow" {
                sleep(2 * polling.head_timeout).await;
                assert_eq!(stream.try_write(&[byte]).unwrap(), 1);
            }
            stream
        });
        let mut session = Session::new(&address, None, false, &Resolver::of_system()).unwrap();
        let response = session.get(&HeaderMap::new()).await.unwrap();
        let (events, mut pictures) = channel(1);
        let report = Report { events, received: Arc::default(), is_polling: Arc::default() };
        tokio::spawn(read(session, response, Kind::Still, polling, report));
        match pictures.recv().await {
            Some(Event::Picture(picture)) => assert_eq!(picture.body, "slow"),
            other => panic!("{other:?}"),
        }
        drop(server.await.unwrap());
    }
}
