//! A machine whose cameras do what a test tells them, with every fault that real ones have shown.
//!
//! It is for tests without a camera, and for fuzzing. Nothing in it waits for a clock: a camera gives a frame when the
//! test says so.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tokio::sync::watch;

use super::Devices;
use super::device::{
    Capability, Device, DeviceCaps, Filled, Format, OfferedControl, OfferedFormat, OfferedKind, OfferedSize, Stream,
    System,
};
use crate::dimensions::Dimensions;
use crate::error::Holder;
use crate::fourcc::FourCc;

/// A camera of a script, as it is plugged in.
#[derive(Clone, Debug)]
pub struct Gadget {
    /// The name that it tells.
    pub card: String,
    /// Where it says it is attached.
    pub bus: String,
    /// Formats that it offers, each with sizes and rates.
    pub formats: Vec<(FourCc, Vec<Dimensions>, Vec<f64>)>,
    /// Its `device_caps`.
    pub caps: u32,
    /// Whether it answers VIDIOC_ENUMINPUT.
    pub has_input: bool,
}

impl Gadget {
    /// A webcam of this name: MJPG and YUYV of 640x480 and 320x240 at 30 and 15 frames a second.
    pub fn webcam(card: &str) -> Self {
        let sizes = vec![Dimensions { width: 640, height: 480 }, Dimensions { width: 320, height: 240 }];
        let formats = [*b"MJPG", *b"YUYV"].map(|code| (FourCc(code), sizes.clone(), vec![30.0, 15.0]));
        let caps = DeviceCaps::VIDEO_CAPTURE | DeviceCaps::STREAMING;
        Self { card: card.to_owned(), bus: format!("usb-{card}"), formats: formats.into(), caps, has_input: true }
    }
}

/// What a camera does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Fill a buffer.
    Buffer {
        /// With these bytes.
        bytes: Vec<u8>,
        /// And flag it as damaged.
        flagged: bool,
        /// After dropping so many frames.
        dropped: u32,
    },
    /// Be ready, and have this error when asked.
    Error(i32),
    /// Be ready, and have nothing.
    Nothing,
}

impl Step {
    /// Fill a buffer with these bytes.
    pub fn good(bytes: &[u8]) -> Self {
        Self::Buffer { bytes: bytes.to_vec(), flagged: false, dropped: 0 }
    }
}

/// What can be made to fail.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Operation {
    /// Opening the node.
    Open,
    /// Setting the format.
    SetFormat,
    /// Starting the stream.
    Start,
    /// Giving a buffer back.
    Queue,
}

/// The machine. Clones are the same one.
#[derive(Clone, Default)]
pub struct Script {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    arrivals: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    plugged: BTreeMap<PathBuf, Plugged>,
    /// FrameCounts what was plugged in, to tell a camera from one that came to the same node later.
    plugs: u32,
    failures: BTreeMap<(PathBuf, Operation), VecDeque<Errno>>,
    handles: usize,
    /// How often a stream was started.
    starts: usize,
    /// Calls that set a control: its number and the value.
    set: Vec<(u32, i64)>,
    holders: Vec<Holder>,
    /// Devices do not answer.
    silent: bool,
}

struct Plugged {
    gadget: Gadget,
    number: u32,
    steps: VecDeque<Step>,
    controls: BTreeMap<u32, i64>,
}

/// The controls that every gadget has: a number, an automatic, a number that the automatic holds, and a button.
const BRIGHTNESS: u32 = 1;
const TIME: u32 = 2;
const AUTOMATIC: u32 = 3;
const RESET: u32 = 4;

impl Script {
    /// The devices of this machine.
    pub fn devices(&self) -> Devices {
        Devices::of(Arc::new(self.clone()))
    }

    /// Plug a camera in.
    pub fn plug(&self, node: &str, gadget: Gadget) {
        let mut state = self.lock();
        state.plugs += 1;
        let number = state.plugs;
        let controls = BTreeMap::from([(BRIGHTNESS, 128), (TIME, 250), (AUTOMATIC, 1)]);
        state.plugged.insert(node.into(), Plugged { gadget, number, steps: VecDeque::new(), controls });
        drop(state);
        self.shared.arrivals.send_replace(());
    }

    /// Pull it out.
    pub fn unplug(&self, node: &str) {
        self.lock().plugged.remove(Path::new(node));
        self.shared.changed.notify_all();
    }

    /// Let the camera at a node do this next.
    pub fn give(&self, node: &str, step: Step) {
        if let Some(plugged) = self.lock().plugged.get_mut(Path::new(node)) {
            plugged.steps.push_back(step);
        }
        self.shared.changed.notify_all();
    }

