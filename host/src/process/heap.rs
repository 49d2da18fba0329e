//! Returning free heap memory to the system.
//!
//! glibc keeps what a program frees. It returns memory by itself only from the top of an arena, so a few small allocations
//! that outlive a burst of requests can keep all the memory of that burst resident. `malloc_trim` also returns the free
//! pages between allocations, but nobody calls it unless the program does.
//!
//! Only glibc needs this: musl's allocator returns free pages by itself. A build with another allocator needs whatever that
//! allocator offers instead.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use glibc::{limit_arenas, trim_when_grown};

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub use other::{limit_arenas, trim_when_grown};

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    #![allow(unsafe_code, reason = "two functions of glibc's allocator that have no safe wrapper")]

    use std::fs;
    use std::io;
    use std::time::Duration;

    use tokio::task::spawn_blocking;
    use tokio::time::sleep;
    use tracing::{debug, warn};

    /// How often the memory in use is looked at, and the shortest time between two trims.
    const SHORTEST_PAUSE: Duration = Duration::from_secs(2);

    /// The longest time between two trims while the heap is larger than it was. What is in use keeps it large while the server
    /// is busy, and a trim holds up other threads for a few milliseconds: it locks one arena after the other. Short enough
    /// that several trims follow within half a minute after a burst has ended.
    const LONGEST_PAUSE: Duration = Duration::from_secs(8);

    /// By how much the memory must have grown over its smallest size for a trim, in bytes.
    const GROWTH: u64 = 2 << 20;

    /// A trim that returns less than this, in bytes, was not worth its time: the next one comes later.
    const WORTHWHILE: u64 = 1 << 20;

    /// How many arenas glibc may create. Its default is eight for each processor, and memory that is free in one arena is
    /// of no use to the others. Threads rarely meet in an arena, since each caches small blocks of its own.
    const ARENAS: libc::c_int = 4;

    /// Limit the number of the allocator's arenas. To be called before threads are started. An arena that exists stays.
    pub fn limit_arenas() {
        // SAFETY: `mallopt` takes its arguments by value and locks the allocator for itself (mallopt(3): MT-Safe once
        // the allocator is initialised, which Rust's runtime has done before `main`). It fails without any effect.
        let accepted = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
        if accepted == 0 {
            debug!("the allocator refuses a limit on its arenas");
        }
    }

    /// Return free memory to the system whenever the heap has grown, until the future is dropped.
    pub async fn trim_when_grown() {
        let mut smallest = u64::MAX;
        let mut pause = SHORTEST_PAUSE;
        loop {
            sleep(pause).await;
            // Both files are made by the kernel from counters, so that reading them does not block.
            let before = match anonymous_memory() {
                Ok(bytes) => bytes,
                Err(error) => {
                    warn!("free memory is not returned to the system: cannot read /proc/self/statm: {error}");
                    return std::future::pending().await;
                }
            };
            smallest = smallest.min(before);
            if before < smallest + GROWTH {
                pause = SHORTEST_PAUSE;
                continue;
            }
            if spawn_blocking(trim).await.is_err() {
                continue;
            }
            let after = anonymous_memory().unwrap_or(before);
            smallest = smallest.min(after);
            let returned = before.saturating_sub(after);
            debug!("returned {returned} bytes of free memory to the system, {after} are in use");
            pause = if returned < WORTHWHILE { (pause * 2).min(LONGEST_PAUSE) } else { SHORTEST_PAUSE };
        }
    }

    /// Return all free memory to the system. Blocks meanwhile.
    fn trim() {
        // SAFETY: `malloc_trim` takes its argument by value, locks each arena while it works on it, and gives up only pages
        // that are in no allocation (malloc_trim(3): MT-Safe).
        unsafe {
            libc::malloc_trim(0);
        }
    }

    /// The resident memory that no file is behind, in bytes: heap, stacks and the memories of guests. proc_pid_statm(5).
    fn anonymous_memory() -> io::Result<u64> {
        let statm = fs::read_to_string("/proc/self/statm")?;
        let mut pages = statm.split(' ').map(str::parse::<u64>).skip(1);
        let (Some(Ok(resident)), Some(Ok(shared))) = (pages.next(), pages.next()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        Ok(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

        use super::*;

        #[test]
        fn memory_that_is_used_counts() {
            const SIZE: usize = 64 << 20;
            let before = anonymous_memory().unwrap();
            let memory = std::hint::black_box(vec![1_u8; SIZE]);
            assert!(anonymous_memory().unwrap() > before + SIZE as u64 / 2);
            drop(memory);
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod other {
    /// Does nothing: this allocator has no arenas to limit.
    pub fn limit_arenas() {}

    /// Does nothing: this allocator returns free memory by itself.
    pub async fn trim_when_grown() {
        std::future::pending().await
    }
}
