//! A tree of servers on machines of their own, and whether it keeps its promises:
//!
//! ```text
//!                   ┌─ relay ─┐
//! camera ── origin ─┼─ relay ─┼─ HAProxy ── viewers
//!            │      └─ relay ─┘
//!            └─ lossy link ─ far relay ── one viewer
//! ```
//!
//! A test runs it with a few viewers, a benchmark with thousands.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::balancer::Balancer;
use super::client::get;
use super::load::{Load, PATH, Received, Viewer, percentile};
use super::lossy_link::{ENDS, Faults, LossyLink};
use super::network::{Machine, Network};
use super::pictures::fill_with_visible_numbers;
use super::server::{Server, processor_time};

/// The programs that [`check`] runs.
pub const PROGRAMS: [&str; 3] = ["ip", "haproxy", "curl"];

const RELAYS: usize = 3;
/// From the origin to a relay, to the balancer, to the viewer.
const HOPS: u32 = 3;
/// The time that each hop may take.
const HOP: Duration = Duration::from_millis(10);

/// When viewers must see the reason after the origin has stopped, and the picture after it is back.
const REASON_WITHIN: Duration = Duration::from_secs(3);
const PICTURE_WITHIN: Duration = Duration::from_secs(2);
/// When the viewers of a dead relay must have the picture again.
const RETURN_WITHIN: Duration = Duration::from_secs(2);
/// How long to wait for something that should be faster, to report how long it takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The lossy link.
pub const LINK: Faults = Faults { lost_per_mille: 10, delay: Duration::from_millis(100) };
/// Frames per second over the link, of 26 kB each: more than TCP can send with these losses.
const LINK_RATE: u32 = 10;
/// How old a picture may be behind the link: the delay, two retransmissions of a lost packet, which take one round trip
/// each, and the rest for what waits meanwhile.
const FRESH_WITHIN: Duration = Duration::from_secs(1);

const ORIGIN_PORT: u16 = 5000;
/// The server whose cost is compared with the origin's.
const CONTROL_PORT: u16 = 5001;

/// How large the tree is, and how long it is observed.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub viewers: usize,
    /// Frames per second.
    pub rate: u32,
    /// How long each state of the tree is observed.
    pub window: Duration,
    /// How many percent of the frames must arrive in time. Less than 100 if other programs run on this machine.
    pub percent_in_time: usize,
    /// How many times longer than promised things may take. More than 1 if other programs run on this machine.
    pub time_tolerance: u32,
    /// How many times the processor time of a server with as many plain viewers the origin may use. More than 1 because
    /// of noise.
    pub cost_tolerance: f64,
}

/// A promise, and what was measured.
#[derive(Debug)]
pub struct Check {
    pub promise: String,
    pub measured: String,
    pub is_kept: bool,
}

impl Check {
    fn new(promise: impl Display, measured: impl Display, is_kept: bool) -> Self {
        Self { promise: promise.to_string(), measured: measured.to_string(), is_kept }
    }
}

/// Starts a tree and checks all its promises. Needs root and [`PROGRAMS`].
pub fn check(plan: Plan) -> Vec<Check> {
    // In a thread of its own, because the thread moves to another machine.
    thread::spawn(move || check_from_viewers(plan)).join().unwrap()
}

fn check_from_viewers(plan: Plan) -> Vec<Check> {
    let network = Network::new();
    let pictures = tempfile::tempdir().unwrap();
    fill_with_visible_numbers(pictures.path());
    let [origin, balancer, far, viewers] = ["origin", "balancer", "far", "viewers"].map(|name| network.machine(name));
    let relays = ["relay1", "relay2", "relay3"].map(|name| network.machine(name));
    let link = LossyLink::new([&origin, &far], LINK);
    viewers.enter();
    let mut tree = Tree::start(plan, pictures.path(), &origin, &relays, &balancer);
    let mut checks = tree.in_time_and_cost();
    checks.extend(tree.restart_of_the_origin());
    checks.extend(tree.death_of_a_relay());
    let _origin = tree.origin.take();
    drop(tree);
    checks.push(freshness(plan, &far, &link));
    checks
}

