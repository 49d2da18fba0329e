//! What is observed of requests: counts for metrics, and the access log.
//!
//! ```text
//! Recorder ── begin ──► Recording ── wrap ──► RecordedBody ── dropped ──► RequestStats, AccessLog
//! ```
//!
//! * [`recorder`]: records requests. A request ends when its body is dropped, which for a stream may be days later.
//! * [`recorded_body`]: the body of a response that is recorded.
//! * [`request_stats`]: counts of requests.
//! * [`access_log`]: a line for each request. `entry`: what it says; `redact`: removes secrets from it.

pub mod access_log;
mod entry;
pub mod recorded_body;
pub mod recorder;
mod redact;
pub mod request_stats;

pub use access_log::{AccessLog, AccessLogFormat};
pub use recorded_body::RecordedBody;
pub use recorder::{Recorder, Recording};
pub use request_stats::{Histogram, RequestCounts, RequestStats};
