//! Guests made of the prelude and a function `$misbehave`.

use std::path::{Path, PathBuf};

use wit_parser::Resolve;

use super::encode::{encode, encode_with, encode_world};
use super::misbehaving::TRAPS;
use super::prelude::{module, module_with};
use crate::workspace;

/// Counts the responses of the instance, and responds with the number of this one in three digits.
const COUNTS: &str = r#"
  (global $count (mut i32) (i32.const 0))
  (func $respond_with_count (param $out i32)
    (local $stream i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.store8 (i32.const 300) (i32.add (i32.const 48) (i32.div_u (global.get $count) (i32.const 100))))
    (i32.store8 (i32.const 301)
      (i32.add (i32.const 48) (i32.rem_u (i32.div_u (global.get $count) (i32.const 10)) (i32.const 10))))
    (i32.store8 (i32.const 302) (i32.add (i32.const 48) (i32.rem_u (global.get $count) (i32.const 10))))
    (local.set $stream (call $start (local.get $out)))
    (call $write_bytes (local.get $stream) (i32.const 300) (i32.const 3))
    (call $end (local.get $stream)))"#;

/// Writes a component to `folder` that executes `instructions`, then responds with the number of responses of its
/// instance, including this one, in three digits. `$count` is the number of responses before.
pub fn counting(folder: &Path, instructions: &str) -> PathBuf {
    component(
        folder,
        &format!(
            "{COUNTS} (func $misbehave (param $out i32) {instructions} (call $respond_with_count (local.get $out)))"
        ),
    )
}

/// Writes a component made of the prelude and this function to `folder`.
pub fn component(folder: &Path, misbehave: &str) -> PathBuf {
    let path = folder.join("guest.wasm");
    std::fs::write(&path, serving(misbehave)).unwrap();
    path
}

/// Returns a component made of the prelude and this function.
pub fn serving(misbehave: &str) -> Vec<u8> {
    encode(&module(misbehave, true), "guest")
}

/// Like [`serving`], with additional imports before those of the prelude.
pub fn importing(imports: &str, misbehave: &str) -> Vec<u8> {
    encode(&module_with(imports, misbehave, true), "guest")
}

/// Like [`importing`], with imports of an interface that `wit/` lacks, such as `wasi:config/store@0.2.0-rc.1`.
/// `package` defines its package, in WIT with braces.
pub fn importing_from(package: &str, interface: &str, imports: &str, misbehave: &str) -> Vec<u8> {
    encode_with(&module_with(imports, misbehave, true), "guest", &format!("import {interface};"), package)
}

/// Like [`importing`], with imports of `wasi:http/types@0.3.0` as well.
pub fn importing_http_of_0_3(imports: &str, misbehave: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    for folder in ["wit/server", "wit/0.3/server"] {
        resolve.push_dir(workspace().join(folder)).unwrap();
    }
    let wit = "package test:guests; world tested { include hotshoe:server/guest@0.2.0; \
        import wasi:cli/stdout@0.2.12; import wasi:cli/stderr@0.2.12; import wasi:http/types@0.3.0; }";
    let package = resolve.push_str("world.wit", wit).unwrap();
    encode_world(&module_with(imports, misbehave, true), &resolve, package, "tested")
}

/// Like [`importing`], with a component that declares the descriptors of `wasi:filesystem@0.3.0` to be those of 0.2, so
/// that it can pass them to the functions of both.
pub fn with_one_type_of_descriptors(imports: &str, misbehave: &str) -> Vec<u8> {
    const VERSIONS: [&str; 2] = ["wasi:filesystem/types@0.2.12", "wasi:filesystem/types@0.3.0"];
    let mut resolve = Resolve::default();
    resolve.push_dir(workspace().join("wit/server")).unwrap();
    for package in ["clocks", "filesystem"] {
        resolve.push_file(workspace().join(format!("wit/0.3/deps/{package}.wit"))).unwrap();
    }
    let wit = format!(
        "package test:guests; world tested {{ include hotshoe:server/guest@0.2.0; \
         import wasi:cli/stdout@0.2.12; import wasi:cli/stderr@0.2.12; import wasi:filesystem/preopens@0.2.12; \
         import {}; import {}; }}",
        VERSIONS[0], VERSIONS[1]
    );
    let package = resolve.push_str("world.wit", &wit).unwrap();
    let component = encode_world(&module_with(imports, misbehave, true), &resolve, package, "tested");
    // WIT has no syntax for that, so this edits the component as text. The alias and the export
    // are two types instead of one, so the indices of those that follow change.
    const NEW_TYPE: &str = "(export (;0;) \"descriptor\" (type (sub resource)))";
    let text = wasmprinter::print_bytes(&component).unwrap();
    let start = text.find("(type $ty-wasi:filesystem/types@0.3.0 ").unwrap();
    let (before, rest) = text.split_at(start);
    let (interface, after) = rest.split_once("\n  )\n").unwrap();
    let (head, types) = interface.split_once(NEW_TYPE).unwrap();
    let types: Vec<_> = types.split(' ').map(next_index).collect();
    let same_type = "(alias outer 1 $descriptor (type (;0;))) (export (;1;) \"descriptor\" (type (eq 0)))";
    wat::parse_str(format!("{before}{head}{same_type}{}\n  )\n{after}", types.join(" "))).unwrap()
}

/// Increments an index of WebAssembly text that may be followed by parentheses. Returns other words as they are.
fn next_index(word: &str) -> String {
    let digits = word.len() - word.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (index, rest) = word.split_at(digits);
    index.parse::<u32>().map_or_else(|_| word.to_owned(), |index| format!("{}{rest}", index + 1))
}

/// Like [`serving`], but the component also misbehaves at `/`, which the host requests before the guest serves.
pub fn misbehaving_at_once(misbehave: &str) -> Vec<u8> {
    encode(&module(misbehave, false), "guest")
}

/// Like [`serving`], with this many additional functions that take long to compile and are never called.
pub fn large(misbehave: &str, functions: usize) -> Vec<u8> {
    encode(&module(&format!("{misbehave} {}", unused_functions(functions)), true), "guest")
}

/// Like [`misbehaving_at_once`], but as large as [`large`].
pub fn large_misbehaving_at_once(misbehave: &str, functions: usize) -> Vec<u8> {
    encode(&module(&format!("{misbehave} {}", unused_functions(functions)), false), "guest")
}

/// Returns functions that differ from each other.
pub(super) fn unused_functions(functions: usize) -> String {
    let function = |number: usize| {
        format!(
            "(func (param i32) (result i32) (local i32) \
             (loop $again (local.set 1 (i32.add (local.get 1) (i32.mul (local.get 0) (i32.const {number})))) \
             (i32.store (i32.and (local.get 1) (i32.const 1023)) (local.get 0)) \
             (br_if $again (i32.lt_u (local.get 1) (i32.const {number})))) (local.get 1)) "
        )
    };
    (1..=functions).map(function).collect()
}

/// Returns a component whose memory initially has this size, in bytes.
pub fn needing_memory(bytes: usize) -> Vec<u8> {
    let pages = format!("(memory (export \"memory\") {})", bytes.div_ceil(65_536));
    encode(&module(TRAPS, true).replace("(memory (export \"memory\") 2)", &pages), "guest")
}
