//! Guests as their usual toolchains build them: web applications for standard `wasi:http` that do not use cameras, and
//! the templates. The toolchains import files, sockets and outgoing HTTP into every component.

pub mod templates;

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use hotshoe_conformance::program::exists;
use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::workspace;

use crate::harness::run_successfully;

/// The time limit for uploading a component with an interpreter, in seconds. A debug build compiles 18 MB in a minute,
/// or in several minutes while other tests run.
const UPLOAD_TIMEOUT_SECONDS: &str = "400";

/// Serves a guest in JavaScript, built by componentize-js.
pub fn javascript() {
    let component = build_javascript();
    let server = serve(&component, &[]);
    assert_eq!(get(server.address, "/some/path").text(), "JavaScript, outgoing request: TypeError\n");
    server.wait_for_log("guest stdout: JavaScript received a request for /some/path");
    drop(server);
    let origin = responding("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let server = serve(&component, &["--allow-outgoing", &format!("http://localhost:{}=127.0.0.1", origin.port())]);
    let path = format!("/?fetch=http://localhost:{}/a", origin.port());
    assert_eq!(get(server.address, &path).text(), "JavaScript, outgoing request: 200 hello\n");
}

/// Builds the guest in JavaScript, and returns the component.
pub fn build_javascript() -> PathBuf {
    let tool = fs::read(componentize_js().join("package.json")).unwrap();
    build_once("javascript", &[source("app.js"), source("build.mjs")], &tool, |folder, component| {
        // componentize-js supports only the release of WASI that it was built with.
        let wit = wit(folder, "0.2.10");
        let mut node = Command::new("node");
        node.arg(source("build.mjs")).arg(source("app.js")).arg(wit).arg(component);
        run_successfully(node.env("COMPONENTIZE_JS", componentize_js()));
    })
}

/// Serves a guest in Python, built by componentize-py.
pub fn python() {
    let tool = run_successfully(Command::new(componentize_py()).arg("--version")).stdout;
    let component = build_once("python", &[source("app.py")], &tool, |folder, component| {
        fs::copy(source("app.py"), folder.join("app.py")).unwrap();
        let wit = wit(folder, "0.2.12");
        let mut command = Command::new(componentize_py());
        command.current_dir(folder).arg("-d").arg(wit).args(["-w", "app", "componentize", "app", "-o"]);
        run_successfully(command.arg(component));
    });
    let server = serve(&component, &[]);
    assert_eq!(get(server.address, "/some/path").text(), "Python, file: FileNotFoundError\n");
    server.wait_for_log("guest stdout: Python received a request for /some/path");
}

/// Builds a component with an interpreter, unless an earlier test or run has built it from the same sources with the same
/// tool. Such a build is never the same twice, so the server would have to compile it again, which takes a minute.
/// `build` gets a folder to work in and the path of the component.
fn build_once(language: &str, sources: &[PathBuf], tool: &[u8], build: impl FnOnce(&Path, &Path)) -> PathBuf {
    static LOCK: Mutex<()> = Mutex::new(());
    let mut hasher = DefaultHasher::new();
    tool.hash(&mut hasher);
    let packages = fs::read_dir(workspace().join("wit/deps")).unwrap().map(|entry| entry.unwrap().path());
    let packages: BTreeSet<_> = packages.collect();
    // This file, because it writes the world.
    for file in sources.iter().chain(&packages).chain([&source("mod.rs")]) {
        fs::read(file).unwrap().hash(&mut hasher);
    }
    let cached = format!("{language}-{:016x}.wasm", hasher.finish());
    let cached = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(cached);
    let _lock = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    if !cached.exists() {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let component = folder.path().join("app.wasm");
        build(folder.path(), &component);
        for earlier in fs::read_dir(env!("CARGO_TARGET_TMPDIR")).unwrap().map(|entry| entry.unwrap().path()) {
            let name = earlier.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with(&format!("{language}-")) && name.ends_with(".wasm") {
                fs::remove_file(earlier).unwrap();
            }
        }
        fs::rename(component, &cached).unwrap();
    }
    cached
}

/// Serves a guest in Rust that uses the standard library, built by cargo.
pub fn rust() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(source("app.rs"), folder.path().join("app.rs")).unwrap();
    fs::copy(source("app.toml"), folder.path().join("Cargo.toml")).unwrap();
    wit(folder.path(), "0.2.12");
    // Kept between runs, because the dependencies take half a minute.
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("app");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(folder.path()).args(["build", "--quiet", "--offline", "--target", "wasm32-wasip2"]);
    run_successfully(cargo.arg("--target-dir").arg(&target));
    let server = serve(&target.join("wasm32-wasip2/debug/app.wasm"), &[]);
    assert_eq!(get(server.address, "/some/path").text(), "Rust, socket: Err(PermissionDenied)\n");
    server.wait_for_log("guest stdout: Rust received a request for /some/path");
}

/// Returns the tools that [`javascript`] needs and that are missing.
pub fn missing_for_javascript() -> Option<String> {
    let tools = [("node", exists("node")), ("componentize-js", componentize_js().is_dir()), ("curl", exists("curl"))];
    missing(&tools)
}

/// Returns the tools that [`python`] needs and that are missing.
pub fn missing_for_python() -> Option<String> {
    missing(&[("componentize-py", exists(&componentize_py())), ("curl", exists("curl"))])
}

fn missing(tools: &[(&str, bool)]) -> Option<String> {
    let missing: Vec<_> = tools.iter().filter(|(_, exists)| !exists).map(|(name, _)| *name).collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// Returns the folder of the package componentize-js, which `.ci/run` sets.
fn componentize_js() -> PathBuf {
    std::env::var_os("HOTSHOE_COMPONENTIZE_JS").unwrap_or_default().into()
}

/// Returns the program componentize-py, which `.ci/run` sets.
pub fn componentize_py() -> String {
    std::env::var("HOTSHOE_COMPONENTIZE_PY").unwrap_or_else(|_| "componentize-py".to_owned())
}

fn source(name: &str) -> PathBuf {
    workspace().join("host/tests/machine/toolchains").join(name)
}

/// Writes a world that exports only the request handler, with the packages of this release of WASI. Returns its folder.
fn wit(folder: &Path, release: &str) -> PathBuf {
    let wit = folder.join("wit");
    for entry in fs::read_dir(workspace().join("wit/deps")).unwrap() {
        let file = entry.unwrap().path();
        let package = wit.join("deps").join(file.file_stem().unwrap());
        fs::create_dir_all(&package).unwrap();
        let text = fs::read_to_string(&file).unwrap().replace("0.2.12", release);
        fs::write(package.join("package.wit"), text).unwrap();
    }
    let world = format!(
        "package test:app; world app {{ import wasi:http/types@{release}; export wasi:http/incoming-handler@{release}; }}"
    );
    fs::write(wit.join("app.wit"), world).unwrap();
    wit
}

/// Starts a server that responds with these bytes to every connection. Returns its address.
fn responding(response: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // The head of the request arrives in one piece.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(response.as_bytes());
        }
    });
    address
}

/// Starts a server with these options and uploads a component as its guest.
fn serve(component: &Path, options: &[&str]) -> Server {
    let server = Server::start(&[&["--camera", "emulated"], options].concat());
    upload(&server, component);
    server
}

/// Uploads a component as the guest of a server.
pub fn upload(server: &Server, component: &Path) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail-with-body", "--max-time", UPLOAD_TIMEOUT_SECONDS, "--upload-file"]);
    run_successfully(curl.arg(component).arg(format!("http://{}/guest", server.admin.unwrap())));
}
