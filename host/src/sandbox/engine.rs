//! The sandbox: how WebAssembly is compiled and run, and the bounds that hold for every guest.

use tracing::warn;
use wasmtime::{Config, Engine, PoolingAllocationConfig};

use super::cache::CompileCache;
use super::epoch_ticker;

/// How many free slots are preferred to those that were never used, since the kernel has page tables for them.
const WARM_SLOTS: u32 = 16;

/// Core modules, memories and tables in one component. A component made by `wasm32-wasip2` has one core
/// module with one memory, and a few that adapt; one composed of several has more.
const CORES_PER_INSTANCE: u32 = 8;
const TABLES_PER_INSTANCE: u32 = 4;

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// wasmtime refuses, even without the pool.
    #[error("cannot set up the sandbox: {0:#}")]
    Engine(wasmtime::Error),
    /// No thread for the clock that interrupts guests.
    #[error("cannot start the thread that interrupts guests: {0}")]
    Thread(std::io::Error),
}

/// The engine that all guests run in, with the clock that interrupts them.
pub struct Sandbox {
    engine: Engine,
    memory_bytes: usize,
    cache: Option<CompileCache>,
}

impl Sandbox {
    /// Set up for at most `instances` instances at a time, each with up to `memory_mib` MiB of memory.
    ///
    /// Takes address space for all of them in advance (not memory). Where there is too little, as on a
    /// 39-bit system or under `ulimit -v`, it says so and takes it instance by instance, which is slower.
    ///
    /// What was compiled once is kept in `cache`, if there is one.
    pub fn new(instances: u32, memory_mib: u32, cache: Option<CompileCache>) -> Result<Self, SandboxError> {
        let memory_bytes = (memory_mib as usize) << 20;
        let mut config = base_config(memory_bytes);
        config.allocation_strategy(pool(instances, memory_bytes));
        let engine = Engine::new(&config).or_else(|error| {
            warn!("no room set aside for {instances} guests, taking it one by one (slower): {error}");
            Engine::new(&base_config(memory_bytes))
        });
        let engine = engine.map_err(SandboxError::Engine)?;
        epoch_ticker::start(&engine).map_err(SandboxError::Thread)?;
        Ok(Self { engine, memory_bytes, cache })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where compiled guests are kept.
    pub(super) fn cache(&self) -> Option<&CompileCache> {
        self.cache.as_ref()
    }

    /// How much memory one instance may use, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

/// An engine that compiles for a sandbox whose instances may use this much memory, in bytes. It runs nothing.
pub(super) fn compiling_engine(memory_bytes: usize) -> wasmtime::Result<Engine> {
    Engine::new(&base_config(memory_bytes))
}

fn base_config(memory_bytes: usize) -> Config {
    let mut config = Config::new();
    config
        // Without it, a guest that computes for ever could not be ended, and would hold its thread.
        .epoch_interruption(true)
        // Stacks are given back as well; see `pool`.
        .async_stack_zeroing(true)
        // Exactly what an instance may use, and never moved. The default, 4 GiB, saves bounds checks, which
        // a guest that hardly touches memory does not notice; but a thousand instances would need 4 TiB.
        .memory_reservation(memory_bytes as u64)
        .memory_reservation_for_growth(0)
        .memory_guard_size(64 << 10)
        .memory_may_move(false);
    config
}

fn pool(instances: u32, memory_bytes: usize) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .max_core_instances_per_component(CORES_PER_INSTANCE)
        .max_memories_per_component(CORES_PER_INSTANCE)
        .max_tables_per_component(TABLES_PER_INSTANCE)
        // The sums are for the common guest: a memory, three core modules.
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(2))
        .total_stacks(instances)
        .max_memory_size(memory_bytes)
        .max_unused_warm_slots(WARM_SLOTS)
        // What ended is given back to the kernel at once. wasmtime can keep some of it for the next instance, but keeps it in
        // each slot that was ever used: after a thousand requests at a time, that is a hundred megabytes for ever. Requests
        // that follow one another use idle instances again anyway (`spares.rs`).
        .linear_memory_keep_resident(0)
        .table_keep_resident(0)
        .async_stack_keep_resident(0);
    pool
}
