//! The parser of `--camera`, with any value.
#![no_main]

// Provides what the parser uses, because the whole host takes minutes to build.
mod camera {
    pub use hotshoe_camera::{Dimensions, FourCc, Orientation, Rectangle, Rotation, network, piped, text};
}
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/config/camera_spec/mod.rs"]
mod camera_spec;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/config/label.rs"]
mod label;
#[allow(dead_code, reason = "the target uses only part of the module")]
#[path = "../../src/config/seconds.rs"]
mod seconds;

use camera_spec::{CameraSpec, MAX_NAME_LENGTH};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &str| match value.parse::<CameraSpec>() {
    Ok(spec) => {
        if let Some(name) = spec.name {
            assert!((1..=MAX_NAME_LENGTH).contains(&name.len()), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{name}");
        }
        assert!(spec.rate.is_none_or(|rate| rate.is_finite() && rate > 0.0));
        assert!(spec.quality.is_none_or(|quality| (1..=100).contains(&quality)));
        assert!(spec.size.is_none_or(|size| size.width > 0 && size.height > 0));
    }
    // The message is shown to the user.
    Err(error) => assert!(!error.to_string().is_empty()),
});
