//! What this process uses, as the kernel reports it in `/proc` (proc(5)).

use std::fs;
use std::time::{Duration, SystemTime};

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// What this process uses at one moment. Figures that the kernel does not report are `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessFigures {
    /// The processor time of all threads, in user and kernel mode.
    pub cpu: Option<Duration>,
    /// The resident memory in bytes.
    pub resident_memory: Option<u64>,
    /// The size of the address space in bytes. Includes what is reserved for instances and never used.
    pub virtual_memory: Option<u64>,
    /// The number of threads.
    pub threads: Option<u64>,
    /// When the process started. Moves with corrections of the system's clock.
    pub started: Option<SystemTime>,
    /// The number of open files, sockets included.
    pub open_files: Option<u64>,
    /// How many files it may open. `None` also if there is no limit.
    pub max_open_files: Option<u64>,
}

/// Reads the figures. Takes some microseconds for each open file, and does not block: the kernel generates the files.
pub fn read() -> ProcessFigures {
    let open_files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64);
    let mut figures = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| parse(&stat)).unwrap_or_default();
    figures.started = figures.started.and_then(since_boot);
    // Without the descriptor of the folder itself.
    figures.open_files = open_files.map(|count| count.saturating_sub(1));
    figures.max_open_files = getrlimit(Resource::Nofile).current;
    figures
}

/// Parses `/proc/PID/stat` (proc_pid_stat(5)). The start is a time since 1970 as if the system had started then.
fn parse(stat: &str) -> Option<ProcessFigures> {
    // The name of the program is in parentheses, and may contain anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    // The first field of `rest` has number 3.
    let fields: Vec<_> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = |number| Some(Duration::from_secs_f64(field(number)? as f64 / clock_ticks_per_second() as f64));
    Some(ProcessFigures {
        cpu: Some(ticks(14)? + ticks(15)?),
        threads: Some(field(20)?),
        started: Some(SystemTime::UNIX_EPOCH + ticks(22)?),
        virtual_memory: Some(field(23)?),
        resident_memory: Some(field(24)? * page_size() as u64),
        ..ProcessFigures::default()
    })
}

/// Converts a time since the system has started, as [`parse`] returns it, to the time of day.
fn since_boot(time: SystemTime) -> Option<SystemTime> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    time.checked_add(Duration::from_secs(boot))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 9 0 300 4096000 5 18446744073709551615 1";
        let figures = parse(stat).unwrap();
        assert_eq!(figures.cpu.unwrap().as_secs_f64(), 300.0 / clock_ticks_per_second() as f64);
        assert_eq!((figures.threads, figures.virtual_memory), (Some(9), Some(4_096_000)));
        assert_eq!(figures.resident_memory, Some(5 * page_size() as u64));
        assert_eq!(parse("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_figures() {
        let figures = read();
        // The kernel counts in ticks since it booted, and says only in seconds when that was.
        let latest = SystemTime::now() + Duration::from_secs(2);
        let age = latest.duration_since(figures.started.unwrap()).unwrap();
        assert!(age < Duration::from_secs(3600), "{figures:?}");
        assert!(figures.open_files.unwrap() >= 3 && figures.threads.unwrap() >= 2, "{figures:?}");
        assert!(figures.resident_memory.unwrap() > 1 << 20, "{figures:?}");
    }
}
