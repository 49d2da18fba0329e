//! A slow, lossy network link between two machines, for kernels without `netem`.
//!
//! Each end is a TUN interface (<https://docs.kernel.org/networking/tuntap.html>). A thread forwards the packets from one
//! to the other as tc-netem(8) does: it drops some at random and delays the others. So both ends run the kernel's own
//! TCP, with real losses.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::ioctl::{Setter, ioctl, opcode};
use rustix::time::Timespec;

use super::network::Machine;
use super::random::Random;

/// The addresses of the two ends.
pub const ENDS: [&str; 2] = ["10.78.0.1", "10.78.0.2"];

/// How many packets can be on their way in each direction. The default of netem.
const QUEUE: usize = 1000;

/// How often the thread checks whether the link was dropped.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Sets the name and the mode of a TUN interface. The kernel's header declares it with `int`, although it takes a
/// `struct ifreq`.
const TUNSETIFF: rustix::ioctl::Opcode = opcode::write::<i32>(b'T', 202);
/// IP packets, without a header of the interface (`IFF_TUN | IFF_NO_PI`).
const MODE: u16 = 0x1001;
/// The length of `struct ifreq` and of the name at its start (netdevice(7)).
const REQUEST_LENGTH: usize = 40;
const NAME_LENGTH: usize = 16;

/// What the link does to packets, in each direction.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Out of a thousand packets, how many are lost.
    pub lost_per_mille: u64,
    pub delay: Duration,
}

/// A link. Removed when dropped.
pub struct LossyLink {
    forwarder: Option<JoinHandle<()>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_dropped: AtomicBool,
    forwarded: AtomicU64,
    lost: AtomicU64,
}

/// The packets on their way in one direction, and when they arrive.
type Queue = VecDeque<(Instant, Vec<u8>)>;

impl LossyLink {
    /// Connects two machines. The first one gets the first address of [`ENDS`].
    pub fn new(machines: [&Machine; 2], faults: Faults) -> Self {
        let number = std::process::id();
        let ends = [0, 1].map(|end| {
            let name = format!("lossy{end}-{number}");
            let tun = open_tun(&name);
            machines[end].add_interface(&name, &format!("{}/24", ENDS[end]));
            tun
        });
        let state = Arc::new(State::default());
        let forwarded = state.clone();
        let forwarder = Some(thread::spawn(move || forward(&ends, faults, &forwarded)));
        Self { forwarder, state }
    }

    /// Returns how many packets were forwarded, and how many were lost.
    pub fn packets(&self) -> (u64, u64) {
        (self.state.forwarded.load(Ordering::Relaxed), self.state.lost.load(Ordering::Relaxed))
    }
}

impl Drop for LossyLink {
    fn drop(&mut self) {
        self.state.is_dropped.store(true, Ordering::Relaxed);
        self.forwarder.take().map(JoinHandle::join);
    }
}

/// Creates a TUN interface in the caller's network namespace. It exists until the file is closed.
#[allow(unsafe_code, reason = "rustix has no function for this ioctl")]
fn open_tun(name: &str) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let tun = options.open("/dev/net/tun").unwrap();
    let mut request = [0_u8; REQUEST_LENGTH];
    // The last byte of the name is NUL.
    assert!(name.len() < NAME_LENGTH);
    request[..name.len()].copy_from_slice(name.as_bytes());
    request[NAME_LENGTH..NAME_LENGTH + 2].copy_from_slice(&MODE.to_ne_bytes());
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, which is what `request` holds, and keeps no pointer to it.
    unsafe { ioctl(&tun, Setter::<TUNSETIFF, _>::new(request)) }.unwrap();
    tun
}

fn forward(ends: &[File; 2], faults: Faults, state: &State) {
    let mut random = Random::new(1);
    let mut directions: [Queue; 2] = Default::default();
    let mut packet = vec![0; 1 << 16];
    while !state.is_dropped.load(Ordering::Relaxed) {
        let due = directions.iter().filter_map(Queue::front).map(|(due, _)| *due).min();
        let wait = due.map_or(POLL_INTERVAL, |due| due.saturating_duration_since(Instant::now()).min(POLL_INTERVAL));
        let mut files = [0, 1].map(|end| PollFd::new(&ends[end], PollFlags::IN));
        let wait = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
        // Fails only if a signal interrupts it.
        let _ = poll(&mut files, Some(&wait));
        for (end, queue) in directions.iter_mut().enumerate() {
            while let Some(length) = read(&ends[end], &mut packet) {
                let is_lost = random.below(1000) < faults.lost_per_mille || queue.len() >= QUEUE;
                if is_lost {
                    state.lost.fetch_add(1, Ordering::Relaxed);
                } else {
                    queue.push_back((Instant::now() + faults.delay, packet[..length].to_vec()));
                }
            }
            while let Some((_, packet)) = queue.pop_front_if(|(due, _)| *due <= Instant::now()) {
                // Fails while the interface is down.
                let _ = (&ends[1 - end]).write(&packet);
                state.forwarded.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Reads a packet, if there is one. Fails while the interface is moved to its machine.
fn read(mut tun: &File, packet: &mut [u8]) -> Option<usize> {
    tun.read(packet).ok()
}
