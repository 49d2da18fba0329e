//! Viewers: many of them in one thread.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::epoll;

use super::figures::percentile;
use super::viewer::Viewer;

/// What is watched.
pub const PATH: &str = "/video_feed";

/// All viewers of one server.
pub struct Load {
    address: SocketAddr,
    viewers: Vec<Viewer>,
    epoll: rustix::fd::OwnedFd,
    window: Duration,
}

impl Load {
    /// Nobody watches this server yet.
    pub fn new(address: SocketAddr) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        Self { address, viewers: Vec::new(), epoll, window: Duration::ZERO }
    }

    /// Connect this many viewers, and wait until each has its first part.
    pub fn connect(address: SocketAddr, count: usize) -> Self {
        let mut load = Self::new(address);
        load.join(count);
        load
    }

    /// Connect this many more viewers, and wait until each has its first part.
    pub fn join(&mut self, count: usize) {
        for _ in 0..count {
            self.watch(PATH);
            // So that nobody waits for those who come later.
            self.poll(Duration::ZERO);
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.viewers.iter().any(|viewer| viewer.first.is_none()) {
            assert!(Instant::now() < deadline, "some viewers are sent nothing");
            self.poll(Duration::from_millis(50));
        }
    }

    /// Put another viewer in the place of this one, who leaves.
    pub fn replace(&mut self, number: usize) {
        let viewer = self.begin(number, PATH);
        self.viewers[number] = viewer;
    }

    /// Connect one more viewer, of this path, and do not wait for its first part.
    pub fn watch(&mut self, path: &str) {
        let viewer = self.begin(self.viewers.len(), path);
        self.viewers.push(viewer);
    }

    fn begin(&self, number: usize, path: &str) -> Viewer {
        let viewer = Viewer::connect(self.address, path);
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &viewer.stream, data, epoll::EventFlags::IN).unwrap();
        viewer
    }

    /// Read what comes, for this long.
    pub fn run_for(&mut self, time: Duration) {
        let begun = Instant::now();
        while let Some(left) = time.checked_sub(begun.elapsed()) {
            self.poll(left);
        }
        self.window += begun.elapsed();
    }

    /// Wait until something comes, or for this long, and read it. Returns the numbers of those who got something.
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

    /// Begin to count.
    pub fn forget(&mut self) {
        self.viewers.iter_mut().for_each(Viewer::forget);
        self.window = Duration::ZERO;
    }

    /// All viewers, in the order in which they came.
    pub fn viewers(&self) -> &[Viewer] {
        &self.viewers
    }

    /// How many parts were read whole.
    pub fn frames(&self) -> usize {
        self.viewers.iter().map(|viewer| viewer.latencies.len()).sum()
    }

    /// The rate of the viewer that was sent the fewest parts, per second.
    pub fn slowest_rate(&self) -> f64 {
        let fewest = self.viewers.iter().map(|viewer| viewer.latencies.len()).min().unwrap();
        fewest as f64 / self.window.as_secs_f64()
    }

    /// The longest time that any viewer waited from one part to the next.
    pub fn longest_gap(&self) -> Duration {
        self.viewers.iter().map(|viewer| viewer.longest_gap).max().unwrap()
    }

    /// The time from capture until a viewer has the whole part: so many of a hundred are shorter.
    pub fn latency_percentile(&self, percent: usize) -> Duration {
        percentile(self.viewers.iter().flat_map(|viewer| &viewer.latencies).copied(), percent)
    }
}
