//! What a component imports and exports, read from its sections without compiling it.
//!
//! Compiling takes seconds for a large component, so what can be refused is refused before. Only the sections of the
//! component itself are read; the modules in it, which are nearly all of its bytes, are skipped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use wasmparser::{
    BinaryReaderError, Chunk, ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentType,
    ComponentTypeRef, InstanceTypeDeclaration, Parser, Payload, TypeBounds,
};
use wasmtime::component::{Linker, ResourceType};

/// The packages of which the host offers interfaces, with the versions that it has them in. A component may import any
/// version that is compatible with them.
const PACKAGES: [(&str, &str); 6] = [
    ("hotshoe:camera", "0.1.0"),
    ("wasi:cli", "0.2.12"),
    ("wasi:clocks", "0.2.12"),
    ("wasi:http", "0.2.12"),
    ("wasi:io", "0.2.12"),
    ("wasi:random", "0.2.12"),
];

/// What a guest must export: this interface, in any version that is compatible with that of its package.
const HANDLER: &str = "wasi:http/incoming-handler";

/// The most functions and resources that a component may import. All of WASI has some hundreds.
const ITEMS: usize = 10_000;

/// Why the sections of a component cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParseError {
    /// It ends in the middle of a section.
    #[error("it is cut off")]
    CutOff,
    /// It imports so much that comparing it would take long.
    #[error("it imports more than {ITEMS} functions")]
    TooMany,
    /// It is malformed.
    #[error("{0}")]
    Malformed(#[from] BinaryReaderError),
}

/// The imports and exports of a component.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    imports: Vec<Import>,
    exports: Vec<String>,
}

#[derive(Debug)]
struct Import {
    name: String,
    kind: ImportKind,
}

#[derive(Debug)]
enum ImportKind {
    /// An interface: what is used of it.
    Interface(Rc<[Item]>),
    /// A function that belongs to no interface.
    Function,
    /// A type; it asks nothing of the host.
    Type,
    /// Something that no host offers, such as a module.
    Other,
}

/// Something in an interface.
#[derive(Debug)]
struct Item {
    name: String,
    kind: ItemKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ItemKind {
    Function,
    Resource,
}

/// What the host does not offer, or the component does not, and what is missing.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Mismatch {
    /// Imports that the host does not offer, as a list for a person; and whether the component can be called.
    Imports {
        /// The list.
        missing: String,
        /// Whether it exports the handler.
        has_handler: bool,
    },
    /// It exports no handler.
    NoHandler,
}

impl Interfaces {
    /// Read the sections of a component. Takes milliseconds for the largest.
    pub(super) fn parse(component: &[u8]) -> Result<Self, ParseError> {
        let mut interfaces = Self::default();
        // The index space of component types: what each has in it if it is the type of an interface.
        let mut types: Vec<Rc<[Item]>> = Vec::new();
        let mut items_left = ITEMS;
        let mut parser = Parser::new(0);
        let mut rest = component;
        loop {
            let (consumed, payload) = match parser.parse(rest, true)? {
                Chunk::Parsed { consumed, payload } => (consumed, payload),
                // Does not happen where all data is given.
                Chunk::NeedMoreData(_) => return Err(ParseError::CutOff),
            };
            rest = rest.get(consumed..).unwrap_or_default();
            match payload {
                Payload::End(_) => return Ok(interfaces),
                Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } => {
                    rest = rest.get(unchecked_range.len()..).ok_or(ParseError::CutOff)?;
                }
                Payload::ComponentTypeSection(section) => {
                    for ty in section {
                        types.push(items(ty?));
                    }
                }
                Payload::ComponentAliasSection(section) => {
                    for alias in section {
                        let is_type = match alias? {
                            ComponentAlias::InstanceExport { kind, .. } => kind == ComponentExternalKind::Type,
                            ComponentAlias::Outer { kind, .. } => kind == ComponentOuterAliasKind::Type,
                            ComponentAlias::CoreInstanceExport { .. } => false,
                        };
                        if is_type {
                            types.push(Rc::default());
                        }
                    }
                }
                Payload::ComponentImportSection(section) => {
                    for import in section {
                        let import = import?;
                        let kind = match import.ty {
                            ComponentTypeRef::Instance(index) => {
                                let items = usize::try_from(index).ok().and_then(|index| types.get(index));
                                let items = items.cloned().unwrap_or_default();
                                items_left = items_left.checked_sub(1 + items.len()).ok_or(ParseError::TooMany)?;
                                ImportKind::Interface(items)
                            }
                            ComponentTypeRef::Func(_) => ImportKind::Function,
                            ComponentTypeRef::Type(_) => {
                                types.push(Rc::default());
                                ImportKind::Type
                            }
                            ComponentTypeRef::Module(_)
                            | ComponentTypeRef::Value(_)
                            | ComponentTypeRef::Component(_) => ImportKind::Other,
                        };
                        interfaces.imports.push(Import { name: import.name.name.to_owned(), kind });
                    }
                }
                Payload::ComponentExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ComponentExternalKind::Type {
                            types.push(Rc::default());
                        }
                        interfaces.exports.push(export.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
    }

    /// Compare them to what the linker offers, and to what a guest must export.
    ///
    /// The linker itself is asked, by defining everything once more: that fails for what is there. So it is consumed.
    pub(super) fn check<T: 'static>(&self, mut linker: Linker<T>) -> Result<(), Mismatch> {
        let mut missing = BTreeMap::new();
        for import in &self.imports {
            let (name, absent) = match &import.kind {
                ImportKind::Interface(items) => (&import.name, absent(&mut linker, &import.name, items)),
                ImportKind::Type => continue,
                ImportKind::Function | ImportKind::Other => (&import.name, Some(Vec::new())),
            };
            if let Some(absent) = absent {
                missing.insert(name.as_str(), absent);
            }
        }
        let has_handler = self.exports.iter().any(|export| {
            export.split_once('@').is_some_and(|(name, _)| name == HANDLER) && offered_name(export).is_some()
        });
        match (missing.is_empty(), has_handler) {
            (true, true) => Ok(()),
            (true, false) => Err(Mismatch::NoHandler),
            (false, has_handler) => Err(Mismatch::Imports { missing: list(&missing), has_handler }),
        }
    }

    /// Each interface, and below it each function, as lines of text.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        for import in &self.imports {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", import.name);
            if let ImportKind::Interface(items) = &import.kind {
                for item in items.iter().filter(|item| item.kind == ItemKind::Function) {
                    let _ = writeln!(text, "    {}", item.name);
                }
            }
        }
        text
    }
}

