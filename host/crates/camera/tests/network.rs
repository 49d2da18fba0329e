//! Cameras in the network whose servers are hostile.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::spawn;
use std::time::Duration;

use hotshoe_camera::network::{NetworkCamera, NetworkOptions};
use hotshoe_camera::{Camera, Linger};

/// Long enough for everything that a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

/// A camera whose server sends what `script` writes to each connection once it has got a request.
fn camera(mut script: impl FnMut(&mut TcpStream) -> io::Result<()> + Send + 'static) -> Arc<Camera> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            // An error means that the client has left, or that the script ends the connection.
            let _ = script(&mut stream);
        }
    });
    let source = NetworkCamera::new(address, NetworkOptions::default());
    let camera = Arc::new(Camera::new("test".to_owned(), Arc::new(source), Linger::For(Duration::ZERO)));
    tokio::spawn(camera.clone().supervise());
    camera
}

#[tokio::test]
async fn numbers_that_jump_up_and_down_neither_count_as_dropped_frames_nor_freeze_the_stream() {
    const FRAMES: usize = 100;
    let (wish, wishes) = mpsc::channel();
    let camera = camera(move |stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n--frame\r\n",
        )?;
        for number in [0, (1_u64 << 53) - 1].iter().cycle() {
            wishes.recv().map_err(io::Error::other)?;
            write!(stream, "X-Sequence: {number}\r\n\r\n")?;
            stream.write_all(include_bytes!("../../../../frames/1.jpg"))?;
            stream.write_all(b"\r\n--frame\r\n")?;
        }
        Ok(())
    });
    let mut feed = camera.feed();
    let mut last = None;
    for _ in 0..FRAMES {
        wish.send(()).unwrap();
        let sequence = feed.next(DEADLINE).await.unwrap().sequence;
        assert!(Some(sequence) > last && sequence < 1 << 53, "{sequence} after {last:?}");
        last = Some(sequence);
    }
    assert_eq!(camera.counts().lost.total(), 0, "{}", camera.counts());
}
