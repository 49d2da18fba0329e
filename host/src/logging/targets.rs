//! The targets of events that are not about the program itself, as `RUST_LOG` names them.

/// The target of events that say who changed what: guests, drivers, controls. They are logged at `info` unless `RUST_LOG`
/// names the target.
pub const AUDIT_TARGET: &str = "audit";

/// The target of what guests print. The limiter allows more of it.
pub const GUEST_TARGET: &str = "guest";
