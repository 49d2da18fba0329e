//! Generates the references of the WIT packages, `docs/wit.md` and `docs/wit-0.3.md`, and checks that they are up to
//! date. `just wit-docs` renews them.

use std::fmt::Write as _;

use wit_parser::{
    Docs, Function, FunctionKind, Handle, Interface, PackageId, Resolve, Type, TypeDef, TypeDefKind, World, WorldItem,
    WorldKey,
};

use hotshoe_test_support::workspace;

/// If this variable is set, the test writes the references instead of checking them.
const BLESS: &str = "HOTSHOE_BLESS";

/// A file of the documentation about some packages.
struct Reference {
    file: &'static str,
    introduction: &'static str,
    /// The folders of the packages.
    packages: &'static [&'static str],
}

const REFERENCES: [Reference; 2] = [
    Reference { file: "docs/wit.md", introduction: INTRODUCTION, packages: &["wit/camera", "wit/server"] },
    Reference {
        file: "docs/wit-0.3.md",
        introduction: INTRODUCTION_0_3,
        packages: &["wit/0.3/camera", "wit/0.3/server"],
    },
];

const INTRODUCTION: &str = "\
<!-- Generated from wit/ by `just wit-docs`. Change the WIT instead. -->

# WIT reference

Two packages define what a guest can use and what it exports. [Write a guest](guests.md) is an introduction and lists
the limits of Hotshoe. A host that has cameras but no web server can implement `hotshoe:camera` alone.

[WIT reference for WASI 0.3](wit-0.3.md) has both packages for components of WASI 0.3.
";

const INTRODUCTION_0_3: &str = "\
<!-- Generated from wit/0.3/ by `just wit-docs`. Change the WIT instead. -->

# WIT reference for WASI 0.3

The packages for components of [WASI 0.3](guests.md#wasi-03). They have the contracts of `hotshoe:camera@0.2.0` and
`hotshoe:server@0.2.0` ([WIT reference](wit.md)), with `async` functions and streams.
";

#[test]
fn the_wit_references_are_up_to_date() {
    for Reference { file, introduction, packages } in REFERENCES {
        let mut reference = introduction.to_owned();
        for folder in packages {
            let mut resolve = Resolve::default();
            let (package, _) = resolve.push_dir(workspace().join(folder)).unwrap();
            Writer { resolve: &resolve, text: &mut reference }.package(package);
        }
        let path = workspace().join(file);
        if std::env::var_os(BLESS).is_some() {
            std::fs::write(&path, &reference).unwrap();
        }
        let current = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(current == reference, "{file} is out of date: run `just wit-docs`");
    }
}

/// Writes packages as Markdown.
struct Writer<'a> {
    resolve: &'a Resolve,
    text: &'a mut String,
}

