//! What can go wrong with a request.

use std::time::Duration;

use wasmtime::PoolConcurrencyLimitError;
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
    /// Its client sent nothing of the body for too long, or too little.
    #[error("the client did not send the body of its request in time")]
    BodyTimedOut,
    /// Its client broke off in the body, or what it sent is no HTTP.
    #[error("the client broke off in the body of its request")]
    BodyBrokenOff,
    /// The system refused what an instance needs, such as memory.
    #[error("the system has no resources left for the guest: {0}")]
    NoResources(String),
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

/// Whose fault it is that a request got no whole answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The guest's: it is broken, at least for this request.
    Guest,
    /// The client's.
    Client,
    /// The host's: the system that it runs on has too little of something, or its operator replaced the guest.
    Host,
}

impl CallError {
    /// Whose fault it is. Only a guest's own faults count against it.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Trapped(_)
            | Self::NoAnswer
            | Self::Refused(_)
            | Self::TimedOut(_)
            | Self::Unfinished
            | Self::Spun => Fault::Guest,
            Self::BadRequest(_) | Self::BodyTimedOut | Self::BodyBrokenOff => Fault::Client,
            // A guest need not publish channels.
            Self::NoRoom | Self::NoResources(_) | Self::Replaced | Self::NoPublisher => Fault::Host,
        }
    }

    /// What an error of wasmtime's means, which came of instantiating a guest or of calling it.
    pub(super) fn of_call(error: &wasmtime::Error) -> Self {
        if error.is::<PoolConcurrencyLimitError>() {
            return Self::NoRoom;
        }
        tracing::debug!("{error:?}");
        // The causes in between are the WebAssembly stack, which takes many lines.
        let cause = error.root_cause().to_string();
        if is_of_system(error) { Self::NoResources(cause) } else { Self::Trapped(cause) }
    }
}

/// Whether an error of wasmtime's is the system's: it refused memory, descriptors or the like. wasmtime passes on what the
/// kernel says. None of the host's functions gives such an error to a guest.
pub(super) fn is_of_system(error: &wasmtime::Error) -> bool {
    error.is::<wasmtime::OutOfMemory>()
        || error.chain().any(|cause| cause.is::<std::io::Error>() || cause.is::<rustix::io::Errno>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next kind of error; the compiler says which is missing here.
    fn after(error: Option<&CallError>) -> Option<(CallError, Fault)> {
        use CallError as E;
        let Some(error) = error else { return Some((E::BadRequest(String::new()), Fault::Client)) };
        match error {
            E::BadRequest(_) => Some((E::BodyTimedOut, Fault::Client)),
            E::BodyTimedOut => Some((E::BodyBrokenOff, Fault::Client)),
            E::BodyBrokenOff => Some((E::NoResources(String::new()), Fault::Host)),
            E::NoResources(_) => Some((E::NoRoom, Fault::Host)),
            E::NoRoom => Some((E::Replaced, Fault::Host)),
            E::Replaced => Some((E::NoPublisher, Fault::Host)),
            E::NoPublisher => Some((E::Trapped(String::new()), Fault::Guest)),
            E::Trapped(_) => Some((E::NoAnswer, Fault::Guest)),
            E::NoAnswer => Some((E::Refused(ErrorCode::InternalError(None)), Fault::Guest)),
            E::Refused(_) => Some((E::TimedOut(Duration::ZERO), Fault::Guest)),
            E::TimedOut(_) => Some((E::Unfinished, Fault::Guest)),
            E::Unfinished => Some((E::Spun, Fault::Guest)),
            E::Spun => None,
        }
    }

    #[test]
    fn every_error_is_the_guests_the_clients_or_the_hosts() {
        let mut last = None;
        while let Some((error, fault)) = after(last.as_ref()) {
            assert_eq!(error.fault(), fault, "{error:?}");
            last = Some(error);
        }
    }

    #[test]
    fn what_the_system_refuses_is_not_the_guests_fault() {
        use rustix::io::Errno;
        for error in [
            wasmtime::Error::from(Errno::NOMEM),
            wasmtime::Error::from(Errno::NOMEM).context("failed to make memory accessible"),
            wasmtime::Error::from(std::io::Error::from_raw_os_error(Errno::MFILE.raw_os_error())).context("instance"),
        ] {
            assert!(matches!(CallError::of_call(&error), CallError::NoResources(_)), "{error:?}");
        }
        for error in [wasmtime::Error::from(wasmtime::Trap::StackOverflow), wasmtime::Error::msg("the table is full")] {
            assert!(matches!(CallError::of_call(&error), CallError::Trapped(_)), "{error:?}");
        }
    }
}