/// What the type of an interface has in it that a host must offer. Empty for other types.
fn items(ty: ComponentType<'_>) -> Rc<[Item]> {
    let ComponentType::Instance(declarations) = ty else { return Rc::default() };
    let item = |declaration: &InstanceTypeDeclaration<'_>| {
        let InstanceTypeDeclaration::Export { name, ty } = declaration else { return None };
        let kind = match ty {
            ComponentTypeRef::Func(_) => ItemKind::Function,
            ComponentTypeRef::Type(TypeBounds::SubResource) => ItemKind::Resource,
            _ => return None,
        };
        Some(Item { name: name.name.to_owned(), kind })
    };
    declarations.iter().filter_map(item).collect()
}

/// What the linker lacks of an interface; empty for all of it, and `None` for nothing.
fn absent<'a, T: 'static>(linker: &mut Linker<T>, interface: &str, items: &'a [Item]) -> Option<Vec<&'a str>> {
    let Some(offered) = offered_name(interface) else { return Some(Vec::new()) };
    let Ok(mut instance) = linker.instance(&offered) else { return Some(Vec::new()) };
    let is_absent = |item: &&Item| match item.kind {
        ItemKind::Function => instance.func_new(&item.name, |_, _, _, _| Ok(())).is_ok(),
        ItemKind::Resource => instance.resource(&item.name, ResourceType::host::<()>(), |_, _| Ok(())).is_ok(),
    };
    let absent: Vec<_> = items.iter().filter(is_absent).map(|item| item.name.as_str()).collect();
    match absent.len() {
        0 => None,
        all if all == items.len() => Some(Vec::new()),
        _ => Some(absent),
    }
}

/// The name under which the host offers an interface, with the host's own version. `None` if it has no compatible one.
fn offered_name(interface: &str) -> Option<String> {
    let (path, version) = interface.split_once('@')?;
    let (package, _) = path.split_once('/')?;
    let (_, offered) = PACKAGES.iter().find(|(name, offered)| *name == package && are_compatible(version, offered))?;
    Some(format!("{path}@{offered}"))
}

/// Whether one version can stand for another, newer or older, as wasmtime's linker has it: both begin with the same numbers
/// up to the first that is not 0. Prereleases, and versions below 0.1, are compatible with themselves only.
fn are_compatible(one: &str, other: &str) -> bool {
    let significant = |version: &str| {
        let mut numbers = version.split('.').map(|number| number.parse::<u64>().ok());
        let (Some(Some(major)), Some(Some(minor)), Some(Some(_)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return None;
        };
        match (major, minor) {
            (0, 0) => None,
            (0, minor) => Some((0, minor)),
            (major, _) => Some((major, 0)),
        }
    };
    one == other || significant(one).is_some_and(|version| significant(other) == Some(version))
}

/// A list for a person: `wasi:sockets/tcp@0.2.0, wasi:io/poll@0.2.12 (poll, [method]pollable.ready)`.
fn list(missing: &BTreeMap<&str, Vec<&str>>) -> String {
    let entries = missing.iter().map(|(interface, items)| {
        if items.is_empty() { (*interface).to_owned() } else { format!("{interface} ({})", items.join(", ")) }
    });
    entries.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use wasmtime::Engine;
    use wasmtime::component::Component;

    use super::super::component::linker;
    use super::*;

    fn check(component: &[u8]) -> Result<(), Mismatch> {
        Interfaces::parse(component).unwrap().check(linker(&Engine::default()).unwrap())
    }

    fn missing(text: &str) -> String {
        match check(&wat::parse_str(text).unwrap()) {
            Err(Mismatch::Imports { missing, .. }) => missing,
            Err(Mismatch::NoHandler) => String::new(),
            Ok(()) => panic!("it exports nothing"),
        }
    }

    #[test]
    fn the_check_says_what_the_linker_says() {
        let engine = Engine::default();
        for imports in [
            r#"(import "wasi:io/poll@0.2.12" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.2.0" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.2.99" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.3.0" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.2.0-rc1" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@1.0.0" (instance (export "pollable" (type (sub resource)))))"#,
            r#"(import "wasi:io/poll@0.2.12" (instance (export "pollset" (type (sub resource)))))"#,
            r#"(import "wasi:clocks/monotonic-clock@0.2.3" (instance (export "now" (func (result u64)))))"#,
            r#"(import "wasi:clocks/monotonic-clock@0.2.3" (instance (export "later" (func (result u64)))))"#,
            r#"(import "wasi:cli/exit@0.2.0" (instance (export "exit" (func (param "status" (result))))))"#,
            r#"(import "wasi:cli/run@0.2.0" (instance (export "run" (func (result (result))))))"#,
            r#"(import "wasi:random/insecure@0.2.0" (instance (export "get-insecure-random-u64" (func (result u64)))))"#,
            r#"(import "wasi:sockets/network@0.2.0" (instance (export "network" (type (sub resource)))))"#,
            r#"(import "wasi:filesystem/preopens@0.2.0" (instance (export "f" (func))))"#,
            r#"(import "hotshoe:camera/instances@0.1.0" (instance (export "keep" (func))))"#,
            r#"(import "hotshoe:camera/instances@0.1.7" (instance (export "keep" (func))))"#,
            r#"(import "hotshoe:camera/instances@0.2.0" (instance (export "keep" (func))))"#,
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
    fn everything_that_is_missing_is_listed_at_once() {
        let list = missing(
            r#"(component
                (import "wasi:sockets/tcp@0.2.0" (instance (export "a" (func)) (export "b" (func))))
                (import "wasi:io/poll@0.2.0" (instance
                    (export "pollable" (type (sub resource))) (export "nothing" (func)) (export "void" (func))))
                (import "wasi:clocks/wall-clock@0.3.0" (instance (export "now" (func))))
                (import "own" (func)))"#,
        );
        let expected = "own, wasi:clocks/wall-clock@0.3.0, wasi:io/poll@0.2.0 (nothing, void), wasi:sockets/tcp@0.2.0";
        assert_eq!(list, expected);
    }

    #[test]
    fn types_between_the_imports_do_not_shift_them() {
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
    fn every_package_is_offered_in_the_version_that_is_listed() {
        let candidate = super::super::component::Candidate::read(None).unwrap();
        assert_eq!(check(candidate.bytes()), Ok(()), "the built-in guest");
        for (package, version) in PACKAGES {
            let interface = match package {
                "hotshoe:camera" => "cameras",
                "wasi:cli" => "environment",
                "wasi:clocks" => "wall-clock",
                "wasi:http" => "types",
                "wasi:io" => "streams",
                _ => "random",
            };
            let name = format!("{package}/{interface}@{version}");
            let mut linker = linker(&Engine::default()).unwrap();
            // What is there cannot be defined again.
            let function = match package {
                "hotshoe:camera" => "list-cameras",
                "wasi:cli" => "get-environment",
                "wasi:clocks" => "now",
                "wasi:http" => "[constructor]fields",
                "wasi:io" => "[method]input-stream.read",
                _ => "get-random-u64",
            };
            assert!(linker.instance(&name).unwrap().func_new(function, |_, _, _, _| Ok(())).is_err(), "{name}");
        }
    }
}
