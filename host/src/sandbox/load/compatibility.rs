//! Checks whether the host provides what a component imports, and whether the component exports what the host calls.

use wasmtime::component::{Linker, ResourceType};

use super::interfaces::{Import, ImportKind, Interfaces, Item, ItemKind};
use crate::sandbox::interface_version::{are_compatible, is_version_of};
use crate::sandbox::limited_text::limited;

/// The packages whose interfaces the host provides, with their versions. Components may import any compatible version.
const PROVIDED_PACKAGES: [(&str, &str); 21] = [
    ("hotshoe:camera", "0.2.0"),
    ("hotshoe:camera", "0.3.0"),
    ("hotshoe:server", "0.2.0"),
    ("hotshoe:server", "0.3.0"),
    ("wasi:cli", "0.2.12"),
    ("wasi:cli", "0.3.0"),
    ("wasi:clocks", "0.2.12"),
    ("wasi:clocks", "0.3.0"),
    ("wasi:config", "0.2.0-rc.1"),
    ("wasi:filesystem", "0.2.12"),
    ("wasi:filesystem", "0.3.0"),
    ("wasi:http", "0.2.12"),
    ("wasi:http", "0.3.0"),
    ("wasi:io", "0.2.12"),
    // Two drafts, which are not compatible with each other.
    ("wasi:keyvalue", "0.2.0-draft"),
    ("wasi:keyvalue", "0.2.0-draft2"),
    ("wasi:logging", "0.1.0-draft"),
    ("wasi:random", "0.2.12"),
    ("wasi:random", "0.3.0"),
    ("wasi:sockets", "0.2.12"),
    ("wasi:sockets", "0.3.0"),
];

/// The interfaces that the host also provides without a version, as components import them that were built from WIT
/// without versions.
const UNVERSIONED_INTERFACES: [&str; 1] = ["wasi:logging/logging"];

/// The interfaces of which a guest must export one, in any version compatible with this one. Middleware imports and
/// exports one of them.
const HANDLERS: [&str; 2] = ["wasi:http/incoming-handler@0.2.12", "wasi:http/handler@0.3.0"];

/// The same for people.
pub(super) const HANDLER_NAMES: &str = "wasi:http/incoming-handler or wasi:http/handler";

/// The interface that drivers of cameras export, in any version compatible with this one.
const SOURCE: &str = "hotshoe:camera/source@0.2.0";

/// The interface that filters export, in any version compatible with this one.
const FILTER: &str = "hotshoe:camera/filter@0.2.0";

/// The most names in an error message, which each report of the status contains. `hotshoe guest imports` lists all.
const MAX_LISTED: usize = 20;

/// The longest name of an import in a message, in characters. Those of WASI have up to 70.
pub(super) const MAX_NAME: usize = 100;

/// Why a component cannot run on this host.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Incompatible {
    /// It imports what the host does not provide.
    MissingImports {
        /// The missing imports, separated by commas, and how many more there are.
        missing: String,
        /// Whether it exports what the host calls.
        has_export: bool,
    },
    /// It does not export what the host calls.
    NoExport,
}

/// Whether the host provides an import.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Access<'a> {
    /// The host provides it, but may refuse every call if nothing is granted.
    Provided,
    /// The host lacks the listed functions and resources, or all of it if the list is empty.
    Missing(Vec<&'a str>),
}

/// Checks a component against this linker, which is consumed, and lists what is missing. `is_called` tells
/// whether the host calls the export with this name.
pub(super) fn check<T: 'static>(
    interfaces: &Interfaces,
    linker: Linker<T>,
    is_called: fn(&str) -> bool,
) -> Result<(), Incompatible> {
    let mut missing: Vec<_> = accesses(interfaces, linker)
        .filter_map(|(import, access)| match access {
            Access::Provided => None,
            Access::Missing(items) if items.is_empty() => Some(limited(&import.name, MAX_NAME)),
            Access::Missing(items) => {
                let items = items.iter().map(|item| limited(item, MAX_NAME));
                Some(format!("{} ({})", limited(&import.name, MAX_NAME), list(items)))
            }
        })
        .collect();
    missing.sort();
    let has_export = interfaces.exports.iter().any(|export| is_called(export));
    match (missing.is_empty(), has_export) {
        (true, true) => Ok(()),
        (true, false) => Err(Incompatible::NoExport),
        (false, has_export) => Err(Incompatible::MissingImports { missing: list(missing.into_iter()), has_export }),
    }
}

