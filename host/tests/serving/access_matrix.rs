//! Who may request what: each path with each method and each kind of credentials.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufReader, Write as _};
use std::net::SocketAddr;

use hotshoe_test_support::client::{connect, read_head};
use hotshoe_test_support::guests::{DRIVES, driver};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::workspace;

use super::auth::{Accounts, REVOKED, basic, login, token, token_until};

/// The credentials, one for each character of a row.
const CREDENTIALS: [&str; 10] = [
    "none",
    "a wrong password",
    "an unknown user",
    "the role view",
    "the role control",
    "the role admin",
    "a token for the camera front",
    "a token for all cameras",
    "a revoked token",
    "an expired token",
];

/// Method, path, and for each of [`CREDENTIALS`] the outcome: `1` is 401, `3` is 403, and `+` anything else.
type Row = (&'static str, &'static str, &'static str);

/// What viewers can reach: the paths of the built-in guest, and one that does not exist.
const VIEWER: [Row; 63] = [
    ("GET", "/healthz", "++++++++++"),
    ("GET", "/readyz", "++++++++++"),
    ("GET", "/", "111+++3311"),
    ("HEAD", "/", "111+++3311"),
    ("OPTIONS", "/", "111+++3311"),
    ("POST", "/", "1113++3311"),
    ("GET", "/?action=stream", "111+++3+11"),
    ("GET", "/?action=stream_1", "111+++3+11"),
    ("GET", "/?action=snapshot", "111+++3+11"),
    ("GET", "/?action=snapshot_1", "111+++3+11"),
    ("GET", "/video_feed", "111+++3+11"),
    ("GET", "/video_feed/front", "111+++++11"),
    ("HEAD", "/video_feed/front", "111+++++11"),
    ("GET", "/video_feed/yard", "111+++3+11"),
    ("POST", "/video_feed/front", "1113++3311"),
    ("GET", "/stream", "111+++3+11"),
    ("GET", "/stream.mjpg", "111+++3+11"),
    ("GET", "/stream/front", "111+++++11"),
    ("GET", "/stream/front.mjpg", "111+++++11"),
    ("GET", "/stream/yard", "111+++3+11"),
    ("GET", "/stream/front?action=stream_1", "111+++3311"),
    ("GET", "/pictures", "111+++3+11"),
    ("GET", "/pictures?cameras=front", "111+++3+11"),
    ("GET", "/snapshot", "111+++3+11"),
    ("GET", "/snapshot.jpg", "111+++3+11"),
    ("GET", "/snapshot/front", "111+++++11"),
    ("HEAD", "/snapshot/front", "111+++++11"),
    ("OPTIONS", "/snapshot/front", "111+++3311"),
    ("GET", "/snapshot/front.jpg", "111+++++11"),
    ("GET", "/snapshot/front?max_age=0", "111+++++11"),
    ("GET", "/snapshot/yard", "111+++3+11"),
    ("GET", "//snapshot//front", "111+++3311"),
    ("GET", "/snapshot/%66ront", "111+++3311"),
    ("GET", "/snapshot/front/", "111+++3311"),
    ("PUT", "/snapshot/front", "1113++3311"),
    ("DELETE", "/snapshot/front", "1113++3311"),
    ("PATCH", "/snapshot/front", "1113++3311"),
    ("GET", "/events", "111+++3311"),
    ("GET", "/events/1.jpg", "111+++3311"),
    ("GET", "/results", "111+++3+11"),
    ("GET", "/results/front", "111+++++11"),
    ("GET", "/results/yard", "111+++3+11"),
    ("GET", "/results/front?cameras=yard", "111+++3311"),
    ("GET", "/results?cameras=front", "111+++3+11"),
    ("GET", "/clip", "111+++3+11"),
    ("GET", "/clip/front", "111+++++11"),
    ("GET", "/clip/front.mkv", "111+++++11"),
    ("GET", "/clip/yard", "111+++3+11"),
    ("GET", "/minute", "111+++3+11"),
    ("GET", "/minute/front", "111+++++11"),
    ("GET", "/state", "111+++3+11"),
    ("GET", "/state/front", "111+++++11"),
    ("GET", "/log", "111+++3+11"),
    ("GET", "/log/front", "111+++++11"),
    ("GET", "/log.csv", "111+++3+11"),
    ("GET", "/log/front.csv", "111+++++11"),
    ("GET", "/controls", "111+++3311"),
    ("GET", "/controls/front", "111+++3311"),
    ("OPTIONS", "/controls/front", "111+++3311"),
    ("POST", "/controls", "1113++3311"),
    ("POST", "/controls/front", "1113++3311"),
    ("GET", "/other", "111+++3311"),
    ("POST", "/other", "1113++3311"),
];

/// What the admin listener offers.
const ADMIN: [Row; 21] = [
    ("GET", "/healthz", "++++++++++"),
    ("GET", "/readyz", "++++++++++"),
    ("GET", "/status", "11133+3311"),
    ("GET", "/metrics", "11133+3311"),
    ("GET", "/guest", "11133+3311"),
    ("HEAD", "/guest", "11133+3311"),
    ("PUT", "/guest", "11133+3311"),
    ("DELETE", "/guest", "11133+3311"),
    ("POST", "/guest/rollback", "11133+3311"),
    ("POST", "/config/reload", "11133+3311"),
    ("GET", "/cameras", "11133+3311"),
    ("GET", "/cameras/NAME", "11133+3311"),
    ("PUT", "/cameras/NAME", "11133+3311"),
    ("POST", "/cameras/NAME/rollback", "11133+3311"),
    ("GET", "/cameras/NAME/filters", "11133+3311"),
    ("GET", "/cameras/NAME/filters/N", "11133+3311"),
    ("PUT", "/cameras/NAME/filters/N", "11133+3311"),
    ("POST", "/cameras/NAME/filters/N/rollback", "11133+3311"),
    ("GET", "/snapshot/front", "11133+3311"),
    ("OPTIONS", "/", "11133+3311"),
    ("GET", "/other", "11133+3311"),
];

/// Requests a path with the credentials of a column, and returns the status.
fn status(address: SocketAddr, (method, path, _): Row, credentials: usize) -> u16 {
    let in_url = |token: String| {
        let separator = if path.contains('?') { '&' } else { '?' };
        (String::new(), format!("{path}{separator}token={token}"))
    };
    let in_header = |value: String| (format!("Authorization: {value}\r\n"), path.to_owned());
    let (header, target) = match credentials {
        0 => (String::new(), path.to_owned()),
        1 => in_header(basic("admin", "wrong")),
        2 => in_header(basic("unknown", "admin-password")),
        3 => in_header(login("view")),
        4 => in_header(login("control")),
        5 => in_header(login("admin")),
        6 => in_url(token("01", &["front"])),
        7 => in_header(format!("Bearer {}", token("02", &[]))),
        8 => in_url(token(REVOKED, &["front"])),
        _ => in_url(token_until(1, "03", &["front"])),
    };
    let mut stream = connect(address);
    write!(stream, "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{header}Content-Length: 0\r\n\r\n").unwrap();
    read_head(&mut BufReader::new(stream)).0
}

fn faults(address: SocketAddr, rows: &[Row]) -> Vec<String> {
    let mut faults = Vec::new();
    for row in rows {
        let (method, path, outcomes) = *row;
        assert_eq!(outcomes.len(), CREDENTIALS.len());
        for (column, expected) in outcomes.chars().enumerate() {
            let status = status(address, *row, column);
            let outcome = match status {
                401 => '1',
                403 => '3',
                _ => '+',
            };
            if outcome != expected {
                faults.push(format!("{method} {path} with {}: {status}, not {expected}\n", CREDENTIALS[column]));
            }
        }
    }
    faults
}

#[test]
fn each_path_admits_the_roles_and_tokens_of_the_access_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("driver.wasm");
    fs::write(&file, driver(DRIVES, 1)).unwrap();
    let accounts = Accounts::new();
    let users = accounts.options();
    let porch = format!("NAME=component:{}", file.display());
    let cameras = ["front=emulated,fps=20,remember=5s", "yard=emulated,fps=20,remember=5s", &porch];
    let cameras = cameras.iter().flat_map(|camera| ["--camera", camera]);
    let args: Vec<_> = cameras.chain(["--allow-control", "--users", &users[1]]).collect();
    let server = Server::start(&args);
    let faults = [faults(server.address, &VIEWER), faults(server.admin.unwrap(), &ADMIN)].concat();
    assert!(faults.is_empty(), "{}", faults.concat());
}

