//! How a call to a guest can fail.

use std::fmt;
use std::time::Duration;

use wasmtime::PoolConcurrencyLimitError;

use super::trapped_functions::trapped_functions;
use crate::sandbox::limited_text::limited;
use crate::sandbox::wasmtime_error::is_system_error;

/// How long a guest may compute without waiting for anything, once its response has started. Before that, the answer
/// timeout applies. Formatting a part takes microseconds, and even a guest that encodes pictures waits between frames.
pub const COMPUTE_LIMIT: Duration = Duration::from_secs(2);

/// The longest text of an error code, in characters. Guests choose it, and reports of the status keep the last one.
const MAX_ERROR_CODE: usize = 500;

/// Why a call produced no response, or only part of one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The request cannot be represented in `wasi:http`.
    #[error("the request is invalid: {0}")]
    InvalidRequest(String),
    /// The client sent the request body too slowly.
    #[error("the client did not send the request body in time")]
    RequestBodyTimedOut,
    /// The client aborted the request body, or sent malformed chunks.
    #[error("the client aborted the request body")]
    RequestBodyAborted,
    /// The system refused resources for an instance, such as memory.
    #[error("the system is out of resources for the guest: {0}")]
    OutOfResources(String),
    /// The instance pool is full.
    #[error("all guest instances, or all memories and tables for them, are in use; raise --max-requests")]
    PoolExhausted,
    /// The guest trapped, with the root cause and the innermost functions. The debug log has the backtrace.
    #[error("the guest trapped: {0}")]
    Trapped(String),
    /// The guest returned without a response.
    #[error("the guest returned without a response")]
    NoResponse,
    /// The guest responded with an error code of `wasi:http` instead of a response. Its beginning, if it is long.
    #[error("the guest responded with an error: {0}")]
    ErrorCode(String),
    /// The guest responded with an informational status, after which clients wait for another response (RFC 9110, section
    /// 15.2). With 101, they would even take what follows for another protocol.
    #[error("the guest responded with the status {0}, which is not final")]
    InformationalStatus(u16),
    /// The guest did not start its response in time.
    #[error("the guest did not start its response within {} seconds (--answer-timeout)", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The guest dropped its response body without finishing it, or returned without finishing it.
    #[error("the guest did not finish its response")]
    Unfinished,
    /// The guest was replaced, and had not finished its response at the end of the drain time.
    #[error("the guest was replaced before it finished its response (--drain)")]
    Replaced,
    /// The guest did not end the stream of a camera that was removed.
    #[error("the guest did not end the stream of a camera that was removed")]
    CameraRemoved,
    /// The guest does not export `publisher`, so it cannot publish a channel.
    #[error("the guest does not publish channels")]
    NoPublisher,
    /// The guest exceeded [`COMPUTE_LIMIT`].
    #[error("the guest computed for {} seconds without waiting for anything", COMPUTE_LIMIT.as_secs())]
    ComputeLimit,
}

/// The error of a response body. The client sees a truncated response.
#[derive(Debug, thiserror::Error)]
#[error("the response was cut off: {0}")]
pub struct ResponseAborted(pub CallError);

/// Who caused a call to fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Party {
    /// The guest: it is broken, at least for this request.
    Guest,
    /// The client.
    Client,
    /// The host: its system lacks resources, or its operator replaced the guest.
    Host,
}

impl CallError {
    /// Who caused the failure. Only those caused by the guest count against it.
    pub fn caused_by(&self) -> Party {
        match self {
            Self::Trapped(_)
            | Self::NoResponse
            | Self::ErrorCode(_)
            | Self::InformationalStatus(_)
            | Self::TimedOut(_)
            | Self::Unfinished
            | Self::ComputeLimit => Party::Guest,
            Self::InvalidRequest(_) | Self::RequestBodyTimedOut | Self::RequestBodyAborted => Party::Client,
            // Publishing channels is optional for guests, so `NoPublisher` is not their failure.
            Self::PoolExhausted
            | Self::OutOfResources(_)
            | Self::Replaced
            | Self::CameraRemoved
            | Self::NoPublisher => Party::Host,
        }
    }

    /// The results of [`kind`](Self::kind).
    pub const KINDS: [&str; 12] = [
        "invalid_request",
        "request_body",
        "out_of_resources",
        "trapped",
        "no_response",
        "error_code",
        "timed_out",
        "unfinished",
        "replaced",
        "camera_removed",
        "no_publisher",
        "compute_limit",
    ];

