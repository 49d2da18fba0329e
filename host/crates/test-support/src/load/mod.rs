//! Many viewers in one thread, which cost less than the server.

mod viewer;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::epoll;

pub use self::viewer::{MSG_TRUNC, Received, Viewer, request};

/// How long a viewer waits before it connects again, if it does.
const RECONNECT_DELAY: Duration = Duration::from_millis(100);

/// The path of the stream.
pub const PATH: &str = "/video_feed";

/// All viewers of one server.
pub struct Load {
    address: SocketAddr,
    viewers: Vec<Viewer>,
    epoll: rustix::fd::OwnedFd,
    /// How long the viewers have been reading since the last reset.
    window: Duration,
    /// Whether viewers connect again, like a browser, if their connection ends. Otherwise, its end is a panic.
    pub reconnects: bool,
    /// When to reconnect which viewer.
    ended: VecDeque<(Instant, usize)>,
}

impl Load {
    /// Creates a load without viewers.
    pub fn new(address: SocketAddr) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let (viewers, ended) = Default::default();
        Self { address, viewers, epoll, window: Duration::ZERO, reconnects: false, ended }
    }

    /// Connects this many viewers, and waits until each has its first frame.
    pub fn connect(address: SocketAddr, count: usize) -> Self {
        let mut load = Self::new(address);
        load.add(count);
        load
    }

    /// Connects this many more viewers, and waits until each has its first frame.
    pub fn add(&mut self, count: usize) {
        for _ in 0..count {
            self.watch(PATH);
            // Read what has arrived, so that earlier viewers do not wait for later ones.
            self.poll(Duration::ZERO);
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.viewers.iter().any(|viewer| viewer.first.is_none()) {
            assert!(Instant::now() < deadline, "some viewers are sent nothing");
            self.poll(Duration::from_millis(50));
        }
    }

    /// Disconnects a viewer and connects another with the same number.
    pub fn replace(&mut self, number: usize) {
        self.viewers[number] = Viewer::connect(self.address, PATH, None);
        self.poll_viewer(number);
    }

    /// Connects one more viewer, of this path. Does not wait for its first frame.
    pub fn watch(&mut self, path: &str) {
        self.viewers.push(Viewer::connect(self.address, path, None));
        self.poll_viewer(self.viewers.len() - 1);
    }

    fn poll_viewer(&self, number: usize) {
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &self.viewers[number].stream, data, epoll::EventFlags::IN).unwrap();
    }

    /// Reads for this long.
    pub fn run_for(&mut self, time: Duration) {
        let start = Instant::now();
        while let Some(left) = time.checked_sub(start.elapsed()) {
            self.poll(left);
        }
        self.window += start.elapsed();
    }

    /// Reads until a condition holds, or for this long. Returns whether it holds.
    pub fn run_until(&mut self, time: Duration, mut condition: impl FnMut(&[Viewer]) -> bool) -> bool {
        let deadline = Instant::now() + time;
        while !condition(&self.viewers) {
            if Instant::now() > deadline {
                return false;
            }
            self.run_for(Duration::from_millis(20));
        }
        true
    }

    /// Waits until something arrives, or for this long, and reads it. Returns the numbers of the viewers that read.
    pub fn poll(&mut self, timeout: Duration) -> Vec<usize> {
        while let Some((_, number)) = self.ended.pop_front_if(|(due, _)| *due <= Instant::now()) {
            self.viewers[number].reconnect();
            self.poll_viewer(number);
        }
        let due = self.ended.front().map(|(due, _)| due.saturating_duration_since(Instant::now()));
        let timeout = due.map_or(timeout, |due| due.min(timeout));
        let mut events = Vec::with_capacity(self.viewers.len().max(1));
        let timeout =
            rustix::time::Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("{error}"),
        }
        let numbers: Vec<_> = events.iter().map(|event| event.data.u64() as usize).collect();
        for &number in &numbers {
            if let Err(error) = self.viewers[number].read() {
                assert!(self.reconnects, "viewer {number}: {error}");
                // Otherwise, the end of the stream would be reported again and again.
                epoll::delete(&self.epoll, &self.viewers[number].stream).unwrap();
                self.ended.push_back((Instant::now() + RECONNECT_DELAY, number));
            }
        }
        numbers
    }

    /// Resets all counts.
    pub fn reset(&mut self) {
        self.viewers.iter_mut().for_each(Viewer::reset);
        self.window = Duration::ZERO;
    }

    /// Returns all viewers, by number.
    pub fn viewers(&self) -> &[Viewer] {
        &self.viewers
    }

    /// Returns how many frames were read completely.
    pub fn frames(&self) -> usize {
        self.viewers.iter().map(|viewer| viewer.parts.len()).sum()
    }

    /// Returns the frames per second of the slowest viewer.
    pub fn slowest_rate(&self) -> f64 {
        let fewest = self.viewers.iter().map(|viewer| viewer.parts.len()).min().unwrap();
        fewest as f64 / self.window.as_secs_f64()
    }

    /// Returns the longest time between two frames of any viewer.
    pub fn longest_gap(&self) -> Duration {
        self.viewers.iter().map(|viewer| viewer.longest_gap).max().unwrap()
    }

    /// Returns the latency that this many percent are shorter than: the time from capture until a viewer has the frame.
    pub fn latency_percentile(&self, percent: usize) -> Duration {
        percentile(self.viewers.iter().flat_map(|viewer| &viewer.parts).map(|part| part.latency), percent)
    }
}

/// Returns the time that this many percent of the times are shorter than.
pub fn percentile(times: impl Iterator<Item = Duration>, percent: usize) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}
