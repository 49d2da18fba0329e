//! `hotshoe cameras`: lists the V4L2 cameras of this machine.

use super::error::CommandError;
use super::output::print;
use crate::camera::v4l2::Devices;

/// Prints the cameras, and why devices cannot be used.
pub(super) fn run() -> Result<(), CommandError> {
    let (devices, unopened) = Devices::new().list();
    let mut text = String::new();
    for device in &devices {
        text += &device.to_string();
    }
    for (path, error) in &unopened {
        text += &format!("{}  cannot be used: {error}\n", path.display());
    }
    if text.is_empty() {
        text += "no V4L2 cameras; plug one in, or use --camera emulated\n";
    }
    print(&text)
}
