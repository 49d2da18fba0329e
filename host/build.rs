//! Compiles the guest to a component and hands it to the host, to be embedded; and its sources with it, for
//! `hotshoe guest new`.
//!
//! Where that can't be done, because the target `wasm32-wasip2` is not installed, the copy in
//! `guest/prebuilt.wasm` is embedded instead, and a warning says so. Nothing here uses the network.

#[path = "build/sources.rs"]
mod sources;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-wasip2";

/// What a new guest has that the built-in one has not, or otherwise; and the script that both have.
const TEMPLATE: &str = "guest/template";
const DEV: &str = "guest/dev";

/// A build script reports by its exit code and by what it prints; cargo shows both.
fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), String> {
    let manifest_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let workspace = manifest_dir.parent().ok_or("the host has no parent folder")?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let others = [sources::PREBUILT, "Cargo.toml", "Cargo.lock", TEMPLATE, DEV];
    for path in sources::FOLDERS_AND_FILES.iter().chain(&others) {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    let digest = sources::digest(workspace).map_err(|error| format!("cannot read the guest's sources: {error}"))?;
    let component = match compile(workspace, &out)? {
        Some(component) => sources::stamp(component, &digest),
        None => prebuilt(workspace, &digest)?,
    };
    let path = out.join("guest.wasm");
    fs::write(&path, component).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("cargo::rustc-env=HOTSHOE_GUEST={}", path.display());
    list_new_guest(workspace, &out.join("new_guest.rs"))
}

/// Write the list of the files of a new guest, as a Rust expression: an array of paths and contents. They are the
/// built-in guest's, and those of the template in place of its manifest.
fn list_new_guest(workspace: &Path, list: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot list the guest's sources: {error}");
    let mut files = Vec::new();
    for (name, path) in sources::files(workspace).map_err(failed)? {
        let inside = name.strip_prefix("guest/").unwrap_or(&name);
        if inside != "Cargo.toml" {
            files.push((inside.to_owned(), path));
        }
    }
    for entry in fs::read_dir(workspace.join(TEMPLATE)).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        files.extend(path.file_name().map(|name| (name.to_string_lossy().into_owned(), path.clone())));
    }
    files.push(("dev".to_owned(), workspace.join(DEV)));
    let lines: String =
        files.iter().map(|(name, path)| format!("    ({name:?}, include_bytes!({path:?})),\n")).collect();
    fs::write(list, format!("[\n{lines}]\n")).map_err(failed)
}

/// Compile the guest; none where this machine can't.
fn compile(workspace: &Path, out: &Path) -> Result<Option<Vec<u8>>, String> {
    let rustc = variable("RUSTC")?;
    let library = Command::new(&rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    let library = library.map_err(|error| format!("cannot run {rustc}: {error}"))?;
    let library = PathBuf::from(String::from_utf8_lossy(&library.stdout).trim());
    if !library.is_dir() {
        warn(&format!("the target {TARGET} is not installed (`rustup target add {TARGET}`)"));
        // Built again when rustup has changed what is installed.
        if let Some(installed) = library.ancestors().nth(2).map(|rustlib| rustlib.join("components"))
            && installed.exists()
        {
            println!("cargo::rerun-if-changed={}", installed.display());
        }
        return Ok(None);
    }
    let target_dir = out.join("guest-target");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .current_dir(workspace)
        .args(["build", "--package", "hotshoe-guest", "--lib", "--profile", "guest", "--target", TARGET])
        .args(["--locked", "--offline"])
        .arg("--target-dir")
        .arg(&target_dir)
        // The host's flags are not for WebAssembly; and paths of this machine are for no one.
        .env("CARGO_ENCODED_RUSTFLAGS", remap_paths(workspace).join("\u{1f}"));
    // What cargo and its tools (clippy, coverage) set for the host's own compilation.
    for name in ["RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR", "CARGO_INCREMENTAL"]
    {
        cargo.env_remove(name);
    }
    let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let component = target_dir.join(TARGET).join("guest").join("hotshoe_guest.wasm");
        return fs::read(&component).map(Some).map_err(|error| format!("cannot read {}: {error}", component.display()));
    }
    // As with `cargo install`, which only fetches what the host itself needs.
    if messages.contains("--offline") {
        warn("the guest's dependencies are not on this machine (`cargo fetch`)");
        return Ok(None);
    }
    Err(format!("the guest does not compile:\n{messages}"))
}

/// Flags that keep this machine's paths out of the component.
fn remap_paths(workspace: &Path) -> Vec<String> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let mut remap = vec![(workspace.to_owned(), ".")];
    if let Some(home) = home {
        // Folders in there are named after the registry and a hash, which differ between machines. Of several
        // prefixes that match, the last is taken.
        let registries = fs::read_dir(home.join("registry").join("src"));
        remap.push((home, "cargo"));
        remap.extend(registries.into_iter().flatten().flatten().map(|entry| (entry.path(), "crates")));
    }
    remap.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect()
}

/// The copy that is checked in.
fn prebuilt(workspace: &Path, digest: &str) -> Result<Vec<u8>, String> {
    let path = workspace.join(sources::PREBUILT);
    let component = fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    warn(&format!("embedding {} instead", sources::PREBUILT));
    if sources::stamped_digest(&component).as_deref() != Some(digest) {
        warn("that copy was made from other sources: what was changed in guest/ or wit/ is not in it");
    }
    Ok(component)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo did not set {name}"))
}

fn warn(line: &str) {
    println!("cargo::warning={line}");
}
