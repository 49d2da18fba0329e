//! The manifests in `docs/scaling.md`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use hotshoe_test_support::client::get;
use hotshoe_test_support::server::{Server, command};
use hotshoe_test_support::{wait_until, workspace};

/// The tool that validates manifests against the schemas of Kubernetes, which it contains.
pub const VALIDATOR: &str = "kubernetes-validate";

/// The oldest and the newest version of Kubernetes that the validator knows.
const VERSIONS: [&str; 2] = ["1.25", "1.37"];

fn manifests() -> String {
    let text = fs::read_to_string(workspace().join("docs/scaling.md")).unwrap();
    let blocks: Vec<_> = text.split("```yaml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert!(!blocks.is_empty());
    blocks.join("---\n")
}

fn validate(folder: &Path, manifests: &str, version: &str) -> Output {
    let file = folder.join("manifests.yaml");
    fs::write(&file, manifests).unwrap();
    Command::new(VALIDATOR).args(["--strict", "-k", version]).arg(file).output().unwrap()
}

/// The documented manifests follow the schemas of Kubernetes, without unknown fields.
pub fn manifests_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = manifests();
    for version in VERSIONS {
        let output = validate(folder.path(), &manifests, version);
        let text = format!("{output:?}");
        assert!(output.status.success(), "{version}: {text}");
        for resource in ["deployment/hotshoe-relay", "service/hotshoe-relay"] {
            assert!(text.contains(&format!("passed for resource {resource}")), "{version}: {text}");
        }
    }
    // What the validator is for.
    let wrong = manifests.replacen("failureThreshold", "failureTreshold", 1);
    assert!(!validate(folder.path(), &wrong, VERSIONS[0]).status.success(), "a misspelt field is found");
}

/// A server with the arguments and the environment of the container answers its probes, also while the origin is out of
/// reach. It stores compiled guests in the volume, to which everyone can write, as to an `emptyDir`.
pub fn container_answers_its_probes() {
    let manifests = manifests();
    let (_, container) = manifests.split_once("args:\n").unwrap();
    let arguments = container.lines().map_while(|line| line.trim().strip_prefix("- "));
    let field = |name: &str| container.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap();
    let volume = tempfile::tempdir().unwrap();
    fs::set_permissions(volume.path(), Permissions::from_mode(0o777)).unwrap();
    let cache = Path::new(field("value: ")).strip_prefix(field("mountPath: ")).unwrap();
    let cache = volume.path().join(cache);
    let mut server = command();
    for argument in arguments {
        // A name that never resolves (RFC 6761), and any free port.
        let (option, value) = argument.split_once('=').unwrap();
        let value = if option == "--listen" { "127.0.0.1:0" } else { &value.replace("pi.local", "pi.invalid") };
        server.args([option, value]);
    }
    server.env_remove("XDG_CACHE_HOME").env("HOME", "/nonexistent").env("CACHE_DIRECTORY", &cache);
    let server = Server::start_command(server);
    let probes: Vec<_> = container.lines().filter_map(|line| line.trim().strip_prefix("path: ")).collect();
    assert_eq!(probes, ["/readyz", "/healthz"]);
    let answers = || probes.iter().all(|path| get(server.address, path).status == 200);
    assert!(answers());
    let reason = get(server.address, "/snapshot").text();
    assert!(reason.contains("pi.invalid"), "{reason}");
    assert!(answers());
    wait_until("the compiled guest is in the volume", || {
        fs::read_dir(cache.join("artifacts")).is_ok_and(|mut entries| entries.next().is_some())
    });
}
