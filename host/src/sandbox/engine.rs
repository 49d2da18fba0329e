//! The wasmtime engine: how guests are compiled and run, and the limits of the instance pool.

use std::sync::Arc;

use tokio::runtime::Handle;
use tracing::warn;
use wasmtime::{CacheStore, Config, Engine, PoolingAllocationConfig};

use super::epoch_ticker;
use super::limits::{MAX_CORE_INSTANCES, MAX_MEMORIES, MAX_TABLE_ELEMENTS, MAX_TABLES};
use super::load::compile_cache::CompileCache;
use super::pixels::Pixels;
use super::usage::{UsageByRole, UsageReport};

/// How many freed slots the pool keeps and reuses before it takes slots that were never used. The kernel still has page
/// tables for freed slots.
const WARM_SLOTS: u32 = 16;

/// How many memories and tables the pool has for each instance: those of a guest behind one middleware. They reserve
/// address space. If all instances have more, for example because of more middleware, fewer can run at once.
const MEMORIES_PER_INSTANCE: u32 = 2;
const TABLES_PER_INSTANCE: u32 = 4;

/// The largest image of the initial contents of a memory that is stored with the code even if most of it is zero, in
/// bytes. Instances map such an image, and copy other contents when they start. That of the JavaScript engine in guests
/// has 3 MB. With the default of 16 MiB, a module of 35 bytes takes that much.
const SPARSE_IMAGE_LIMIT: u64 = 4 << 20;

/// Why the sandbox cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// wasmtime cannot create an engine, not even without a pool.
    #[error("cannot set up the sandbox: {0:#}")]
    Engine(wasmtime::Error),
    /// A thread cannot be started: the one that sets up the sandbox, or the one that interrupts guests.
    #[error("cannot start a thread for the sandbox: {0}")]
    Thread(std::io::Error),
}

/// The engine that all guests run in.
pub struct Sandbox {
    engine: Engine,
    memory_bytes: usize,
    cache: Option<CompileCache>,
    usage: UsageByRole,
    pixels: Pixels,
}

impl Sandbox {
    /// Sets up a sandbox for at most `instances` instances at a time, each with up to `memory_mib` MiB of linear
    /// memory.
    ///
    /// Reserves address space, but no memory, for all instances in advance. If there is not enough, for example on a
    /// 39-bit system or under `ulimit -v`, logs a warning and reserves it per instance, which is slower.
    ///
    /// Compiled guests are stored in `cache`, if there is one.
    pub fn new(instances: u32, memory_mib: u32, cache: Option<CompileCache>) -> Result<Self, SandboxError> {
        let memory_bytes = (memory_mib as usize) << 20;
        let mut config = base_config(memory_bytes);
        config.allocation_strategy(pool(instances, memory_bytes));
        let engine = Engine::new(&config).or_else(|error| {
            warn!(
                "cannot reserve address space for {instances} guest instances (lower --max-requests or --guest-memory, \
                 or raise `ulimit -v`): {error}; reserving it per instance, which is slower"
            );
            Engine::new(&base_config(memory_bytes))
        });
        let engine = engine.map_err(SandboxError::Engine)?;
        epoch_ticker::start(&engine).map_err(SandboxError::Thread)?;
        Ok(Self { engine, memory_bytes, cache, usage: UsageByRole::default(), pixels: Pixels::default() })
    }

    /// What the instances use at this moment, for each role of components.
    pub fn usage(&self) -> [UsageReport; 3] {
        self.usage.report()
    }

    /// Sets the runtime whose pool of threads decodes and encodes pictures for all components. Until then, that fails.
    pub fn run_pixels_on(&self, runtime: Handle) {
        self.pixels.run_on(runtime);
    }

    pub(super) fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    pub(super) fn usage_by_role(&self) -> &UsageByRole {
        &self.usage
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn cache(&self) -> Option<&CompileCache> {
        self.cache.as_ref()
    }

    /// The most linear memory that one instance may have, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

/// Creates an engine that compiles for a sandbox whose instances may have `memory_bytes` of linear memory, in one
/// thread or in several. It takes functions from `functions` and adds those that are missing. It runs nothing.
pub(super) fn compiler_engine(
    memory_bytes: usize,
    in_parallel: bool,
    functions: Option<Arc<dyn CacheStore>>,
) -> wasmtime::Result<Engine> {
    let mut config = base_config(memory_bytes);
    config.parallel_compilation(in_parallel);
    if let Some(functions) = functions {
        config.enable_incremental_compilation(functions)?;
    }
    Engine::new(&config)
}

fn base_config(memory_bytes: usize) -> Config {
    let mut config = Config::new();
    config
        // Without epochs, a guest that computes forever could not be stopped and would block its thread.
        .epoch_interruption(true)
        // Async stacks are returned to the kernel as well; see `pool`.
        .async_stack_zeroing(true)
        // Reserve exactly the memory limit, and never move a memory. The default of 4 GiB avoids bounds checks, but a
        // thousand instances would need 4 TiB. Guests hardly touch memory, so the checks do not matter.
        .memory_reservation(memory_bytes as u64)
        .memory_reservation_for_growth(0)
        .memory_guard_size(64 << 10)
        .memory_may_move(false)
        .memory_guaranteed_dense_image_size(SPARSE_IMAGE_LIMIT);
    config
}

fn pool(instances: u32, memory_bytes: usize) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .max_memories_per_module(MAX_MEMORIES)
        .max_tables_per_module(MAX_TABLES)
        .table_elements(MAX_TABLE_ELEMENTS)
        // Core instances reserve nothing in advance.
        .total_core_instances(instances.saturating_mul(MAX_CORE_INSTANCES))
        .total_memories(instances.saturating_mul(MEMORIES_PER_INSTANCE))
        .total_tables(instances.saturating_mul(TABLES_PER_INSTANCE))
        .total_stacks(instances)
        .max_memory_size(memory_bytes)
        .max_unused_warm_slots(WARM_SLOTS)
        // Return the memory of ended instances to the kernel at once. wasmtime can keep some of it resident for the
        // next instance, but does so in every slot ever used: after a burst of a thousand requests, that is 100 MB
        // forever. Consecutive requests reuse idle instances anyway (`idle_instances.rs`).
        .linear_memory_keep_resident(0)
        .table_keep_resident(0)
        .async_stack_keep_resident(0);
    pool
}
