//! The WIT packages are a reference: they resolve, and every item is documented and has a version.

use std::path::Path;

use wit_component::{StringEncoding, WitPrinter};
use wit_parser::{InterfaceId, PackageId, Resolve, Stability, TypeDefKind, TypeOwner, WorldItem};

use hotshoe_test_support::workspace;

const PACKAGES: [(&str, &str); 4] = [
    ("wit/camera", "hotshoe:camera@0.2.0"),
    ("wit/server", "hotshoe:server@0.2.0"),
    ("wit/0.3/camera", "hotshoe:camera@0.3.0"),
    ("wit/0.3/server", "hotshoe:server@0.3.0"),
];

fn resolve(folder: &str) -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(workspace().join(folder)).unwrap();
    (resolve, package)
}

/// Collects what is wrong with the items of a package.
#[derive(Default)]
struct Faults {
    items: usize,
    faults: Vec<String>,
}

impl Faults {
    fn check(&mut self, name: &str, docs: Option<&str>, stability: Option<&Stability>) {
        self.items += 1;
        if docs.is_none_or(|docs| docs.trim().is_empty()) {
            self.faults.push(format!("{name} is not documented"));
        }
        if stability.is_some_and(|stability| !matches!(stability, Stability::Stable { .. })) {
            self.faults.push(format!("{name} has no @since"));
        }
    }

    fn check_interface(&mut self, resolve: &Resolve, id: InterfaceId) {
        let interface = &resolve.interfaces[id];
        let interface_name = interface.name.as_deref().unwrap();
        self.check(interface_name, interface.docs.contents.as_deref(), Some(&interface.stability));
        for (name, function) in &interface.functions {
            let name = format!("{interface_name}.{name}");
            self.check(&name, function.docs.contents.as_deref(), Some(&function.stability));
        }
        for (name, id) in &interface.types {
            let definition = &resolve.types[*id];
            // A `use` imports a type that is documented elsewhere.
            if matches!(definition.kind, TypeDefKind::Type(_)) {
                continue;
            }
            assert!(matches!(definition.owner, TypeOwner::Interface(_)));
            let name = format!("{interface_name}.{name}");
            self.check(&name, definition.docs.contents.as_deref(), Some(&definition.stability));
            let members: Vec<_> = match &definition.kind {
                TypeDefKind::Record(record) => record.fields.iter().map(|item| (&item.name, &item.docs)).collect(),
                TypeDefKind::Variant(variant) => variant.cases.iter().map(|item| (&item.name, &item.docs)).collect(),
                TypeDefKind::Enum(cases) => cases.cases.iter().map(|item| (&item.name, &item.docs)).collect(),
                TypeDefKind::Flags(flags) => flags.flags.iter().map(|item| (&item.name, &item.docs)).collect(),
                _ => Vec::new(),
            };
            for (member, docs) in members {
                self.check(&format!("{name}.{member}"), docs.contents.as_deref(), None);
            }
        }
    }
}

#[test]
fn every_item_is_documented_and_has_a_version() {
    for (folder, package_name) in PACKAGES {
        let (resolve, id) = resolve(folder);
        let package = &resolve.packages[id];
        assert_eq!(package.name.to_string(), package_name);
        let mut faults = Faults::default();
        faults.check(package_name, package.docs.contents.as_deref(), None);
        for (name, world) in &package.worlds {
            let world = &resolve.worlds[*world];
            faults.check(name, world.docs.contents.as_deref(), Some(&world.stability));
            for item in world.imports.values().chain(world.exports.values()) {
                if let WorldItem::Interface { stability, id: interface, .. } = item
                    && resolve.interfaces[*interface].package == Some(id)
                {
                    assert!(matches!(stability, Stability::Stable { .. }), "an import of {name} has no @since");
                }
            }
        }
        for interface in package.interfaces.values() {
            faults.check_interface(&resolve, *interface);
        }
        assert!(faults.faults.is_empty(), "{:#?}", faults.faults);
        assert!(faults.items > 30, "found only {} items in {folder}", faults.items);
    }
}

#[test]
fn errors_have_room_for_new_failures() {
    for (folder, _) in PACKAGES {
        let (resolve, id) = resolve(folder);
        for interface in resolve.packages[id].interfaces.values() {
            for (name, ty) in &resolve.interfaces[*interface].types {
                if name == "error-code"
                    && let TypeDefKind::Variant(variant) = &resolve.types[*ty].kind
                {
                    assert_eq!(variant.cases.last().unwrap().name, "other", "{folder}");
                }
            }
        }
    }
}

