//! `/events`: what the page has to know at once, as server-sent events (HTML Living Standard, section 9.2).
//!
//! There is one kind so far: `guest`, sent first, with the digest of the guest that serves. The stream ends when
//! that is replaced. A browser then comes back by itself, finds another guest, and the page loads itself again.

use alloc::format;

use crate::bindings::hotshoe::camera::generations;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::ResponseOutparam;
use crate::bindings::wasi::io::poll;
use crate::reply::{self, Gone, Head, Writer};

/// How long a browser waits before it comes back.
const RETRY_MILLISECONDS: u32 = 250;

/// After this long without news, proxies and clients are shown that the stream is alive.
const SIGN_OF_LIFE_NANOSECONDS: u64 = 15_000_000_000;

/// Answer with the events, until the guest is replaced.
pub fn serve(out: ResponseOutparam, head_only: bool) {
    let headers = reply::fresh_and(&[("x-accel-buffering", "no")]);
    let head = Head { status: 200, headers: &headers };
    if let Some(mut writer) = reply::begin(out, head_only, &head, "text/event-stream", None)
        && run(&mut writer).is_ok()
    {
        writer.finish();
    }
}

fn run(writer: &mut Writer) -> Result<(), Gone> {
    let replaced = generations::subscribe_replaced();
    let digest = generations::own_generation().digest;
    writer.write(format!("retry: {RETRY_MILLISECONDS}\nevent: guest\ndata: {digest}\n\n").as_bytes())?;
    loop {
        let silence = monotonic_clock::subscribe_duration(SIGN_OF_LIFE_NANOSECONDS);
        poll::poll(&[&replaced, &silence]);
        if replaced.ready() {
            return Ok(());
        }
        writer.write(b":\n\n")?;
    }
}
