//! What the server does at one moment: for `GET /status`, `hotshoe status` and Prometheus.
//!
//! ```text
//! cameras, channels, requests, guest, drivers, filters, process ──► Collector ──► Status ──► JSON
//!                                                                                    └─────► Prometheus' text format
//! ```
//!
//! Collecting reads counters that exist anyway. It opens no camera and calls no guest.
//!
//! * [`report`]: the status. Programs get it as JSON, and `hotshoe status` reads that.
//! * [`collector`]: collects it.
//! * [`metrics`]: the status as metrics; `exposition`: their text format.
//! * [`responses`]: responses with the status. [`listener`]: the listener for Prometheus.

pub mod collector;
mod exposition;
pub mod listener;
pub mod metrics;
pub mod report;
pub mod responses;

pub use collector::Collector;
pub use listener::MetricsApi;
pub use report::Status;
