//! Returns free heap memory to the system.
//!
//! Allocators keep the memory that a program frees. On its own, glibc returns memory only from the top of an arena, so a
//! few small allocations that outlive a burst of requests can keep all the memory of that burst resident. `malloc_trim`
//! also returns the free pages between allocations, but the program must call it.
//!
//! Static builds, with musl, use mimalloc. musl's own allocator maps and unmaps the pages of a picture of 200 kB each
//! time, which takes 150 µs instead of 5. mimalloc does the same if it has to return free pages at once: 1.3 ms for a raw
//! frame of 1.8 MB instead of 0.1. By default it keeps them until a thread allocates again, so it is asked for them, like
//! glibc. It asks the system for the size of pages, so the same binary runs on kernels with pages of 4, 16 and 64 KiB.

use std::fs;
use std::io;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{debug, warn};

pub use self::allocator::configure;
use self::allocator::trim;

/// The environment of child processes that limit their memory. Without it, mimalloc allocates 1 GiB at the start of a
/// process, most of which is never touched, but which counts for the limit (RLIMIT_DATA).
pub const LIMITED_CHILD: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");

/// How often memory use is checked, and the shortest time between two trims.
const MIN_INTERVAL: Duration = Duration::from_secs(2);

/// The longest time between two trims while the heap is larger than before. On a busy server, the memory in use keeps it
/// large, and a trim delays other threads by a few milliseconds, because glibc locks one arena after the other. Short
/// enough for several trims within half a minute after a burst.
const MAX_INTERVAL: Duration = Duration::from_secs(8);

/// The growth over the smallest size so far that triggers a trim, in bytes.
const GROWTH: u64 = 2 << 20;

/// A trim that returns less than this, in bytes, was not worth its time, and the next one waits longer.
const WORTHWHILE: u64 = 1 << 20;

/// Returns free memory to the system whenever the heap has grown, until the future is dropped.
pub async fn trim_when_grown() {
    let mut smallest = u64::MAX;
    let mut interval = MIN_INTERVAL;
    loop {
        sleep(interval).await;
        // The kernel generates the file from counters, so reading it does not block.
        let before = match anonymous_memory() {
            Ok(bytes) => bytes,
            Err(error) => {
                warn!("cannot read /proc/self/statm, so free memory is not returned to the system: {error}");
                return std::future::pending().await;
            }
        };
        smallest = smallest.min(before);
        if before < smallest + GROWTH {
            interval = MIN_INTERVAL;
            continue;
        }
        if spawn_blocking(trim).await.is_err() {
            continue;
        }
        let after = anonymous_memory().unwrap_or(before);
        smallest = smallest.min(after);
        let returned = before.saturating_sub(after);
        debug!("returned {returned} bytes of free memory to the system, {after} in use");
        interval = if returned < WORTHWHILE { (interval * 2).min(MAX_INTERVAL) } else { MIN_INTERVAL };
    }
}

/// The resident memory that is not backed by files, in bytes: heap, stacks and the memory of guests. See
/// proc_pid_statm(5).
fn anonymous_memory() -> io::Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let mut pages = statm.split(' ').map(str::parse::<u64>).skip(1);
    let (Some(Ok(resident)), Some(Ok(shared))) = (pages.next(), pages.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    Ok(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
}

#[cfg(target_env = "musl")]
mod allocator {
    #![allow(unsafe_code, reason = "two functions of mimalloc have no safe wrapper")]

    use libmimalloc_sys::{mi_collect, mi_option_set, mi_option_t};

    #[global_allocator]
    static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

    /// `mi_option_purge_delay` in mimalloc.h: how many milliseconds pages stay free before an allocation returns them.
    const PURGE_DELAY: mi_option_t = 15;

    /// Longer than the interval between frames, which mostly use the same pages again.
    const PURGE_DELAY_MILLISECONDS: core::ffi::c_long = 1000;

    /// Has the allocator keep free pages for a while. Call it before starting threads.
    pub fn configure() {
        // SAFETY: `mi_option_set` takes its arguments by value and stores the second in a static variable, which threads
        // that start later read.
        unsafe {
            mi_option_set(PURGE_DELAY, PURGE_DELAY_MILLISECONDS);
        }
    }

    /// Returns the free memory that no thread has reserved for itself to the system. Blocks for some milliseconds.
    pub(super) fn trim() {
        // SAFETY: `mi_collect` takes its argument by value. It works on the heap of the calling thread, those of ended
        // threads, and the pages that other threads have freed, which it locks, and releases only pages that are in no
        // allocation.
        unsafe {
            mi_collect(true);
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod allocator {
    #![allow(unsafe_code, reason = "two functions of glibc's allocator have no safe wrapper")]

    use tracing::debug;

    /// How many arenas glibc may create. Its default is eight per processor, and free memory in one arena is useless to
    /// the others. Threads rarely contend for an arena, because each caches small blocks.
    const MAX_ARENAS: libc::c_int = 4;

    /// Limits the number of the allocator's arenas. Call it before starting threads: existing arenas stay.
    pub fn configure() {
        // SAFETY: `mallopt` takes its arguments by value and locks the allocator itself (mallopt(3): MT-Safe once the
        // allocator is initialised, which Rust's runtime has done before `main`). If it fails, it has no effect.
        let accepted = unsafe { libc::mallopt(libc::M_ARENA_MAX, MAX_ARENAS) };
        if accepted == 0 {
            debug!("cannot limit the allocator's arenas");
        }
    }

    /// Returns all free memory to the system. Blocks for some milliseconds.
    pub(super) fn trim() {
        // SAFETY: `malloc_trim` takes its argument by value, locks each arena while it works on it, and releases only
        // pages that are in no allocation (malloc_trim(3): MT-Safe).
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

#[cfg(not(any(target_env = "musl", all(target_os = "linux", target_env = "gnu"))))]
mod allocator {
    /// Does nothing: this allocator needs no configuration.
    pub fn configure() {}

    /// Does nothing: this allocator returns free memory on its own.
    pub(super) fn trim() {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn allocated_memory_is_counted() {
        const SIZE: usize = 64 << 20;
        let before = anonymous_memory().unwrap();
        let memory = std::hint::black_box(vec![1_u8; SIZE]);
        assert!(anonymous_memory().unwrap() > before + SIZE as u64 / 2);
        drop(memory);
    }
}
