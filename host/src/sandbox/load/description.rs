//! Describes what a component imports, for its author and for those who run it.

use std::fmt::Write as _;

use wasmtime::Engine;
use wasmtime::component::Linker;

use super::candidate::Candidate;
use super::compatibility::{Access, MAX_NAME, accesses, is_filter, is_handler, is_source};
use super::error::LoadError;
use super::interfaces::{ImportKind, Interfaces, ItemKind};
use super::linker::{driver_linker, linker};
use super::loader::link_error;
use crate::sandbox::grants::Grants;
use crate::sandbox::limited_text::limited;

/// What filters may import, although they see nothing of it.
const USELESS_TO_FILTERS: [&str; 4] =
    ["hotshoe:camera/cameras@", "hotshoe:camera/controls@", "hotshoe:camera/history@", "hotshoe:server/"];

/// How a component can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    /// As a guest or middleware.
    Guest,
    /// As the driver of a camera.
    Driver,
    /// As a filter of a camera.
    Filter,
}

/// Lists the imports of a component as lines of text: each interface and whether it is granted, denied or missing,
/// followed by the functions that the component uses. It can reach nothing else. Fails if this is not a component.
///
/// What a component exports decides how it can be used: as a guest with these grants, or as a driver or filter, for
/// which the options of the camera count instead. If it can be used in several ways, there is a list for each.
pub fn describe_imports(candidate: &Candidate, grants: &Grants) -> Result<String, LoadError> {
    let interfaces = candidate.interfaces()?;
    let roles = roles(&interfaces);
    let failed = |error| link_error(candidate, &error);
    let engine = Engine::default();
    let mut text = String::new();
    for role in &roles {
        let heading = match role {
            Role::Guest if roles.len() == 1 => "",
            Role::Guest => "As a guest:\n",
            Role::Driver => "As the driver of a camera:\n",
            Role::Filter => "As a filter of a camera:\n",
        };
        text += heading;
        text += &match role {
            Role::Driver => describe(&interfaces, driver_linker(&engine).map_err(failed)?, *role, grants),
            Role::Guest | Role::Filter => describe(&interfaces, linker(&engine).map_err(failed)?, *role, grants),
        };
    }
    Ok(text)
}

/// How a component can be used. One that can be used in no way is most likely meant to be a guest.
fn roles(interfaces: &Interfaces) -> Vec<Role> {
    let exports = |is_called: fn(&str) -> bool| interfaces.exports.iter().any(|export| is_called(export));
    let found =
        [(Role::Guest, exports(is_handler)), (Role::Driver, exports(is_source)), (Role::Filter, exports(is_filter))];
    let mut roles: Vec<_> = found.into_iter().filter_map(|(role, exports)| exports.then_some(role)).collect();
    if roles.is_empty() {
        roles.push(Role::Guest);
    }
    roles
}

fn describe<T: 'static>(interfaces: &Interfaces, linker: Linker<T>, role: Role, grants: &Grants) -> String {
    let mut text = String::new();
    for (import, access) in accesses(interfaces, linker) {
        let (word, missing) = match &access {
            // No host provides it: it is the guest behind the middleware.
            Access::Missing(_) if role == Role::Guest && is_handler(&import.name) => {
                ("granted to middleware (--wrap)", &[][..])
            }
            Access::Provided => (role.refusal(&import.name, grants).unwrap_or("granted"), &[][..]),
            Access::Missing(items) => (if items.is_empty() { "missing" } else { "partly missing" }, items.as_slice()),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}: {word}", limited(&import.name, MAX_NAME));
        let ImportKind::Interface(items) = &import.kind else { continue };
        for item in items.iter().filter(|item| item.kind == ItemKind::Function) {
            let mark = if missing.contains(&item.name.as_str()) { ": missing" } else { "" };
            let _ = writeln!(text, "    {}{mark}", limited(&item.name, MAX_NAME));
        }
    }
    text
}

impl Role {
    /// What an interface that the host provides is instead of granted.
    fn refusal(self, interface: &str, grants: &Grants) -> Option<&'static str> {
        let nothing = Grants::default();
        match self {
            Self::Guest => grants.deny(interface).then_some("denied"),
            Self::Driver if !nothing.deny(interface) => None,
            Self::Driver if interface.starts_with("wasi:filesystem/") => Some("denied without dir= of its camera"),
            Self::Driver if interface.starts_with("wasi:http/") => Some("denied without allow-outgoing= of its camera"),
            Self::Driver => Some("denied"),
            Self::Filter if USELESS_TO_FILTERS.iter().any(|prefix| interface.starts_with(prefix)) => {
                Some("useless to filters, which see neither cameras nor channels")
            }
            Self::Filter => nothing.deny(interface).then_some("denied"),
        }
    }
}
