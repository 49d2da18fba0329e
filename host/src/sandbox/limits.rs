//! Limits on the resources of one instance.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::usage::Usage;
use super::wasmtime_error::is_system_error;

/// The most resources (streams, headers, images, …) that one instance may hold. A streaming guest holds about ten.
/// Without a limit, a leak in a guest would be a leak in the host.
pub(super) const MAX_RESOURCES: usize = 256;

/// The most that a guest may pass to the host in one call, in bytes; a call that exceeds it traps. Twice the
/// maximum of a part's head and tail, so that `push` can report a part that is too large.
pub(super) const HOSTCALL_FUEL: usize = 8 << 20;

/// The most random bytes that a guest may request in one call. Nothing can interrupt such a call.
pub(super) const MAX_RANDOM_BYTES: u64 = 64 << 10;

/// The most elements in all tables of an instance together, that is, functions that can be called indirectly. The
/// built-in guest has 30, an interpreter for another language a few thousand.
pub(super) const MAX_TABLE_ELEMENTS: usize = 100_000;

/// The most core instances in one component. Components from Rust have about four; those from interpreted languages
/// have more, since each extension module is one. NumPy needs 34.
pub(super) const MAX_CORE_INSTANCES: u32 = 200;

/// The most memories, and the most tables, in one component. Components have one memory, which all of their modules
/// share, and one or two tables; middleware and other parts that they are composed of have their own.
pub(super) const MAX_MEMORIES: u32 = 16;
pub(super) const MAX_TABLES: u32 = 64;

/// What an instance may still allocate, and what it uses until it is dropped. A guest sees a failed `memory.grow` or
/// `table.grow` and can handle it.
pub(super) struct InstanceLimits {
    memory_limit: usize,
    memory_left: usize,
    table_elements_left: usize,
    usage: Arc<Usage>,
}

impl InstanceLimits {
    /// Limits all linear memories of an instance together to this number of bytes. The instance counts in `usage`.
    pub(super) fn new(memory_limit: usize, usage: Arc<Usage>) -> Self {
        usage.add_instance();
        Self { memory_limit, memory_left: memory_limit, table_elements_left: MAX_TABLE_ELEMENTS, usage }
    }

    /// What the instance counts in.
    pub(super) fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }

    /// How much linear memory the instance has, in bytes.
    pub(super) fn memory_used(&self) -> usize {
        self.memory_limit - self.memory_left
    }
}

impl ResourceLimiter for InstanceLimits {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let may_grow = reserve(&mut self.memory_left, growth);
        if may_grow {
            self.usage.add_memory(growth);
        }
        Ok(may_grow)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // If the system is out of memory, the call fails with that error. Otherwise the guest would most likely trap,
        // and the trap would count as a failure of the guest.
        if is_system_error(&error) { Err(error) } else { Ok(()) }
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(reserve(&mut self.table_elements_left, desired.saturating_sub(current)))
    }

    // The instance pool has the same limits, but not every system has the address space for the pool.
    fn instances(&self) -> usize {
        MAX_CORE_INSTANCES as usize
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES as usize
    }

    fn tables(&self) -> usize {
        MAX_TABLES as usize
    }
}

impl Drop for InstanceLimits {
    fn drop(&mut self) {
        self.usage.remove_instance(self.memory_used());
    }
}

/// Subtracts `amount` from `left`, if `left` is large enough. If growing fails later, the amount is not added again.
fn reserve(left: &mut usize, amount: usize) -> bool {
    match left.checked_sub(amount) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    }
}
