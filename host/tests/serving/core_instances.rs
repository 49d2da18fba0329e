//! Components with many core instances, such as interpreters.

use hotshoe_test_support::client::get;
use hotshoe_test_support::guests;
use hotshoe_test_support::server::{Server, command, command_with_limit, start_failing};
use wasmparser::{Parser, Payload};

/// Returns a guest with this many core instances in addition to its own, of which there are at most four.
fn guest_of(core_instances: u8) -> Vec<u8> {
    let mut component = guests::serving(guests::TRAPS);
    let is_module = |payload: &Payload<'_>| matches!(payload, Payload::ModuleSection { .. });
    let modules = Parser::new(0).parse_all(&component).filter(|payload| is_module(payload.as_ref().unwrap())).count();
    // Component Model, Binary.md: section 1 is a core module, here an empty one. Section 2 is a list of core instances,
    // each of which is 0 (instantiate), the index of a module, and the number of arguments.
    component.extend([1, 8]);
    component.extend(b"\0asm\x01\0\0\0");
    let instances = [0, u8::try_from(modules).unwrap(), 0].repeat(core_instances.into());
    component.push(2);
    leb128(&mut component, instances.len() + if core_instances < 128 { 1 } else { 2 });
    leb128(&mut component, core_instances.into());
    component.extend(instances);
    component
}

/// Appends an unsigned number in LEB128.
fn leb128(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 128 {
        bytes.push(u8::try_from(number % 128).unwrap() | 128);
        number /= 128;
    }
    bytes.push(u8::try_from(number).unwrap());
}

/// Starts a server with this guest. Without `has_pool`, its address space is too small for the instance pool.
fn start(guest: &str, has_pool: bool) -> Server {
    let mut command = if has_pool { command() } else { command_with_limit("-v 8000000") };
    command.args(["--camera", "emulated", "--guest", guest, "--no-cache"]);
    Server::start_command(command)
}

#[test]
fn a_guest_may_have_196_core_instances_besides_its_own_with_and_without_the_instance_pool() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    std::fs::write(&path, guest_of(196)).unwrap();
    for has_pool in [true, false] {
        let server = start(path.to_str().unwrap(), has_pool);
        assert_eq!(server.log().contains("reserving it per instance"), !has_pool, "{}", server.log());
        assert_eq!(get(server.address, "/ok").text(), "ok\n");
    }
}

#[test]
fn a_guest_with_more_than_200_core_instances_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    std::fs::write(&path, guest_of(201)).unwrap();
    let output = start_failing(["--camera", "emulated", "--guest", path.to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("maximum of 200"), "{error}");
}
