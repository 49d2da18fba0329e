//! HTTP: connections, their limits, which requests are refused, and what a client is told when the guest has no answer.
//!
//! * [`listen`]: an address to serve at, and the options of its connections; [`listeners`]: all of them.
//! * [`peer`]: the other end of a connection.
//! * [`trusted_proxies`]: reverse proxies whose forwarding headers are believed.
//! * [`connections`]: how many connections there may be, and which make room for others; [`progress`]: whether their
//!   clients read what they are sent.
//! * [`server`]: accepting connections, and ending them; `http1_io`: errors of hyper's with a reason, and requests with two
//!   lengths.
//! * [`request_guard`]: which requests are refused before anything looks at them; by [`hosts`], the names that this server
//!   answers to, and [`cross_origin`], whether another site's page sent them, with [`forwarded`].
//! * [`admission`]: how many requests may be in progress; [`client`]: whose they are, behind a reverse proxy.
//! * [`origins`]: origins of web pages. [`cors`]: which of them may read answers.
//! * [`security_headers`]: headers that every answer gets.
//! * [`service`]: one request: room for it, the guest's answer, or a line that says why there is none.
//!
//! Nothing in here knows where frames come from.

pub mod admission;
pub mod client;
pub mod connections;
pub mod cors;
pub mod cross_origin;
pub mod forwarded;
pub mod hosts;
mod http1_io;
pub mod listen;
pub mod listeners;
pub mod origins;
pub mod peer;
pub mod progress;
pub mod request_guard;
pub mod security_headers;
mod send_queue;
pub mod server;
pub mod service;
pub mod socket;
pub mod stream;
pub mod trusted_proxies;