/// Joins the first names, and says how many more there are.
fn list(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(MAX_LISTED);
    let listed = names.take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if more == 0 { listed } else { format!("{listed} and {more} more") }
}

/// Whether this is the name of the request handler, in a version that the host can call.
pub(super) fn is_handler(interface: &str) -> bool {
    handler(interface).is_some()
}

/// Whether this is the name of the interface that drivers of cameras export, in a version that the host can call.
pub(super) fn is_source(interface: &str) -> bool {
    is_version_of(interface, SOURCE)
}

/// Whether this is the name of the interface that filters export, in a version that the host can call.
pub(super) fn is_filter(interface: &str) -> bool {
    is_version_of(interface, FILTER)
}

/// Whether this is the name of a request handler in any version, even one that the host cannot call.
pub(super) fn is_handler_of_any_version(interface: &str) -> bool {
    HANDLERS.into_iter().any(|handler| without_version(handler) == without_version(interface))
}

/// The name of the request handler without its version, if this is one in a version that the host can call.
pub(super) fn handler(interface: &str) -> Option<&'static str> {
    HANDLERS.into_iter().find(|handler| is_version_of(interface, handler)).map(without_version)
}

fn without_version(interface: &str) -> &str {
    interface.split_once('@').map_or(interface, |(name, _)| name)
}

/// The handler that middleware passes requests on to: the one that it imports and exports.
pub(super) fn passed_handler<'a>(
    imports: impl Iterator<Item = &'a str>,
    exports: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'static str> {
    let mut imported = imports.filter_map(handler);
    imported.find(|wanted| exports.clone().any(|name| handler(name) == Some(*wanted)))
}

/// Looks up each import in this linker. Finds out what the linker has by defining each item again, which fails if it
/// exists. So the linker cannot be used afterwards.
pub(super) fn accesses<'a, T: 'static>(
    interfaces: &'a Interfaces,
    mut linker: Linker<T>,
) -> impl Iterator<Item = (&'a Import, Access<'a>)> {
    interfaces.imports.iter().map(move |import| {
        let missing = match &import.kind {
            ImportKind::Interface(items) => missing_items(&mut linker, &import.name, items),
            ImportKind::Type => None,
            ImportKind::Function | ImportKind::Other => Some(Vec::new()),
        };
        (import, missing.map_or(Access::Provided, Access::Missing))
    })
}

