//! Reads what a component imports and exports, without compiling it.
//!
//! Compiling a large component takes seconds, so unsuitable ones are refused before that. Only the sections of the
//! component itself are parsed. Its modules, which are most of its bytes, are skipped.
//!
//! This happens in the process of the server, unlike compiling. So the component must not decide how much memory it
//! takes: what is parsed is limited, and types that contain types are read without recursion.

use std::rc::Rc;

use wasmparser::{
    BinaryReader, BinaryReaderError, Chunk, ComponentAlias, ComponentExternalKind, ComponentImport,
    ComponentOuterAliasKind, ComponentType, ComponentTypeRef, InstanceTypeDeclaration, Parser, Payload, TypeBounds,
};

/// The most imports, exports and types of a component together, with all that its types declare. Components from Rust
/// and JavaScript have 600, and those from Python 1,000.
const MAX_ITEMS: usize = 10_000;

/// The most bytes in the sections that are parsed. Names can be long, and some types are built in memory before they are
/// skipped, which takes up to 30 times their size. Components from Python have 60 kB.
const MAX_SECTION_BYTES: usize = 1 << 20;

/// The first byte of a component type, of an instance type, of the declaration of a type in either, and of that of an
/// import ("Type Definitions" in `Binary.md` of the Component Model).
const COMPONENT_TYPE: u8 = 0x41;
const INSTANCE_TYPE: u8 = 0x42;
const TYPE_DECLARATION: u8 = 0x01;
const IMPORT_DECLARATION: u8 = 0x03;

/// Why a component cannot be parsed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParseError {
    /// It ends in the middle of a section.
    #[error("it is truncated")]
    Truncated,
    /// Comparing its imports with the linker would take too long, and keeping them too much memory.
    #[error("it has more than {MAX_ITEMS} imports, exports and types")]
    TooManyItems,
    /// Its names or types are too long.
    #[error("its imports, exports and types take up more than {} MiB", MAX_SECTION_BYTES >> 20)]
    TooManyBytes,
    /// It is malformed.
    #[error("{0}")]
    Malformed(#[from] BinaryReaderError),
}

/// The imports and exports of a component.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    pub(super) imports: Vec<Import>,
    /// The names of all exports.
    pub(super) exports: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Import {
    pub(super) name: String,
    pub(super) kind: ImportKind,
}

#[derive(Debug)]
pub(super) enum ImportKind {
    /// An interface, with the items of it that the component uses.
    Interface(Rc<[Item]>),
    /// A function outside any interface.
    Function,
    /// A type. The host need not provide anything for it.
    Type,
    /// Something that no host provides, such as a module.
    Other,
}

/// A function or resource of an interface.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) kind: ItemKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ItemKind {
    Function,
    Resource,
}

