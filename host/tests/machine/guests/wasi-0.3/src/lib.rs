//! A guest of WASI 0.3 for tests. Its paths are the misbehaviours that the host must contain.

mod channels;
mod files;
mod publisher;
mod results;
mod worker;

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use exports::wasi::http::handler::Guest;
use hotshoe::camera::cameras::{Feed, Watcher};
use hotshoe::server::generations::{get_generation, wait_replaced};
use wasi::clocks::monotonic_clock::wait_for;
use wasi::clocks::system_clock::Instant;
use wasi::http::client;
use wasi::http::types::{ErrorCode, Fields, Request, Response};
use wit_bindgen::{StreamWriter, spawn_local, yield_async};

wit_bindgen::generate!({ world: "test:wasi03/guest", path: "wit", generate_all });

struct Component;

export!(Component);

const MILLISECOND: u64 = 1_000_000;

const DELIMITER: &[u8] = b"\r\n--frame\r\n";

/// How many requests `/meet` waits for.
const MEETING: u32 = 8;

/// Requests to `/count` in this instance.
static COUNT: AtomicU32 = AtomicU32::new(0);
/// Requests that wait in `/meet`.
static PRESENT: AtomicU32 = AtomicU32::new(0);
/// Chunks that `/flood` has written.
static WRITTEN: AtomicU32 = AtomicU32::new(0);

impl Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        match path.as_str() {
            "/trap" => panic!("out of film"),
            "/never" => wait_for(3_600_000 * MILLISECOND).await,
            "/spin" => spin(),
            "/wait-often" => wait_often().await,
            "/block" => block(),
            "/error" => return Err(ErrorCode::InternalError(None)),
            "/leak" => leak(),
            "/grow" => drop(black_box(vec![1_u8; 1 << 30])),
            "/meet" => meet().await,
            "/echo" => return Ok(echo(request)),
            "/snapshot" => return Ok(snapshot().await),
            "/rest-of-snapshot" => return Ok(rest_of_snapshot().await),
            path if path.starts_with("/channel/") => return Ok(channels::respond(path).await),
            "/wait" => drop(Watcher::new().wait_changed(3_600_000 * MILLISECOND).await),
            _ => {}
        }
        let fields = Fields::new();
        let header = match path.as_str() {
            "/parts" | "/frames" | "/video_feed" => ("content-type", "multipart/x-mixed-replace; boundary=frame"),
            "/short" => ("content-length", "100"),
            _ => ("content-type", "text/plain"),
        };
        fields.append(header.0, header.1.as_bytes()).unwrap();
        let (mut body, contents) = wit_stream::new();
        let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
        let (response, sent) = Response::new(fields, Some(contents), trailers_reader);
        spawn_local(async move {
            let end = write(&path, &mut body).await;
            drop(body);
            let _ = trailers.write(end).await;
            if path == "/sent" {
                println!("sent: {}", sent.await.is_ok());
            }
        });
        Ok(response)
    }
}

async fn write(path: &str, body: &mut StreamWriter<u8>) -> Result<Option<Fields>, ErrorCode> {
    match path {
        "/count" => drop(say(body, &COUNT.fetch_add(1, Relaxed).to_string()).await),
        "/written" => drop(say(body, &WRITTEN.load(Relaxed).to_string()).await),
        "/large" => drop(body.write_all(vec![7; 10_000_000]).await),
        "/fetch" => {
            let error = client::send(request_to("example.com")).await.err();
            say(body, &format!("{error:?}")).await;
        }
        "/trap-later" => {
            begin(body).await;
            panic!("out of film");
        }
        "/spin-later" => {
            begin(body).await;
            spin();
        }
        "/short" => begin(body).await,
        "/fail-later" => {
            begin(body).await;
            return Err(ErrorCode::InternalError(None));
        }
        "/parts" => {
            // Two writes for each part, so that a response that ends anywhere would have half a part.
            while say(body, "--frame\r\n\r\n").await && say(body, "part\r\n").await {
                wait_for(20 * MILLISECOND).await;
            }
            println!("the viewer has gone");
        }
        "/frames" | "/video_feed" => frames(body).await,
        "/generation" => drop(say(body, &format!("{:?}", get_generation())).await),
        "/results" => drop(say(body, &results::attach_and_read().await).await),
        "/replaced" => {
            say(body, "waiting\n").await;
            wait_replaced().await;
            say(body, "replaced\n").await;
        }
        "/yield" => {
            say(body, "begun\n").await;
            loop {
                wit_bindgen::yield_async().await;
            }
        }
        "/flood" => {
            while body.write_all(vec![7; 100_000]).await.is_empty() {
                WRITTEN.fetch_add(1, Relaxed);
            }
        }
        _ => {
            let text = match path.strip_prefix("/files/") {
                Some(request) => files::respond(request).await,
                None => path.to_owned(),
            };
            say(body, &text).await;
        }
    }
    Ok(None)
}