    /// Names the kind of the error, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::RequestBodyTimedOut | Self::RequestBodyAborted => "request_body",
            Self::OutOfResources(_) | Self::PoolExhausted => "out_of_resources",
            Self::Trapped(_) => "trapped",
            Self::NoResponse => "no_response",
            Self::ErrorCode(_) | Self::InformationalStatus(_) => "error_code",
            Self::TimedOut(_) => "timed_out",
            Self::Unfinished => "unfinished",
            Self::Replaced => "replaced",
            Self::CameraRemoved => "camera_removed",
            Self::NoPublisher => "no_publisher",
            Self::ComputeLimit => "compute_limit",
        }
    }

    /// The guest responded with this error code of `wasi:http`, of any version.
    pub(in crate::sandbox) fn error_code(code: &impl fmt::Debug) -> Self {
        Self::ErrorCode(limited(format_args!("{code:?}"), MAX_ERROR_CODE))
    }

    /// Classifies an error of wasmtime from instantiating or calling a guest.
    pub(in crate::sandbox) fn from_wasmtime(error: &wasmtime::Error) -> Self {
        if error.is::<PoolConcurrencyLimitError>() {
            return Self::PoolExhausted;
        }
        tracing::debug!("{error:?}");
        // The causes before the root cause contain the WebAssembly backtrace, which has many lines.
        let mut cause = error.root_cause().to_string();
        if let Some(functions) = trapped_functions(error) {
            cause = format!("{cause} (in {functions})");
        }
        if is_system_error(error) { Self::OutOfResources(cause) } else { Self::Trapped(cause) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enumerates all errors. The compiler reports variants that are missing here.
    fn next(error: Option<&CallError>) -> Option<(CallError, Party)> {
        use CallError as E;
        let Some(error) = error else { return Some((E::InvalidRequest(String::new()), Party::Client)) };
        match error {
            E::InvalidRequest(_) => Some((E::RequestBodyTimedOut, Party::Client)),
            E::RequestBodyTimedOut => Some((E::RequestBodyAborted, Party::Client)),
            E::RequestBodyAborted => Some((E::OutOfResources(String::new()), Party::Host)),
            E::OutOfResources(_) => Some((E::PoolExhausted, Party::Host)),
            E::PoolExhausted => Some((E::Replaced, Party::Host)),
            E::Replaced => Some((E::CameraRemoved, Party::Host)),
            E::CameraRemoved => Some((E::NoPublisher, Party::Host)),
            E::NoPublisher => Some((E::Trapped(String::new()), Party::Guest)),
            E::Trapped(_) => Some((E::NoResponse, Party::Guest)),
            E::NoResponse => Some((E::ErrorCode(String::new()), Party::Guest)),
            E::ErrorCode(_) => Some((E::InformationalStatus(101), Party::Guest)),
            E::InformationalStatus(_) => Some((E::TimedOut(Duration::ZERO), Party::Guest)),
            E::TimedOut(_) => Some((E::Unfinished, Party::Guest)),
            E::Unfinished => Some((E::ComputeLimit, Party::Guest)),
            E::ComputeLimit => None,
        }
    }

    #[test]
    fn every_error_is_caused_by_the_guest_the_client_or_the_host() {
        let mut last = None;
        while let Some((error, party)) = next(last.as_ref()) {
            assert_eq!(error.caused_by(), party, "{error:?}");
            assert!(CallError::KINDS.contains(&error.kind()), "{error:?}");
            last = Some(error);
        }
    }

    #[test]
    fn the_text_of_an_error_code_is_short() {
        use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode as V0_2;
        use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode as V0_3;
        assert_eq!(
            CallError::error_code(&V0_2::ConnectionRefused).to_string(),
            "the guest responded with an error: ErrorCode::ConnectionRefused"
        );
        let long = "\n€\u{0}".repeat(1 << 20);
        for error in [
            CallError::error_code(&V0_2::InternalError(Some(long.clone()))),
            CallError::error_code(&V0_3::InternalError(Some(long.clone()))),
        ] {
            let text = error.to_string();
            assert!(text.contains(r#"ErrorCode::InternalError(Some("\n€"#) && text.ends_with('…'), "{text}");
            assert!(text.chars().count() < 600, "{text}");
        }
    }

    #[test]
    fn errors_of_the_operating_system_are_not_caused_by_the_guest() {
        use rustix::io::Errno;
        for error in [
            wasmtime::Error::from(Errno::NOMEM),
            wasmtime::Error::from(Errno::NOMEM).context("failed to make memory accessible"),
            wasmtime::Error::from(std::io::Error::from_raw_os_error(Errno::MFILE.raw_os_error())).context("instance"),
        ] {
            assert!(matches!(CallError::from_wasmtime(&error), CallError::OutOfResources(_)), "{error:?}");
        }
        for error in [wasmtime::Error::from(wasmtime::Trap::StackOverflow), wasmtime::Error::msg("the table is full")] {
            assert!(matches!(CallError::from_wasmtime(&error), CallError::Trapped(_)), "{error:?}");
        }
    }
}