    /// Let an operation at a node fail so often.
    pub fn fail(&self, node: &str, operation: Operation, error: i32, count: usize) {
        let failures = std::iter::repeat_n(Errno::from_raw_os_error(error), count);
        self.lock().failures.entry((node.into(), operation)).or_default().extend(failures);
    }

    /// Let another program have every node open.
    pub fn hold(&self, pid: u32, name: &str) {
        self.lock().holders = vec![Holder { pid, name: name.to_owned() }];
    }

    /// Let all devices answer, or not, when they are opened.
    pub fn silence(&self, silent: bool) {
        self.lock().silent = silent;
        self.shared.changed.notify_all();
    }

    /// How many nodes are open.
    pub fn handles(&self) -> usize {
        self.lock().handles
    }

    /// How often a stream was started so far.
    pub fn starts(&self) -> usize {
        self.lock().starts
    }

    /// The values that were set so far, with their controls' numbers: 1 is the brightness, 2 the exposure time, 3
    /// whether that is automatic, 4 a button.
    pub fn set(&self) -> Vec<(u32, i64)> {
        self.lock().set.clone()
    }

    /// Steps that no stream has taken yet.
    pub fn left(&self, node: &str) -> usize {
        self.lock().plugged.get(Path::new(node)).map_or(0, |plugged| plugged.steps.len())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn check(&self, node: &Path, operation: Operation) -> io::Result<()> {
        let mut state = self.lock();
        let failure = state.failures.get_mut(&(node.to_owned(), operation)).and_then(VecDeque::pop_front);
        failure.map_or(Ok(()), |error| Err(error.into()))
    }
}

impl System for Script {
    fn nodes(&self) -> Vec<PathBuf> {
        self.lock().plugged.keys().cloned().collect()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Device>> {
        self.check(path, Operation::Open)?;
        let waited = self.shared.changed.wait_while(self.lock(), |state| state.silent);
        let mut state = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        let number = state.plugged.get(path).ok_or(Errno::NOENT)?.number;
        state.handles += 1;
        let format = Format {
            code: FourCc(*b"YUYV"),
            dimensions: Dimensions { width: 640, height: 480 },
            stride: 0,
            full_range: false,
        };
        Ok(Box::new(Handle { script: self.clone(), node: path.to_owned(), number, format: Mutex::new(format) }))
    }

    fn arrivals(&self) -> watch::Receiver<()> {
        self.shared.arrivals.subscribe()
    }

    fn holders(&self, _: &Path) -> Vec<Holder> {
        self.lock().holders.clone()
    }
}

/// An open node.
struct Handle {
    script: Script,
    node: PathBuf,
    number: u32,
    format: Mutex<Format>,
}

impl Handle {
    /// Do something with the camera, if it is still the one that was opened.
    fn with<T>(&self, action: impl FnOnce(&mut Plugged) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.script.lock();
        let same = state.plugged.get_mut(&self.node).filter(|plugged| plugged.number == self.number);
        same.ok_or_else(|| Errno::NODEV.into()).and_then(action)
    }

    fn formats_of<T>(&self, code: FourCc, pick: impl Fn(&(FourCc, Vec<Dimensions>, Vec<f64>)) -> Vec<T>) -> Vec<T> {
        let picked = self.with(|plugged| {
            Ok(plugged.gadget.formats.iter().filter(|format| format.0 == code).flat_map(&pick).collect())
        });
        picked.unwrap_or_default()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.script.lock().handles -= 1;
    }
}

impl Device for Handle {
    fn capability(&self) -> io::Result<Capability> {
        self.with(|plugged| {
            let Gadget { card, bus, caps, .. } = plugged.gadget.clone();
            Ok(Capability { card, bus, index: None, caps: DeviceCaps(caps) })
        })
    }

    fn has_input(&self) -> bool {
        self.with(|plugged| Ok(plugged.gadget.has_input)).unwrap_or_default()
    }

    fn formats(&self) -> Vec<OfferedFormat> {
        let name = |format: &(FourCc, _, _)| OfferedFormat { code: format.0, name: format.0.to_string() };
        self.with(|plugged| Ok(plugged.gadget.formats.iter().map(name).collect())).unwrap_or_default()
    }

    fn sizes(&self, code: FourCc) -> Vec<OfferedSize> {
        self.formats_of(code, |format| format.1.iter().copied().map(OfferedSize::One).collect())
    }

    fn rates(&self, code: FourCc, _: Dimensions) -> Vec<f64> {
        self.formats_of(code, |format| format.2.clone())
    }

    fn format(&self) -> io::Result<Format> {
        self.with(|_| Ok(*self.format.lock().unwrap_or_else(std::sync::PoisonError::into_inner)))
    }