#[test]
fn the_camera_package_knows_nothing_about_http_or_the_server() {
    let packages = |folder| {
        let (resolve, _) = resolve(folder);
        resolve.packages.iter().map(|(_, package)| package.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(packages("wit/camera"), ["wasi:io@0.2.12", "wasi:clocks@0.2.12", "hotshoe:camera@0.2.0"]);
    assert_eq!(packages("wit/0.3/camera"), ["wasi:clocks@0.3.0", "hotshoe:camera@0.3.0"]);
}

#[test]
fn the_worlds_offer_no_files_sockets_or_outgoing_requests() {
    for (folder, _) in PACKAGES {
        let (resolve, id) = resolve(folder);
        for world in resolve.packages[id].worlds.values() {
            for key in resolve.worlds[*world].imports.keys() {
                let name = resolve.name_world_key(key);
                let forbidden = ["wasi:filesystem", "wasi:sockets", "wasi:http/outgoing-handler", "wasi:http/client"];
                assert!(!forbidden.iter().any(|prefix| name.starts_with(prefix)), "{name}");
            }
        }
    }
}

/// `wkg` encodes a package as a component, and reads its metadata from `wkg.toml`.
#[test]
fn the_packages_can_be_published() {
    for (folder, _) in PACKAGES {
        let (resolve, id) = resolve(folder);
        let package = wit_component::encode(&resolve, id).unwrap();
        assert!(package.starts_with(b"\0asm"), "{folder}");
        let metadata = std::fs::read_to_string(workspace().join(folder).join("wkg.toml")).unwrap();
        for field in ["description = ", "licenses = "] {
            assert!(metadata.contains(field), "{folder}/wkg.toml has no {field}");
        }
    }
    // The dependencies of the packages are the WASI packages in wit/deps, not copies of them.
    let target = |link: &str| std::fs::canonicalize(workspace().join(link)).unwrap();
    assert_eq!(target("wit/server/deps/camera"), target("wit/camera"));
    assert_eq!(target("wit/camera/deps/io.wit"), target("wit/deps/io.wit"));
    assert_eq!(target("wit/0.3/server/deps/camera"), target("wit/0.3/camera"));
    assert_eq!(target("wit/0.3/camera/deps/clocks.wit"), target("wit/0.3/deps/clocks.wit"));
    assert!(Path::new(&target("wit/deps/io.wit")).is_file());
}

#[path = "../../build/sources.rs"]
mod sources;

#[test]
fn the_prebuilt_guest_matches_the_sources() {
    let prebuilt = std::fs::read(workspace().join(sources::PREBUILT)).unwrap();
    let current = sources::digest(&workspace()).unwrap();
    assert_eq!(
        sources::stamped_digest(&prebuilt),
        Some(current),
        "guest/ or wit/ has changed: run `just guest` on a machine with the target wasm32-wasip2"
    );
}

#[test]
fn only_stamped_components_have_a_digest() {
    let stamped = sources::stamp(b"component".to_vec(), &"a".repeat(64));
    assert_eq!(sources::stamped_digest(&stamped), Some("a".repeat(64)));
    assert_eq!(sources::stamped_digest(b"component"), None);
    assert_eq!(sources::stamped_digest(&[0; 100]), None);
    assert!(wat::parse_str("(component)").is_ok_and(|component| sources::stamped_digest(&component).is_none()));
}

/// Prints the packages in the type information of a core module, without comments.
fn types_of(module: &[u8]) -> String {
    let (_, bindings) = wit_component::metadata::decode(module).unwrap();
    let resolve = &bindings.resolve;
    let print = |id| {
        let mut printer = WitPrinter::default();
        printer.emit_docs(false).print(resolve, id, &[]).unwrap();
        printer.output.to_string()
    };
    let mut packages: Vec<_> = resolve.packages.iter().map(|(id, _)| print(id)).collect();
    packages.sort();
    packages.concat()
}

#[test]
fn the_bindings_of_the_c_template_are_up_to_date() {
    let (resolve, package) = resolve("wit/server");
    let world = resolve.select_world(&[package], Some("publishing-guest")).unwrap();
    // The shortest core module: the magic number and the version.
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let object = workspace().join("guest/templates/c/bindings/world_component_type.o");
    let found = types_of(&std::fs::read(object).unwrap());
    assert!(found == types_of(&module), "guest/templates/c/bindings is out of date: run `just c-bindings`");
}
