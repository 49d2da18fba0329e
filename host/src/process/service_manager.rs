//! What systemd is told about this process (sd_notify(3)). Without systemd, nothing happens.
//!
//! Does not block, unless systemd has stopped reading.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::warn;

/// The server accepts connections. `status` is one line for `systemctl status`.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The server loads its guest and its configuration again. [`reloaded`] must follow.
pub fn reloading() {
    // Without the time, systemd does not know which request to reload this belongs to. The call never fails on Linux.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => warn!("systemd does not learn that the server reloads: {error}"),
    }
}

/// The server has loaded everything again, or kept what it had.
pub fn reloaded() {
    notify(&[NotifyState::Ready]);
}

/// The server shuts down.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// The server works. To be called more often than once in [`watchdog_timeout`].
pub fn feed_watchdog() {
    notify(&[NotifyState::Watchdog]);
}

/// After what time without [`feed_watchdog`] systemd restarts the server (`WatchdogSec=`). `None` if it never does.
pub fn watchdog_timeout() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|timeout| !timeout.is_zero())
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!("cannot reach systemd: {error}");
    }
}