    fn set_format(&self, code: FourCc, size: Dimensions) -> io::Result<Format> {
        self.script.check(&self.node, Operation::SetFormat)?;
        let sizes = self.formats_of(code, |format| format.1.clone());
        let granted = sizes.iter().find(|granted| **granted == size).or(sizes.first()).copied().ok_or(Errno::INVAL)?;
        let mut format = self.format.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *format = Format { code, dimensions: granted, stride: 0, full_range: false };
        Ok(*format)
    }

    fn rate(&self) -> Option<f64> {
        let code = self.format().ok()?.code;
        self.formats_of(code, |format| format.2.clone()).first().copied()
    }

    fn set_rate(&self, rate: f64) -> Option<f64> {
        let code = self.format().ok()?.code;
        let rates = self.formats_of(code, |format| format.2.clone());
        rates.iter().find(|granted| **granted == rate).or(rates.first()).copied()
    }

    fn controls(&self) -> Vec<OfferedControl> {
        let control = |id, label: &str, kind, maximum| OfferedControl {
            id,
            label: label.to_owned(),
            minimum: 0,
            maximum,
            step: 1,
            default: 0,
            read_only: false,
            inactive: false,
            momentary: matches!(kind, OfferedKind::Button),
            kind,
        };
        let offered = vec![
            control(BRIGHTNESS, "Brightness", OfferedKind::Integer, 255),
            control(TIME, "Exposure Time, Absolute", OfferedKind::Integer, 2047),
            control(AUTOMATIC, "Auto Exposure", OfferedKind::Boolean, 1),
            control(RESET, "Pan, Reset", OfferedKind::Button, 0),
        ];
        self.with(|_| Ok(offered)).unwrap_or_default()
    }

    fn control(&self, id: u32) -> io::Result<i64> {
        self.with(|plugged| plugged.controls.get(&id).copied().ok_or_else(|| Errno::INVAL.into()))
    }

    fn set_control(&self, id: u32, value: i64) -> io::Result<i64> {
        self.with(|plugged| {
            if id == TIME && plugged.controls.get(&AUTOMATIC) == Some(&1) {
                return Err(Errno::ACCESS.into());
            }
            plugged.controls.insert(id, value);
            Ok(())
        })?;
        self.script.lock().set.push((id, value));
        Ok(value)
    }

    fn start(self: Box<Self>, count: u32) -> io::Result<Box<dyn Stream>> {
        self.script.check(&self.node, Operation::Start)?;
        self.with(|_| Ok(()))?;
        self.script.lock().starts += 1;
        let buffers = vec![None; count as usize];
        Ok(Box::new(Running { handle: *self, buffers, next: 0 }))
    }
}

/// A started stream.
struct Running {
    handle: Handle,
    /// What the buffers hold that were handed over; none of those that the driver has.
    buffers: Vec<Option<Vec<u8>>>,
    /// The driver's number for the next frame.
    next: u32,
}

impl Stream for Running {
    fn wait(&self, deadline: Instant) -> io::Result<bool> {
        let mut state = self.handle.script.lock();
        loop {
            match state.plugged.get(&self.handle.node).filter(|plugged| plugged.number == self.handle.number) {
                Some(plugged) if plugged.steps.is_empty() => {}
                _ => return Ok(true),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return Ok(false);
            }
            let waited = self.handle.script.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    fn dequeue(&mut self) -> io::Result<Option<Filled>> {
        let Some(index) = self.buffers.iter().position(Option::is_none) else { return Ok(None) };
        let step = self.handle.with(|plugged| Ok(plugged.steps.pop_front()))?;
        match step {
            None | Some(Step::Nothing) => Ok(None),
            Some(Step::Error(error)) => Err(io::Error::from_raw_os_error(error)),
            Some(Step::Buffer { bytes, flagged, dropped }) => {
                let sequence = self.next.wrapping_add(dropped);
                self.next = sequence.wrapping_add(1);
                let used = bytes.len() as u32;
                if let Some(buffer) = self.buffers.get_mut(index) {
                    *buffer = Some(bytes);
                }
                Ok(Some(Filled { index: index as u32, used, flagged, sequence, timestamp: None }))
            }
        }
    }

    fn bytes<'a>(&'a self, filled: &'a Filled) -> &'a [u8] {
        self.buffers.get(filled.index as usize).and_then(Option::as_deref).unwrap_or_default()
    }

    fn queue(&mut self, filled: Filled) -> io::Result<()> {
        self.handle.script.check(&self.handle.node, Operation::Queue)?;
        match self.buffers.get_mut(filled.index as usize).map(Option::take) {
            Some(Some(_)) => self.handle.with(|_| Ok(())),
            // Given back twice, or never handed over.
            _ => Err(Errno::INVAL.into()),
        }
    }
}
