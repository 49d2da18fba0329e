//! Why a filter returned no frame although it should.

use std::time::Duration;

use crate::sandbox::call::error::CallError;

/// Why a filter returned no frame although it should. Displays as the end of a sentence that begins with its name.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FilterError {
    /// It trapped, with the root cause and the innermost functions.
    #[error("trapped: {0}")]
    Trapped(String),
    /// The system refused resources for an instance, such as memory.
    #[error("cannot run, the system is out of resources: {0}")]
    OutOfResources(String),
    /// It takes too long.
    #[error("takes longer than {} seconds for a frame", .0.as_secs())]
    Late(Duration),
    /// It returns no frames.
    #[error("has returned no frame for {} seconds", .0.as_secs())]
    Silent(Duration),
    /// It has kept too many images of earlier frames. The payload is their maximum number.
    #[error("holds more than {0} images; drop those of earlier frames")]
    TooManyImages(u32),
}

impl FilterError {
    /// Classifies an error of wasmtime from instantiating or calling a filter.
    pub(super) fn from_wasmtime(error: &wasmtime::Error) -> Self {
        match CallError::from_wasmtime(error) {
            CallError::Trapped(cause) => Self::Trapped(cause),
            CallError::OutOfResources(cause) => Self::OutOfResources(cause),
            other => Self::OutOfResources(other.to_string()),
        }
    }
}
