//! The open connections of a server: how many there may be, and which are closed to make room for others.
//!
//! A connection costs a descriptor and some kilobytes, whatever it does. So there is a limit on all of them together and,
//! for clients whose address is known, on those of one address. At a limit, a connection that waits for a request's head
//! is closed for the new one: the one that has waited longest, since a client that has something to ask does so at once.
//! A connection with a request in progress is never closed for another.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use crate::http::peer::Peer;
use crate::http::progress::Progress;
use crate::http::proxies::TrustedProxies;
use crate::http::stream::line::{Connection, Line};

/// How often connections are looked at whose client may have stopped reading.
const PROGRESS_CHECK: Duration = Duration::from_secs(1);

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// In total.
    pub total: usize,
    /// From one IPv4 address, or one IPv6 network of 64 bits, which is what one customer of a provider has. A trusted
    /// proxy's own address is exempt.
    pub per_address: usize,
}

/// Why there is no room for a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LimitReached {
    /// There are as many connections as there may be, all with requests in progress.
    #[error("server at capacity (--max-connections)")]
    Total,
    /// The client's address has as many as it may have, all with requests in progress.
    #[error("too many connections from this address (--max-connections-per-address)")]
    Address,
}

/// The open connections of a server, on all of its addresses.
pub struct Connections {
    limits: Limits,
    proxies: TrustedProxies,
    table: Mutex<Table>,
    /// Notified when a connection has been closed.
    closed: Notify,
}

#[derive(Default)]
struct Table {
    open: HashMap<u64, Entry>,
    /// Those that wait for a request's head, in the order in which they began to.
    waiting: BTreeMap<u64, u64>,
    addresses: HashMap<IpAddr, Address>,
    /// Numbers connections, and turns of waiting.
    next: u64,
    /// How many have been told to close and have not closed yet.
    closing: usize,
}

/// The connections of one client address.
#[derive(Default)]
struct Address {
    open: usize,
    /// The turns of those that wait for a request's head.
    waiting: BTreeSet<u64>,
}

struct Entry {
    peer: Peer,
    /// Under which it counts; none for a trusted proxy.
    address: Option<IpAddr>,
    /// The turn of its waiting for a request's head; none while a request is in progress.
    turn: Option<u64>,
    line: Line,
    progress: Progress,
    /// None until its task has been spawned.
    task: Option<AbortHandle>,
    is_closing: bool,
}

impl Connections {
    /// None yet.
    pub fn new(limits: Limits, proxies: TrustedProxies) -> Arc<Self> {
        Arc::new(Self { limits, proxies, table: Mutex::default(), closed: Notify::new() })
    }

    /// Take a new connection. Closes others where that makes room, and waits until they are closed, which takes
    /// microseconds.
    pub async fn admit(self: &Arc<Self>, connection: &Connection, peer: Peer) -> Result<OpenConnection, LimitReached> {
        let address = peer.ip().filter(|_| !self.proxies.contains_peer(peer)).map(client_network);
        loop {
            // From here on, so that none is missed.
            let closed = self.closed.notified();
            {
                let mut table = self.table();
                match table.make_room(self.limits, address)? {
                    Room::Free => {
                        let id = table.insert(connection, peer, address);
                        return Ok(OpenConnection { connections: self.clone(), id });
                    }
                    Room::Soon => {}
                }
            }
            closed.await;
        }
    }

    /// Say which task serves the connection of this number. It is ended to close the connection.
    pub fn set_task(&self, id: u64, task: AbortHandle) {
        if let Some(entry) = self.table().open.get_mut(&id) {
            entry.task = Some(task);
        }
    }

    /// Close the connection that has waited longest for a request's head, since the system has run out of something.
    pub fn close_longest_idle(&self) {
        let mut table = self.table();
        if let Some(id) = table.longest_waiting() {
            table.close(id);
        }
    }

