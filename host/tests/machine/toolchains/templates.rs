//! The templates of `hotshoe guest new`, one per language, with the scripts that a guest developer uses.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hotshoe_conformance::browser::{Browser, Kind, Options};
use hotshoe_conformance::program::exists;
use hotshoe_test_support::client::{Viewer, get};
use hotshoe_test_support::server::run;
use hotshoe_test_support::{DEADLINE, built_in_pictures, wait_until, wait_until_within};
use serde_json::json;

use super::{componentize_js, componentize_py, missing};
use crate::guest_target::{Dev, is_installed};

/// The number of viewers during a swap.
const VIEWERS: usize = 20;

/// The longest time between two frames of a viewer. The frames are 50 ms apart, but the machine compiles a guest and runs
/// other tests.
const LONGEST_GAP: Duration = Duration::from_secs(10);

/// How long a build and the compilation of its result may take. A debug build of the server compiles an interpreter in
/// a minute, or in several while other tests run.
const BUILD_TIME: Duration = Duration::from_secs(400);

/// A template, with the changes that the test makes.
pub struct Template {
    pub test_name: &'static str,
    language: &'static str,
    /// The file with the code.
    code: &'static str,
    /// The file with the page.
    page: &'static str,
    /// A text in the code, and its replacement with a function `develop` that fails with the message "out of film" at
    /// the path `/fault`. The second replacement adds the function.
    fault: [(&'static str, &'static str); 2],
    /// What the log says about the fault.
    fault_log: &'static [&'static str],
    /// What the log says about code that does not compile.
    compile_error: &'static str,
    /// The tools of the language that are missing.
    missing: fn() -> Option<String>,
    /// Puts tools in the folder of the guest, where its first build would install them.
    install: fn(&Path),
}

pub static TEMPLATES: [Template; 4] = [
    Template {
        test_name: "javascript_template_is_rebuilt_at_each_save_under_viewers",
        language: "js",
        code: "src/guest.js",
        page: "src/guest.js",
        fault: [
            ("if (path === '/') {", "if (path === '/fault') {\n      develop();\n    } else if (path === '/') {"),
            ("function page() {", "function develop() {\n  throw new Error('out of film');\n}\n\nfunction page() {"),
        ],
        fault_log: &["guest stderr: out of film", "develop@src/guest.js:"],
        compile_error: "SyntaxError: ",
        missing: super::missing_for_javascript,
        install: |guest| {
            let modules = componentize_js().ancestors().nth(2).unwrap().to_owned();
            symlink(modules, guest.join("node_modules")).unwrap();
        },
    },
    Template {
        test_name: "python_template_is_rebuilt_at_each_save_under_viewers",
        language: "python",
        code: "app.py",
        page: "app.py",
        fault: [
            ("case [\"\"]:", "case [\"fault\"]:\n                develop()\n            case [\"\"]:"),
            ("def snapshot(", "def develop():\n    raise ValueError(\"out of film\")\n\n\ndef snapshot("),
        ],
        fault_log: &["guest stderr: ValueError: out of film", ", in develop"],
        compile_error: "SyntaxError: ",
        missing: super::missing_for_python,
        install: |guest| {
            let folder = guest.join(".venv/bin");
            fs::create_dir_all(&folder).unwrap();
            symlink(find_program(&componentize_py()), folder.join("componentize-py")).unwrap();
        },
    },
    Template {
        test_name: "rust_template_is_rebuilt_at_each_save_under_viewers",
        language: "rust",
        code: "src/lib.rs",
        page: "src/page.html",
        fault: [
            ("if path == \"/\" {", "if path == \"/fault\" {\n            develop()\n        } else if path == \"/\" {"),
            ("fn page() ", "#[inline(never)]\nfn develop() {\n    panic!(\"out of film\")\n}\n\nfn page() "),
        ],
        fault_log: &["panicked at src/lib.rs:", "guest stderr: out of film", "::develop"],
        compile_error: "error: ",
        missing: || (!is_installed()).then(|| "wasm32-wasip2".to_owned()),
        install: |_| {},
    },
    Template {
        test_name: "c_template_is_rebuilt_at_each_save_under_viewers",
        language: "c",
        code: "src/guest.c",
        page: "src/guest.c",
        fault: [
            (
                "if (strcmp(path, \"/\") == 0) {",
                "if (strcmp(path, \"/fault\") == 0) develop();\n    if (strcmp(path, \"/\") == 0) {",
            ),
            (
                "// Responds to a request.",
                "static void develop(void) { assert(!\"out of film\"); }\n\n// Responds to a request.",
            ),
        ],
        fault_log: &["Assertion failed: !\"out of film\"", "(in develop, "],
        compile_error: "error: ",
        // wasm-component-ld comes with Rust.
        missing: || missing(&[("clang-19", exists("clang-19"))]),
        install: |_| {},
    },
];

