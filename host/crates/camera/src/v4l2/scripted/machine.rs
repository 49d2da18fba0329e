//! The shared state of a scripted machine.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tokio::sync::watch;

use super::script::{Operation, ScriptedCamera, Step};
use crate::error::DeviceUser;
use crate::rectangle::Rectangle;

/// A scripted machine. Clones share their state.
#[derive(Clone, Default)]
pub(super) struct Machine {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    hotplug_events: watch::Sender<()>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) plugged: BTreeMap<PathBuf, PluggedCamera>,
    /// Counts plugged-in cameras, to tell a camera from a later one at the same node.
    pub(super) plug_count: u32,
    pub(super) failures: BTreeMap<(PathBuf, Operation), VecDeque<Errno>>,
    pub(super) open_nodes: usize,
    pub(super) stream_starts: usize,
    /// The ID and the value of each control that was set.
    pub(super) controls_set: Vec<(u32, i64)>,
    /// The inputs and standards that were selected, by name.
    pub(super) selected: Vec<String>,
    pub(super) users: Vec<DeviceUser>,
    /// Whether opening a device blocks.
    pub(super) is_unresponsive: bool,
}

pub(super) struct PluggedCamera {
    pub(super) camera: ScriptedCamera,
    /// The value of `plug_count` when it was plugged in.
    pub(super) number: u32,
    pub(super) steps: VecDeque<Step>,
    pub(super) controls: BTreeMap<u32, i64>,
    pub(super) crop: Option<Rectangle>,
}

impl Machine {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes threads that wait for a camera.
    pub(super) fn notify(&self) {
        self.shared.changed.notify_all();
    }

    pub(super) fn notify_hotplug(&self) {
        self.shared.hotplug_events.send_replace(());
    }

    pub(super) fn hotplug_events(&self) -> watch::Receiver<()> {
        self.shared.hotplug_events.subscribe()
    }

    /// Fails if the script makes this operation fail.
    pub(super) fn check(&self, node: &Path, operation: Operation) -> io::Result<()> {
        let mut state = self.lock();
        let failure = state.failures.get_mut(&(node.to_owned(), operation)).and_then(VecDeque::pop_front);
        failure.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// An open node.
pub(super) struct Handle {
    pub(super) machine: Machine,
    pub(super) node: PathBuf,
    number: u32,
}

impl Handle {
    /// Opens a node. Blocks while the machine is unresponsive.
    pub(super) fn open(machine: &Machine, node: &Path) -> io::Result<Self> {
        machine.check(node, Operation::Open)?;
        let waited = machine.shared.changed.wait_while(machine.lock(), |state| state.is_unresponsive);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let number = state.plugged.get(node).ok_or(Errno::NOENT)?.number;
        state.open_nodes += 1;
        Ok(Self { machine: machine.clone(), node: node.to_owned(), number })
    }

    /// Runs `action` on the camera. Fails if it was unplugged since it was opened.
    pub(super) fn with<T>(&self, action: impl FnOnce(&mut PluggedCamera) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.machine.lock();
        let same = state.plugged.get_mut(&self.node).filter(|plugged| plugged.number == self.number);
        same.ok_or_else(|| Errno::NODEV.into()).and_then(action)
    }

    /// Waits until the camera has a step or was unplugged. Returns `false` if `deadline` passes first.
    pub(super) fn wait(&self, deadline: Instant) -> bool {
        let mut state = self.machine.lock();
        loop {
            match state.plugged.get(&self.node).filter(|plugged| plugged.number == self.number) {
                Some(plugged) if plugged.steps.is_empty() => {}
                _ => return true,
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return false;
            }
            let waited = self.machine.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.machine.lock().open_nodes -= 1;
    }
}
