//! The servers to compare with: the least that can send these streams, without a sandbox, without anything else.
//!
//! * `hyper`: what one would write by hand today: hyper, a task for each connection, the newest part shared.
//! * `raw`: the floor: one thread that writes each part to all sockets.

use std::convert::Infallible;
use std::fs;
use std::io::{ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{TcpListener as StdListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::sync::watch;

const CONTENT_TYPE: &str = "multipart/x-mixed-replace; boundary=frame";
const OPENING: &[u8] = b"--frame\r\n";
/// The same limits on what the kernel and hyper hold as Hotshoe's, for `hyper`; `raw` has none.
const UNSENT: u32 = 128 * 1024;
const BUFFER: usize = 8 * 1024;

/// Serve these pictures at this rate, as the server of this name, until killed. Says where as Hotshoe does.
pub fn serve(role: &str, folder: &Path, rate: u32) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    paths.sort();
    let pictures: Vec<Bytes> = paths.iter().map(|path| fs::read(path).unwrap().into()).collect();
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).listen(1024).unwrap();
    eprintln!("open http://{}/", listener.local_addr().unwrap());
    let period = Duration::from_secs(1) / rate;
    match role {
        "hyper" => serve_hyper(listener, pictures, period),
        _ => serve_raw(&listener, &pictures, period),
    }
}

/// A part of the stream, in one piece.
fn part(picture: &[u8]) -> Bytes {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let head = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}.{:06}\r\n\r\n",
        picture.len(),
        now.as_secs(),
        now.subsec_micros()
    );
    [head.as_bytes(), picture, b"\r\n--frame\r\n"].concat().into()
}

fn serve_hyper(listener: StdListener, pictures: Vec<Bytes>, period: Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let newest = Arc::new(watch::Sender::new(part(&pictures[0])));
        let camera = newest.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(period);
            for picture in pictures.iter().cycle() {
                ticks.tick().await;
                camera.send_replace(part(picture));
            }
        });
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT).unwrap();
            let newest = newest.clone();
            tokio::spawn(async move {
                let answer = service_fn(|_| {
                    let mut newest = newest.subscribe();
                    newest.mark_changed();
                    async move { Ok::<_, Infallible>(response(newest)) }
                });
                let mut builder = http1::Builder::new();
                // Fails when the viewer leaves.
                let _ = builder.max_buf_size(BUFFER).serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
}

fn response(newest: watch::Receiver<Bytes>) -> Response<impl http_body::Body<Data = Bytes, Error = Infallible>> {
    let parts = futures_util::stream::unfold((newest, true), |(mut newest, is_first)| async move {
        newest.changed().await.ok()?;
        let part = newest.borrow_and_update().clone();
        let part = if is_first { [OPENING, &part].concat().into() } else { part };
        Some((Ok(Frame::data(part)), (newest, false)))
    });
    Response::builder().header("Content-Type", CONTENT_TYPE).body(StreamBody::new(parts)).unwrap()
}

/// A viewer that has not taken all of a part yet.
struct Viewer {
    stream: TcpStream,
    part: Bytes,
    written: usize,
}

fn serve_raw(listener: &StdListener, pictures: &[Bytes], period: Duration) {
    listener.set_nonblocking(true).unwrap();
    let mut viewers: Vec<Viewer> = Vec::new();
    let mut due = Instant::now();
    for picture in pictures.iter().cycle() {
        due += period;
        let newest = part(picture);
        loop {
            while let Ok((mut stream, _)) = listener.accept() {
                stream.set_nodelay(true).unwrap();
                // The request is one piece, and small.
                let _ = stream.read(&mut [0; 4096]);
                stream.set_nonblocking(true).unwrap();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {CONTENT_TYPE}\r\nConnection: close\r\n\r\n");
                let _ = stream.write_vectored(&[IoSlice::new(head.as_bytes()), IoSlice::new(OPENING)]);
                viewers.push(Viewer { stream, part: Bytes::new(), written: 0 });
            }
            // Those that are in the middle of a part get its rest; the others the newest, once.
            viewers.retain_mut(|viewer| {
                if viewer.written == viewer.part.len() && viewer.part.as_ptr() != newest.as_ptr() {
                    viewer.part = newest.clone();
                    viewer.written = 0;
                }
                viewer.send()
            });
            let Some(left) = due.checked_duration_since(Instant::now()) else { break };
            let behind = viewers.iter().any(|viewer| viewer.written < viewer.part.len());
            let timeout = if behind { left.min(Duration::from_millis(1)) } else { left };
            let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
            // Who comes between two frames gets the newest at once.
            let _ = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&timeout));
        }
    }
}

impl Viewer {
    /// Send what the socket takes. Returns false if the viewer has left.
    fn send(&mut self) -> bool {
        while self.written < self.part.len() {
            match self.stream.write(&self.part[self.written..]) {
                Ok(0) => return false,
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}
