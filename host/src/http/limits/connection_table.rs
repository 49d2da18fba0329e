//! The table of open connections: which ones count against which limit, and which one to close at a limit.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Instant;

use tokio::task::AbortHandle;
use tracing::debug;

use crate::http::peer::Peer;
use crate::http::stall_detector::StallDetector;
use crate::http::stream::{Connection, SharedWriter};

/// How many connections may be open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// In total.
    pub total: usize,
    /// From one [`client_network`](super::client_network()). Connections from trusted proxies and from Unix sockets do
    /// not count.
    pub per_address: usize,
}

/// A limit is reached, and every connection that counts has a request in progress, so none can be closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LimitReached {
    /// The server has reached its limit.
    #[error("server at capacity (--max-connections)")]
    Total,
    /// The client has reached its limit.
    #[error("too many connections from this address (--max-connections-per-address)")]
    PerAddress,
}

/// When a new connection can be inserted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Capacity {
    /// Now.
    Available,
    /// As soon as a closing connection has been removed.
    Pending,
}

/// All open connections. A connection is *idle* while it waits for the head of a request, and *active* from there to
/// the end of the response.
#[derive(Default)]
pub(super) struct ConnectionTable {
    connections: HashMap<u64, TrackedConnection>,
    /// The idle connections, by when they became idle.
    idle: BTreeMap<IdleSequence, u64>,
    clients: HashMap<IpAddr, ClientConnections>,
    /// The last number used, for the id of a connection or as an [`IdleSequence`].
    last_number: u64,
    /// How many connections have been aborted and are not yet removed.
    closing: usize,
}

/// Orders idle connections: lower numbers became idle earlier.
type IdleSequence = u64;

/// The connections of one client.
#[derive(Default)]
struct ClientConnections {
    count: usize,
    /// How many of them have been aborted and are not yet removed.
    closing: usize,
    idle: BTreeSet<IdleSequence>,
}

/// An open connection.
struct TrackedConnection {
    peer: Peer,
    /// The client it counts for. `None` for trusted proxies and Unix sockets.
    client: Option<IpAddr>,
    /// `None` while a request is in progress.
    idle: Option<IdleSequence>,
    writer: SharedWriter,
    stall_detector: StallDetector,
    /// The task that serves the connection. `None` until it is spawned.
    task: Option<AbortHandle>,
    is_closing: bool,
}

impl ConnectionTable {
    /// Makes room for a new connection of `client`: closes the client's longest idle connection if the client has
    /// reached its limit, or else the longest idle of all if the server has. If one is closing already, closes no
    /// other. On [`Capacity::Pending`], call again after the next [`remove`](Self::remove): another new connection may
    /// have been first.
    pub(super) fn make_room(&mut self, limits: Limits, client: Option<IpAddr>) -> Result<Capacity, LimitReached> {
        let client = client.and_then(|client| self.clients.get(&client));
        if let Some(client) = client.filter(|client| client.count >= limits.per_address) {
            if client.closing > 0 {
                return Ok(Capacity::Pending);
            }
            let mut idle = client.idle.iter().filter_map(|sequence| self.idle.get(sequence)).copied();
            let longest_idle = idle.find(|id| self.can_close(*id)).ok_or(LimitReached::PerAddress)?;
            self.close(longest_idle);
            return Ok(Capacity::Pending);
        }
        if self.connections.len() < limits.total {
            return Ok(Capacity::Available);
        }
        if self.closing > 0 {
            return Ok(Capacity::Pending);
        }
        if self.close_longest_idle() { Ok(Capacity::Pending) } else { Err(LimitReached::Total) }
    }

    /// The number of connections.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Adds an idle connection and returns its id.
    pub(super) fn insert(&mut self, connection: &Connection, peer: Peer, client: Option<IpAddr>) -> u64 {
        let id = self.next_number();
        let entry = TrackedConnection {
            peer,
            client,
            idle: None,
            writer: connection.writer().clone(),
            stall_detector: StallDetector::new(connection.socket().clone()),
            task: None,
            is_closing: false,
        };
        self.connections.insert(id, entry);
        if let Some(client) = client {
            self.clients.entry(client).or_default().count += 1;
        }
        self.set_idle(id);
        id
    }

    /// Removes a connection whose task has ended.
    pub(super) fn remove(&mut self, id: u64) {
        self.set_active(id);
        let Some(entry) = self.connections.remove(&id) else { return };
        // Returns memory after a burst, rarely enough to cost nothing.
        if self.connections.len() < self.connections.capacity() / 8 {
            self.connections.shrink_to(self.connections.len() * 2);
        }
        self.closing -= usize::from(entry.is_closing);
        let Some(address) = entry.client else { return };
        if let Some(client) = self.clients.get_mut(&address) {
            client.count -= 1;
            client.closing -= usize::from(entry.is_closing);
            if client.count == 0 {
                self.clients.remove(&address);
            }
        }
    }

    /// Sets the task that serves a connection. Closing the connection aborts it.
    pub(super) fn set_task(&mut self, id: u64, task: AbortHandle) {
        if let Some(entry) = self.connections.get_mut(&id) {
            entry.task = Some(task);
        }
    }

    /// Marks a connection as idle because the body of its response is finished. hyper still has to write what it has
    /// buffered; until then, [`can_close`](Self::can_close) does not hold.
    pub(super) fn finish_request(&mut self, id: u64) {
        if let Some(entry) = self.connections.get(&id) {
            entry.writer.end_answer();
        }
        self.set_idle(id);
    }

