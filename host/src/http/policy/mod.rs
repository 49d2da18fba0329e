//! Which requests the server answers, and which pages of other sites may use the responses.

mod allowed_hosts;
mod allowed_origins;
mod cors;
mod csrf;
mod forwarded_host;
mod host;
mod origin;
mod request_guard;
mod security_headers;

pub use self::allowed_hosts::{AllowedHost, AllowedHosts};
pub use self::allowed_origins::{AllowedOrigin, AllowedOrigins};
pub use self::cors::Cors;
pub use self::csrf::{CsrfError, CsrfProtection};
pub use self::request_guard::{RequestError, RequestGuard, authority};
pub use self::security_headers::SecurityHeaders;
