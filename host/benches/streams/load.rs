//! Many viewers in one thread.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::epoll;

use super::figures::percentile;
use super::viewer::Viewer;

/// The path of the stream.
pub const PATH: &str = "/video_feed";

/// All viewers of one server.
pub struct Load {
    address: SocketAddr,
    viewers: Vec<Viewer>,
    epoll: rustix::fd::OwnedFd,
    /// How long the viewers have been reading since the last reset.
    window: Duration,
}

impl Load {
    /// Creates a load without viewers.
    pub fn new(address: SocketAddr) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        Self { address, viewers: Vec::new(), epoll, window: Duration::ZERO }
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
        let viewer = self.connect_viewer(number, PATH);
        self.viewers[number] = viewer;
    }

    /// Connects one more viewer, of this path. Does not wait for its first frame.
    pub fn watch(&mut self, path: &str) {
        let viewer = self.connect_viewer(self.viewers.len(), path);
        self.viewers.push(viewer);
    }

    fn connect_viewer(&self, number: usize, path: &str) -> Viewer {
        let viewer = Viewer::connect(self.address, path, None);
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &viewer.stream, data, epoll::EventFlags::IN).unwrap();
        viewer
    }

    /// Reads for this long.
    pub fn run_for(&mut self, time: Duration) {
        let start = Instant::now();
        while let Some(left) = time.checked_sub(start.elapsed()) {
            self.poll(left);
        }
        self.window += start.elapsed();
    }

    /// Waits until something arrives, or for this long, and reads it. Returns the numbers of the viewers that read.
    pub fn poll(&mut self, timeout: Duration) -> Vec<usize> {
        let mut events = Vec::with_capacity(self.viewers.len().max(1));
        let timeout =
            rustix::time::Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("{error}"),
        }
        let numbers: Vec<_> = events.iter().map(|event| event.data.u64() as usize).collect();
        for number in &numbers {
            self.viewers[*number].read();
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
        self.viewers.iter().map(|viewer| viewer.latencies.len()).sum()
    }

    /// Returns the frames per second of the slowest viewer.
    pub fn slowest_rate(&self) -> f64 {
        let fewest = self.viewers.iter().map(|viewer| viewer.latencies.len()).min().unwrap();
        fewest as f64 / self.window.as_secs_f64()
    }

    /// Returns the longest time between two frames of any viewer.
    pub fn longest_gap(&self) -> Duration {
        self.viewers.iter().map(|viewer| viewer.longest_gap).max().unwrap()
    }

    /// Returns the latency that this many percent are shorter than: the time from capture until a viewer has the frame.
    pub fn latency_percentile(&self, percent: usize) -> Duration {
        percentile(self.viewers.iter().flat_map(|viewer| &viewer.latencies).copied(), percent)
    }
}
