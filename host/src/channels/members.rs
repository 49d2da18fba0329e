//! The connections that one task sends to.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::fanout::Loan;

/// Room for this many is kept when others have left.
const KEPT_CAPACITY: usize = 64;

/// The connections of one task. Each knows where it is in here, so that it can be freed without looking for it.
#[derive(Default)]
pub(super) struct Members {
    all: Vec<Member>,
    /// Whose turn is next in the round.
    next: usize,
    /// How many turns are left in the round.
    turns_left: usize,
}

struct Member {
    loan: Arc<Loan>,
    /// Its socket takes nothing, so it has no turns.
    is_blocked: bool,
}

impl Members {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Let each have a turn from now on, beginning where the round before ended.
    pub(super) fn begin_round(&mut self) {
        self.turns_left = self.all.len();
    }

    /// Whose turn it is. Returns `None` at the end of the round.
    pub(super) fn next(&mut self) -> Option<Arc<Loan>> {
        while self.turns_left > 0 {
            self.turns_left -= 1;
            if self.next >= self.all.len() {
                self.next = 0;
            }
            let member = self.all.get(self.next)?;
            self.next += 1;
            if !member.is_blocked {
                return Some(member.loan.clone());
            }
        }
        None
    }

    pub(super) fn insert(&mut self, loan: Arc<Loan>) {
        loan.index.store(self.all.len(), Ordering::Relaxed);
        self.all.push(Member { loan, is_blocked: false });
    }

    /// Note whether its socket takes bytes. Does nothing if it is not in here.
    pub(super) fn set_blocked(&mut self, loan: &Arc<Loan>, is_blocked: bool) {
        if let Some(index) = self.index(loan)
            && let Some(member) = self.all.get_mut(index)
        {
            member.is_blocked = is_blocked;
        }
    }

    /// Free one. Does nothing if it is not in here.
    pub(super) fn remove(&mut self, loan: &Arc<Loan>) {
        let Some(index) = self.index(loan) else { return };
        self.all.swap_remove(index);
        if let Some(moved) = self.all.get(index) {
            moved.loan.index.store(index, Ordering::Relaxed);
            // It may have been moved to where the round has been already. A second turn gives nothing twice.
            if self.turns_left > 0 {
                self.turns_left = self.all.len();
            }
        }
        if self.all.capacity() > KEPT_CAPACITY && self.all.len() < self.all.capacity() / 4 {
            self.all.shrink_to(KEPT_CAPACITY.max(self.all.len() * 2));
        }
    }

    fn index(&self, loan: &Arc<Loan>) -> Option<usize> {
        let index = loan.index.load(Ordering::Relaxed);
        self.all.get(index).is_some_and(|member| Arc::ptr_eq(&member.loan, loan)).then_some(index)
    }
}
