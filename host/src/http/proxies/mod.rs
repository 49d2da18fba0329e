//! Reverse proxies in front of the server.

mod forwarded_for;
mod trusted_proxies;

pub use self::forwarded_for::forwarded_for;
pub use self::trusted_proxies::{TrustedProxies, TrustedProxy};
