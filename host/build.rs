//! Compiles the guest to a component and embeds it in the host, together with its sources for `hotshoe guest new`.
//!
//! If the target `wasm32-wasip2` is not installed, the build script embeds the prebuilt copy `guest/prebuilt.wasm`
//! instead and prints a warning. It never uses the network.

#[path = "build/sources.rs"]
mod sources;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-wasip2";

/// What `hotshoe guest new` creates guests from: a folder for each language, and `full` with the files of a copy of the
/// built-in guest that differ from it.
const TEMPLATES: &str = "guest/templates";

/// The names of the folders with small guests.
const LANGUAGES: [&str; 4] = ["rust", "js", "python", "c"];

/// The scripts in all new guests, and in copies of the built-in guest only.
const DEV: &str = "guest/templates/dev";
const BUILD: &str = "guest/build";

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
    let workspace = manifest_dir.parent().ok_or("the folder of the host has no parent folder")?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    let watched = ["guest/Cargo.toml", "guest/src", "wit", sources::PREBUILT, "Cargo.toml", "Cargo.lock"];
    for path in watched.into_iter().chain([TEMPLATES, BUILD]) {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    let digest =
        sources::digest(workspace).map_err(|error| format!("cannot read the sources of the guest: {error}"))?;
    let component = match compile(workspace, &out)? {
        Some(component) => sources::stamp(component, &digest),
        None => prebuilt(workspace, &digest)?,
    };
    let path = out.join("guest.wasm");
    fs::write(&path, component).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    // Not the name of an option: cargo also passes the variable to tests, and so to the servers that they start.
    println!("cargo::rustc-env=HOTSHOE_BUILT_IN_GUEST={}", path.display());
    list_new_guests(workspace, &out).map_err(|error| format!("cannot list the sources of new guests: {error}"))
}

/// Writes the files of new guests as Rust expressions: arrays of paths and contents. `full_guest.rs` has the sources of
/// the built-in guest, except for its manifest; `rust_guest.rs` and so on have the template in that language.
fn list_new_guests(workspace: &Path, out: &Path) -> io::Result<()> {
    let mut full = Vec::new();
    let mut common = vec![("dev".to_owned(), workspace.join(DEV))];
    for (name, path) in sources::files(workspace)? {
        match name.strip_prefix(sources::WIT) {
            Some(rest) => common.push((format!("wit{rest}"), path)),
            None => full.push((name.strip_prefix("guest/").unwrap_or(&name).to_owned(), path)),
        }
    }
    full.retain(|(name, _)| name != "Cargo.toml");
    full.push(("build".to_owned(), workspace.join(BUILD)));
    full.extend(files_in(&workspace.join(TEMPLATES).join("full"))?);
    full.extend_from_slice(&common);
    list_files(&full, &out.join("full_guest.rs"))?;
    for language in LANGUAGES {
        let mut files = files_in(&workspace.join(TEMPLATES).join(language))?;
        files.extend_from_slice(&common);
        list_files(&files, &out.join(format!("{language}_guest.rs")))?;
    }
    Ok(())
}

/// Returns all files in a folder, relative to it and absolute, in the order of the paths.
fn files_in(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    sources::collect(folder, &mut files)?;
    files.sort();
    let name = |path: &Path| path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
    Ok(files.into_iter().map(|path| (name(&path), path)).collect())
}

fn list_files(files: &[(String, PathBuf)], list: &Path) -> io::Result<()> {
    let line = |(name, path): &(String, PathBuf)| format!("    ({name:?}, include_bytes!({path:?})),\n");
    let lines: String = files.iter().map(line).collect();
    fs::write(list, format!("[\n{lines}]\n"))
}

/// Compiles the guest. Returns `None` if the target or the dependencies are missing.
fn compile(workspace: &Path, out: &Path) -> Result<Option<Vec<u8>>, String> {
    let rustc = variable("RUSTC")?;
    let libdir = Command::new(&rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    let libdir = libdir.map_err(|error| format!("cannot run {rustc}: {error}"))?;
    let libdir = PathBuf::from(String::from_utf8_lossy(&libdir.stdout).trim());
    if !libdir.is_dir() {
        warn(&format!("the target {TARGET} is not installed (`rustup target add {TARGET}`)"));
        // Rebuild when rustup installs a target.
        if let Some(installed) = libdir.ancestors().nth(2).map(|rustlib| rustlib.join("components"))
            && installed.exists()
        {
            println!("cargo::rerun-if-changed={}", installed.display());
        }
        return Ok(None);
    }
    // In the folder of this profile, as `out` is: clippy gives this script another `out`, but needs the same guest.
    let target_dir = out.ancestors().nth(3).unwrap_or(out).join("guest-target");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .current_dir(workspace)
        .args(["build", "--package", "hotshoe-guest", "--lib", "--profile", "guest", "--target", TARGET])
        .args(["--locked", "--offline"])
        .arg("--target-dir")
        .arg(&target_dir)
        // In place of the flags for the host.
        .env("CARGO_ENCODED_RUSTFLAGS", remap_flags(workspace).join("\u{1f}"));
    // Set by cargo, clippy or coverage tools for the compilation of the host.
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
    // `cargo install` only fetches the dependencies of the host.
    if messages.contains("--offline") {
        warn("the dependencies of the guest are missing (`cargo fetch`)");
        return Ok(None);
    }
    Err(format!("the guest does not compile:\n{messages}"))
}

/// Returns compiler flags that keep the paths of this machine out of the component.
fn remap_flags(workspace: &Path) -> Vec<String> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let mut remap = vec![(workspace.to_owned(), ".")];
    if let Some(home) = home {
        // The folders in there are named after the registry and a hash, which differ between machines. The last of
        // several matching prefixes applies.
        let registries = fs::read_dir(home.join("registry").join("src"));
        remap.push((home, "cargo"));
        remap.extend(registries.into_iter().flatten().flatten().map(|entry| (entry.path(), "crates")));
    }
    remap.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect()
}

fn prebuilt(workspace: &Path, digest: &str) -> Result<Vec<u8>, String> {
    let path = workspace.join(sources::PREBUILT);
    let component = fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    warn(&format!("embedding {} instead", sources::PREBUILT));
    if sources::stamped_digest(&component).as_deref() != Some(digest) {
        warn("the prebuilt guest is out of date: it lacks changes made in guest/ or wit/");
    }
    Ok(component)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo did not set {name}"))
}

fn warn(line: &str) {
    println!("cargo::warning={line}");
}
