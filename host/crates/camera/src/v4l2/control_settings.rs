//! The control values of a camera, set again whenever it is opened because a device forgets them when it is unplugged.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use tracing::warn;

use super::device::{ControlType, Device, OfferedControl, System};
use super::errors::device_error;
use crate::controls::{Control, ControlError, ControlKind, find, name_from_label};

/// The control values of a camera.
pub(super) struct ControlSettings {
    state: Mutex<State>,
}

struct State {
    /// Names and values in the order of the first request.
    values: Vec<(String, i64)>,
    /// Warnings that were logged already.
    logged: HashSet<String>,
}

impl ControlSettings {
    /// Starts with these values.
    pub(super) fn new(values: Vec<(String, i64)>) -> Self {
        Self { state: Mutex::new(State { values, logged: HashSet::new() }) }
    }

    /// Ignores poisoning: no critical section can leave the state inconsistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets all values on a device that was just opened. Logs refused values, each failure once.
    pub(super) fn apply(&self, device: &dyn Device, node: &Path) {
        let mut state = self.lock();
        if state.values.is_empty() {
            return;
        }
        let offered = device.controls();
        let mut failed = state.values.clone();
        // Two passes: a control may depend on an automatic mode that a later one turns off.
        failed.retain(|(name, value)| try_set(device, &offered, name, *value).is_err());
        for (name, value) in failed {
            if let Err(error) = try_set(device, &offered, &name, value) {
                let message = format!("{}: {}", node.display(), error.message(&name));
                if state.logged.insert(message.clone()) {
                    warn!("{message}");
                }
            }
        }
    }

    /// Sets a control now, and whenever the camera is opened unless it is momentary, such as a button. Returns the
    /// value that the driver accepted.
    pub(super) fn set(
        &self,
        system: &dyn System,
        device: &dyn Device,
        node: &Path,
        name: &str,
        value: i64,
    ) -> Result<i64, ControlError> {
        // Locked while the device is set, so that a concurrent opening does not restore the old value.
        let mut state = self.lock();
        let offered = device.controls();
        let accepted = try_set(device, &offered, name, value).map_err(|error| match error {
            SetError::Control(error) => error,
            SetError::Device(error) => device_error(system, node, "set a control", error).into(),
        })?;
        if with_names(&offered).any(|(other, offered)| other == name && offered.momentary) {
            return Ok(accepted);
        }
        match state.values.iter_mut().find(|(other, _)| other == name) {
            Some((_, stored)) => *stored = value,
            None => state.values.push((name.to_owned(), value)),
        }
        Ok(accepted)
    }
}

/// Why a control was not set.
enum SetError {
    Control(ControlError),
    Device(io::Error),
}

impl SetError {
    fn message(&self, name: &str) -> String {
        match self {
            Self::Control(error) => error.to_string(),
            Self::Device(error) => format!("cannot set `{name}`: {error}"),
        }
    }
}

fn try_set(device: &dyn Device, offered: &[OfferedControl], name: &str, value: i64) -> Result<i64, SetError> {
    let known: Vec<_> = with_names(offered).map(|(name, offered)| describe(name, offered, None)).collect();
    let control = find(&known, name).map_err(SetError::Control)?;
    control.check(value).map_err(SetError::Control)?;
    let id = with_names(offered).find(|(other, _)| other == name).map_or(0, |(_, offered)| offered.id);
    device.set_control(id, value).map_err(|error| match Errno::from_io_error(&error) {
        // Read-only controls were refused above.
        Some(Errno::ACCESS) => SetError::Control(ControlError::Inactive { name: name.to_owned() }),
        _ => SetError::Device(error),
    })
}

/// Lists the controls of a device with their present values.
pub(super) fn list(device: &dyn Device) -> Vec<Control> {
    let offered = device.controls();
    with_names(&offered).map(|(name, offered)| describe(name, offered, device.control(offered.id).ok())).collect()
}

/// Names the controls. If a label yields no name, or that of an earlier control, the name contains the control's ID.
fn with_names(offered: &[OfferedControl]) -> impl Iterator<Item = (String, &OfferedControl)> {
    let mut used = HashSet::new();
    offered.iter().map(move |offered| {
        let mut name = name_from_label(&offered.label);
        if name.is_empty() || !used.insert(name.clone()) {
            name = format!("control_{:x}", offered.id);
        }
        (name, offered)
    })
}

fn describe(name: String, offered: &OfferedControl, value: Option<i64>) -> Control {
    let kind = match &offered.control_type {
        ControlType::Integer => {
            ControlKind::Integer { minimum: offered.minimum, maximum: offered.maximum, step: offered.step.max(1) }
        }
        ControlType::Boolean => ControlKind::Boolean,
        ControlType::Menu(items) => ControlKind::Menu(items.clone()),
        ControlType::Button => ControlKind::Button,
    };
    Control {
        name,
        label: offered.label.clone(),
        kind,
        value,
        default: offered.default,
        read_only: offered.read_only,
        inactive: offered.inactive,
    }
}
