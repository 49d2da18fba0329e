//! Guests made of the prelude and a function `$misbehave`.

use std::path::{Path, PathBuf};

use super::encode::{encode, encode_with};
use super::misbehaving::TRAPS;
use super::prelude::{module, module_with};

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
fn unused_functions(functions: usize) -> String {
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
