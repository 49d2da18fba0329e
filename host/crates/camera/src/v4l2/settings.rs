//! What is set on a camera, and set again whenever it is opened: one that was unplugged has forgotten it.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use tracing::warn;

use super::device::{Device, OfferedControl, OfferedKind, System};
use super::errors::device_error;
use crate::controls::{Control, ControlError, ControlKind, find, name_of};

/// The values that a camera is to have.
pub(super) struct Settings {
    wanted: Mutex<Wanted>,
}

struct Wanted {
    /// Names and values, in the order in which they were first asked for.
    values: Vec<(String, i64)>,
    /// What was said of them in the log already.
    said: HashSet<String>,
}

impl Settings {
    pub(super) fn new(values: Vec<(String, i64)>) -> Self {
        Self { wanted: Mutex::new(Wanted { values, said: HashSet::new() }) }
    }

    /// Poisoned or not: what is in there is whole at any time.
    fn lock(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Set all values on a device that was just opened. What it does not take is said in the log, once.
    pub(super) fn apply(&self, device: &dyn Device, node: &Path) {
        let mut wanted = self.lock();
        if wanted.values.is_empty() {
            return;
        }
        let offered = device.controls();
        let mut left = wanted.values.clone();
        // Twice: one that an automatic holds can be set after that was turned off, which may be listed after it.
        left.retain(|(name, value)| try_set(device, &offered, name, *value).is_err());
        for (name, value) in left {
            if let Err(error) = try_set(device, &offered, &name, value) {
                let message = format!("{}: {}", node.display(), error.for_people(&name));
                if wanted.said.insert(message.clone()) {
                    warn!("{message}");
                }
            }
        }
    }

    /// Set one value, now and from now on; but one that leaves nothing behind, such as a button, only now. Returns what
    /// the driver made of it.
    pub(super) fn set(
        &self,
        system: &dyn System,
        device: &dyn Device,
        node: &Path,
        name: &str,
        value: i64,
    ) -> Result<i64, ControlError> {
        // Held while the device is set, so that an opening meanwhile does not set what was wanted before.
        let mut wanted = self.lock();
        let offered = device.controls();
        let set = try_set(device, &offered, name, value).map_err(|error| match error {
            Refusal::Control(error) => error,
            Refusal::Device(error) => device_error(system, node, "set a control", error).into(),
        })?;
        if named(&offered).any(|(other, offered)| other == name && offered.momentary) {
            return Ok(set);
        }
        match wanted.values.iter_mut().find(|(other, _)| other == name) {
            Some((_, wanted)) => *wanted = value,
            None => wanted.values.push((name.to_owned(), value)),
        }
        Ok(set)
    }
}

/// Why a value was not set.
enum Refusal {
    Control(ControlError),
    Device(io::Error),
}

impl Refusal {
    fn for_people(&self, name: &str) -> String {
        match self {
            Self::Control(error) => error.to_string(),
            Self::Device(error) => format!("`{name}` cannot be set: {error}"),
        }
    }
}

fn try_set(device: &dyn Device, offered: &[OfferedControl], name: &str, value: i64) -> Result<i64, Refusal> {
    let known: Vec<_> = named(offered).map(|(name, offered)| described(name, offered, None)).collect();
    let control = find(&known, name).map_err(Refusal::Control)?;
    control.check(value).map_err(Refusal::Control)?;
    let id = named(offered).find(|(other, _)| other == name).map_or(0, |(_, offered)| offered.id);
    device.set_control(id, value).map_err(|error| match Errno::from_io_error(&error) {
        // One that can only be read was refused above.
        Some(Errno::ACCESS) => Refusal::Control(ControlError::Inactive { name: name.to_owned() }),
        _ => Refusal::Device(error),
    })
}

/// All controls of a device, with what they are set to.
pub(super) fn list(device: &dyn Device) -> Vec<Control> {
    let offered = device.controls();
    named(&offered).map(|(name, offered)| described(name, offered, device.control(offered.id).ok())).collect()
}

/// Controls with their names. One whose label makes no name, or that of another before it, is named by its number.
fn named(offered: &[OfferedControl]) -> impl Iterator<Item = (String, &OfferedControl)> {
    let mut taken = HashSet::new();
    offered.iter().map(move |offered| {
        let mut name = name_of(&offered.label);
        if name.is_empty() || !taken.insert(name.clone()) {
            name = format!("control_{:x}", offered.id);
        }
        (name, offered)
    })
}

fn described(name: String, offered: &OfferedControl, value: Option<i64>) -> Control {
    let kind = match &offered.kind {
        OfferedKind::Integer => {
            ControlKind::Integer { minimum: offered.minimum, maximum: offered.maximum, step: offered.step.max(1) }
        }
        OfferedKind::Boolean => ControlKind::Boolean,
        OfferedKind::Menu(items) => ControlKind::Menu(items.clone()),
        OfferedKind::Button => ControlKind::Button,
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
