//! The open connections of a server.
//!
//! Every connection costs a file descriptor and some kilobytes, even if it does nothing. At a limit, the server closes
//! the connection that has been idle longest in favour of the new one, since a client with a request to make sends it
//! at once. It never closes a connection with a request in progress for another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::client_network::client_network;
use super::connection_table::{Capacity, ConnectionTable, LimitReached, Limits};
use crate::http::peer::Peer;
use crate::http::proxies::TrustedProxies;
use crate::http::stream::Connection;

/// How often to check whether clients still read. Short compared with the timeouts in [`crate::http::stall_detector`].
const STALL_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The open connections of a server, at all of its addresses.
pub struct Connections {
    proxies: TrustedProxies,
    table: Mutex<LimitedTable>,
    /// Notified after each removal of a connection.
    removed: Notify,
}

/// The connections, and how many there may be.
struct LimitedTable {
    table: ConnectionTable,
    limits: Limits,
}

impl Connections {
    /// Returns an empty set of connections. Connections from `proxies` are exempt from the limit per address.
    pub fn new(limits: Limits, proxies: TrustedProxies) -> Arc<Self> {
        let table = Mutex::new(LimitedTable { table: ConnectionTable::default(), limits });
        Arc::new(Self { proxies, table, removed: Notify::new() })
    }

    /// Replaces the limits. Open connections stay open, even if there are more than the new limits allow.
    pub fn set_limits(&self, limits: Limits) {
        self.lock().limits = limits;
    }

    /// Registers a new connection. At a limit, closes an idle connection first and waits until it is closed, which
    /// takes microseconds.
    pub async fn admit(self: &Arc<Self>, connection: &Connection, peer: Peer) -> Result<OpenConnection, LimitReached> {
        let client = peer.ip().filter(|_| !self.proxies.contains_peer(peer)).map(client_network);
        loop {
            // Created before the check, so that it sees every removal after it.
            let removed = self.removed.notified();
            {
                let LimitedTable { table, limits } = &mut *self.lock();
                match table.make_room(*limits, client)? {
                    Capacity::Available => {
                        let id = table.insert(connection, peer, client);
                        return Ok(OpenConnection { connections: self.clone(), id });
                    }
                    Capacity::Pending => {}
                }
            }
            removed.await;
        }
    }

    /// Returns the number of open connections.
    pub fn count(&self) -> usize {
        self.lock().table.len()
    }

    /// Sets the task that serves the connection with this id. Closing the connection aborts it.
    pub fn set_task(&self, id: u64, task: AbortHandle) {
        self.lock().table.set_task(id, task);
    }

    /// Closes the connection that has been idle longest, if any. For use when the system runs out of a resource.
    pub fn close_longest_idle(&self) {
        self.lock().table.close_longest_idle();
    }

    /// Closes connections whose clients have stopped reading, until the future is dropped.
    pub async fn close_stalled(self: Arc<Self>) {
        let mut interval = interval(STALL_CHECK_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.lock().table.close_stalled(Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, LimitedTable> {
        // No operation under the lock leaves the table inconsistent if it panics.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A registered connection. Dropping it removes it from its [`Connections`].
pub struct OpenConnection {
    connections: Arc<Connections>,
    id: u64,
}

impl OpenConnection {
    /// Returns the id of the connection, for [`Connections::set_task`].
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Marks the connection as active until the returned value is dropped. Call it when the head of a request has
    /// arrived.
    pub fn begin_request(self: &Arc<Self>) -> ActiveRequest {
        self.connections.lock().table.begin_request(self.id);
        ActiveRequest(self.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.lock().table.remove(self.id);
        self.connections.removed.notify_waiters();
    }
}

/// A request in progress, from the arrival of its head to the end of its response.
pub struct ActiveRequest(Arc<OpenConnection>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.connections.lock().table.finish_request(self.0.id);
    }
}
