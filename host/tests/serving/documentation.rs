//! Checks the documentation against the program and the repository.
//!
//! The tests read `README.md` and the other Markdown files at the top and in `docs/`. They check code blocks, `code
//! spans` and links: command lines and options must be accepted, URLs must be served, and files, recipes and tests must
//! exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use hotshoe::config::cli::Cli;
use hotshoe_test_support::client::{Viewer, get, send};
use hotshoe_test_support::guests::{DRIVES, MASKS_ALWAYS, SKIPS_FRAMES, driver, masking};
use hotshoe_test_support::server::{Server, run};
use hotshoe_test_support::{wait_until, workspace};

/// The address of the server in documented commands.
const SERVER: &str = "http://127.0.0.1:5000";

/// The address of the admin listener in documented commands.
const ADMIN: &str = "http://127.0.0.1:5001";

/// The fewest documents, table rows and the like that a test must find. With fewer, it looks in the wrong place.
const FEWEST_DOCUMENTS: usize = 14;
const FEWEST_PATHS: usize = 15;
const FEWEST_TESTS: usize = 80;

const CAMERAS: [&str; 5] = [
    "--camera",
    "front=emulated,fps=20,remember=10s,keep-open",
    "--camera",
    "yard=emulated,fps=20,remember=10s,keep-open",
    "--allow-control",
];

/// Starts a server whose cameras have delivered frames.
fn serve() -> Server {
    serve_with(&[])
}

fn serve_with(more: &[&str]) -> Server {
    let server = Server::start(&[&CAMERAS[..], more].concat());
    let has_clips =
        || ["front", "yard"].iter().all(|camera| get(server.address, &format!("/clip/{camera}")).status == 200);
    wait_until("the cameras remember frames", has_clips);
    server
}

#[test]
fn command_lines_are_accepted() {
    let is_help = |kind| matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let is_incomplete =
        |kind| matches!(kind, ErrorKind::MissingRequiredArgument | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    check_all(|document| {
        let lines = document.shell_lines().into_iter().map(|line| (line, false));
        // Prose may mention a command without its arguments.
        let spans = document.code_spans().into_iter().map(|span| (span, true));
        let mut faults = Vec::new();
        for (command, may_be_incomplete) in lines.chain(spans) {
            let words: Vec<_> = words(&command).into_iter().skip_while(|word| word.starts_with("RUST_LOG=")).collect();
            if words.first().is_none_or(|program| program != "hotshoe") {
                continue;
            }
            if let Err(error) = Cli::try_parse_from(&words)
                && !is_help(error.kind())
                && !(may_be_incomplete && is_incomplete(error.kind()))
            {
                faults.push(format!("`{command}`: {error}"));
            }
        }
        faults
    });
}

#[test]
fn options_in_the_text_exist() {
    let options = options();
    check_all(|document| {
        let spans = document.code_spans();
        let words = spans.iter().filter_map(|span| span.split([' ', '=']).next());
        // The last character excludes multipart delimiters such as `--frame--`.
        let names =
            words.filter(|word| word.starts_with("--") && word.ends_with(|last: char| last.is_ascii_lowercase()));
        let unknown = names.filter(|name| !options.contains_key(*name) && !["--help", "--version"].contains(name));
        unknown.map(|name| format!("option {name} does not exist")).collect()
    });
}

#[test]
fn the_table_of_options_is_complete_and_has_the_right_defaults() {
    let options = options();
    let operations = Document::read("docs/operations.md");
    let mut missing: BTreeSet<_> = options.keys().collect();
    for row in operations.text.lines().filter(|line| line.starts_with("| `--")) {
        let name = row.split(['`', ' ']).find(|word| word.starts_with("--")).unwrap();
        missing.retain(|option| *option != name);
        let defaults = &options[name];
        // A vertical bar inside a cell is escaped.
        let row = row.replace("\\|", "/");
        let cell = row.split('|').nth(2).unwrap().replace('`', "");
        let documented: Vec<_> = cell.trim().split(", ").collect();
        assert!(defaults.is_empty() || *defaults == documented, "{name}: {defaults:?} is documented as {documented:?}");
    }
    assert!(missing.is_empty(), "docs/operations.md lacks {missing:?}");
}

/// Returns the options of all commands except hidden ones, with their defaults.
fn options() -> BTreeMap<String, Vec<String>> {
    let cli = Cli::command();
    let commands = cli.get_subcommands().filter(|command| !command.is_hide_set());
    let arguments = cli.get_arguments().chain(commands.flat_map(clap::Command::get_arguments));
    let options = arguments.filter_map(|argument| {
        let takes_value = argument.get_action().takes_values();
        let defaults = argument.get_default_values().iter().filter(|_| takes_value);
        let defaults = defaults.map(|value| value.to_str().unwrap().to_owned()).collect();
        Some((format!("--{}", argument.get_long()?), defaults))
    });
    options.collect()
}

#[test]
fn urls_are_served() {
    let server = serve();
    check_all(|document| {
        let urls = document.text.split(SERVER).skip(1);
        let paths = urls.filter_map(|rest| rest.split([' ', '\n', '"', '\'', '`', '>', ')', ';', ',']).next());
        let mut faults = Vec::new();
        for path in paths.map(|path| if path.is_empty() { "/" } else { path }) {
            let status = Viewer::watch(server.address, path).status;
            if status != 200 {
                faults.push(format!("{SERVER}{path} returns {status}"));
            }
        }
        faults
    });
}

#[test]
fn paths_in_the_table_of_paths_are_served() {
    let server = serve();
    let clients = Document::read("docs/clients.md");
    let rows = clients.text.lines().filter(|line| line.starts_with("| `/"));
    let paths: Vec<_> = rows.flat_map(|row| spans(row.split('|').nth(1).unwrap())).collect();
    assert!(paths.len() >= FEWEST_PATHS);
    for path in paths {
        let path = path.replace("NAME,NAME", "front,yard").replace("NAME", "yard");
        assert_eq!(Viewer::watch(server.address, &path).status, 200, "{path}");
    }
}

#[test]
fn curl_commands_succeed_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let (file, filter) = (folder.path().join("driver.wasm"), folder.path().join("filter.wasm"));
    fs::write(&file, driver(DRIVES, 1)).unwrap();
    fs::write(&filter, masking(MASKS_ALWAYS)).unwrap();
    let server = serve_with(&["--camera", &format!("porch=component:{},filter={}", file.display(), filter.display())]);
    let admin = server.admin.unwrap();
    let (guest, another_driver, another_filter) = (another_guest(), driver(DRIVES, 2), masking(SKIPS_FRAMES));
    check_all(|document| {
        let mut faults = Vec::new();
        for line in document.shell_lines().iter().filter(|line| line.starts_with("curl ")) {
            let words = words(line);
            let has = |word: &str| words.iter().any(|found| found == word);
            let url = words.iter().find(|word| word.starts_with("http://")).unwrap();
            let status = if let Some(path) = url.strip_prefix(ADMIN) {
                match (has("-T"), has("POST")) {
                    (true, _) if path.contains("/filters/") => send(admin, "PUT", path, &[], &another_filter).status,
                    (true, _) if path.starts_with("/cameras/") => send(admin, "PUT", path, &[], &another_driver).status,
                    (true, _) => send(admin, "PUT", path, &[], &guest).status,
                    (_, true) => send(admin, "POST", path, &[], b"").status,
                    _ => get(admin, path).status,
                }
            } else if let Some(path) = url.strip_prefix(SERVER) {
                // Forms are not sent, because they set controls that emulated cameras lack.
                Viewer::watch(server.address, path).status
            } else {
                continue;
            };
            if !(200..300).contains(&status) {
                faults.push(format!("`{line}` returns {status}"));
            }
        }
        faults
    });
}

