//! The promise of a mask: whatever happens to the filters of a camera, no client sees what they hide.
//!
//! One camera has a filter, another has two. Faults strike them in an order that a seed determines, while clients read
//! the cameras in every way that there is, and decode and check each picture.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::guests::{
    IS_SLOW, LEAKS_IMAGES, MASKS_ALWAYS, SKIPS_FRAMES, SPINS_AT_TIMES, TRAPS_AT_ONCE, TRAPS_AT_TIMES, WAITS_AT_TIMES,
    built_in, masking_area, reading_everything, variant,
};
use hotshoe_test_support::random::Random;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;
use rustix::process::{Signal, kill_process};

use super::readers::{PAIR, Readers, SINGLE};
use super::shown::{Hidden, LEFT_HALF, LOWER_RIGHT, Seen, look, masked_picture, picture};
use crate::compiler::compilers;

/// What happens to a filter.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It is replaced by one that behaves in this way.
    Replaced(&'static str),
    /// It is replaced by one that is ended by the host, which takes seconds.
    Ended(&'static str),
    /// Its file contains something else.
    Damaged,
    /// It is to be replaced, and the process that compiles the next one is killed.
    CompilerKilled,
    /// Other threads take the processors.
    Starved,
}

use Fault::{CompilerKilled, Damaged, Ended, Replaced, Starved};

/// Another filter takes over, without a fault.
const SWAPPED: (&str, Fault) = ("swapped", Replaced(MASKS_ALWAYS));

const FAULTS: [(&str, Fault); 8] = [
    ("traps at times", Replaced(TRAPS_AT_TIMES)),
    ("traps at once", Replaced(TRAPS_AT_ONCE)),
    ("skips frames", Replaced(SKIPS_FRAMES)),
    ("holds too many images", Replaced(LEAKS_IMAGES)),
    ("too slow for the rate", Replaced(IS_SLOW)),
    ("not a component", Damaged),
    ("compiler killed", CompilerKilled),
    ("starved of processor time", Starved),
];

const KILLED_WHILE_IT_WAITS: (&str, Fault) = ("killed while it waits", Ended(WAITS_AT_TIMES));
const KILLED_WHILE_IT_COMPUTES: (&str, Fault) = ("killed while it computes", Ended(SPINS_AT_TIMES));

/// The rate of the cameras. Frames are small, so faults happen in the middle of many of them.
const FPS: u32 = 200;

/// The number of frames between two faults, and how long they may take.
const FRAMES_PER_ROUND: u64 = 20;
const ROUND_TIME: Duration = Duration::from_millis(500);

/// How long a fault of the kind `Ended` may take to become visible: the host gives a filter three seconds for a frame.
const ENDED_TIME: Duration = Duration::from_secs(5);

/// How long a filter may take to be replaced or refused. If it takes longer, the next fault strikes meanwhile.
const REPLACEMENT_TIME: Duration = Duration::from_secs(3);

/// The number of different components for each behaviour. More than are offered between two that are the same, which
/// would not be replaced.
const VARIANTS: u32 = 7;

/// A number of functions that takes long enough to compile for the compiler to be found.
const MANY_FUNCTIONS: usize = 400;

/// A filter of a camera.
struct Target {
    camera: &'static str,
    file: PathBuf,
    hides: Hidden,
}

struct Setup {
    server: Server,
    targets: Vec<Target>,
    components: HashMap<(usize, &'static str), Vec<u8>>,
    /// The number of components that were offered.
    offered: u32,
    random: Random,
    _folder: tempfile::TempDir,
}

impl Setup {
    /// Starts a server with both cameras.
    fn new(random: Random) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pictures = folder.path().join("pictures");
        fs::create_dir(&pictures).unwrap();
        fs::write(pictures.join("1.jpg"), picture()).unwrap();
        let target = |camera, file: &str, hides| Target { camera, file: folder.path().join(file), hides };
        let targets = vec![
            target(SINGLE, "single.wasm", LEFT_HALF),
            target(PAIR, "first.wasm", LEFT_HALF),
            target(PAIR, "second.wasm", LOWER_RIGHT),
        ];
        let mut args = ["--linger", "0", "--drain", "86400"].map(str::to_owned).to_vec();
        for camera in [SINGLE, PAIR] {
            let mut text = format!("{camera}=emulated:{},fps={FPS},remember=1s", pictures.display());
            for target in targets.iter().filter(|target| target.camera == camera) {
                fs::write(&target.file, masking_area(target.hides, MASKS_ALWAYS, 0)).unwrap();
                text += &format!(",filter={}", target.file.display());
            }
            args.extend(["--camera".to_owned(), text]);
        }
        let server = Server::start(&args);
        Self { server, targets, components: HashMap::new(), offered: 0, random, _folder: folder }
    }

    /// Starts the clients. The guest that reads frames by itself is replaced by the built-in one, and goes on.
    fn read(&self) -> Readers {
        let address = self.server.address;
        assert_eq!(self.server.put_guest(&reading_everything()).status, 200);
        let own = Viewer::watch(address, "/own");
        assert_eq!(self.server.put_guest(&built_in()).status, 200);
        Readers::start(address, own)
    }

    /// Writes another component to the file of a filter.
    fn offer(&mut self, target: usize, behaviour: &'static str) {
        self.offered += 1;
        let hides = self.targets[target].hides;
        let component = self.components.entry((target, behaviour)).or_insert_with(|| masking_area(hides, behaviour, 0));
        let component = variant(component, self.offered % VARIANTS);
        self.write(target, &component);
    }

    fn write(&self, target: usize, component: &[u8]) {
        let file = &self.targets[target].file;
        let temporary = file.with_extension("new");
        fs::write(&temporary, component).unwrap();
        fs::rename(&temporary, file).unwrap();
    }

    /// How many times each filter was replaced, or a candidate refused.
    fn replacements(&self) -> Vec<u64> {
        let status = get(self.server.admin.unwrap(), "/status").json();
        let count = |component: &serde_json::Value| {
            let refused = component["swaps"]["refused"].as_object().unwrap().values();
            component["swaps"]["replaced"].as_u64().unwrap() + refused.map(|count| count.as_u64().unwrap()).sum::<u64>()
        };
        status["components"].as_array().unwrap().iter().map(count).collect()
    }

    /// Half the time none, for pictures to check. Rarely one of the kind `Ended`, which leaves none for seconds.
    fn any_fault(&mut self) -> (&'static str, Fault) {
        match self.random.below(32) {
            0 => KILLED_WHILE_IT_WAITS,
            1 => KILLED_WHILE_IT_COMPUTES,
            2..16 => FAULTS[self.random.below(FAULTS.len() as u64) as usize],
            _ => SWAPPED,
        }
    }

    /// Lets these faults happen at the same time, each to one filter, and waits until viewers have seen the results.
    fn strike(&mut self, faults: &[(usize, Fault)], readers: &Readers) {
        let before = self.replacements();
        let placeholders = |camera| readers.placeholders(camera);
        let placeholders_before: Vec<_> =
            faults.iter().map(|(target, _)| placeholders(self.targets[*target].camera)).collect();
        let (mut offered, mut kills_compiler, mut burning) = (Vec::new(), false, None);
        for (target, fault) in faults {
            match fault {
                Replaced(behaviour) | Ended(behaviour) => self.offer(*target, behaviour),
                Damaged => self.write(*target, format!("no component {}", self.offered).as_bytes()),
                CompilerKilled => {
                    self.offered += 1;
                    let large = masking_area(self.targets[*target].hides, MASKS_ALWAYS, MANY_FUNCTIONS);
                    // Another one each time: the cache has none that were not compiled to the end.
                    self.write(*target, &variant(&large, VARIANTS + self.offered));
                    kills_compiler = true;
                }
                Starved => {
                    burning = Some(Burning::start());
                    continue;
                }
            }
            offered.push(*target);
        }
        self.server.signal(Signal::HUP);
        let is_done = || {
            let now = self.replacements();
            offered.iter().all(|target| now[*target] > before[*target])
        };
        let start = Instant::now();
        while !is_done() && start.elapsed() < REPLACEMENT_TIME {
            if kills_compiler {
                for pid in compilers(self.server.pid()) {
                    // It may have ended.
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            thread::sleep(Duration::from_millis(2));
        }
        let (newest, start) = (readers.newest(), Instant::now());
        while readers.newest() < newest + FRAMES_PER_ROUND && start.elapsed() < ROUND_TIME {
            thread::sleep(Duration::from_millis(2));
        }
        for ((target, fault), before) in faults.iter().zip(placeholders_before) {
            let camera = self.targets[*target].camera;
            while matches!(fault, Ended(_)) && placeholders(camera) == before && start.elapsed() < ENDED_TIME {
                thread::sleep(Duration::from_millis(2));
            }
        }
        drop(burning);
    }
}

/// Threads that compute until it is dropped, at a higher priority than filters have.
struct Burning(Arc<AtomicBool>);

impl Burning {
    fn start() -> Self {
        let stop = Arc::<AtomicBool>::default();
        for _ in 0..2 * thread::available_parallelism().unwrap().get() {
            let stop = stop.clone();
            thread::spawn(move || while !stop.load(Ordering::Relaxed) {});
        }
        Self(stop)
    }
}

impl Drop for Burning {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A number from the environment.
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|number| number.parse().unwrap())
}

#[test]
fn the_clients_of_the_mask_notice_what_they_must_not_see() {
    let both = [LEFT_HALF, LOWER_RIGHT];
    assert_eq!(look(&masked_picture(&both), &both), Ok(Seen::Masked));
    for seen in [&[][..], &[LEFT_HALF], &[LOWER_RIGHT]] {
        assert!(look(&masked_picture(seen), &both).unwrap_err().contains("a client sees"));
    }
}

/// Each fault happens at least once to each camera, but for one that would take seconds of processor time. `just mask
/// FRAMES` continues at random until the camera has captured that many frames.
#[test]
fn the_mask_never_fails_open() {
    let frames = number("HOTSHOE_MASK_FRAMES").unwrap_or_default();
    let seed = number("HOTSHOE_MASK_SEED").unwrap_or(16);
    eprintln!("seed {seed}");
    let mut setup = Setup::new(Random::new(seed));
    let readers = setup.read();
    wait_until("a viewer has got a frame", || readers.newest() > 0);
    let first = readers.newest();
    let mut happened = BTreeMap::<_, u32>::new();
    // By how many rounds the second camera gets a fault earlier than the first one.
    let offset = 1 + setup.random.below(FAULTS.len() as u64 - 1) as usize;
    let mut rounds = 0;
    let mut strike = |setup: &mut Setup, faults: [(&'static str, Fault); 2]| {
        readers.assert_running();
        let targets = [0, 1 + setup.random.below(2) as usize];
        faults.iter().for_each(|(name, _)| *happened.entry(*name).or_default() += 1);
        setup.strike(&[0, 1].map(|camera| (targets[camera], faults[camera].1)), &readers);
        rounds += 1;
    };
    for (round, fault) in FAULTS.into_iter().enumerate() {
        strike(&mut setup, [fault, FAULTS[(round + offset) % FAULTS.len()]]);
        strike(&mut setup, [SWAPPED; 2]);
    }
    strike(&mut setup, [KILLED_WHILE_IT_WAITS; 2]);
    while readers.newest() < first + frames {
        let faults = [(); 2].map(|()| setup.any_fault());
        strike(&mut setup, faults);
    }
    let captured = readers.newest() - first;
    for camera in [SINGLE, PAIR] {
        assert!(readers.placeholders(camera) > 0, "no viewer of {camera} has noticed a fault");
    }
    // No client has to wait for a filter that works.
    (0..setup.targets.len()).for_each(|target| setup.offer(target, MASKS_ALWAYS));
    setup.server.signal(Signal::HUP);
    let report = readers.stop();
    eprintln!("{captured} frames captured by the camera {SINGLE}; {rounds} rounds\n{report}{happened:#?}");
}
