//! Grants: what the operator lets guests use besides cameras. Without options, that is nothing.
//!
//! Each grant is a field of [`Grants`] with a module of its own, which bounds what guests can do with it. The linker
//! provides all interfaces, whatever is granted, because toolchains import them unasked. Without the grant, the calls
//! fail with the errors of the interface, or there is nothing to find.
//!
//! * `configuration`: keys and values, as environment and as `wasi:config/store`.
//! * `directory`: files to read, with `wasi:filesystem`.
//! * `keyvalue`: the state that all instances share, as `wasi:keyvalue`. It is granted always: it is bounded, and
//!   reaches nothing outside the server. An option only makes it permanent.
//! * `outgoing`: HTTP requests, as `wasi:http/outgoing-handler`.

mod configuration;
mod directory;
mod keyvalue;
mod outgoing;

use std::fmt;

use serde::Serialize;

pub use self::configuration::{Configuration, ConfigurationError};
pub use self::directory::{Directory, DirectoryError, MAX_OPEN_FILES};
pub(in crate::sandbox) use self::directory::{OpenFiles, Place, open_beneath};
pub use self::keyvalue::{Bucket, HeldCas, State, StoreError};
pub(in crate::sandbox) use self::keyvalue::{PageStart, StateError, digest};
pub(in crate::sandbox) use self::outgoing::InstanceRequests;
pub use self::outgoing::{Destination, MAX_INSTANCE_REQUESTS, MAX_REQUESTS as MAX_OUTGOING_REQUESTS, Outgoing};

/// What the operator lets guests use besides cameras. The default is nothing. Clones share everything.
///
/// `Debug`, `Display` and `Serialize` show which grants there are, but no secrets. The names of the fields are those of
/// the JSON at the admin listener.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Grants {
    /// Keys and values.
    pub configuration: Configuration,
    /// The directory whose files guests may read.
    pub directory: Option<Directory>,
    /// What the state is stored in.
    #[serde(rename = "store")]
    pub state: State,
    /// Where requests may be sent to.
    pub outgoing: Outgoing,
}

impl Grants {
    /// Whether guests may import this interface, but every call is refused. `interface` is a name like
    /// `wasi:filesystem/types@0.2.0`, in any version.
    pub(in crate::sandbox) fn deny(&self, interface: &str) -> bool {
        let granted = [
            ("wasi:filesystem/", self.directory.is_some()),
            ("wasi:http/client@", self.outgoing.is_granted()),
            ("wasi:http/outgoing-handler@", self.outgoing.is_granted()),
            ("wasi:sockets/", false),
        ];
        granted.into_iter().any(|(prefix, is_granted)| !is_granted && interface.starts_with(prefix))
    }
}

impl fmt::Display for Grants {
    /// Lists the grants in one line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without `..`, so that no grant is forgotten.
        let Self { configuration, directory, state, outgoing } = self;
        let directory = directory.as_ref().map(Directory::to_string);
        let grants = [configuration.summary(), directory, state.summary(), outgoing.summary()];
        let grants: Vec<_> = grants.into_iter().flatten().collect();
        formatter.write_str(if grants.is_empty() { "none" } else { "" })?;
        formatter.write_str(&grants.join(", "))
    }
}
