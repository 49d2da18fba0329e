//! HTTP: connections, limits on them, which requests are refused, and responses that do not come from the guest.
//!
//! * [`peer`]: the client of a connection.
//! * [`proxies`]: reverse proxies whose forwarding headers are trusted.
//! * [`listen`]: the addresses that the server listens at.
//! * [`limits`]: how many connections and requests there may be.
//! * [`policy`]: which requests are refused, and what browsers let pages of other sites do with responses.
//! * [`auth`]: who is asking, and what they may do.
//! * [`server`], [`connection_task`], [`service`]: connections, and the requests on them; `lingering_close`: the end of
//!   connections; [`service_body`]: the bodies of responses; [`host_response`]: responses that do not come from the guest.
//! * [`health`]: health checks; [`observe`]: counting and logging requests.
//! * [`stream`]: sending streams, and everything else that relies on how hyper reads and writes.
//! * [`tls`]: encrypted connections, and the certificate.
//! * [`socket`]: a client's socket; `send_queue`: its unacknowledged bytes; [`stall_detector`]: detects clients that
//!   have stopped reading.

pub mod auth;
pub mod connection_task;
pub mod health;
pub mod host_response;
pub mod limits;
mod lingering_close;
pub mod listen;
pub mod observe;
pub mod peer;
pub mod policy;
pub mod proxies;
mod send_queue;
pub mod server;
pub mod service;
pub mod service_body;
pub mod socket;
pub mod stall_detector;
pub mod stream;
pub mod tls;
