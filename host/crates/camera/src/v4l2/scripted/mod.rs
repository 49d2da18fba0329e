//! A machine with scripted cameras, for tests without a camera and for fuzzing. It reproduces every known fault of
//! real cameras.
//!
//! Nothing here depends on a clock: a camera delivers a frame when the script says so.

mod device;
mod machine;
mod script;
mod stream;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;
use tokio::sync::watch;

use self::device::ScriptedDevice;
use self::machine::{Machine, PluggedCamera};
use self::script::{AUTO_EXPOSURE, BRIGHTNESS, EXPOSURE_TIME};
pub use self::script::{Operation, ScriptedCamera, Step};
use super::device::{Device, System};
use super::devices::Devices;
use crate::error::DeviceUser;

/// A machine with scripted cameras. Clones are the same machine.
#[derive(Clone, Default)]
pub struct ScriptedSystem {
    machine: Machine,
}

impl ScriptedSystem {
    /// The devices of this machine.
    pub fn devices(&self) -> Devices {
        Devices::with_system(Arc::new(self.clone()))
    }

    /// Plugs in a camera.
    pub fn plug(&self, node: &str, camera: ScriptedCamera) {
        let mut state = self.machine.lock();
        state.plug_count += 1;
        let number = state.plug_count;
        let controls = BTreeMap::from([(BRIGHTNESS, 128), (EXPOSURE_TIME, 250), (AUTO_EXPOSURE, 1)]);
        state
            .plugged
            .insert(node.into(), PluggedCamera { camera, number, steps: VecDeque::new(), controls, crop: None });
        drop(state);
        self.machine.notify_hotplug();
    }

    /// Unplugs a camera.
    pub fn unplug(&self, node: &str) {
        self.machine.lock().plugged.remove(Path::new(node));
        self.machine.notify();
    }

    /// Appends a step to the script of a camera.
    pub fn push_step(&self, node: &str, step: Step) {
        if let Some(plugged) = self.machine.lock().plugged.get_mut(Path::new(node)) {
            plugged.steps.push_back(step);
        }
        self.machine.notify();
    }

    /// Makes the next `count` calls of an operation fail with this error number.
    pub fn fail(&self, node: &str, operation: Operation, error: i32, count: usize) {
        let failures = std::iter::repeat_n(Errno::from_raw_os_error(error), count);
        self.machine.lock().failures.entry((node.into(), operation)).or_default().extend(failures);
    }

    /// Makes another program appear to have every node open.
    pub fn set_user(&self, pid: u32, name: &str) {
        self.machine.lock().users = vec![DeviceUser { pid, name: name.to_owned() }];
    }

    /// Makes opening any device block, or stop blocking.
    pub fn set_unresponsive(&self, is_unresponsive: bool) {
        self.machine.lock().is_unresponsive = is_unresponsive;
        self.machine.notify();
    }

    /// The number of open nodes.
    pub fn open_nodes(&self) -> usize {
        self.machine.lock().open_nodes
    }

    /// How many streams were started so far.
    pub fn stream_starts(&self) -> usize {
        self.machine.lock().stream_starts
    }

    /// The controls set so far, as ID and value: 1 is the brightness, 2 the exposure time, 3 automatic exposure, 4 a
    /// button.
    pub fn controls_set(&self) -> Vec<(u32, i64)> {
        self.machine.lock().controls_set.clone()
    }

    /// The names of the inputs and standards that were selected so far.
    pub fn selected(&self) -> Vec<String> {
        self.machine.lock().selected.clone()
    }

    /// The number of steps that no stream has taken.
    pub fn pending_steps(&self, node: &str) -> usize {
        self.machine.lock().plugged.get(Path::new(node)).map_or(0, |plugged| plugged.steps.len())
    }
}

impl System for ScriptedSystem {
    fn nodes(&self) -> Vec<PathBuf> {
        self.machine.lock().plugged.keys().cloned().collect()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Device>> {
        Ok(Box::new(ScriptedDevice::open(&self.machine, path)?))
    }

    fn hotplug_events(&self) -> watch::Receiver<()> {
        self.machine.hotplug_events()
    }

    fn users(&self, _: &Path) -> Vec<DeviceUser> {
        self.machine.lock().users.clone()
    }
}
