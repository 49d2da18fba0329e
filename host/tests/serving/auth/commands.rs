//! `hotshoe passwd` and `hotshoe token`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};
use std::time::{Duration, SystemTime};

use hotshoe_test_support::client::{get, send};
use hotshoe_test_support::server::{Server, command, command_with_limit, end, run, start_failing};
use httpdate::parse_http_date;

use super::accounts::{basic, write_private};

/// Runs `hotshoe passwd` with these arguments and this standard input.
fn passwd(args: &[&str], input: &str) -> Output {
    let mut command = command();
    command.arg("passwd").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Fails if the program refuses its arguments before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn what_the_commands_print_admits_to_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (users, secret) = (folder.path().join("users.toml"), folder.path().join("secret"));
    let section = passwd(&["ann@example.com", "--role", "control"], "a b c d e f\n");
    assert!(section.status.success(), "{}", text(section.stderr));
    let token = run(["token", "--camera", "front", "--for", "1h", "--secret-file", secret.to_str().unwrap()]);
    assert!(token.status.success(), "{}", text(token.stderr));
    let (token, note) = (text(token.stdout).trim().to_owned(), text(token.stderr));
    assert!(note.contains("opens front") && note.contains("/snapshot/front") && !note.contains(&token), "{note}");
    let expires = token.split('.').nth(2).unwrap().parse().unwrap();
    let date = note.split_once(" and expires on ").unwrap().1.split_once(". ").unwrap().0;
    assert_eq!(parse_http_date(date).unwrap(), SystemTime::UNIX_EPOCH + Duration::from_secs(expires));
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let tokens = format!("[tokens]\nsecret_file = \"{}\"\n", secret.display());
    write_private(&users, &(text(section.stdout) + &tokens));

    let server = Server::start(&["--camera", "front=emulated", "--users", users.to_str().unwrap()]);
    assert_eq!(get(server.address, "/snapshot/front").status, 401);
    let right = basic("ann@example.com", "a b c d e f");
    assert_eq!(send(server.address, "GET", "/", &[("Authorization", &right)], b"").status, 200);
    assert_eq!(get(server.address, &format!("/snapshot/front?token={token}")).status, 200);
    // Another token of the same secret.
    let another = run(["token", "--secret-file", secret.to_str().unwrap()]);
    let another = text(another.stdout);
    assert_eq!(get(server.address, &format!("/snapshot?token={}", another.trim())).status, 200);
}

/// An empty file stayed, and every later run refused it as an invalid secret.
#[test]
fn a_secret_that_cannot_be_written_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    // With the signal ignored, a write beyond the limit fails and does not end the program.
    let mut limited = command_with_limit("-f 0 && trap '' XFSZ");
    limited.args(["token", "--secret-file", secret.to_str().unwrap()]);
    let output = end(limited);
    let stderr = text(output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("cannot write {}: ", secret.display())), "{stderr}");
    assert!(!secret.exists());
}

#[test]
fn passwords_and_names_that_cannot_be_used_are_refused() {
    for (args, input, message) in [
        (&["ann"][..], "short\n", "at least 8 characters"),
        (&[], "", "at least 8 characters"),
        (&["a:b"], "long enough\n", "`a:b` is not the name of a user"),
        (&["ann"], &"x".repeat(2000), "at most 1024 bytes"),
        (&["ann", "--role", "root"], "", "view, control or admin"),
    ] {
        let output = passwd(args, input);
        let stderr = text(output.stderr);
        assert!(!output.status.success() && stderr.contains(message), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
    let hash = text(passwd(&[], "long enough").stdout);
    assert!(hash.starts_with("$argon2id$v=19$m=12288,t=3,p=1$") && hash.lines().count() == 1, "{hash}");
}

#[test]
fn a_file_of_users_that_cannot_be_used_ends_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.toml");
    for (content, message) in [
        ("", "neither users nor tokens"),
        ("[users.ann]\npassword = \"hunter22\"\n", "the user ann: the password is not a hash"),
        ("[users.ann]\nrole = \"root\"\n", "line 2: the user ann: `role` must be view, control or admin"),
        ("[tokens]\nsecret_file = \"/nonexistent\"\n", "cannot read the token secret /nonexistent"),
    ] {
        write_private(&file, content);
        let stderr = text(start_failing(["--camera", "emulated", "--users", file.to_str().unwrap()]).stderr);
        assert!(stderr.contains(message) && !stderr.contains("hunter22"), "{stderr}");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let stderr = text(start_failing(["--camera", "emulated", "--users", file.to_str().unwrap()]).stderr);
    assert!(stderr.contains("other users can access the file with users"), "{stderr}");
}
