//! How to read a camera in the network.

use super::credentials::Credentials;

/// How to read a camera in the network.
#[derive(Clone, Debug, Default)]
pub struct NetworkOptions {
    /// How many still images to request per second, or how many frames per second a slow stream has. Greater than 0.
    pub rate: Option<f64>,
    /// The user name and the password, for servers that ask for them.
    pub credentials: Option<Credentials>,
    /// Accepts any certificate.
    pub is_insecure: bool,
    /// Accepts images without an end marker.
    pub allow_truncated: bool,
}