impl Interfaces {
    /// Parses the sections of a component. Takes milliseconds even for the largest.
    pub(super) fn parse(component: &[u8]) -> Result<Self, ParseError> {
        let mut interfaces = Self::default();
        let mut types = Types { types: Vec::new(), items_left: MAX_ITEMS, bytes_left: MAX_SECTION_BYTES };
        let mut parser = Parser::new(0);
        let mut rest = component;
        loop {
            let (consumed, payload) = match parser.parse(rest, true)? {
                Chunk::Parsed { consumed, payload } => (consumed, payload),
                // Cannot happen, since the parser has all the data.
                Chunk::NeedMoreData(_) => return Err(ParseError::Truncated),
            };
            rest = rest.get(consumed..).unwrap_or_default();
            match payload {
                Payload::End(_) => return Ok(interfaces),
                Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } => {
                    rest = rest.get(unchecked_range.len()..).ok_or(ParseError::Truncated)?;
                }
                Payload::ComponentTypeSection(section) => {
                    let range = section.range();
                    types.charge_bytes(range.len())?;
                    let start = range.start;
                    types.read_section(component.get(range).ok_or(ParseError::Truncated)?, start)?;
                }
                Payload::ComponentAliasSection(section) => {
                    types.charge_bytes(section.range().len())?;
                    for alias in section {
                        if is_type_alias(&alias?) {
                            types.push_other()?;
                        }
                    }
                }
                Payload::ComponentImportSection(section) => {
                    types.charge_bytes(section.range().len())?;
                    for import in section {
                        interfaces.imports.push(types.import(&import?)?);
                    }
                }
                Payload::ComponentExportSection(section) => {
                    types.charge_bytes(section.range().len())?;
                    for export in section {
                        let export = export?;
                        types.charge(1)?;
                        if export.kind == ComponentExternalKind::Type {
                            types.push_other()?;
                        }
                        interfaces.exports.push(export.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
    }
}

/// The index space of component types, and what may still be added to it and to the imports and exports.
struct Types {
    /// The items of each instance type. Empty for other types, which only take up an index.
    types: Vec<Rc<[Item]>>,
    /// See [`MAX_ITEMS`].
    items_left: usize,
    /// See [`MAX_SECTION_BYTES`].
    bytes_left: usize,
}

impl Types {
    fn charge(&mut self, items: usize) -> Result<(), ParseError> {
        self.items_left = self.items_left.checked_sub(items).ok_or(ParseError::TooManyItems)?;
        Ok(())
    }

    fn charge_bytes(&mut self, bytes: usize) -> Result<(), ParseError> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(ParseError::TooManyBytes)?;
        Ok(())
    }

    /// Adds a type that is not the type of an interface.
    fn push_other(&mut self) -> Result<(), ParseError> {
        self.charge(1)?;
        self.types.push(Rc::default());
        Ok(())
    }

    /// Adds the types of a section, which starts at this offset.
    fn read_section(&mut self, section: &[u8], offset: usize) -> Result<(), ParseError> {
        let mut reader = BinaryReader::new(section, offset);
        for _ in 0..reader.read_var_u32()? {
            self.charge(1)?;
            let items = self.read_type(&mut reader)?;
            self.types.push(items);
        }
        Ok(())
    }

    /// Reads a type, and returns the functions and resources of it if it is an instance type. wasmparser would build
    /// all of the type, and use the stack for each type within a type.
    fn read_type(&mut self, reader: &mut BinaryReader<'_>) -> Result<Rc<[Item]>, ParseError> {
        let is_instance = peek(reader)? == INSTANCE_TYPE;
        let mut items = Vec::new();
        // How many declarations are left in the type, in the type within it that is being read, and so on.
        let mut left = Vec::from_iter(declarations(reader)?);
        while let Some(innermost) = left.last_mut() {
            let Some(rest) = innermost.checked_sub(1) else {
                left.pop();
                continue;
            };
            *innermost = rest;
            self.charge(1)?;
            match peek(reader)? {
                TYPE_DECLARATION => {
                    reader.read_u8()?;
                    left.extend(declarations(reader)?);
                }
                IMPORT_DECLARATION => {
                    reader.read_u8()?;
                    reader.read::<ComponentImport<'_>>()?;
                }
                _ => {
                    let declaration = reader.read()?;
                    if is_instance && left.len() == 1 {
                        items.extend(item(&declaration));
                    }
                }
            }
        }
        Ok(items.into())
    }

    /// Resolves the type of an import.
    fn import(&mut self, import: &ComponentImport<'_>) -> Result<Import, ParseError> {
        self.charge(1)?;
        let kind = match import.ty {
            ComponentTypeRef::Instance(index) => {
                let items = usize::try_from(index).ok().and_then(|index| self.types.get(index));
                let items = items.cloned().unwrap_or_default();
                // Again for each import, since each is compared with the linker.
                self.charge(items.len())?;
                ImportKind::Interface(items)
            }
            ComponentTypeRef::Func(_) => ImportKind::Function,
            ComponentTypeRef::Type(_) => {
                self.push_other()?;
                ImportKind::Type
            }
            ComponentTypeRef::Module(_) | ComponentTypeRef::Value(_) | ComponentTypeRef::Component(_) => {
                ImportKind::Other
            }
        };
        Ok(Import { name: import.name.name.to_owned(), kind })
    }
}

/// Whether an alias adds to the index space of types.
fn is_type_alias(alias: &ComponentAlias<'_>) -> bool {
    match alias {
        ComponentAlias::InstanceExport { kind, .. } => *kind == ComponentExternalKind::Type,
        ComponentAlias::Outer { kind, .. } => *kind == ComponentOuterAliasKind::Type,
        ComponentAlias::CoreInstanceExport { .. } => false,
    }
}

/// Reads the start of a component or instance type, and returns the number of its declarations, which follow. Of another
/// type, reads all; these contain no types.
fn declarations(reader: &mut BinaryReader<'_>) -> Result<Option<u32>, BinaryReaderError> {
    if matches!(peek(reader)?, COMPONENT_TYPE | INSTANCE_TYPE) {
        reader.read_u8()?;
        return reader.read_var_u32().map(Some);
    }
    reader.read::<ComponentType<'_>>().map(|_| None)
}

/// The next byte.
fn peek(reader: &BinaryReader<'_>) -> Result<u8, BinaryReaderError> {
    reader.clone().read_u8()
}

/// The function or resource that an instance type declares.
fn item(declaration: &InstanceTypeDeclaration<'_>) -> Option<Item> {
    let InstanceTypeDeclaration::Export { name, ty } = declaration else { return None };
    let kind = match ty {
        ComponentTypeRef::Func(_) => ItemKind::Function,
        ComponentTypeRef::Type(TypeBounds::SubResource) => ItemKind::Resource,
        _ => return None,
    };
    Some(Item { name: name.name.to_owned(), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component with this section, whose contents follow the number of its entries.
    fn component(section: u8, entries: usize, contents: &[u8]) -> Vec<u8> {
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        let mut body = leb128(entries);
        body.extend_from_slice(contents);
        component.push(section);
        component.extend(leb128(body.len()));
        component.extend(body);
        component
    }

    /// Encodes a number as LEB128.
    fn leb128(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let low = (number & 0x7f) as u8;
            number >>= 7;
            if number == 0 {
                bytes.push(low);
                return bytes;
            }
            bytes.push(low | 0x80);
        }
    }

    fn parse(text: &str) -> Result<Interfaces, ParseError> {
        Interfaces::parse(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn the_number_of_imports_exports_and_types_is_limited() {
        // As the Component Model encodes them, each in the section with this number.
        let (import, export) = (b"\0\x01a\x01\0", b"\0\x01a\x01\0\0");
        let (alias, ty) = (b"\x03\0\0\x01a", b"\x7f");
        // An instance type with a type of one byte, for which the host would build more than a hundred.
        let declaration = b"\x01\x7f";
        let instance = |declarations| [&b"\x42"[..], &leb128(declarations), &declaration.repeat(declarations)].concat();
        let is_refused = |section, count, contents: &[u8]| {
            matches!(Interfaces::parse(&component(section, count, contents)), Err(ParseError::TooManyItems))
        };
        for (section, entry) in [(10, &import[..]), (11, &export[..]), (6, &alias[..]), (7, &ty[..])] {
            assert!(!is_refused(section, MAX_ITEMS, &entry.repeat(MAX_ITEMS)), "section {section}");
            assert!(is_refused(section, MAX_ITEMS + 1, &entry.repeat(MAX_ITEMS + 1)), "section {section}");
        }
        assert!(!is_refused(7, 1, &instance(MAX_ITEMS - 1)));
        assert!(is_refused(7, 1, &instance(MAX_ITEMS)));
        assert!(is_refused(7, u32::MAX as usize, &ty.repeat(MAX_ITEMS + 1)), "although entries are missing");
    }

    #[test]
    fn the_length_of_names_and_types_is_limited() {
        let import = |name: &str| format!(r#"(import "{name}" (func))"#);
        let imports =
            |count: usize| -> String { (0..count).map(|n| import(&format!("a{n}{}", "b".repeat(90_000)))).collect() };
        assert_eq!(parse(&format!("(component {})", imports(11))).unwrap().imports.len(), 11);
        assert!(matches!(parse(&format!("(component {})", imports(12))), Err(ParseError::TooManyBytes)));
    }

    #[test]
    fn types_in_types_of_any_depth_do_not_exhaust_the_stack() {
        // Component types and instance types, each with one declaration, which is a type.
        let nested = |depth: usize| [&b"\x42\x01\x01\x41\x01\x01".repeat(depth)[..], b"\x7f"].concat();
        assert!(Interfaces::parse(&component(7, 1, &nested(4000))).is_ok());
        assert!(matches!(Interfaces::parse(&component(7, 1, &nested(100_000))), Err(ParseError::TooManyItems)));
    }

    #[test]
    fn items_of_interfaces_are_found_among_types_in_types() {
        let interfaces = parse(
            r#"(component
                (type $unused (component (import "x" (func)) (export "y" (func)) (type (instance (export "z" (func))))))
                (import "a:b/c" (instance
                    (type (instance (export "inner" (func)) (export "resource" (type (sub resource)))))
                    (type $record (record (field "f" u8)))
                    (export "record" (type (eq $record)))
                    (export "resource" (type (sub resource)))
                    (export "outer" (func (param "p" u32)))
                    (type (component (export "inner" (func))))))
                (import "d" (func)))"#,
        )
        .unwrap();
        let [interface, function] = &interfaces.imports[..] else { panic!("{interfaces:?}") };
        assert!(matches!(function.kind, ImportKind::Function));
        let ImportKind::Interface(items) = &interface.kind else { panic!("{interface:?}") };
        let items: Vec<_> = items.iter().map(|item| (item.name.as_str(), item.kind)).collect();
        assert_eq!(items, [("resource", ItemKind::Resource), ("outer", ItemKind::Function)]);
    }
}
