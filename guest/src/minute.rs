//! `/minute`: how a camera did in each second of the last minute, for the plot on the page.

use alloc::format;
use alloc::string::{String, ToString as _};

use crate::bindings::hotshoe::camera::history::Entry;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::feed;
use crate::json;
use crate::recent::entries_since;
use crate::response::{self, Head, NO_CACHE};
use crate::route::CameraSelector;

const SECONDS: usize = 60;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;
const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

/// What happened in one second.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Second {
    frames: u64,
    lost: u64,
    /// The longest interval before a frame in this second, in nanoseconds.
    longest: u64,
}

/// Responds with three lists, oldest second first.
pub fn serve(out: ResponseOutparam, head_only: bool, camera: CameraSelector<'_>) {
    let Some((camera, out)) = feed::find_camera(out, head_only, camera) else { return };
    let now = monotonic_clock::now();
    // One second more, for the interval before the first frame.
    let since = now.saturating_sub((SECONDS as u64 + 1) * NANOSECONDS_PER_SECOND);
    let text = to_json(&seconds(entries_since(&camera, since), now));
    response::send(out, head_only, &Head { status: 200, headers: &NO_CACHE }, "application/json", text.as_bytes());
}

/// Sorts frames into the seconds before `now`.
fn seconds(entries: impl Iterator<Item = Entry>, now: u64) -> [Second; SECONDS] {
    let mut seconds = [Second::default(); SECONDS];
    let mut last = None;
    for entry in entries {
        let age = now.saturating_sub(entry.monotonic_time) / NANOSECONDS_PER_SECOND;
        let second = (SECONDS as u64 - 1).checked_sub(age).and_then(|index| seconds.get_mut(index as usize));
        if let Some(second) = second {
            let interval = last.map_or(0, |last| entry.monotonic_time.saturating_sub(last));
            second.frames += 1;
            second.lost += entry.lost_before;
            second.longest = second.longest.max(interval);
        }
        last = Some(entry.monotonic_time);
    }
    seconds
}

fn to_json(seconds: &[Second; SECONDS]) -> String {
    let list = |value: fn(&Second) -> u64| json::list(seconds.iter().map(|second| value(second).to_string()));
    format!(
        "{{\"frames\":{},\"lost\":{},\"longest_ms\":{}}}\n",
        list(|second| second.frames),
        list(|second| second.lost),
        list(|second| second.longest.div_ceil(NANOSECONDS_PER_MILLISECOND)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::hotshoe::camera::history::Datetime;

    #[test]
    fn frames_are_sorted_into_seconds() {
        let entry = |milliseconds: u64| Entry {
            index: 0,
            sequence: 0,
            monotonic_time: milliseconds * NANOSECONDS_PER_MILLISECOND,
            wall_time: Datetime { seconds: 0, nanoseconds: 0 },
            length: 1,
            lost_before: 2,
        };
        let now = 100_000 * NANOSECONDS_PER_MILLISECOND;
        let found = seconds([39_900, 40_050, 41_100, 99_100, 99_950, 100_000].map(entry).into_iter(), now);
        let second = |frames, longest: u64| Second { frames, lost: 2 * frames, longest: longest * 1_000_000 };
        assert_eq!(found[0], second(1, 150), "with the interval from the second before");
        assert_eq!(found[1], second(1, 1050));
        assert_eq!(found[2..59], [Second::default(); 57]);
        assert_eq!(found[59], second(3, 58_000));
        let json = to_json(&found);
        assert!(json.starts_with("{\"frames\":[1,1,0,") && json.ends_with(",0,58000]}\n"), "{json}");
    }
}
