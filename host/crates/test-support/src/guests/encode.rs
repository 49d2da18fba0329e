//! From a core module in text format to a component.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

use crate::workspace;

/// Allocates memory for the values that the host passes in. Nothing is freed: no component here serves many requests
/// with long paths. Its memory begins at 4096.
pub(crate) const ALLOCATOR: &str = r#"
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get 3)))
    (local.get $at))"#;

/// Interfaces of WASI that guests may import although they are not part of the worlds.
const STANDARD_LIBRARY_IMPORTS: [&str; 10] = [
    "wasi:cli/environment",
    "wasi:cli/stderr",
    "wasi:cli/stdout",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp-create-socket",
];

/// Returns a component made of a core module in text format, for a world of `hotshoe:server`.
pub(super) fn encode(module: &str, world: &str) -> Vec<u8> {
    encode_with(module, world, "", "")
}

/// Like [`encode`], with further imports and packages in WIT.
pub(super) fn encode_with(module: &str, world: &str, imports: &str, packages: &str) -> Vec<u8> {
    // The component only contains those imports that the module uses.
    let standard: String = STANDARD_LIBRARY_IMPORTS.iter().map(|name| format!("import {name}@0.2.12; ")).collect();
    let wit = format!(
        "package test:guests; \
         world tested {{ include hotshoe:server/{world}@0.2.0; {standard} {imports} }} {packages}"
    );
    encode_module(module, "wit/server", &wit, "tested")
}

/// Returns a component made of a core module in text format. Its world is `world`, which is defined in `wit` and can
/// use the packages in `folder`.
pub fn encode_module(module: &str, folder: &str, wit: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_dir(workspace().join(folder)).unwrap();
    let package = resolve.push_str("world.wit", wit).unwrap();
    encode_world(module, &resolve, package, world)
}

/// Returns a component made of a core module in text format, for a world of this package.
pub fn encode_world(module: &str, resolve: &Resolve, package: PackageId, world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}
