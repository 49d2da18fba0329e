//! HTTP: connections, their bounds, and what a client is told when the guest has no answer.
//!
//! * [`listen`]: an address to serve at, and the options of its connections; [`listeners`]: all of them.
//! * [`peer`]: the other end of a connection.
//! * [`trusted_proxies`]: reverse proxies whose forwarding headers are believed.
//! * [`connections`]: how many connections there may be, and which make room for others; [`progress`]: whether their
//!   clients read what they are sent.
//! * [`server`]: accepting connections, and ending them.
//! * [`admission`]: how many requests may be in progress; [`client`]: whose they are, behind a reverse proxy.
//! * [`cors`]: which pages of other sites may read answers.
//! * [`service`]: one request: room for it, the guest's answer, or a line that says why there is none.
//!
//! Nothing in here knows where frames come from.

pub mod admission;
pub mod client;
pub mod connections;
pub mod cors;
pub mod listen;
pub mod listeners;
pub mod peer;
pub mod progress;
pub mod server;
pub mod service;
pub mod trusted_proxies;
