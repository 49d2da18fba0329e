//! Viewers beside downloads: a hundred clients download `/log` and a hundred `/`, again and again, on the same
//! processors as the server and the viewers.

use std::io::{ErrorKind, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::get;
use hotshoe_test_support::load::{Load, MSG_TRUNC};
use hotshoe_test_support::server::{Server, program, set_environment};
use rustix::event::epoll;
use socket2::SockRef;

use super::figures::{median, milliseconds};
use super::servers::{RATE, fill, pin_load, unpin_load};
use super::{ROUNDS, Selection};

/// Frame size in bytes.
const SIZE: usize = 30_000;
const VIEWERS: usize = 50;
/// The number of clients of each of the two paths.
const DOWNLOADS: usize = 100;
/// The number of frames in a camera's history.
const HISTORY: u64 = 100_000;
const WARM_UP: Duration = Duration::from_secs(2);
const WINDOW: Duration = Duration::from_secs(8);

pub fn table(_: &Selection) {
    println!(
        "{VIEWERS} viewers beside {DOWNLOADS} downloads of a log and {DOWNLOADS} of the page, all on two processors; frames \
         of {} kB, medians of {ROUNDS} rounds. Goals: 29 fps, no gap over 150 ms.\n",
        SIZE / 1000
    );
    println!("| downloads | slowest viewer, fps | longest gap | logs per s | pages per s | slowest page |");
    println!("| --- | --- | --- | --- | --- | --- |");
    unpin_load();
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), SIZE);
    for log in [None, Some("/log/fast"), Some("/log/fast?rows=100000")] {
        let rounds: Vec<_> = (0..ROUNDS).map(|_| round(folder.path(), log)).collect();
        let figure = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of));
        println!(
            "| {} | {:.2} | {:.0} ms | {:.0} | {:.0} | {:.0} ms |",
            log.unwrap_or("none"),
            figure(&|round| round.slowest_rate),
            figure(&|round| milliseconds(round.longest_gap)),
            figure(&|round| round.logs.per_second()),
            figure(&|round| round.pages.per_second()),
            figure(&|round| milliseconds(round.pages.slowest)),
        );
    }
    pin_load();
}

struct Round {
    slowest_rate: f64,
    longest_gap: Duration,
    logs: Downloads,
    pages: Downloads,
}

fn round(pictures: &Path, log: Option<&'static str>) -> Round {
    let mut command = Command::new(program());
    set_environment(&mut command);
    let camera = format!("emulated=emulated:{},fps={RATE}", pictures.display());
    let fast = format!("fast=emulated:{},fps=10000", pictures.display());
    command.args(["--camera", &camera, "--camera", &fast, "--linger", "0", "--admin", "off"]);
    let server = Server::start_command(command);
    fill_history(&server);
    let mut load = Load::connect(server.address, VIEWERS);
    let stop = Arc::new(AtomicBool::new(false));
    let downloads = log.map(|log| {
        let (stop, address) = (stop.clone(), server.address);
        thread::spawn(move || download(address, [log, "/"], &stop))
    });
    load.run_for(WARM_UP);
    load.reset();
    load.run_for(WINDOW);
    stop.store(true, Ordering::Relaxed);
    let [logs, pages] = downloads.map(|downloads| downloads.join().unwrap()).unwrap_or_default();
    Round { slowest_rate: load.slowest_rate(), longest_gap: load.longest_gap(), logs, pages }
}

/// Fills the history of the fast camera, which then closes.
fn fill_history(server: &Server) {
    let mut viewer = Load::new(server.address);
    viewer.watch("/video_feed/fast?fps=10");
    loop {
        viewer.run_for(Duration::from_millis(200));
        let newest = get(server.address, "/log/fast.csv?rows=1").text();
        let sequence = newest.lines().last().unwrap().split(',').next().unwrap();
        if sequence.parse::<u64>().is_ok_and(|sequence| sequence > HISTORY + HISTORY / 10) {
            return;
        }
    }
}

/// The downloads of one path.
#[derive(Default)]
struct Downloads {
    done: usize,
    slowest: Duration,
    time: Duration,
}

impl Downloads {
    fn per_second(&self) -> f64 {
        if self.done == 0 { 0.0 } else { self.done as f64 / self.time.as_secs_f64() }
    }
}

struct Download {
    stream: TcpStream,
    start: Instant,
    /// Whether the response's head was read.
    has_head: bool,
}

/// Downloads each of these paths [`DOWNLOADS`] times at once, again and again, until `stop`.
fn download(address: SocketAddr, paths: [&str; 2], stop: &AtomicBool) -> [Downloads; 2] {
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    let request = |number: usize| {
        let mut stream = TcpStream::connect(address).unwrap();
        let path = paths[number % 2];
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        stream.set_nonblocking(true).unwrap();
        epoll::add(&poller, &stream, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN).unwrap();
        Download { stream, start: Instant::now(), has_head: false }
    };
    let mut all: Vec<_> = (0..2 * DOWNLOADS).map(request).collect();
    let mut totals: [Downloads; 2] = Default::default();
    let start = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let mut events = Vec::with_capacity(all.len());
        let timeout = rustix::time::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        match epoll::wait(&poller, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("{error}"),
        }
        for event in events {
            let number = event.data.u64() as usize;
            if read_to_end(&mut all[number]) {
                let total = &mut totals[number % 2];
                total.done += 1;
                total.slowest = total.slowest.max(all[number].start.elapsed());
                all[number] = request(number);
            }
        }
    }
    for (number, download) in all.iter().enumerate() {
        // Downloads that never end count as well.
        totals[number % 2].slowest = totals[number % 2].slowest.max(download.start.elapsed());
    }
    totals.map(|total| Downloads { time: start.elapsed(), ..total })
}

/// Reads what has arrived. Returns whether the download is complete.
fn read_to_end(download: &mut Download) -> bool {
    loop {
        let result = if download.has_head {
            // The kernel discards the bytes.
            let mut buffer = [MaybeUninit::<u8>::uninit(); 1 << 18];
            SockRef::from(&download.stream).recv_with_flags(&mut buffer, MSG_TRUNC)
        } else {
            let mut head = [0; 12];
            let result = download.stream.read(&mut head);
            if result.is_ok() {
                assert_eq!(&head, b"HTTP/1.1 200");
                download.has_head = true;
            }
            result
        };
        match result {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
    }
}
