//! The connections of one shard, and their turns.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::lent_writer::LentWriter;

/// The capacity kept after members have left. Saves reallocations while a few viewers come and go.
const MIN_CAPACITY: usize = 64;

/// The connections that one task writes to. Each knows its index, so it can be removed without a search.
#[derive(Default)]
pub(super) struct Members {
    members: Vec<Member>,
    /// The index of the member whose turn is next.
    next: usize,
    /// The number of turns left in this round.
    turns_left: usize,
}

struct Member {
    writer: Arc<LentWriter>,
    /// Whether its sink accepts no bytes. Blocked members have no turns.
    is_blocked: bool,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Gives every member one turn, starting where the last round ended.
    pub(super) fn start_round(&mut self) {
        self.turns_left = self.members.len();
    }

    /// Returns the member whose turn is next, or `None` at the end of the round.
    pub(super) fn next(&mut self) -> Option<Arc<LentWriter>> {
        while self.turns_left > 0 {
            self.turns_left -= 1;
            if self.next >= self.members.len() {
                self.next = 0;
            }
            let member = self.members.get(self.next)?;
            self.next += 1;
            if !member.is_blocked {
                return Some(member.writer.clone());
            }
        }
        None
    }

    pub(super) fn insert(&mut self, writer: Arc<LentWriter>) {
        writer.index.store(self.members.len(), Ordering::Relaxed);
        self.members.push(Member { writer, is_blocked: false });
    }

    /// Sets whether a member is blocked. Does nothing if it has been removed.
    pub(super) fn set_blocked(&mut self, writer: &Arc<LentWriter>, is_blocked: bool) {
        if let Some(index) = self.index(writer)
            && let Some(member) = self.members.get_mut(index)
        {
            member.is_blocked = is_blocked;
        }
    }

    /// Removes a member. Does nothing if it has been removed.
    pub(super) fn remove(&mut self, writer: &Arc<LentWriter>) {
        let Some(index) = self.index(writer) else { return };
        self.members.swap_remove(index);
        if let Some(moved) = self.members.get(index) {
            moved.writer.index.store(index, Ordering::Relaxed);
            // The moved member may have lost its turn, so start the round again. A second turn sends nothing twice.
            if self.turns_left > 0 {
                self.turns_left = self.members.len();
            }
        }
        let (length, capacity) = (self.members.len(), self.members.capacity());
        if capacity > MIN_CAPACITY && length < capacity / 4 {
            self.members.shrink_to(MIN_CAPACITY.max(length * 2));
        }
    }

    fn index(&self, writer: &Arc<LentWriter>) -> Option<usize> {
        let index = writer.index.load(Ordering::Relaxed);
        self.members.get(index).is_some_and(|member| Arc::ptr_eq(&member.writer, writer)).then_some(index)
    }
}
