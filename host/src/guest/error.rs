//! What can go wrong with a request.

use std::time::Duration;

use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

/// How long a guest may compute without waiting for anything, once its answer has begun. (Before that, the
/// answer's timeout counts.) Formatting a part takes microseconds; even a guest that encodes pictures waits
/// for the next one in between.
pub const SPIN_LIMIT: Duration = Duration::from_secs(2);

/// Why a request got no answer from the guest, or no whole one.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It can't be passed to a guest at all.
    #[error("the request is not valid: {0}")]
    BadRequest(String),
    /// All slots of the pool are taken.
    #[error("no room for another instance of the guest")]
    NoRoom,
    /// It trapped. One line; the rest is in the debug log.
    #[error("the guest trapped: {0}")]
    Trapped(String),
    /// It returned without an answer.
    #[error("the guest returned without an answer")]
    NoAnswer,
    /// It answered that it failed.
    #[error("the guest answered with an error: {0}")]
    Refused(ErrorCode),
    /// It did not begin its answer in time.
    #[error("the guest did not begin its answer within {} seconds", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It returned and had not finished the body of its answer.
    #[error("the guest left its answer unfinished")]
    Unfinished,
    /// It was replaced, and had not finished its answer when the time for that was over.
    #[error("the guest was replaced before it had finished its answer")]
    Replaced,
    /// It was to publish a channel, and does not export that.
    #[error("the guest publishes no channels")]
    NoPublisher,
    /// It computed without a pause while it was answering.
    #[error("the guest computed for {} seconds without a pause", SPIN_LIMIT.as_secs())]
    Spun,
}

impl CallError {
    /// Whether it shows that the guest is broken, and not the request, the host, or an operator's wish.
    pub fn is_the_guests(&self) -> bool {
        match self {
            Self::BadRequest(_) | Self::NoRoom | Self::Replaced | Self::NoPublisher => false,
            Self::Trapped(_)
            | Self::NoAnswer
            | Self::Refused(_)
            | Self::TimedOut(_)
            | Self::Unfinished
            | Self::Spun => true,
        }
    }
}
