//! The body of a response.

use super::guest_body::GuestBody;
use crate::channels::Subscription;

/// Who writes the body of a response.
pub enum ResponseBody {
    /// The guest.
    Guest(GuestBody),
    /// The channels that the guest has joined. Its instance is no longer needed.
    Channel(Subscription),
}