    /// Drop connections whose clients have stopped reading, until the future is dropped.
    pub async fn close_stalled(self: Arc<Self>) {
        let mut check = interval(PROGRESS_CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            check.tick().await;
            let now = Instant::now();
            let mut table = self.table();
            let stalled: Vec<_> = table
                .open
                .iter_mut()
                .filter_map(|(id, entry)| {
                    entry.progress.check(now, entry.turn.is_none()).err().map(|error| (*id, error))
                })
                .collect();
            for (id, error) in stalled {
                if let Some(entry) = table.open.get(&id) {
                    debug!("{}: {error}", entry.peer);
                    entry.progress.socket().discard_unsent();
                }
                table.close(id);
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that is done under the lock can leave it half done.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is room for one more connection.
enum Room {
    Free,
    /// When a connection that has been told to close has done so.
    Soon,
}

impl Table {
    /// Make room for one more connection of this address.
    fn make_room(&mut self, limits: Limits, address: Option<IpAddr>) -> Result<Room, LimitReached> {
        let of_address = address.and_then(|address| self.addresses.get(&address));
        if let Some(of_address) = of_address.filter(|of_address| of_address.open >= limits.per_address) {
            let mut waiting = of_address.waiting.iter().filter_map(|turn| self.waiting.get(turn)).copied();
            let longest = waiting.find(|id| self.can_close(*id)).ok_or(LimitReached::Address)?;
            self.close(longest);
            return Ok(Room::Soon);
        }
        if self.open.len() < limits.total {
            return Ok(Room::Free);
        }
        // Others may have asked for the same room. One that is closing makes room for one.
        if self.closing > 0 {
            return Ok(Room::Soon);
        }
        let longest = self.longest_waiting().ok_or(LimitReached::Total)?;
        self.close(longest);
        Ok(Room::Soon)
    }

    /// The connection that has waited longest for a request's head, of those that can be closed.
    fn longest_waiting(&self) -> Option<u64> {
        self.waiting.values().copied().find(|id| self.can_close(*id))
    }

    /// Whether a connection that waits can be closed: not if it still sends a response's last bytes.
    fn can_close(&self, id: u64) -> bool {
        self.open.get(&id).is_some_and(|entry| entry.task.is_some() && !entry.is_closing && entry.line.is_flushed())
    }

    fn insert(&mut self, connection: &Connection, peer: Peer, address: Option<IpAddr>) -> u64 {
        let id = self.next();
        let entry = Entry {
            peer,
            address,
            turn: None,
            line: connection.line().clone(),
            progress: Progress::new(connection.socket().clone()),
            task: None,
            is_closing: false,
        };
        self.open.insert(id, entry);
        if let Some(address) = address {
            self.addresses.entry(address).or_default().open += 1;
        }
        self.begin_waiting(id);
        id
    }

    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn begin_waiting(&mut self, id: u64) {
        let turn = self.next();
        let Some(entry) = self.open.get_mut(&id) else { return };
        entry.turn = Some(turn);
        self.waiting.insert(turn, id);
        if let Some(address) = entry.address.and_then(|address| self.addresses.get_mut(&address)) {
            address.waiting.insert(turn);
        }
    }

    fn end_waiting(&mut self, id: u64) {
        let Some(entry) = self.open.get_mut(&id) else { return };
        let Some(turn) = entry.turn.take() else { return };
        self.waiting.remove(&turn);
        if let Some(address) = entry.address.and_then(|address| self.addresses.get_mut(&address)) {
            address.waiting.remove(&turn);
        }
    }

    /// Close this one. It counts until its task has ended.
    fn close(&mut self, id: u64) {
        self.end_waiting(id);
        let Some(entry) = self.open.get_mut(&id) else { return };
        if let Some(task) = &entry.task
            && !entry.is_closing
        {
            task.abort();
            entry.is_closing = true;
            self.closing += 1;
        }
    }

    fn remove(&mut self, id: u64) {
        self.end_waiting(id);
        let Some(entry) = self.open.remove(&id) else { return };
        // After a storm, its memory is given back. Rarely enough to cost nothing.
        if self.open.len() < self.open.capacity() / 8 {
            self.open.shrink_to(self.open.len() * 2);
        }
        self.closing -= usize::from(entry.is_closing);
        let Some(address) = entry.address else { return };
        if let Some(of_address) = self.addresses.get_mut(&address) {
            of_address.open -= 1;
            if of_address.open == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

/// The address under which a client counts.
pub fn client_network(address: IpAddr) -> IpAddr {
    /// The first 64 bits.
    const NETWORK: u128 = !0 << 64;
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address => address,
    }
}

/// One open connection. It counts until this is dropped.
pub struct OpenConnection {
    connections: Arc<Connections>,
    id: u64,
}

impl OpenConnection {
    /// Its number, for [`Connections::set_task`].
    pub fn id(&self) -> u64 {
        self.id
    }

    /// A request has come: the connection does not wait for one any more, until what is returned is dropped.
    pub fn begin_request(self: &Arc<Self>) -> ActiveRequest {
        self.connections.table().end_waiting(self.id);
        ActiveRequest(self.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.connections.table().remove(self.id);
        self.connections.closed.notify_waiters();
    }
}

/// A request in progress, from its head to the end of its response.
pub struct ActiveRequest(Arc<OpenConnection>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.connections.table().begin_waiting(self.0.id);
    }
}
