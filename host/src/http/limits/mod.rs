//! Limits on connections, and on requests in progress.
//!
//! * [`Connections`] limits open connections, in total and per client. At the limit it closes the connection that has
//!   been idle longest.
//! * [`Admission`] limits requests in progress: streams and other requests separately, and both per client of a reverse
//!   proxy.

mod admission;
mod client_network;
mod connection_table;
mod connections;

pub use self::admission::{Admission, AdmissionError, Permit, RequestLimits};
pub use self::client_network::client_network;
pub use self::connection_table::{LimitReached, Limits};
pub use self::connections::{ActiveRequest, Connections, OpenConnection};
