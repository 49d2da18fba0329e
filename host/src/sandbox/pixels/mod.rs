//! Decodes and encodes pictures for instances.
//!
//! Nothing here runs, and no memory is held, until an instance asks. Decoding and encoding take milliseconds of a
//! processor each. So they run in a few threads of low priority, and neither delay capturing nor sending. Instances
//! that hold the same picture share it.
//!
//! * `workers`: the threads. `memory`: how much all pictures may take.
//! * `shared`: finds a picture that another instance has decoded. `held`: a picture that an instance holds.
//! * `pictures`: decodes, encodes and adopts. `instance`: what one instance may hold.

mod error;
mod held;
mod instance;
mod memory;
mod pictures;
mod shared;
#[cfg(test)]
mod tests;
mod workers;

pub use self::error::PixelsError;
pub use self::held::HeldPicture;
pub use self::instance::InstancePixels;
pub(super) use self::pictures::Pixels;
