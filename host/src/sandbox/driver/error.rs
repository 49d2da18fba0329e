//! Why a running driver delivers no images.

use std::time::Duration;

use crate::sandbox::call::error::CallError;

/// Why a running driver delivers no images. Displays as the end of a sentence that begins with "the driver", except for
/// what the driver itself reports.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DriverError {
    /// It returned with this reason.
    #[error("{0}")]
    Reported(String),
    /// It returned without a reason.
    #[error("has returned although the camera is open")]
    Returned,
    /// It trapped, with the root cause and the innermost functions.
    #[error("trapped: {0}")]
    Trapped(String),
    /// The system refused resources for an instance, such as memory.
    #[error("cannot run, the system is out of resources: {0}")]
    OutOfResources(String),
    /// It delivered no usable image for too long.
    #[error("delivered no picture for {} seconds{}", after.as_secs(), silence_text(*damaged, *is_computing))]
    Silent {
        /// How long it delivered none.
        after: Duration,
        /// How many damaged images it delivered meanwhile.
        damaged: u64,
        /// Whether it computed instead of waiting for something.
        is_computing: bool,
    },
}

impl DriverError {
    /// Classifies an error of wasmtime from instantiating or calling a driver.
    pub(super) fn from_wasmtime(error: &wasmtime::Error) -> Self {
        match CallError::from_wasmtime(error) {
            CallError::Trapped(cause) => Self::Trapped(cause),
            CallError::OutOfResources(cause) => Self::OutOfResources(cause),
            other => Self::OutOfResources(other.to_string()),
        }
    }
}

fn silence_text(damaged: u64, is_computing: bool) -> String {
    match (damaged, is_computing) {
        (0, false) => String::new(),
        (0, true) => "; it computes without waiting for anything".to_owned(),
        (1, _) => ", only a damaged one".to_owned(),
        (damaged, _) => format!(", only {damaged} damaged ones"),
    }
}