/// The items of an interface that the linker lacks. Returns `None` if it has all, and an empty list if it has none.
fn missing_items<'a, T: 'static>(linker: &mut Linker<T>, interface: &str, items: &'a [Item]) -> Option<Vec<&'a str>> {
    let Some(provided) = provided_name(interface) else { return Some(Vec::new()) };
    let Ok(mut instance) = linker.instance(&provided) else { return Some(Vec::new()) };
    let is_missing = |item: &&Item| match item.kind {
        ItemKind::Function => instance.func_new(&item.name, |_, _, _, _| Ok(())).is_ok(),
        ItemKind::Resource => instance.resource(&item.name, ResourceType::host::<()>(), |_, _| Ok(())).is_ok(),
    };
    let missing: Vec<_> = items.iter().filter(is_missing).map(|item| item.name.as_str()).collect();
    match missing.len() {
        0 => None,
        count if count == items.len() => Some(Vec::new()),
        _ => Some(missing),
    }
}

/// The name of an interface with the version that the host provides. Returns `None` if no provided version is
/// compatible.
fn provided_name(interface: &str) -> Option<String> {
    let Some((path, version)) = interface.split_once('@') else {
        return UNVERSIONED_INTERFACES.contains(&interface).then(|| interface.to_owned());
    };
    let (package, _) = path.split_once('/')?;
    let (_, provided) =
        PROVIDED_PACKAGES.iter().find(|(name, provided)| *name == package && are_compatible(version, provided))?;
    Some(format!("{path}@{provided}"))
}

#[cfg(test)]
mod tests {
    use wasmtime::Engine;
    use wasmtime::component::Component;

    use super::super::candidate::Candidate;
    use super::super::linker::linker;
    use super::*;

    fn check_component(component: &[u8]) -> Result<(), Incompatible> {
        check(&Interfaces::parse(component).unwrap(), linker(&Engine::default()).unwrap(), is_handler)
    }

    fn missing(text: &str) -> String {
        match check_component(&wat::parse_str(text).unwrap()) {
            Err(Incompatible::MissingImports { missing, .. }) => missing,
            Err(Incompatible::NoExport) => String::new(),
            Ok(()) => panic!("the component has no handler, yet passes"),
        }
    }

    /// An import of `wasi:keyvalue/store` in this version.
    fn keyvalue(version: &str) -> String {
        format!(r#"(import "wasi:keyvalue/store@{version}" (instance (export "bucket" (type (sub resource)))))"#)
    }

    /// An import of `wasi:config/store` in this version.
    fn config(version: &str) -> String {
        format!(
            r#"(import "wasi:config/store@{version}" (instance
                (type $variant (variant (case "upstream" string) (case "io" string)))
                (export "error" (type $error (eq $variant)))
                (type $value (option string))
                (type $result (result $value (error $error)))
                (export "get" (func (param "key" string) (result $result)))))"#
        )
    }

    #[test]
    fn the_check_agrees_with_the_linker() {
        let engine = Engine::default();
        for imports in [
            r#"(import "wasi:io/poll@0.2.12" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.2.0" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.2.99" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.2.99+build.1" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.2.0-rc1+build" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.3.0" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.2.0-rc1" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@1.0.0" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.2.12" (instance (export "pollset" (type (sub resource)))))"#,
            r#"(import "wasi:clocks/monotonic-clock@0.2.3" (instance (export "now" (func (result u64)))))"#,
            r#"(import "wasi:clocks/monotonic-clock@0.2.3" (instance (export "later" (func (result u64)))))"#,
            r#"(import "wasi:cli/exit@0.2.0" (instance (export "exit" (func (param "status" (result))))))"#,
            r#"(import "wasi:cli/run@0.2.0" (instance (export "run" (func (result (result))))))"#,
            r#"(import "wasi:random/insecure@0.2.0" (instance (export "get-insecure-random-u64" (func (result u64)))))"#,
            &config("0.2.0-rc.1"),
            &config("0.2.0-draft"),
            r#"(import "wasi:logging/logging" (instance))"#,
            r#"(import "wasi:logging/logging" (instance (export "f" (func))))"#,
            r#"(import "wasi:logging/logging@0.1.0-draft" (instance (export "f" (func))))"#,
            r#"(import "wasi:config/store" (instance (export "f" (func))))"#,
            &config("0.2.0"),
            &keyvalue("0.2.0-draft"),
            &keyvalue("0.2.0-draft2"),
            &keyvalue("0.2.0-draft3"),
            &keyvalue("0.2.0"),
            r#"(import "wasi:sockets/network@0.2.0" (instance (export "network" (type (sub resource)))))"#,
            r#"(import "wasi:sockets/raw@0.2.0" (instance (export "raw" (type (sub resource)))))"#,
            r#"(import "wasi:filesystem/preopens@0.2.0" (instance (export "f" (func))))"#,
            r#"(import "hotshoe:server/instances@0.2.0" (instance (export "allow-reuse" (func))))"#,
            r#"(import "hotshoe:server/instances@0.2.7" (instance (export "allow-reuse" (func))))"#,
            r#"(import "hotshoe:server/instances@0.3.0" (instance (export "allow-reuse" (func))))"#,
            r#"(import "hotshoe:server/generations@0.3.0" (instance (export "wait-replaced" (func async))))"#,
            r#"(import "hotshoe:server/generations@0.3.4" (instance (export "wait-replaced" (func async))))"#,
            r#"(import "hotshoe:server/generations@0.3.0" (instance (export "subscribe-replaced" (func))))"#,
            r#"(import "wasi:clocks/monotonic-clock@0.3.0" (instance (export "now" (func (result u64)))))"#,
            r#"(import "wasi:clocks/monotonic-clock@0.3.7" (instance
                (export "wait-for" (func async (param "how-long" u64)))))"#,
            r#"(import "wasi:clocks/monotonic-clock@0.3.0" (instance (export "resolution" (func (result u64)))))"#,
            r#"(import "wasi:clocks/wall-clock@0.3.0" (instance (export "f" (func))))"#,
            r#"(import "wasi:http/client@0.3.0" (instance))"#,
            r#"(import "wasi:io/poll@0.2.12" (instance))"#,
            r#"(import "poll" (func))"#,
            r#"(import "wasi:unknown/thing@0.2.12" (instance (export "f" (func))))"#,
        ] {
            let text = format!("(component {imports})");
            let component = Component::from_binary(&engine, &wat::parse_str(&text).unwrap()).unwrap();
            let accepted = linker(&engine).unwrap().instantiate_pre(&component).is_ok();
            assert_eq!(missing(&text).is_empty(), accepted, "{imports}");
        }
    }

    #[test]
    fn all_missing_imports_are_listed_at_once() {
        let list = missing(
            r#"(component
                (import "wasi:sockets/tcp@0.3.0" (instance (export "a" (func)) (export "b" (func))))
                (import "wasi:io/poll@0.2.0" (instance
                    (export "pollable" (type (sub resource))) (export "nothing" (func)) (export "void" (func))))
                (import "wasi:clocks/wall-clock@0.3.0" (instance (export "now" (func))))
                (import "own" (func)))"#,
        );
        let expected = "own, wasi:clocks/wall-clock@0.3.0, wasi:io/poll@0.2.0 (nothing, void), wasi:sockets/tcp@0.3.0";
        assert_eq!(list, expected);
    }

    #[test]
    fn of_many_missing_imports_the_first_are_listed() {
        let functions = |count: usize| -> String { (0..count).map(|n| format!(r#"(export "f{n}" (func))"#)).collect() };
        let import = |name: String, items: &str| format!(r#"(import "{name}" (instance {items}))"#);
        let imports =
            |count: usize| -> String { (100..100 + count).map(|n| import(format!("a:b/i{n}"), "")).collect() };
        let list = missing(&format!("(component {})", imports(20)));
        assert!(list.ends_with("a:b/i118, a:b/i119"), "{list}");
        let list = missing(&format!("(component {})", imports(5000)));
        assert!(list.starts_with("a:b/i100, a:b/i1000, ") && list.ends_with(" and 4980 more"), "{list}");
        assert_eq!(list.matches("a:b/").count(), 20);
        let poll = import("wasi:io/poll@0.2.0".to_owned(), &format!(r#"{} (export "poll" (func))"#, functions(1000)));
        let list = missing(&format!("(component {poll})"));
        assert!(list.starts_with("wasi:io/poll@0.2.0 (f0, ") && list.ends_with("f19 and 980 more)"), "{list}");
        let long = missing(&format!("(component {})", import(format!("a:b/{}", "c".repeat(1000)), "")));
        assert_eq!(long, format!("a:b/{}…", "c".repeat(96)));
    }

    #[test]
    fn types_between_imports_do_not_shift_type_indices() {
        let list = missing(
            r#"(component
                (type (func))
                (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
                (alias export $poll "pollable" (type $pollable))
                (import "wasi:io/streams@0.2.0" (instance
                    (alias outer 1 $pollable (type $p))
                    (export "pollable" (type (eq $p)))
                    (export "input-stream" (type (sub resource)))
                    (export "wrong" (func)))))"#,
        );
        assert_eq!(list, "wasi:io/streams@0.2.0 (wrong)");
    }

    #[test]
    fn the_linker_provides_every_listed_package_version() {
        let built_in = Candidate::read(None).unwrap();
        assert_eq!(check_component(built_in.bytes()), Ok(()), "the built-in guest");
        for (package, version) in PROVIDED_PACKAGES {
            let is_first = version.starts_with("0.2.");
            let (interface, function) = match package {
                "hotshoe:camera" => ("cameras", "list-cameras"),
                "hotshoe:server" => ("generations", "get-generation"),
                "wasi:cli" => ("environment", "get-environment"),
                "wasi:clocks" => (if is_first { "wall-clock" } else { "system-clock" }, "now"),
                "wasi:config" => ("store", "get-all"),
                "wasi:filesystem" => ("preopens", "get-directories"),
                "wasi:http" => ("types", "[constructor]fields"),
                "wasi:io" => ("streams", "[method]input-stream.read"),
                "wasi:keyvalue" => ("store", "open"),
                "wasi:logging" => ("logging", "log"),
                "wasi:random" => ("random", "get-random-u64"),
                "wasi:sockets" if is_first => ("instance-network", "instance-network"),
                _ => ("ip-name-lookup", "resolve-addresses"),
            };
            let name = format!("{package}/{interface}@{version}");
            let mut linker = linker(&Engine::default()).unwrap();
            // An item that exists cannot be defined again.
            assert!(linker.instance(&name).unwrap().func_new(function, |_, _, _, _| Ok(())).is_err(), "{name}");
        }
    }
}
