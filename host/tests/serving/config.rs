//! The configuration file: `--config`, the environment, and `hotshoe config`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hotshoe::http::auth::PasswordHash;
use hotshoe_test_support::client::{Viewer, get, request, send};
use hotshoe_test_support::server::{Server, command, end, run, start_failing};
use hotshoe_test_support::tls::FIRST;
use hotshoe_test_support::workspace;
use rustix::process::Signal;

use crate::auth::{Accounts, login, password, write_private};

/// Runs `hotshoe config check` with a file of this text. Returns whether it is valid, and the output.
fn check(folder: &Path, text: &str) -> (bool, String) {
    let file = folder.join("hotshoe.toml");
    fs::write(&file, text).unwrap();
    let output = run(["config", "check", file.to_str().unwrap()]);
    let [printed, errors] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.success(), printed + &errors)
}

#[test]
fn a_server_is_configured_by_a_file_and_overridden_by_environment_and_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hotshoe.toml");
    let text = "linger = 0.1\nallow_control = true\nmax_requests = 7\n[cameras.yard]\nsource = \"emulated\"\nfps = 20\n\
                label = \"Yard, east\"\n[cameras.front]\nsource = \"emulated:test-pattern\"\n";
    fs::write(&file, text).unwrap();
    let server = Server::start(&["--config", file.to_str().unwrap()]);
    let page = get(server.address, "/").text();
    let [yard, front] = ["Yard, east", "data-camera=\"front\""].map(|text| page.find(text).unwrap());
    assert!(yard < front, "in the order of the file");
    Viewer::watch(server.address, "/video_feed/yard").part();

    let mut in_environment = command();
    in_environment.env("HOTSHOE_CONFIG", &file).env("HOTSHOE_CAMERA", "porch=emulated\nshed=emulated");
    let server = Server::start_command(in_environment);
    assert_eq!(get(server.address, "/snapshot/porch").status, 200);
    assert_eq!(get(server.address, "/snapshot/yard").status, 404);

    let mut overridden = command();
    overridden.env("HOTSHOE_CONFIG", &file).env("HOTSHOE_CAMERA", "porch=emulated").args(["--camera", "hall=emulated"]);
    let server = Server::start_command(overridden);
    assert_eq!(get(server.address, "/snapshot/hall").status, 200);
    assert_eq!(get(server.address, "/snapshot/porch").status, 404);
}

#[test]
fn errors_of_the_configuration_have_their_line_and_the_nearest_key() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        "# Cameras\nlisten = \":5000\"\nmax_request = 5\n\n[cameras.front]\nsource = \"emulated\"\nflips = \"both\"\n";
    let (valid, output) = check(folder.path(), text);
    assert!(!valid);
    let file = folder.path().join("hotshoe.toml");
    let expected = [
        format!("{}, line 3: unknown key `max_request`; did you mean `max_requests`?", file.display()),
        format!("{}, line 7: unknown key `flips`; did you mean `flip`?", file.display()),
    ];
    assert_eq!(output.trim_end(), format!("error: {}", expected.join("\n")));
    // The server reports the same, and does not start.
    let failed = start_failing(["--config", file.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(2));
    assert_eq!(String::from_utf8(failed.stderr).unwrap(), output);
    let (valid, output) = check(folder.path(), "linger = 3\n");
    assert!(valid && output.ends_with(": valid\n"), "{output}");
}

/// The file was valid, a reload took it, and the server did not start with it.
#[test]
fn options_that_are_not_valid_together_are_found_by_a_check_a_reload_and_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hotshoe.toml");
    fs::write(&file, "").unwrap();
    let server = Server::start(&["--config", file.to_str().unwrap()]);
    for (text, reason) in [
        ("listen = \"tls:127.0.0.1:0\"", "--listen tls:127.0.0.1:0 needs a certificate"),
        ("metrics = \"tls:127.0.0.1:0\"", "--metrics tls:127.0.0.1:0 needs a certificate"),
        ("[tls]\ncertificate = \"c\"\nkey = \"k\"", "no address uses the TLS certificate"),
        ("admin = \"0.0.0.0:0\"", "an admin listener at 0.0.0.0:0 needs a token"),
        ("watch = true", "--watch needs a file to watch"),
        ("[guest_env]\n\"A B\" = \"x\"", "invalid key"),
        ("[cameras.a]\nsource = \"stdin\"\n[cameras.b]\nsource = \"stdin\"", "two cameras read standard input"),
        ("[cameras.a]\nsource = \"http://user:secret@127.0.0.1/\"", "every user of this machine can read the password"),
        ("[cameras.a]\nsource = \"emulated\"\nfilter = \"mask.wasm?A=1&A=2\"", "A is set twice"),
    ] {
        let (valid, output) = check(folder.path(), text);
        assert!(!valid && output.contains(reason), "{text}: {output}");
        assert!(!output.contains("secret"), "{output}");
        // The test server has these addresses on its command line, and may do without a file to watch.
        if !["listen", "admin", "watch"].iter().any(|key| text.starts_with(key)) {
            let reload = request(server.admin.unwrap(), "POST", "/config/reload");
            assert!(reload.status == 422 && reload.text().contains(reason), "{text}: {}", reload.text());
        }
        let mut command = command();
        command.arg("--config").arg(&file);
        let failed = end(command);
        let error = String::from_utf8(failed.stderr).unwrap();
        assert!(failed.status.code() == Some(2) && error.contains(reason), "{text}: {error}");
    }
    assert_eq!(get(server.address, "/snapshot").status, 200);
}