struct Tree<'a> {
    plan: Plan,
    pictures: &'a Path,
    origin_machine: &'a Machine,
    /// `None` while it is stopped.
    origin: Option<Server>,
    /// Serves as many plain viewers as the origin serves relays, at the same time and on the same machines.
    control: Server,
    plain_viewers: Vec<Child>,
    relays: Vec<Server>,
    _balancer: Balancer,
    load: Load,
}

impl<'a> Tree<'a> {
    fn start(
        plan: Plan,
        pictures: &'a Path,
        origin_machine: &'a Machine,
        relay_machines: &[Machine; RELAYS],
        balancer_machine: &Machine,
    ) -> Self {
        let origin = start_origin(origin_machine, ORIGIN_PORT, plan, pictures);
        let control = start_origin(origin_machine, CONTROL_PORT, plan, pictures);
        // All viewers have one address.
        let limit = (2 * plan.viewers).to_string();
        let relays: Vec<_> = relay_machines
            .iter()
            .map(|machine| {
                let camera = format!("front=http://{}{PATH}/front", origin.address);
                let proxy = balancer_machine.address.to_string();
                let limits = ["--max-requests", &limit, "--max-connections-per-address", &limit];
                let args = [&["--camera", &camera, "--trusted-proxy", &proxy][..], &limits].concat();
                Server::start_command(machine.server(ORIGIN_PORT, &args))
            })
            .collect();
        let addresses = std::array::from_fn(|number| relays[number].address);
        let balancer = Balancer::start(balancer_machine.command("haproxy"), balancer_machine.at(8080), addresses);
        let mut load = Load::new(balancer.address);
        load.reconnects = true;
        load.add(plan.viewers);
        let plain_viewers = relay_machines.iter().map(|machine| {
            let mut curl = machine.command("curl");
            curl.args(["-sN", "-o", "/dev/null", &format!("http://{}{PATH}/front", control.address)]);
            curl.stdin(Stdio::null()).spawn().unwrap()
        });
        let plain_viewers = plain_viewers.collect();
        Self {
            plan,
            pictures,
            origin_machine,
            origin: Some(origin),
            control,
            plain_viewers,
            relays,
            _balancer: balancer,
            load,
        }
    }

    /// Every frame arrives in time, and the origin does no more than for three viewers.
    fn in_time_and_cost(&mut self) -> Vec<Check> {
        self.load.run_for(Duration::from_secs(2));
        self.load.reset();
        let origin = self.origin.as_ref().unwrap();
        let times = || [origin, &self.control].map(|server| processor_time(server.pid()));
        let before = times();
        self.load.run_for(self.plan.window);
        let after = times();
        let per_second =
            |number: usize| (after[number] - before[number]).as_secs_f64() / self.plan.window.as_secs_f64();
        let streams = stream_count(origin.address);
        let (origin, control) = (per_second(0), per_second(1));
        let viewers = self.load.viewers();
        let latencies = || viewers.iter().flat_map(|viewer| &viewer.parts).map(|part| part.latency);
        let (total, limit) = (latencies().count(), self.plan.in_time());
        let late = latencies().filter(|latency| *latency > limit).count();
        let skipped: u64 = viewers.iter().map(|viewer| skipped(&viewer.parts)).sum();
        let worst = latencies().max().unwrap_or_default();
        let Plan { percent_in_time: percent, cost_tolerance, .. } = self.plan;
        let is_in_time = (late as u64 + skipped) * 100 <= (100 - percent) as u64 * total as u64;
        let expected = viewers.len() as f64 * f64::from(self.plan.rate) * self.plan.window.as_secs_f64();
        vec![
            Check::new(
                format!("{percent} % of the frames arrive within a frame period and {HOPS} x {HOP:?}: {limit:?}"),
                format!(
                    "{total} frames: {late} late, {skipped} skipped; median {}, 99th percentile {}, latest {}",
                    shown(percentile(latencies(), 50)),
                    shown(percentile(latencies(), 99)),
                    shown(worst)
                ),
                // Viewers that got nothing skipped nothing either.
                is_in_time && (total as u64 + skipped) as f64 > 0.9 * expected,
            ),
            Check::new(
                format!("the origin sends {RELAYS} streams"),
                format!("{streams} streams"),
                streams == RELAYS as u64,
            ),
            Check::new(
                format!("the origin costs what {RELAYS} plain viewers cost, at most {cost_tolerance} times"),
                format!(
                    "{:.2} ms per second of processor time, {:.2} with plain viewers: {:.2} times",
                    origin * 1000.0,
                    control * 1000.0,
                    origin / control
                ),
                origin <= cost_tolerance * control,
            ),
        ]
    }

