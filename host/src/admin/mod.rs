//! The admin listener: shows and replaces the guest and the components of cameras over HTTP, at a separate address.
//!
//! | | |
//! | --- | --- |
//! | `GET /status`, `GET /metrics` | what the server does at this moment, as JSON or for Prometheus |
//! | `GET /healthz`, `GET /readyz` | health checks, which need no token |
//! | `GET /guest` | the current generation, the guest before it, what drains, and what was refused |
//! | `PUT /guest` | replaces the guest by the component in the body; responds like GET, or with 422 and the reason |
//! | `POST /guest/rollback` | rolls back to the previous guest; responds like GET, or with 409 |
//! | `POST /config/reload` | reloads the configuration; responds with what has changed, with 422 and the reason, or with 503 if a file system hangs |
//! | `GET /cameras` | the drivers and filters of all cameras, each with its path below |
//! | `GET /cameras/NAME` | the driver of a camera |
//! | `PUT /cameras/NAME` | replaces the driver of a camera; responds like GET, or with 422 and the reason |
//! | `POST /cameras/NAME/rollback` | rolls back to the previous driver; responds like GET, or with 409 |
//! | `GET /cameras/NAME/filters` | the filters of a camera |
//! | `GET /cameras/NAME/filters/N` | one of them, from 1 in the order in which frames pass them |
//! | `PUT /cameras/NAME/filters/N` | replaces a filter; responds like GET, or with 422 and the reason |
//! | `POST /cameras/NAME/filters/N/rollback` | rolls back to the previous filter; responds like GET, or with 409 |
//!
//! All responses are JSON, errors in the field `error`: 401, 403 or 421 if access is denied, 413 if a component is too
//! large, 400 or 408 if it did not arrive completely or in time, 503 if other uploads are in progress, and 429 after
//! too many wrong tokens or passwords.
//!
//! * [`access`]: decides who has access; `denial_log`: limits the log lines about those who have not.
//! * `uploads`: receives components; `response`: the responses.
//! * `camera_components`: requests for drivers and filters; [`api`]: all requests.

pub mod access;
pub mod api;
mod camera_components;
mod denial_log;
mod response;
mod uploads;

pub use access::{Access, TOKEN_FILE_LIMIT, TokenError};
pub use api::{AdminApi, NotReloaded, ReloadConfiguration};