/// The parser of `--camera` took some for parts of a path.
#[test]
fn names_of_sections_that_are_no_names_of_cameras_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["front/door", "a:b", "a=b", "Front, left", "", "caf\u{e9}"] {
        let (valid, output) = check(folder.path(), &format!("[cameras.\"{name}\"]\nsource = \"/dev/video0\"\n"));
        assert!(!valid, "{name}");
        let expected = format!("line 1: `{name}` is not a camera name; use 1 to ");
        assert!(output.contains(&expected), "{name}: {output}");
    }
}

#[test]
fn users_tokens_and_the_certificate_may_be_in_the_configuration_which_is_then_private() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = FIRST.write(folder.path());
    let file = folder.path().join("hotshoe.toml");
    let hash = PasswordHash::new(password("ann").as_bytes()).unwrap();
    let text = |role: &str| {
        format!(
            "[users.ann]\npassword = \"{hash}\"\nrole = \"{role}\"\n[cameras.front]\nsource = \"emulated\"\n\
             [tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
            certificate.display(),
            key.display()
        )
    };
    fs::write(&file, text("view")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let failed = start_failing(["--config", file.to_str().unwrap()]);
    let error = String::from_utf8(failed.stderr).unwrap();
    assert!(error.contains("other users can access the configuration with passwords"), "{error}");
    assert!(error.contains("chmod 600") && !error.contains("argon2"), "{error}");
    write_private(&file, &text("view"));
    let args = ["--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0", "--listen", "tls:127.0.0.1:0"];
    let server = Server::start(&args);
    let status = || {
        let login = login("ann");
        send(server.admin.unwrap(), "GET", "/guest", &[("Authorization", &login)], b"").status
    };
    assert_eq!((get(server.address, "/").status, status()), (401, 403));
    write_private(&file, &text("admin"));
    server.signal(Signal::HUP);
    server.wait_for_log("reloaded the configuration: user ann changed");
    assert_eq!(status(), 200);
    // Those of the command line replace all of them.
    let accounts = Accounts::new();
    let server = Server::start(&[&args[..], &["--users", accounts.file().to_str().unwrap()]].concat());
    assert_eq!(send(server.address, "GET", "/", &[("Authorization", &login("ann"))], b"").status, 401);
    assert_eq!(send(server.address, "GET", "/", &[("Authorization", &login("view"))], b"").status, 200);
}

#[test]
fn the_example_of_a_configuration_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let example = String::from_utf8(run(["config", "example"]).stdout).unwrap();
    assert!(example.contains("\n#max_requests = 1000\n") && example.contains("\n#[cameras.front]\n"), "{example}");
    let (valid, output) = check(folder.path(), &example);
    assert!(valid, "{output}");
    // Comments have a space after the sign.
    let (options, sections) = example.split_once("# ---- Cameras: ").unwrap();
    let sections = sections.replace("\n# ", "\n## ").replace("\n#", "\n");
    // The certificate needs an address.
    let (valid, output) = check(folder.path(), &format!("listen = \"tls::5443\"\n{options}# {sections}"));
    assert!(valid, "{output}");
}

#[test]
fn the_configuration_of_the_package_is_valid_as_it_is_and_without_comment_signs() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(workspace().join("packaging/hotshoe.toml")).unwrap();
    let (valid, output) = check(folder.path(), &text);
    assert!(valid, "{output}");
    let hash = PasswordHash::new(b"secret").unwrap().to_string();
    let text = text.replace("\n# ", "\n## ").replace("\n#\n", "\n##\n").replace("\n#", "\n");
    fs::remove_file(folder.path().join("hotshoe.toml")).unwrap();
    write_private(&folder.path().join("hotshoe.toml"), "");
    let (valid, output) = check(folder.path(), &text.replace("$argon2id$...", &hash));
    assert!(valid && text.contains("\n[users.ann]\npassword = "), "{output}");
}

#[test]
fn an_invalid_variable_of_the_environment_is_an_error() {
    let mut server = command();
    let output = server.env("HOTSHOE_LINGER", "soon").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("invalid value 'soon' for '--linger <SECONDS>'"), "{error}");
    let mut server = command();
    let output = server.env("HOTSHOE_WATCH", "disabled").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: HOTSHOE_WATCH must be 1 or 0\n");
}
