//! The WIT package is a reference: every item is documented and says since when it is there.

use wit_parser::{Resolve, Stability, TypeDefKind, TypeOwner, WorldItem};

use hotshoe_test_support::workspace;

fn package() -> (Resolve, wit_parser::PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(workspace().join("wit")).unwrap();
    (resolve, package)
}

#[test]
fn every_item_is_documented_and_gated() {
    let (resolve, package) = package();
    let package = &resolve.packages[package];
    assert_eq!(package.name.to_string(), "hotshoe:camera@0.1.0");
    let mut faults = Vec::new();
    let mut items = 0;
    let mut check = |name: String, docs: Option<&str>, stability: Option<&Stability>| {
        items += 1;
        if docs.is_none_or(|docs| docs.trim().is_empty()) {
            faults.push(format!("{name} is not documented"));
        }
        if stability.is_some_and(|stability| !matches!(stability, Stability::Stable { .. })) {
            faults.push(format!("{name} has no @since"));
        }
    };
    for (name, world) in &package.worlds {
        let world = &resolve.worlds[*world];
        check(name.clone(), world.docs.contents.as_deref(), Some(&world.stability));
        for item in world.imports.values().chain(world.exports.values()) {
            if let WorldItem::Interface { stability, id, .. } = item
                && resolve.interfaces[*id].package == Some(resolve.worlds[package.worlds[name]].package.unwrap())
            {
                assert!(matches!(stability, Stability::Stable { .. }), "an import of {name} has no @since");
            }
        }
    }
    for (name, interface) in &package.interfaces {
        let interface = &resolve.interfaces[*interface];
        check(name.clone(), interface.docs.contents.as_deref(), Some(&interface.stability));
        for (name, function) in &interface.functions {
            check(name.clone(), function.docs.contents.as_deref(), Some(&function.stability));
        }
        for (name, id) in &interface.types {
            let definition = &resolve.types[*id];
            // `use` brings in a type that is documented elsewhere.
            if matches!(definition.kind, TypeDefKind::Type(_)) {
                continue;
            }
            assert!(matches!(definition.owner, TypeOwner::Interface(_)));
            check(name.clone(), definition.docs.contents.as_deref(), Some(&definition.stability));
            match &definition.kind {
                TypeDefKind::Record(record) => {
                    for field in &record.fields {
                        check(format!("{name}.{}", field.name), field.docs.contents.as_deref(), None);
                    }
                }
                TypeDefKind::Variant(variant) => {
                    for case in &variant.cases {
                        check(format!("{name}.{}", case.name), case.docs.contents.as_deref(), None);
                    }
                }
                TypeDefKind::Enum(cases) => {
                    for case in &cases.cases {
                        check(format!("{name}.{}", case.name), case.docs.contents.as_deref(), None);
                    }
                }
                _ => {}
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(items > 40, "only {items} items were seen");
}

#[test]
fn the_worlds_offer_no_files_sockets_or_outgoing_requests() {
    let (resolve, package) = package();
    for world in resolve.packages[package].worlds.values() {
        for key in resolve.worlds[*world].imports.keys() {
            let name = resolve.name_world_key(key);
            assert!(
                !["wasi:filesystem", "wasi:sockets", "wasi:http/outgoing-handler"]
                    .iter()
                    .any(|no| name.starts_with(no)),
                "{name}"
            );
        }
    }
}

#[path = "../../build/sources.rs"]
mod sources;

#[test]
fn the_prebuilt_guest_is_made_from_these_sources() {
    let prebuilt = std::fs::read(workspace().join(sources::PREBUILT)).unwrap();
    let current = sources::digest(&workspace()).unwrap();
    assert_eq!(
        sources::stamped_digest(&prebuilt),
        Some(current),
        "guest/ or wit/ changed since: run `just guest`, on a machine with the target wasm32-wasip2"
    );
}

#[test]
fn the_digest_is_found_only_where_it_was_stamped() {
    let stamped = sources::stamp(b"component".to_vec(), &"a".repeat(64));
    assert_eq!(sources::stamped_digest(&stamped), Some("a".repeat(64)));
    assert_eq!(sources::stamped_digest(b"component"), None);
    assert_eq!(sources::stamped_digest(&[0; 100]), None);
    assert!(wat::parse_str("(component)").is_ok_and(|component| sources::stamped_digest(&component).is_none()));
}
