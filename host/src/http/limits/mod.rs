//! Limits on connections and on requests in progress.

mod admission;
mod connections;

pub use self::admission::{Admission, AdmissionError, Permit};
pub use self::connections::{ActiveRequest, Connections, LimitReached, Limits, OpenConnection, client_network};
