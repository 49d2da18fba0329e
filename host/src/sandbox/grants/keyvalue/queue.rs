//! Commits waiting writes together.
//!
//! A commit waits for the disk, so writes that arrive meanwhile share the next commit. A write returns when its commit
//! is on the disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::database::{Database, OpenDatabase};
use super::entries::Uncommitted;
use super::error::{Failure, StateError};
use super::write::{Outcome, Write};

/// How many writes wait for a commit. Further ones wait in the order in which they were made.
const MAX_WRITES: usize = 64;

/// The writes that wait.
pub(super) struct WriteQueue {
    database: Arc<Database>,
    slots: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    writes: Vec<WaitingWrite>,
    /// Whether a blocking task commits the writes.
    is_committing: bool,
}

struct WaitingWrite {
    write: Write,
    reply: oneshot::Sender<Result<Outcome, StateError>>,
    _slot: OwnedSemaphorePermit,
}

impl WriteQueue {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self { database, slots: Arc::new(Semaphore::new(MAX_WRITES)), waiting: Mutex::default() }
    }

    /// Makes a change, and waits until it is committed. If the future is dropped before, the change may be made or not.
    pub(super) async fn run(self: &Arc<Self>, write: Write) -> Result<Outcome, StateError> {
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| StateError::Unavailable)?;
        let (reply, replied) = oneshot::channel();
        let start = {
            let mut waiting = self.lock();
            waiting.writes.push(WaitingWrite { write, reply, _slot: slot });
            !std::mem::replace(&mut waiting.is_committing, true)
        };
        if start {
            let queue = self.clone();
            tokio::task::spawn_blocking(move || queue.commit_all());
        }
        replied.await.map_err(|_| StateError::Unavailable)?
    }

    /// Commits until no write waits.
    fn commit_all(&self) {
        loop {
            let writes = {
                let mut waiting = self.lock();
                waiting.is_committing = !waiting.writes.is_empty();
                std::mem::take(&mut waiting.writes)
            };
            if writes.is_empty() {
                return;
            }
            let outcomes = self.database.attempt(|open| commit(open, &writes));
            match outcomes {
                Ok(outcomes) => {
                    for (write, outcome) in writes.into_iter().zip(outcomes) {
                        // The guest that waited may be gone.
                        let _ = write.reply.send(outcome);
                    }
                }
                Err(error) => {
                    for write in writes {
                        let _ = write.reply.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes all changes in one transaction. Returns the outcome of each.
fn commit(open: &OpenDatabase, writes: &[WaitingWrite]) -> Result<Vec<Result<Outcome, StateError>>, Failure> {
    let transaction = open.redb.begin_write()?;
    let mut entries = Uncommitted::new(&transaction, open.usage())?;
    let mut outcomes = Vec::with_capacity(writes.len());
    for write in writes {
        outcomes.push(match write.write.apply(&mut entries) {
            Ok(outcome) => Ok(outcome),
            Err(Failure::Refused(error)) => Err(error),
            Err(broken) => return Err(broken),
        });
    }
    let usage = entries.usage;
    drop(entries);
    transaction.commit()?;
    open.set_usage(usage);
    Ok(outcomes)
}