/// The first segments of the rows' paths, without extensions, and actions.
fn pages(rows: &[Row]) -> BTreeSet<String> {
    let paths = rows.iter().map(|(_, path, _)| *path);
    let pages = paths.flat_map(|path| {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let page = path.split('/').find(|segment| !segment.is_empty()).unwrap_or("/");
        let action = query.strip_prefix("action=").map(|action| format!("action={}", action.trim_end_matches("_1")));
        [Some(page.split('.').next().unwrap().to_owned()), action]
    });
    pages.flatten().collect()
}

#[test]
fn no_path_of_the_guest_is_missing_from_the_access_matrix() {
    let source = fs::read_to_string(workspace().join("guest/src/route.rs")).unwrap();
    let routes = source.split("let route = match (page, extension) {").nth(1).unwrap().split("};").next().unwrap();
    let pages_of_guest = routes.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next());
    let actions = source.split("let (route, rest) = rest(\"").nth(1).unwrap().split(';').next().unwrap();
    assert!(actions.contains("rest(\"snapshot\")"), "the actions are stream and snapshot");
    let mut missing: BTreeSet<_> = pages_of_guest.map(str::to_owned).collect();
    assert!(missing.len() >= 10, "{missing:?}");
    missing.extend(["/", "action=stream", "action=snapshot"].map(str::to_owned));
    for page in pages(&VIEWER) {
        missing.remove(&page);
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn no_path_of_the_admin_listener_is_missing_from_the_access_matrix() {
    let source = fs::read_to_string(workspace().join("host/src/admin/mod.rs")).unwrap();
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! | `")?.split(" |").next());
    let documented: BTreeSet<_> = rows
        .flat_map(|cell| cell.split('`'))
        .flat_map(|span| {
            let (method, path) = span.split_once(' ').unwrap_or(("GET", span));
            path.starts_with('/').then(|| (method.to_owned(), path.to_owned()))
        })
        .collect();
    assert!(documented.len() >= 7, "{documented:?}");
    let rows: BTreeSet<_> = ADMIN.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    let missing: Vec<_> = documented.difference(&rows).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
