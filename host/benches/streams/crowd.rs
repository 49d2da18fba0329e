//! As many viewers that read slowly as viewers that keep up: what the slow ones cost.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::figures::median;
use super::load::{Load, PATH};
use super::servers::{HOTSHOE, HYPER, SERVERS, fill, processor_time, start};
use super::{Asked, ROUNDS};

/// Of each kind.
const VIEWERS: usize = 500;
const SIZE: usize = 30_000;
/// Frames per second: what one processor can read for all who keep up.
const RATE: u32 = 10;

/// What a slow viewer reads at a time, in bytes. Its socket takes bytes again after each.
const READ: usize = 4096;
/// How long it pauses between two reads.
const PAUSE: Duration = Duration::from_millis(200);
/// In how many groups the slow viewers read, one after the other.
const GROUPS: u32 = 20;
/// The receive buffer of a slow viewer, in bytes.
const RECEIVE_BUFFER: usize = 8 << 10;

const WARM_UP: Duration = Duration::from_secs(3);
const WINDOW: Duration = Duration::from_secs(5);

pub fn table(_: &Asked) {
    println!(
        "Processor time of the server in a second, with {VIEWERS} viewers at {RATE} fps, and with {VIEWERS} more that read \
         {} kB a second; medians of {ROUNDS} rounds.\n",
        READ * 1000 / PAUSE.as_millis() as usize / 1000
    );
    println!("| server | without slow viewers | with them | difference |");
    println!("| --- | --- | --- | --- |");
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    for server in &SERVERS[HYPER..=HOTSHOE] {
        let figure = |slow| median((0..ROUNDS).map(|_| measure(server, folder.path(), slow).as_secs_f64() * 1000.0));
        let (without, with) = (figure(0), figure(VIEWERS));
        println!("| {server} | {without:.0} ms | {with:.0} ms | {:.0} ms |", with - without);
    }
}

/// The processor time of this server in a second, with so many slow viewers.
fn measure(server: &str, pictures: &Path, slow: usize) -> Duration {
    let server = start(server, pictures, RATE);
    let mut load = Load::connect(server.address, VIEWERS);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| read_slowly(server.address, slow, &done));
        load.run_for(WARM_UP);
        let before = processor_time(server.pid());
        load.run_for(WINDOW);
        let used = processor_time(server.pid()) - before;
        done.store(true, Ordering::Relaxed);
        used.div_f64(WINDOW.as_secs_f64())
    })
}

/// Watch with so many viewers at a low rate, until `done`.
fn read_slowly(address: SocketAddr, count: usize, done: &AtomicBool) {
    let mut viewers: Vec<_> = (0..count).map(|_| watch(address)).collect();
    let mut bytes = [0; READ];
    while !done.load(Ordering::Relaxed) {
        for group in viewers.chunks_mut(count.div_ceil(GROUPS as usize).max(1)) {
            thread::sleep(PAUSE / GROUPS);
            // Nothing may have come yet.
            group.iter_mut().for_each(|viewer| drop(viewer.read(&mut bytes)));
        }
        if viewers.is_empty() {
            thread::sleep(PAUSE);
        }
    }
}

fn watch(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // Before it connects, or a larger window has been announced already.
    socket.set_recv_buffer_size(RECEIVE_BUFFER).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    write!(stream, "GET {PATH} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}
