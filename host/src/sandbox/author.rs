//! Whose lines the log contains: what components print, and what they log with `wasi:logging`.

use std::fmt;
use std::sync::Arc;

use tracing::{Level, debug, error, info, trace, warn};

use crate::logging::GUEST_TARGET;

/// The component whose lines the log contains.
#[derive(Clone, Debug)]
pub(super) enum Author {
    /// The guest of the generation with this number.
    Guest(u64),
    /// A component that belongs to a camera.
    Camera {
        /// What the component is, such as `driver`.
        role: &'static str,
        /// The name of the camera.
        camera: Arc<str>,
    },
}

impl Author {
    /// Logs a line at this level. The log limits the number of lines of each author and level.
    pub(super) fn log(&self, level: Level, line: impl fmt::Display) {
        macro_rules! log {
            ($at:ident) => {
                match self {
                    Self::Guest(generation) => $at!(target: GUEST_TARGET, generation, "guest {line}"),
                    Self::Camera { role, camera } => $at!(target: GUEST_TARGET, camera = &**camera, "{role} {line}"),
                }
            };
        }
        match level {
            Level::TRACE => log!(trace),
            Level::DEBUG => log!(debug),
            Level::INFO => log!(info),
            Level::WARN => log!(warn),
            Level::ERROR => log!(error),
        }
    }
}