    /// Everyone sees the reason soon after the origin has stopped, and the picture soon after it is back.
    fn restart_of_the_origin(&mut self) -> Vec<Check> {
        self.load.reset();
        let stopped = Instant::now();
        self.origin = None;
        let reason = self.first_after(stopped, |part| part.is_placeholder);
        self.origin = Some(start_origin(self.origin_machine, ORIGIN_PORT, self.plan, self.pictures));
        let returned = Instant::now();
        let picture = self.first_after(returned, |part| !part.is_placeholder);
        let reconnects: usize = self.load.viewers().iter().map(|viewer| viewer.reconnects.len()).sum();
        vec![
            self.plan.all_within("all viewers see the reason of the origin's end", REASON_WITHIN, reason),
            self.plan.all_within("all viewers see the picture of the origin that is back", PICTURE_WITHIN, picture),
            Check::new("no viewer loses its connection", format!("{reconnects} reconnected"), reconnects == 0),
        ]
    }

    /// The viewers of a relay that dies return through the balancer. The others notice nothing.
    fn death_of_a_relay(&mut self) -> Vec<Check> {
        self.load.run_for(Duration::from_secs(2));
        self.load.reset();
        let relay = self.relays.remove(0);
        let affected = stream_count(relay.address) as usize;
        let died = Instant::now();
        drop(relay);
        self.load.run_for(self.plan.window);
        let (returning, others): (Vec<_>, Vec<_>) =
            self.load.viewers().iter().partition(|viewer| !viewer.reconnects.is_empty());
        let count = returning.len();
        let back = |viewer: &&Viewer| {
            let reconnected = viewer.reconnects.last()?;
            let back = viewer.parts.iter().find(|part| part.at > *reconnected && !part.is_placeholder)?;
            Some(back.at - died)
        };
        let back = returning.iter().map(back).collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
        let skipped: u64 = others.iter().map(|viewer| skipped(&viewer.parts)).sum();
        let frames: usize = others.iter().map(|viewer| viewer.parts.len()).sum();
        let pause = others.iter().flat_map(|viewer| viewer.parts.windows(2)).map(|pair| pair[1].at - pair[0].at).max();
        let pause = pause.unwrap_or(PATIENCE);
        // One frame in time, and the next one late by as much as it may be.
        let limit = self.plan.period() + self.plan.in_time();
        let allowed = (100 - self.plan.percent_in_time) as u64 * frames as u64 / 100;
        let is_pause_checked = self.plan.percent_in_time == 100;
        vec![
            Check::new(
                "the viewers of the dead relay reconnect, and no others",
                format!("{count} of {affected}"),
                count == affected && affected > 0,
            ),
            self.plan.all_within("they have the picture again", RETURN_WITHIN, back),
            Check::new(
                format!("the others miss no frame, and wait for none longer than {limit:?}"),
                format!(
                    "{} viewers: {skipped} of {frames} frames skipped, longest wait {}",
                    others.len(),
                    shown(pause)
                ),
                skipped <= allowed && (pause <= limit || !is_pause_checked),
            ),
        ]
    }

