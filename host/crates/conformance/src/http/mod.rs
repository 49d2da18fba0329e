//! A minimal HTTP/1 client over a plain socket, which shows how bytes arrive on the wire.

mod body;
mod head;
mod reader;
mod request;

pub use body::Body;
pub use head::{Head, header, parse_header};
pub use reader::BodyReader;
pub(crate) use request::connect;
pub use request::{Request, Response, request};