/// Returns the built-in guest with another digest.
fn another_guest() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guest.wasm");
    assert!(run(["guest".as_ref(), "save".as_ref(), file.as_os_str()]).status.success());
    let mut guest = fs::read(&file).unwrap();
    // A custom section: id 0, five bytes, of which four are its name.
    guest.extend(b"\x00\x05\x04docs");
    guest
}

#[test]
fn recipes_tests_and_benchmarks_in_commands_exist() {
    let justfile = fs::read_to_string(workspace().join("justfile")).unwrap();
    let recipe_exists = |name: &str| {
        justfile
            .lines()
            .any(|line| line.contains(':') && line.split([' ', ':']).next().is_some_and(|word| word == name))
    };
    let target_exists = |folder: &str, name: &str| {
        let folder = workspace().join("host").join(folder);
        folder.join(name).is_dir() || folder.join(format!("{name}.rs")).is_file()
    };
    check_all(|document| {
        let mut faults = Vec::new();
        for command in document.shell_lines().into_iter().chain(document.code_spans()) {
            for pair in words(&command).windows(2) {
                let [kind, name] = pair else { continue };
                let exists = match kind.as_str() {
                    "just" => recipe_exists(name),
                    "--bench" => target_exists("benches", name),
                    "--test" => target_exists("tests", name),
                    _ => true,
                };
                if !exists {
                    faults.push(format!("`{command}`: {name} does not exist"));
                }
            }
        }
        faults
    });
}

#[test]
fn links_lead_to_files_and_headings() {
    check_all(|document| {
        let mut faults = Vec::new();
        for link in document.links().iter().filter(|link| !link.contains("://")) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path =
                if target.is_empty() { document.path.clone() } else { document.path.parent().unwrap().join(target) };
            if !workspace().join(&path).exists() {
                faults.push(format!("{link}: the file does not exist"));
            } else if !anchor.is_empty() && !Document::read(path).anchors().contains(anchor) {
                faults.push(format!("{link}: the heading does not exist"));
            }
        }
        faults
    });
}

