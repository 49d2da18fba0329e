//! The reference servers: the least code that sends these streams, without a sandbox or other features.
//!
//! * `hyper`: a typical server: hyper, a task for each connection, the newest part in a watch.
//! * `hyper-v4l2`: the same, with the pictures of a V4L2 camera, which a thread copies out of the driver's buffers.
//! * `raw`: the lower bound: one thread that writes each part to all sockets. `sendfile`: the same, but it writes each part
//!   to an anonymous file and sends that.

use std::convert::Infallible;
use std::fs;
use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{TcpListener as StdListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::time::Timespec;
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::sync::watch;
use v4l::io::traits::CaptureStream as _;

const CONTENT_TYPE: &str = "multipart/x-mixed-replace; boundary=frame";
const OPENING: &[u8] = b"--frame\r\n";
/// The limits on buffers in the kernel and in hyper, as in Hotshoe. `raw` has no limits.
const UNSENT: u32 = 128 * 1024;
const BUFFER: usize = 8 * 1024;

/// Runs the reference server with this name until it is killed. Prints its address like Hotshoe.
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
        "hyper" => serve_hyper(listener, |newest| {
            tokio::spawn(play(pictures, period, newest));
        }),
        "hyper-v4l2" => serve_hyper(listener, |newest| {
            thread::spawn(move || read_camera(&newest));
        }),
        role => serve_raw(&listener, &pictures, period, role == "sendfile"),
    }
}

/// Returns a part of the stream.
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

/// Sends the newest of the parts that `start` sends to the watch.
fn serve_hyper(listener: StdListener, start: impl FnOnce(Arc<watch::Sender<Bytes>>)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let newest = Arc::new(watch::Sender::default());
        start(newest.clone());
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
                // Fails if the viewer leaves.
                let _ = builder.max_buf_size(BUFFER).serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
}

async fn play(pictures: Vec<Bytes>, period: Duration, newest: Arc<watch::Sender<Bytes>>) {
    let mut ticks = tokio::time::interval(period);
    for picture in pictures.iter().cycle() {
        ticks.tick().await;
        newest.send_replace(part(picture));
    }
}

/// Reads the camera at /dev/video0 in the format that is set, which for the emulated one is MJPG.
fn read_camera(newest: &watch::Sender<Bytes>) {
    let device = v4l::Device::new(0).unwrap();
    let mut stream = v4l::io::mmap::Stream::with_buffers(&device, v4l::buffer::Type::VideoCapture, 4).unwrap();
    loop {
        let (buffer, metadata) = stream.next().unwrap();
        newest.send_replace(part(&buffer[..metadata.bytesused as usize]));
    }
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

/// A part that `raw` or `sendfile` sends.
struct RawPart {
    bytes: Bytes,
    /// The same bytes, for `sendfile`.
    file: Option<OwnedFd>,
}

/// A viewer of `raw` or `sendfile`.
struct Viewer {
    stream: TcpStream,
    /// The current part. `None` before the first.
    part: Option<Arc<RawPart>>,
    /// How many bytes of it are written.
    written: usize,
}

fn serve_raw(listener: &StdListener, pictures: &[Bytes], period: Duration, sends_files: bool) {
    listener.set_nonblocking(true).unwrap();
    let mut viewers: Vec<Viewer> = Vec::new();
    let mut due = Instant::now();
    for picture in pictures.iter().cycle() {
        due += period;
        let newest = Arc::new(RawPart::new(part(picture), sends_files));
        loop {
            while let Ok((mut stream, _)) = listener.accept() {
                stream.set_nodelay(true).unwrap();
                // The request is small and arrives at once.
                let _ = stream.read(&mut [0; 4096]);
                stream.set_nonblocking(true).unwrap();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {CONTENT_TYPE}\r\nConnection: close\r\n\r\n");
                let _ = stream.write_vectored(&[IoSlice::new(head.as_bytes()), IoSlice::new(OPENING)]);
                viewers.push(Viewer { stream, part: None, written: 0 });
            }
            // Finish parts that were begun. Send the newest part once to the other viewers.
            viewers.retain_mut(|viewer| {
                if !viewer.is_behind() && !viewer.part.as_ref().is_some_and(|part| Arc::ptr_eq(part, &newest)) {
                    viewer.part = Some(newest.clone());
                    viewer.written = 0;
                }
                viewer.send()
            });
            let Some(left) = due.checked_duration_since(Instant::now()) else { break };
            let behind = viewers.iter().any(Viewer::is_behind);
            let timeout = if behind { left.min(Duration::from_millis(1)) } else { left };
            let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
            // Wake up for new viewers, which are sent the newest part at once.
            let _ = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&timeout));
        }
    }
}

impl RawPart {
    fn new(bytes: Bytes, is_file: bool) -> Self {
        let file = is_file.then(|| {
            let file = memfd_create("part", MemfdFlags::CLOEXEC).unwrap();
            assert_eq!(rustix::io::write(&file, &bytes).unwrap(), bytes.len());
            file
        });
        Self { bytes, file }
    }

    /// Sends what the socket accepts of the bytes after the first `written`.
    fn send(&self, mut stream: &TcpStream, written: usize) -> io::Result<usize> {
        match &self.file {
            Some(file) => Ok(sendfile(stream, file, Some(&mut (written as u64)), self.bytes.len() - written)?),
            None => stream.write(&self.bytes[written..]),
        }
    }
}

impl Viewer {
    fn is_behind(&self) -> bool {
        self.part.as_ref().is_some_and(|part| self.written < part.bytes.len())
    }

    /// Writes what the socket accepts. Returns false if the viewer has left.
    fn send(&mut self) -> bool {
        while let Some(part) = self.part.as_ref().filter(|part| self.written < part.bytes.len()) {
            match part.send(&self.stream, self.written) {
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
