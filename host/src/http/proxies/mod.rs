//! Reverse proxies in front of the server.
//!
//! A reverse proxy hides the client: every connection comes from the proxy's address, and `Host` may be rewritten.
//! `Forwarded` (RFC 7239) and `X-Forwarded-*` carry what the proxy saw, but any client can send them too. The server
//! trusts these headers only on connections from [`TrustedProxies`].

mod forwarded_for;
mod trusted_proxies;

pub use self::forwarded_for::{client_address, forwarded_for};
pub use self::trusted_proxies::{TrustedProxies, TrustedProxy};
