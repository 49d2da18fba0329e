//! Which requests the server answers, and what browsers let pages of other sites do with the responses.
//!
//! * [`RequestGuard`] rejects requests before the guest sees them: malformed ones, requests for host names outside
//!   [`AllowedHosts`] (DNS rebinding), and requests forged by pages of other sites ([`CsrfProtection`]).
//! * [`Cors`] lets pages of allowed origins read responses; [`SecurityHeaders`] adds headers to every response.

mod allowed_hosts;
mod allowed_origins;
mod cors;
mod csrf;
mod forwarded_host;
mod host;
mod request_guard;
mod security_headers;

pub use self::allowed_hosts::{AllowedHost, AllowedHosts};
pub use self::allowed_origins::{AllowedOrigin, AllowedOrigins};
pub use self::cors::Cors;
pub use self::csrf::{CsrfError, CsrfProtection};
pub use self::request_guard::{RequestError, RequestGuard, authority};
pub use self::security_headers::SecurityHeaders;