/// Writes each frame as one part. The benchmarks measure this.
async fn frames(body: &mut StreamWriter<u8>) {
    let feed = Feed::open("emulated").unwrap();
    let mut part = b"--frame\r\n".to_vec();
    loop {
        let Ok(Some(frame)) = feed.wait_next(4_000 * MILLISECOND).await else { continue };
        let length = frame.image.info().length;
        let Instant { seconds, nanoseconds } = frame.wall_time;
        let head = format!(
            "Content-Type: image/jpeg\r\nContent-Length: {length}\r\nX-Timestamp: {seconds}.{:06}\r\n\r\n",
            nanoseconds / 1000
        );
        part.extend(head.as_bytes());
        // A read fills the spare capacity.
        part.reserve_exact(length as usize + DELIMITER.len());
        let (_, mut read) = frame.image.bytes().read(std::mem::take(&mut part)).await;
        read.extend(DELIMITER);
        if !body.write_all(read).await.is_empty() {
            return;
        }
    }
}

async fn begin(body: &mut StreamWriter<u8>) {
    say(body, "begun\n").await;
    wait_for(50 * MILLISECOND).await;
}

/// Returns whether the client has received all of it.
async fn say(body: &mut StreamWriter<u8>, text: &str) -> bool {
    body.write_all(text.as_bytes().to_vec()).await.is_empty()
}

fn spin() {
    println!("spinning");
    loop {
        black_box(0);
    }
}

/// Waits in a function of WASI 0.2, which blocks the instance.
fn block() {
    println!("blocking");
    std::thread::sleep(std::time::Duration::from_secs(3600));
}

fn leak() {
    loop {
        std::mem::forget(Fields::new());
    }
}

async fn meet() {
    PRESENT.fetch_add(1, Relaxed);
    while PRESENT.load(Relaxed) < MEETING {
        wait_for(MILLISECOND).await;
    }
}

/// The image does not pass through this guest.
async fn snapshot() -> Response {
    let feed = Feed::open("emulated").unwrap();
    let frame = feed.wait_next(4_000 * MILLISECOND).await.unwrap().unwrap();
    let fields = Fields::new();
    fields.append("content-length", frame.image.info().length.to_string().as_bytes()).unwrap();
    let (_, trailers) = wit_future::new(|| Ok(None));
    Response::new(fields, Some(frame.image.bytes()), trailers).0
}

/// Reads a few bytes of the image, and sends the others.
async fn rest_of_snapshot() -> Response {
    let feed = Feed::open("emulated").unwrap();
    let frame = feed.wait_next(4_000 * MILLISECOND).await.unwrap().unwrap();
    let mut bytes = frame.image.bytes();
    let (_, start) = bytes.read(Vec::with_capacity(10)).await;
    assert_eq!(start.len(), 10);
    let (_, trailers) = wit_future::new(|| Ok(None));
    Response::new(Fields::new(), Some(bytes), trailers).0
}

/// Waits for its replacement in more and more tasks.
async fn wait_often() {
    loop {
        spawn_local(wait_replaced());
        yield_async().await;
    }
}

fn echo(request: Request) -> Response {
    let (_, read) = wit_future::new(|| Ok(()));
    let (contents, trailers) = Request::consume_body(request, read);
    Response::new(Fields::new(), Some(contents), trailers).0
}

fn request_to(host: &str) -> Request {
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (request, _) = Request::new(Fields::new(), None, trailers, None);
    request.set_authority(Some(host)).unwrap();
    request.set_path_with_query(Some("/")).unwrap();
    request
}