#[test]
fn paths_in_the_text_exist() {
    let entries = fs::read_dir(workspace()).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir() && entry.file_name() != "target");
    let folders: Vec<_> = folders.map(|entry| format!("{}/", entry.file_name().into_string().unwrap())).collect();
    check_all(|document| {
        // Code blocks and code spans alike are between backticks.
        let code = spans(&document.text).join("\n");
        let words = code.split_whitespace().map(|word| word.trim_end_matches([',', ';', ':', '.']));
        let paths = words.filter(|word| folders.iter().any(|folder| word.starts_with(folder)) && !word.contains('*'));
        let missing = paths.filter(|path| !workspace().join(path).exists());
        missing.map(|path| format!("{path} does not exist")).collect()
    });
}

#[test]
fn tests_in_the_tables_of_promises_exist() {
    let sources = sources(&["host/src", "host/tests", "host/crates", "guest/src"]);
    let module_exists = |name: &str| {
        sources.iter().any(|(path, text)| path.file_stem().is_some_and(|stem| stem == name) && text.contains("test]"))
    };
    let test_exists = |name: &str| {
        // Tests that may lack a tool are named by a string.
        let (function, string) = (format!("fn {name}("), format!("\"{name}\""));
        sources.iter().any(|(_, text)| text.contains(&function) || text.contains(&string))
    };
    let fuzz_target_exists = |name: &str| workspace().join(format!("host/fuzz/fuzz_targets/{name}.rs")).is_file();
    let robustness = Document::read("docs/robustness.md");
    let rows = robustness.text.lines().filter(|line| line.starts_with('|'));
    let names = rows.flat_map(|row| spans(row.split('|').nth(3).unwrap_or_default()));
    // The others are commands.
    let names = names.filter(|name| name.chars().all(|letter| letter.is_alphanumeric() || "_:".contains(letter)));
    let names: Vec<_> = names.collect();
    assert!(names.len() >= FEWEST_TESTS);
    let missing = names.into_iter().filter(|name| match name.strip_suffix("::") {
        Some(module) => !module_exists(module),
        None => !test_exists(name) && !fuzz_target_exists(name),
    });
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "docs/robustness.md names tests that do not exist");
}

/// Returns the paths and texts of all Rust sources in these folders.
fn sources(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut remaining: Vec<_> = folders.iter().map(|folder| workspace().join(folder)).collect();
    let mut sources = Vec::new();
    while let Some(path) = remaining.pop() {
        if path.is_dir() {
            remaining.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push((path, text));
        }
    }
    sources
}

/// Runs a check on every document, and panics with all faults that it returns.
#[track_caller]
fn check_all(check: impl Fn(&Document) -> Vec<String>) {
    let mut faults = Vec::new();
    for document in Document::read_all() {
        faults.extend(check(&document).into_iter().map(|fault| format!("{}: {fault}", document.path.display())));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A Markdown file.
struct Document {
    /// The path relative to the workspace.
    path: PathBuf,
    text: String,
}

impl Document {
    fn read(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let text = fs::read_to_string(workspace().join(&path));
        Self { text: text.unwrap_or_else(|error| panic!("{}: {error}", path.display())), path }
    }

    /// Reads all documents at the top of the workspace and in `docs/`.
    fn read_all() -> Vec<Self> {
        let names = |folder: &'static str| {
            let entries = fs::read_dir(workspace().join(folder)).unwrap();
            entries.map(move |entry| Path::new(folder).join(entry.unwrap().file_name()))
        };
        let paths = names("").chain(names("docs"));
        let markdown = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        let documents: Vec<_> = markdown.map(Self::read).collect();
        assert!(documents.len() >= FEWEST_DOCUMENTS);
        documents
    }

    /// Returns the lines of shell blocks, with continued lines joined.
    fn shell_lines(&self) -> Vec<String> {
        let blocks = self.text.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
        let lines = blocks.flat_map(|block| {
            let block = block.replace("\\\n", " ");
            block.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
        });
        lines.collect()
    }

    /// Returns the text without code blocks.
    fn prose(&self) -> String {
        self.text.split("```").step_by(2).collect()
    }

    /// Returns the text between backticks, without code blocks.
    fn code_spans(&self) -> Vec<String> {
        spans(&self.prose()).into_iter().map(|span| span.replace("\\|", "|")).collect()
    }

    /// Returns the targets of links and images.
    fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let links = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let images = ["src=\"", "srcset=\""].into_iter().flat_map(|attribute| prose.split(attribute).skip(1));
        // Code spans show HTML with URLs, which another test requests.
        let images = images.filter_map(|rest| rest.split('"').next());
        links.chain(images).map(str::to_owned).collect()
    }

    /// Returns the anchors of headings as forges generate them: in lower case, with hyphens for spaces, without
    /// punctuation.
    fn anchors(&self) -> BTreeSet<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        let anchors = headings.map(|heading| {
            let title = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            title.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
        });
        anchors.collect()
    }
}

/// Returns the text between pairs of backticks.
fn spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Splits a shell command into words, without quotes and comments.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in command.chars() {
        let word = words.last_mut().unwrap();
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            ('#', None) if word.is_empty() => break,
            (' ', None) if word.is_empty() => {}
            (' ', None) => words.push(String::new()),
            _ => word.push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