impl Template {
    /// Returns the tools that the test needs and that are missing.
    pub fn missing(&self) -> Option<String> {
        let browser = Kind::Chromium.programs();
        let browser: Vec<_> = browser.iter().map(|name| (*name, exists(name))).collect();
        let all: Vec<_> = [(self.missing)(), missing(&browser)].into_iter().flatten().collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// A guest from the template builds, serves, is seen in a browser, and is replaced at each save without a gap in
    /// what twenty viewers see. While its code does not compile, the last guest serves, and the developer sees the
    /// error. Failures are logged with their message and the function.
    pub fn is_rebuilt_at_each_save_under_viewers(&self) {
        let folder = tempfile::tempdir().unwrap();
        let guest = folder.path().join("porch");
        let created = run(["guest", "new", "--lang", self.language, guest.to_str().unwrap()]);
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
        (self.install)(&guest);

        let dev = Dev::start(&guest, BUILD_TIME);
        let server = &dev.server;
        assert!(server.log().contains("built in "), "{}", server.log());
        assert!(get(server.address, "/").text().contains("<h1>porch"));
        let snapshot = get(server.address, "/snapshot/emulated");
        assert_eq!((snapshot.status, snapshot.header("content-type")), (200, Some("image/jpeg")));
        assert!(built_in_pictures().contains(&snapshot.body));
        for missing in ["/snapshot/barn", "/stream/barn", "/barn", "/snapshot", "/stream/"] {
            assert_eq!(get(server.address, missing).status, 404, "{missing}");
        }

        let browser = Browser::start(&Options { kind: Kind::Chromium, ..Options::default() }).unwrap();
        browser.open(&format!("http://{}/", server.address)).unwrap();
        browser.wait_for("return document.images[0]?.naturalWidth", &json!(640), DEADLINE).unwrap();
        browser.wait_for_change(&browser.find("img").unwrap(), DEADLINE).unwrap();

        let stop = Arc::new(AtomicBool::new(false));
        let viewers: Vec<_> = (0..VIEWERS).map(|_| watch(server.address, stop.clone())).collect();
        let code = guest.join(self.code);
        let source = fs::read_to_string(&code).unwrap();
        fs::write(&code, format!("{source}\n= this does not compile")).unwrap();
        server.wait_for_log_within("build failed; the previous guest is still serving", BUILD_TIME);
        assert!(server.log().contains(self.compile_error), "{}", server.log());
        assert!(get(server.address, "/").text().contains("<h1>porch"));

        let page = guest.join(self.page);
        let mut edited = self.fault.iter().fold(source, |source, (from, to)| replace(&source, from, to));
        let heading = ("<h1>porch", "<h1>The porch");
        if page == code {
            edited = replace(&edited, heading.0, heading.1);
        } else {
            fs::write(&page, replace(&fs::read_to_string(&page).unwrap(), heading.0, heading.1)).unwrap();
        }
        fs::write(&code, edited).unwrap();
        server.wait_for_log_within("generation 2: ", BUILD_TIME);
        // If the page and the code are two files, there may be a build between their edits.
        wait_until_within("the function fails", BUILD_TIME, || get(server.address, "/fault").status == 502);
        assert!(get(server.address, "/").text().contains("<h1>The porch"));
        for line in self.fault_log {
            server.wait_for_log(line);
        }
        // The browser's stream continues as well.
        browser.wait_for_change(&browser.find("img").unwrap(), DEADLINE).unwrap();
        stop.store(true, Ordering::Relaxed);
        for viewer in viewers {
            let gap = viewer.join().unwrap();
            assert!(gap < LONGEST_GAP, "a viewer got no frame for {gap:?}");
        }
        drop(browser);
        wait_until("the viewers have left", || server.generations()["current"]["under_way"] == 0);
    }
}

/// Watches the stream until `stop` is set. Panics if it ends or if a frame is torn. Returns the longest time between
/// two frames.
fn watch(address: SocketAddr, stop: Arc<AtomicBool>) -> JoinHandle<Duration> {
    let mut viewer = Viewer::watch(address, "/stream/emulated");
    let pictures = built_in_pictures();
    read_frame(&mut viewer, &pictures);
    thread::spawn(move || {
        let mut longest = Duration::ZERO;
        let mut last = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            read_frame(&mut viewer, &pictures);
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        longest
    })
}

/// Reads from a stream up to the end of a frame, which must be one of the pictures.
fn read_frame(viewer: &mut Viewer, pictures: &[Vec<u8>]) {
    const DELIMITER: &[u8] = b"\r\n--frame\r\n";
    let mut read = Vec::new();
    while !read.ends_with(DELIMITER) {
        read.extend(viewer.next_chunk().expect("the stream continues"));
    }
    let image = &read[..read.len() - DELIMITER.len()];
    assert!(pictures.iter().any(|picture| image.ends_with(picture)), "a frame is torn");
}

#[track_caller]
fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is missing in:\n{text}");
    text.replacen(from, to, 1)
}

/// Returns the path of a program: the name itself if it is a path, or else what the PATH says.
fn find_program(name: &str) -> PathBuf {
    if name.contains('/') {
        return name.into();
    }
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file()).unwrap()
}