    /// Marks a connection as idle.
    fn set_idle(&mut self, id: u64) {
        let sequence = self.next_number();
        let Some(entry) = self.connections.get_mut(&id) else { return };
        entry.idle = Some(sequence);
        self.idle.insert(sequence, id);
        if let Some(client) = entry.client.and_then(|client| self.clients.get_mut(&client)) {
            client.idle.insert(sequence);
        }
    }

    /// Marks a connection as active because the head of a request has arrived.
    pub(super) fn begin_request(&mut self, id: u64) {
        if let Some(entry) = self.connections.get(&id) {
            entry.writer.begin_answer();
        }
        self.set_active(id);
    }

    /// Marks a connection as active, so that it is not closed to make room.
    fn set_active(&mut self, id: u64) {
        let Some(entry) = self.connections.get_mut(&id) else { return };
        let Some(sequence) = entry.idle.take() else { return };
        self.idle.remove(&sequence);
        if let Some(client) = entry.client.and_then(|client| self.clients.get_mut(&client)) {
            client.idle.remove(&sequence);
        }
    }

    /// Closes the connection that has been idle longest. Returns whether there is one.
    pub(super) fn close_longest_idle(&mut self) -> bool {
        let longest_idle = self.idle.values().copied().find(|id| self.can_close(*id));
        longest_idle.inspect(|id| self.close(*id)).is_some()
    }

    /// Closes connections whose clients have stopped reading.
    pub(super) fn close_stalled(&mut self, now: Instant) {
        let stalled = self.connections.iter_mut().filter_map(|(id, entry)| {
            let error = entry.stall_detector.check(now, entry.idle.is_none()).err()?;
            debug!("{}: {error}", entry.peer);
            entry.stall_detector.socket().discard_unsent();
            Some(*id)
        });
        for id in stalled.collect::<Vec<_>>() {
            self.close(id);
        }
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Whether an idle connection can be closed without cutting off the last bytes of a response.
    fn can_close(&self, id: u64) -> bool {
        let entry = self.connections.get(&id);
        entry.is_some_and(|entry| entry.task.is_some() && !entry.is_closing && entry.writer.is_flushed())
    }

    /// Closes a connection. It counts until [`remove`](Self::remove).
    fn close(&mut self, id: u64) {
        self.set_active(id);
        let Some(entry) = self.connections.get_mut(&id) else { return };
        if let Some(task) = &entry.task
            && !entry.is_closing
        {
            task.abort();
            entry.is_closing = true;
            self.closing += 1;
            if let Some(client) = entry.client.and_then(|client| self.clients.get_mut(&client)) {
                client.closing += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::UnixStream;

    use super::*;

    const LIMITS: Limits = Limits { total: 3, per_address: 2 };

    /// Adds an idle connection of this client, with a task.
    fn insert(table: &mut ConnectionTable, client: Option<IpAddr>) -> u64 {
        let (socket, _) = UnixStream::pair().unwrap();
        let id = table.insert(&Connection::new(socket), Peer::Unix, client);
        table.set_task(id, tokio::spawn(pending::<()>()).abort_handle());
        id
    }

    #[tokio::test]
    async fn one_idle_connection_is_closed_at_a_time() {
        for (client, count) in [(None, LIMITS.total), (Some([192, 0, 2, 1].into()), LIMITS.per_address)] {
            let mut table = ConnectionTable::default();
            let ids: Vec<_> = (0..count).map(|_| insert(&mut table, client)).collect();
            for _ in 0..2 {
                assert_eq!(table.make_room(LIMITS, client), Ok(Capacity::Pending));
                assert_eq!(table.closing, 1);
            }
            table.remove(ids[0]);
            assert_eq!(table.make_room(LIMITS, client), Ok(Capacity::Available));
        }
    }

    #[tokio::test]
    async fn active_connections_are_not_closed() {
        let client = Some([192, 0, 2, 1].into());
        let mut table = ConnectionTable::default();
        let [first, second, third] = [client, client, None].map(|client| insert(&mut table, client));
        for id in [first, second, third] {
            table.set_active(id);
        }
        assert_eq!(table.make_room(LIMITS, client), Err(LimitReached::PerAddress));
        assert_eq!(table.make_room(LIMITS, None), Err(LimitReached::Total));
        table.set_idle(second);
        assert_eq!(table.make_room(LIMITS, client), Ok(Capacity::Pending));
        table.remove(second);
        assert_eq!(table.make_room(LIMITS, client), Ok(Capacity::Available));
    }

    #[tokio::test]
    async fn a_connection_is_not_closed_before_its_response_is_flushed() {
        let limits = Limits { total: 1, per_address: 1 };
        let mut table = ConnectionTable::default();
        let mut connection = Connection::new(UnixStream::pair().unwrap().0);
        let id = table.insert(&connection, Peer::Unix, None);
        table.set_task(id, tokio::spawn(pending::<()>()).abort_handle());
        table.set_active(id);
        table.finish_request(id);
        assert_eq!(table.make_room(limits, None), Err(LimitReached::Total));
        connection.flush().await.unwrap();
        assert_eq!(table.make_room(limits, None), Ok(Capacity::Pending));
    }
}