impl Writer<'_> {
    fn package(&mut self, id: PackageId) {
        let package = &self.resolve.packages[id];
        self.heading(2, &format!("Package `{}`", package.name));
        self.docs(&package.docs);
        let mut interfaces: Vec<_> = package.interfaces.iter().collect();
        // In the order in which the world `imports` lists them; the others come last.
        let imports = &self.resolve.worlds[package.worlds["imports"]].imports;
        let position = |id| imports.keys().position(|key| matches!(key, WorldKey::Interface(import) if *import == id));
        interfaces.sort_by_key(|(_, id)| position(**id).unwrap_or(usize::MAX));
        self.text.push_str("\n| Interface | |\n| --- | --- |\n");
        for (name, id) in &interfaces {
            let summary = summary(&self.resolve.interfaces[**id].docs);
            let _ = writeln!(self.text, "| [`{name}`](#interface-{name}) | {summary} |");
        }
        for (_, id) in interfaces {
            self.interface(&self.resolve.interfaces[*id]);
        }
        for id in package.worlds.values() {
            self.world(&self.resolve.worlds[*id]);
        }
    }

    fn interface(&mut self, interface: &Interface) {
        let name = interface.name.as_deref().unwrap();
        self.heading(3, &format!("Interface `{name}`"));
        self.docs(&interface.docs);
        let types = interface.types.values().map(|id| (*id, &self.resolve.types[*id]));
        // A `use` imports a type that is documented elsewhere.
        let types: Vec<_> = types.filter(|(_, ty)| !matches!(ty.kind, TypeDefKind::Type(_))).collect();
        for (id, ty) in types {
            self.type_definition(ty);
            for function in interface.functions.values().filter(|function| function.kind.resource() == Some(id)) {
                self.function(function, ty.name.as_deref());
            }
        }
        for function in interface.functions.values().filter(|function| function.kind.resource().is_none()) {
            self.function(function, None);
        }
    }

    fn type_definition(&mut self, ty: &TypeDef) {
        let kind = match &ty.kind {
            TypeDefKind::Resource => "resource",
            TypeDefKind::Record(_) => "record",
            TypeDefKind::Variant(_) => "variant",
            TypeDefKind::Enum(_) => "enum",
            TypeDefKind::Flags(_) => "flags",
            _ => "type",
        };
        self.heading(4, &format!("{kind} `{}`", ty.name.as_deref().unwrap()));
        self.docs(&ty.docs);
        match &ty.kind {
            TypeDefKind::Record(record) => {
                self.members(
                    record
                        .fields
                        .iter()
                        .map(|field| (format!("{}: {}", field.name, type_name(self.resolve, &field.ty)), &field.docs)),
                );
            }
            TypeDefKind::Variant(variant) => self.members(variant.cases.iter().map(|case| {
                let payload = case.ty.map(|ty| format!("({})", type_name(self.resolve, &ty))).unwrap_or_default();
                (format!("{}{payload}", case.name), &case.docs)
            })),
            TypeDefKind::Enum(cases) => self.members(cases.cases.iter().map(|case| (case.name.clone(), &case.docs))),
            TypeDefKind::Flags(flags) => self.members(flags.flags.iter().map(|flag| (flag.name.clone(), &flag.docs))),
            _ => {}
        }
    }

    /// Writes a list of fields or cases, each with its documentation.
    fn members<'b>(&mut self, members: impl Iterator<Item = (String, &'b Docs)>) {
        let list: String = members
            .map(|(member, docs)| {
                let docs = docs.contents.as_deref().unwrap_or_default().trim();
                format!("- `{member}`: {}\n", docs.replace('\n', "\n  ").replace("\n  \n", "\n\n"))
            })
            .collect();
        let _ = write!(self.text, "\n{list}");
    }

    fn function(&mut self, function: &Function, resource: Option<&str>) {
        let qualifier = resource.map(|resource| format!("{resource}.")).unwrap_or_default();
        let is_method = matches!(function.kind, FunctionKind::Method(_) | FunctionKind::AsyncMethod(_));
        let params = function.params.iter().skip(usize::from(is_method));
        let params: Vec<_> =
            params.map(|param| format!("{}: {}", param.name, type_name(self.resolve, &param.ty))).collect();
        let params = params.join(", ");
        let signature = match &function.kind {
            FunctionKind::Constructor(_) => format!("constructor({params})"),
            kind => {
                let modifier = match kind {
                    FunctionKind::Static(_) => "static ",
                    FunctionKind::AsyncFreestanding | FunctionKind::AsyncMethod(_) => "async ",
                    FunctionKind::AsyncStatic(_) => "static async ",
                    FunctionKind::Freestanding | FunctionKind::Method(_) | FunctionKind::Constructor(_) => "",
                };
                let result = function.result.map(|ty| format!(" -> {}", type_name(self.resolve, &ty)));
                format!("{}: {modifier}func({params}){}", function.item_name(), result.unwrap_or_default())
            }
        };
        let name = match &function.kind {
            FunctionKind::Constructor(_) => "constructor",
            _ => function.item_name(),
        };
        self.heading(if resource.is_some() { 5 } else { 4 }, &format!("`{qualifier}{name}`"));
        let _ = write!(self.text, "\n```wit\n{signature}\n```\n");
        self.docs(&function.docs);
    }

    fn world(&mut self, world: &World) {
        self.heading(3, &format!("World `{}`", world.name));
        self.docs(&world.docs);
        let names = |items: &mut dyn Iterator<Item = (&WorldKey, &WorldItem)>| {
            let names: Vec<_> = items.map(|(key, _)| format!("`{}`", self.resolve.name_world_key(key))).collect();
            names.join(", ")
        };
        let imports = names(&mut world.imports.iter());
        let exports = names(&mut world.exports.iter());
        let _ = write!(self.text, "\nImports {imports}.\n");
        if !exports.is_empty() {
            let _ = write!(self.text, "\nExports {exports}.\n");
        }
    }

    fn heading(&mut self, level: usize, heading: &str) {
        let _ = write!(self.text, "\n{} {heading}\n", "#".repeat(level));
    }

    fn docs(&mut self, docs: &Docs) {
        let _ = write!(self.text, "\n{}\n", docs.contents.as_deref().unwrap_or_default().trim());
    }
}

/// Returns the first sentence of the documentation.
fn summary(docs: &Docs) -> String {
    let docs = docs.contents.as_deref().unwrap_or_default();
    let paragraph = docs.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    paragraph.split_once(". ").map_or(paragraph.as_str(), |(sentence, _)| sentence).trim_end_matches('.').to_owned()
}

/// Returns a type as it is written in WIT.
fn type_name(resolve: &Resolve, ty: &Type) -> String {
    let id = match ty {
        Type::Bool => return "bool".to_owned(),
        Type::U8 => return "u8".to_owned(),
        Type::U16 => return "u16".to_owned(),
        Type::U32 => return "u32".to_owned(),
        Type::U64 => return "u64".to_owned(),
        Type::S8 => return "s8".to_owned(),
        Type::S16 => return "s16".to_owned(),
        Type::S32 => return "s32".to_owned(),
        Type::S64 => return "s64".to_owned(),
        Type::F32 => return "f32".to_owned(),
        Type::F64 => return "f64".to_owned(),
        Type::Char => return "char".to_owned(),
        Type::String => return "string".to_owned(),
        Type::ErrorContext => return "error-context".to_owned(),
        Type::Id(id) => id,
    };
    let definition = &resolve.types[*id];
    if let Some(name) = &definition.name {
        return name.clone();
    }
    let name = |ty: &Type| type_name(resolve, ty);
    match &definition.kind {
        TypeDefKind::Handle(Handle::Own(id)) => name(&Type::Id(*id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", name(&Type::Id(*id))),
        TypeDefKind::Option(ty) => format!("option<{}>", name(ty)),
        TypeDefKind::List(ty) => format!("list<{}>", name(ty)),
        TypeDefKind::Stream(Some(ty)) => format!("stream<{}>", name(ty)),
        TypeDefKind::Tuple(tuple) => format!("tuple<{}>", tuple.types.iter().map(name).collect::<Vec<_>>().join(", ")),
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (None, None) => "result".to_owned(),
            (Some(ok), None) => format!("result<{}>", name(ok)),
            (ok, Some(err)) => format!("result<{}, {}>", ok.as_ref().map_or("_".to_owned(), name), name(err)),
        },
        other => panic!("the reference cannot show {other:?} yet"),
    }
}
