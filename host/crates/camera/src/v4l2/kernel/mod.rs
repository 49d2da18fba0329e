//! The kernel's V4L2 devices: a safe layer over the ioctls and memory mappings that capturing needs.
//!
//! * `node`: an open node and its ioctls; `controls`, `signal`, `selection`, `buffer`, `stream`, `device`: what the node
//!   can do.
//! * `nodes`, `hotplug`: which nodes exist, and when new ones appear.
//!
//! Uses the constants, structures and raw calls of the `v4l` crate but not its device and stream types, which panic on
//! things that drivers and cables do (a card name that is not UTF-8, an unknown colour space, an error while closing),
//! and deliver old frames to a slow caller.
//!
//! References are to the kernel's "Video for Linux API" (Documentation/userspace-api/media/v4l).
//!
//! This folder is the only place of this crate with unsafe code.
#![allow(unsafe_code, reason = "ioctl and mmap; each block states its proof")]

mod buffer;
mod controls;
mod device;
mod hotplug;
mod node;
mod nodes;
mod selection;
mod signal;
mod stream;

use std::io;
use std::path::{Path, PathBuf};

use tokio::sync::watch;

use self::hotplug::HotplugWatcher;
use self::node::Node;
pub use self::nodes::start_user_lookup;
use super::device::{DEV, Device, System};
use crate::error::DeviceUser;

/// The devices of the kernel.
pub(crate) struct Kernel {
    hotplug: HotplugWatcher,
}

impl Kernel {
    /// Starts to watch `/dev`.
    pub(crate) fn new() -> Self {
        Self { hotplug: HotplugWatcher::new(Path::new(DEV)) }
    }
}

impl System for Kernel {
    fn nodes(&self) -> Vec<PathBuf> {
        nodes::all()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Device>> {
        Ok(Box::new(Node::open(path)?))
    }

    fn hotplug_events(&self) -> watch::Receiver<()> {
        self.hotplug.subscribe()
    }

    fn users(&self, path: &Path) -> Vec<DeviceUser> {
        nodes::users(path)
    }
}