    /// Runs until all viewers of the tree have read a matching part. Returns the time that this takes, if it happens.
    fn first_after(&mut self, start: Instant, matches: impl Fn(&Received) -> bool) -> Option<Duration> {
        let first =
            |viewer: &Viewer| viewer.parts.iter().find(|part| part.at > start && matches(part)).map(|part| part.at);
        self.load.run_until(PATIENCE, |viewers| viewers.iter().all(|viewer| first(viewer).is_some()));
        let last = self.load.viewers().iter().map(first).collect::<Option<Vec<_>>>()?.into_iter().max()?;
        Some(last - start)
    }
}

impl Drop for Tree<'_> {
    fn drop(&mut self) {
        for viewer in &mut self.plain_viewers {
            let _ = viewer.kill();
            let _ = viewer.wait();
        }
    }
}

/// Pictures stay fresh behind a link that is slow and lossy.
fn freshness(plan: Plan, far: &Machine, link: &LossyLink) -> Check {
    let camera = format!("front=http://{}:{ORIGIN_PORT}{PATH}/large", ENDS[0]);
    let relay = Server::start_command(far.server(ORIGIN_PORT, &["--camera", &camera]));
    let mut load = Load::connect(relay.address, 1);
    // Parts before the first picture show that there is none.
    load.run_until(PATIENCE, |viewers| viewers[0].parts.iter().any(|part| !part.is_placeholder));
    load.reset();
    load.run_for(plan.window);
    let parts = &load.viewers()[0].parts;
    let pictures = parts.iter().filter(|part| !part.is_placeholder).count();
    let ages = || parts.iter().map(|part| part.latency);
    let oldest = ages().max().unwrap_or(PATIENCE);
    // A picture is shown until the next one is there.
    let pause = parts.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or(PATIENCE);
    let (forwarded, lost) = link.packets();
    let limit = FRESH_WITHIN * plan.time_tolerance;
    Check::new(
        format!(
            "pictures behind a link with {:.0} % loss and {:?} of delay each way are at most {limit:?} old",
            LINK.lost_per_mille as f64 / 10.0,
            LINK.delay
        ),
        format!(
            "{pictures} pictures in {:?}, {} skipped; median {}, oldest {}, longest wait {}; {lost} of {} packets lost",
            plan.window,
            skipped(parts),
            shown(percentile(ages(), 50)),
            shown(oldest),
            shown(pause),
            forwarded + lost
        ),
        pictures == parts.len() && pictures > 0 && oldest <= limit && lost > 0,
    )
}

impl Plan {
    fn period(&self) -> Duration {
        Duration::from_secs(1) / self.rate
    }

    /// How long after its capture a frame may arrive.
    fn in_time(&self) -> Duration {
        self.period() + HOPS * HOP
    }

    /// Checks a promise about how long something takes. `None` means that it did not happen.
    fn all_within(&self, promise: &str, time: Duration, measured: Option<Duration>) -> Check {
        let time = time * self.time_tolerance;
        let shown = measured.map_or_else(|| format!("not within {PATIENCE:?}"), shown);
        Check::new(format!("{promise} within {time:?}"), shown, measured.is_some_and(|measured| measured <= time))
    }
}

fn start_origin(machine: &Machine, port: u16, plan: Plan, pictures: &Path) -> Server {
    let small = format!("front=emulated:{},fps={}", pictures.display(), plan.rate);
    let large = format!("large=emulated,fps={LINK_RATE}");
    let link = format!("{}:{port}", ENDS[0]);
    Server::start_command(machine.server(port, &["--camera", &small, "--camera", &large, "--listen", &link]))
}

/// Returns how many frames are missing between these parts.
fn skipped(parts: &[Received]) -> u64 {
    let sequences: Vec<_> = parts.iter().filter_map(|part| part.sequence).collect();
    sequences.windows(2).map(|pair| pair[1].saturating_sub(pair[0] + 1)).sum()
}

/// Returns how many viewers, or relays, read the streams of a server.
fn stream_count(server: SocketAddr) -> u64 {
    get(server, "/state").json()["result"]["stream"]["clients"].as_u64().unwrap()
}

fn shown(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1000.0)
}
