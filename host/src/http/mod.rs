//! HTTP: connections, their bounds, and what a client is told when the guest has no answer.
//!
//! * [`listen`]: the addresses to serve at, and the options of their connections.
//! * [`peer`]: the other end of a connection.
//! * [`trusted_proxies`]: reverse proxies whose forwarding headers are believed.
//! * [`server`]: accepting connections, and ending them.
//! * [`cors`]: which pages of other sites may read answers.
//! * [`service`]: one request: room for it, the guest's answer, or a line that says why there is none.
//!
//! Nothing in here knows where frames come from.

pub mod cors;
pub mod listen;
pub mod peer;
pub mod server;
pub mod service;
pub mod trusted_proxies;
