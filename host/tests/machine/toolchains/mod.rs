//! Web applications in other languages, as the usual toolchains build them: standard `wasi:http` components that know
//! nothing about cameras, and import files, sockets and outgoing HTTP without being asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hotshoe_conformance::program::exists;
use hotshoe_test_support::client::get;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::workspace;

use crate::harness::run_successfully;

/// The longest that an upload of an interpreter may take, in seconds: compiling 18 MB takes a debug build a minute,
/// beside other tests several.
const UPLOAD_TIMEOUT_SECONDS: &str = "400";

/// A guest in JavaScript, by componentize-js.
pub fn javascript() {
    let folder = tempfile::tempdir().unwrap();
    // componentize-js has the types of this release of WASI compiled in.
    let wit = wit(folder.path(), "0.2.10");
    let component = folder.path().join("app.wasm");
    let mut node = Command::new("node");
    node.arg(source("build.mjs")).arg(source("app.js")).arg(wit).arg(&component);
    run_successfully(node.env("COMPONENTIZE_JS", componentize_js()));
    let server = serve(&component);
    assert_eq!(get(server.address, "/some/path").text(), "JavaScript, outgoing request: TypeError\n");
    server.wait_for_log("guest stdout: JavaScript was asked for /some/path");
}

/// A guest in Python, by componentize-py.
pub fn python() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(source("app.py"), folder.path().join("app.py")).unwrap();
    let wit = wit(folder.path(), "0.2.12");
    let component = folder.path().join("app.wasm");
    let mut command = Command::new(componentize_py());
    command.current_dir(folder.path()).arg("-d").arg(wit).args(["-w", "app", "componentize", "app", "-o"]);
    run_successfully(command.arg(&component));
    let server = serve(&component);
    assert_eq!(get(server.address, "/some/path").text(), "Python, file: FileNotFoundError\n");
    server.wait_for_log("guest stdout: Python was asked for /some/path");
}

/// The tools that are missing for [`javascript`].
pub fn missing_for_javascript() -> Option<String> {
    let tools = [("node", exists("node")), ("componentize-js", componentize_js().is_dir()), ("curl", exists("curl"))];
    missing(&tools)
}

/// The tools that are missing for [`python`].
pub fn missing_for_python() -> Option<String> {
    missing(&[("componentize-py", exists(&componentize_py())), ("curl", exists("curl"))])
}

fn missing(tools: &[(&str, bool)]) -> Option<String> {
    let missing: Vec<_> = tools.iter().filter(|(_, exists)| !exists).map(|(name, _)| *name).collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// The folder of the package componentize-js, as set by `.ci/run`.
fn componentize_js() -> PathBuf {
    std::env::var_os("HOTSHOE_COMPONENTIZE_JS").unwrap_or_default().into()
}

/// The program componentize-py, as set by `.ci/run`.
fn componentize_py() -> String {
    std::env::var("HOTSHOE_COMPONENTIZE_PY").unwrap_or_else(|_| "componentize-py".to_owned())
}

fn source(name: &str) -> PathBuf {
    workspace().join("host/tests/machine/toolchains").join(name)
}

/// A folder with a world that exports only a handler of requests, and the packages of this release of WASI.
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

/// Starts a server, and uploads this component.
fn serve(component: &Path) -> Server {
    let server = Server::start(&["--camera", "emulated"]);
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail-with-body", "--max-time", UPLOAD_TIMEOUT_SECONDS, "--upload-file"]);
    run_successfully(curl.arg(component).arg(format!("http://{}/guest", server.admin.unwrap())));
    server
}
