//! Components with many core instances, such as interpreters, and with many memories.

use hotshoe_test_support::client::get;
use hotshoe_test_support::guests;
use hotshoe_test_support::server::{Server, command, command_with_limit, end, start_failing};
use wasmparser::{Parser, Payload};

/// Returns a guest with this many core instances in addition to its own, of which there are at most four.
fn guest_of(core_instances: u8) -> Vec<u8> {
    guest_with("(module)", core_instances)
}

/// Returns a guest that also contains a module, and this many instances of it.
fn guest_with(module: &str, core_instances: u8) -> Vec<u8> {
    let mut component = guests::serving(guests::TRAPS);
    let is_module = |payload: &Payload<'_>| matches!(payload, Payload::ModuleSection { .. });
    let modules = Parser::new(0).parse_all(&component).filter(|payload| is_module(payload.as_ref().unwrap())).count();
    add_module(&mut component, module);
    // Component Model, Binary.md: section 2 is a list of core instances, each of which is 0 (instantiate), the index of a
    // module, and the number of arguments.
    let instances = [0, u8::try_from(modules).unwrap(), 0].repeat(core_instances.into());
    component.push(2);
    leb128(&mut component, instances.len() + if core_instances < 128 { 1 } else { 2 });
    leb128(&mut component, core_instances.into());
    component.extend(instances);
    component
}

/// Appends a core module.
fn add_module(component: &mut Vec<u8>, text: &str) {
    let module = wat::parse_str(text).unwrap();
    // Component Model, Binary.md.
    component.push(1);
    leb128(component, module.len());
    component.extend(module);
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

#[test]
fn a_guest_with_more_memories_or_tables_than_others_leave_it_is_refused() {
    // A guest in Rust has one memory and two tables.
    for (module, most, too_many) in [("(module (memory 0))", 15, 16), ("(module (table 0 funcref))", 62, 64)] {
        for (has_pool, count) in [(true, most), (true, too_many), (false, too_many)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("guest.wasm");
            std::fs::write(&path, guest_with(module, count)).unwrap();
            if count == most {
                assert_eq!(get(start(path.to_str().unwrap(), has_pool).address, "/ok").text(), "ok\n", "{module}");
                continue;
            }
            let mut command = if has_pool { command() } else { command_with_limit("-v 8000000") };
            command.args(["--camera", "emulated", "--guest", path.to_str().unwrap(), "--no-cache"]);
            let output = end(command);
            let error = String::from_utf8(output.stderr).unwrap();
            let reason =
                if has_pool { "exceeds the configured maximum of" } else { "more than 16 memories or 64 tables" };
            assert!(!output.status.success() && error.contains(reason), "{error}");
        }
    }
}

/// Two bytes that are this far apart were stored with everything between them.
const FAR_APART: usize = 15 << 20;

/// A module whose initial memory is almost empty.
fn sparse_module(far: usize) -> String {
    format!(r#"(module (memory 256) (data (i32.const 0) "a") (data (i32.const {far}) "b"))"#)
}

#[test]
fn modules_whose_memory_is_almost_empty_make_no_large_artifact() {
    let folder = tempfile::tempdir().unwrap();
    let mut component = guests::serving(guests::TRAPS);
    (0..24).for_each(|_| add_module(&mut component, &sparse_module(FAR_APART)));
    let mut command = command();
    command.args(["--camera", "emulated", "--cache"]).arg(folder.path());
    let server = Server::start_command(command);
    assert_eq!(server.put_guest(&component).status, 200);
    let artifacts = std::fs::read_dir(folder.path().join("artifacts")).unwrap();
    let largest = artifacts.map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap();
    assert!(largest < 4 << 20, "{largest} bytes");
}

#[test]
fn a_component_whose_artifact_is_too_large_is_refused() {
    let mut component = guests::serving(guests::TRAPS);
    // Each takes a megabyte.
    (0..300).for_each(|_| add_module(&mut component, &sparse_module(1_000_000)));
    let server = Server::start(&["--camera", "emulated", "--no-cache"]);
    let refused = server.put_guest(&component);
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("its compiled code takes more than 256 MiB"), "{}", refused.text());
    assert_eq!(get(server.address, "/snapshot").status, 200);
}
