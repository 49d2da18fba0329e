//! Reads what a component imports and exports, without compiling it.
//!
//! Compiling a large component takes seconds, so unsuitable ones are refused before that. Only the sections of the
//! component itself are parsed. Its modules, which are most of its bytes, are skipped.

use std::rc::Rc;

use wasmparser::{
    BinaryReaderError, Chunk, ComponentAlias, ComponentExternalKind, ComponentImport, ComponentOuterAliasKind,
    ComponentType, ComponentTypeRef, InstanceTypeDeclaration, Parser, Payload, TypeBounds,
};

/// The most functions and resources that a component may import. All of WASI has a few hundred.
const MAX_ITEMS: usize = 10_000;

/// Why a component cannot be parsed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParseError {
    /// It ends in the middle of a section.
    #[error("it is truncated")]
    Truncated,
    /// Comparing its imports with the linker would take too long.
    #[error("it imports more than {MAX_ITEMS} functions")]
    TooManyItems,
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
        let mut types = Types { types: Vec::new(), items_left: MAX_ITEMS };
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
                    for ty in section {
                        types.push(items(ty?));
                    }
                }
                Payload::ComponentAliasSection(section) => {
                    for alias in section {
                        if is_type_alias(&alias?) {
                            types.push_other();
                        }
                    }
                }
                Payload::ComponentImportSection(section) => {
                    for import in section {
                        interfaces.imports.push(types.import(&import?)?);
                    }
                }
                Payload::ComponentExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ComponentExternalKind::Type {
                            types.push_other();
                        }
                        interfaces.exports.push(export.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
    }
}

/// The index space of component types.
struct Types {
    /// The items of each instance type. Empty for other types, which only take up an index.
    types: Vec<Rc<[Item]>>,
    /// How many more items may be imported.
    items_left: usize,
}

impl Types {
    fn push(&mut self, items: Rc<[Item]>) {
        self.types.push(items);
    }

    /// Adds a type that is not the type of an interface.
    fn push_other(&mut self) {
        self.types.push(Rc::default());
    }

    /// Resolves the type of an import.
    fn import(&mut self, import: &ComponentImport<'_>) -> Result<Import, ParseError> {
        let kind = match import.ty {
            ComponentTypeRef::Instance(index) => {
                let items = usize::try_from(index).ok().and_then(|index| self.types.get(index));
                let items = items.cloned().unwrap_or_default();
                self.items_left = self.items_left.checked_sub(1 + items.len()).ok_or(ParseError::TooManyItems)?;
                ImportKind::Interface(items)
            }
            ComponentTypeRef::Func(_) => ImportKind::Function,
            ComponentTypeRef::Type(_) => {
                self.push_other();
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

/// The functions and resources of an instance type. Empty for other types.
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
