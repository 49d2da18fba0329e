//! The documentation, checked against the program and the repository: command lines, options, URLs, links, paths, recipes
//! and the names of tests.
//!
//! Prose is not checked, only what stands in code blocks, in `code spans` and behind links.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use hotshoe::config::cli::Cli;
use hotshoe_test_support::client::{Viewer, get, send};
use hotshoe_test_support::server::{Server, run};
use hotshoe_test_support::workspace;

/// The server of the documented commands, and its admin listener.
const SERVER: &str = "http://127.0.0.1:5000";
const ADMIN: &str = "http://127.0.0.1:5001";

/// Documents that are still being written.
const PENDING: [&str; 4] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/guests.md", "docs/wit.md"];

const CAMERAS: [&str; 5] = ["--camera", "front=emulated,fps=20", "--camera", "yard=emulated,fps=10", "--allow-control"];

/// A Markdown file.
struct Document {
    /// Its path from the top folder, which also says where a fault is.
    path: PathBuf,
    text: String,
}

/// All documents that are checked.
fn documents() -> Vec<Document> {
    let markdown = |folder: &str| {
        let entries = fs::read_dir(workspace().join(folder)).unwrap();
        let names = entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name()));
        names.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect::<Vec<_>>()
    };
    let paths = markdown("").into_iter().chain(markdown("docs"));
    let documents: Vec<_> = paths.map(|path| Document { text: read(&path), path }).collect();
    assert!(documents.len() >= 9, "the documents are not where they were");
    documents
}

fn read(path: &Path) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Document {
    /// The lines of its shell blocks; lines that end with a backslash are joined with the next.
    fn shell_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, block) in self.text.split("```").enumerate() {
            if let Some(block) = block.strip_prefix("sh\n").filter(|_| number % 2 == 1) {
                lines.extend(block.replace("\\\n", " ").lines().map(|line| line.trim().to_owned()));
            }
        }
        lines
    }

    /// The text without its code blocks.
    fn prose(&self) -> String {
        self.text.split("```").step_by(2).collect()
    }

    /// The text between backticks, outside of code blocks.
    fn code_spans(&self) -> Vec<String> {
        self.prose().split('`').skip(1).step_by(2).map(|span| span.replace("\\|", "|")).collect()
    }

    /// The targets of its links, pictures included.
    fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let pictures = ["src=\"", "srcset=\""].into_iter().flat_map(|name| prose.split(name).skip(1));
        let pictures = pictures.filter_map(|rest| rest.split('"').next());
        targets.chain(pictures).map(str::to_owned).collect()
    }

    /// The anchors of its headings, as forges make them: in lower case, spaces as hyphens, without punctuation.
    fn anchors(&self) -> BTreeSet<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|heading| {
                let title = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                title.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
            })
            .collect()
    }
}

/// The words of a shell command, without quotes and comments.
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

/// Panics with all faults, if there are any.
#[track_caller]
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// What is wrong with each of the documents.
fn faults_of_all(faults: impl Fn(&Document) -> Vec<String>) -> Vec<String> {
    let named = |document: &Document| -> Vec<_> {
        faults(document).into_iter().map(|fault| format!("{}: {fault}", document.path.display())).collect()
    };
    documents().iter().flat_map(named).collect()
}

#[test]
fn documented_command_lines_are_valid() {
    none(faults_of_all(|document| {
        let lines = document.shell_lines();
        let complete = lines.iter().map(|line| (line, false));
        let spans = document.code_spans();
        // A span may leave out what a command needs, such as the file.
        let fragments = spans.iter().map(|span| (span, true));
        let mut faults = Vec::new();
        for (line, may_be_incomplete) in complete.chain(fragments) {
            let words: Vec<_> = words(line).into_iter().skip_while(|word| word.starts_with("RUST_LOG=")).collect();
            if words.first().is_none_or(|program| program != "hotshoe") {
                continue;
            }
            let Err(error) = Cli::try_parse_from(&words) else { continue };
            let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let is_incomplete = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            );
            if !is_help && !(may_be_incomplete && is_incomplete) {
                faults.push(format!("`{line}`: {error}"));
            }
        }
        faults
    }));
}

/// The names of all options of `hotshoe`, without hidden commands.
fn options() -> BTreeSet<String> {
    let cli = Cli::command();
    let commands = cli.get_subcommands().filter(|command| !command.is_hide_set());
    let arguments = cli.get_arguments().chain(commands.flat_map(clap::Command::get_arguments));
    arguments.filter_map(|argument| argument.get_long()).map(|name| format!("--{name}")).collect()
}

#[test]
fn documented_options_exist_and_all_options_are_documented() {
    let options = options();
    let mut documented = BTreeSet::new();
    let mut faults = faults_of_all(|document| {
        let spans = document.code_spans();
        let named = spans.iter().filter_map(|span| span.split([' ', '=']).next());
        let named =
            named.filter(|word| word.starts_with("--") && word.ends_with(|last: char| last.is_ascii_lowercase()));
        let known = ["--help", "--version"];
        named
            .filter(|option| !options.contains(*option) && !known.contains(option))
            .map(|option| format!("there is no option {option}"))
            .collect()
    });
    let operations = documents().into_iter().find(|document| document.path.ends_with("operations.md")).unwrap();
    // The first column of the table of options.
    for line in operations.text.lines().filter(|line| line.starts_with("| `--")) {
        documented.extend(line.split(['`', ' ']).find(|word| word.starts_with("--")).map(str::to_owned));
    }
    let undocumented = options.difference(&documented);
    faults.extend(undocumented.map(|option| format!("docs/operations.md: {option} is not in the table of options")));
    none(faults);
}

#[test]
fn documented_urls_are_served() {
    let server = Server::start(&CAMERAS);
    none(faults_of_all(|document| {
        let urls = document.text.split(SERVER).skip(1);
        let paths = urls.map(|rest| rest.split([' ', '\n', '"', '\'', '`', '>', ')', ';', ',']).next().unwrap());
        let mut faults = Vec::new();
        for path in paths {
            let path = if path.is_empty() { "/" } else { path };
            let status = Viewer::watch(server.address, path).status;
            if status != 200 {
                faults.push(format!("{SERVER}{path}: {status}"));
            }
        }
        faults
    }));
}

#[test]
fn paths_in_the_table_of_paths_are_served() {
    let server = Server::start(&CAMERAS);
    let clients = documents().into_iter().find(|document| document.path.ends_with("clients.md")).unwrap();
    let rows = clients.text.lines().filter(|line| line.starts_with("| `/"));
    let mut count = 0;
    for path in rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)) {
        let path = path.replace("NAME,NAME", "front,yard").replace("NAME", "yard");
        assert_eq!(Viewer::watch(server.address, &path).status, 200, "{path}");
        count += 1;
    }
    assert!(count > 10, "the table of paths is not where it was");
}

#[test]
fn documented_curl_commands_work_in_their_order() {
    let server = Server::start(&CAMERAS);
    let admin = server.admin.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guest.wasm");
    assert!(run(["guest".as_ref(), "save".as_ref(), file.as_os_str()]).status.success());
    let mut guest = fs::read(&file).unwrap();
    // A custom section makes it another guest: id 0, five bytes, of which four are the name.
    guest.extend(b"\x00\x05\x04docs");
    none(faults_of_all(|document| {
        let mut faults = Vec::new();
        for line in document.shell_lines().iter().filter(|line| line.starts_with("curl ")) {
            let words = words(line);
            let url = words.iter().find(|word| word.starts_with("http://")).unwrap();
            let status = if let Some(path) = url.strip_prefix(ADMIN) {
                match (words.iter().any(|word| word == "-T"), words.iter().any(|word| word == "POST")) {
                    (true, _) => send(admin, "PUT", path, &[], &guest).status,
                    (_, true) => send(admin, "POST", path, &[], b"").status,
                    _ => get(admin, path).status,
                }
            } else if let Some(path) = url.strip_prefix(SERVER) {
                // Emulated cameras have no controls to set, so a form is not sent.
                Viewer::watch(server.address, path).status
            } else {
                continue;
            };
            if !(200..300).contains(&status) {
                faults.push(format!("`{line}`: {status}"));
            }
        }
        faults
    }));
}

#[test]
fn documented_recipes_tests_and_benchmarks_exist() {
    let recipes = read(Path::new("justfile"));
    let recipe_exists =
        |name: &str| recipes.lines().any(|line| line.split([' ', ':']).next() == Some(name) && line.contains(':'));
    let target_exists = |folder: &str, name: &str| {
        let folder = workspace().join("host").join(folder);
        folder.join(name).is_dir() || folder.join(format!("{name}.rs")).is_file()
    };
    none(faults_of_all(|document| {
        let mut faults = Vec::new();
        for command in document.shell_lines().into_iter().chain(document.code_spans()) {
            let words = words(&command);
            for pair in words.windows(2) {
                let [first, second] = pair else { continue };
                let exists = match first.as_str() {
                    "just" => recipe_exists(second),
                    "--bench" => target_exists("benches", second),
                    "--test" => target_exists("tests", second),
                    _ => true,
                };
                if !exists {
                    faults.push(format!("`{command}`: there is no {second}"));
                }
            }
        }
        faults
    }));
}

#[test]
fn links_lead_somewhere() {
    none(faults_of_all(|document| {
        let mut faults = Vec::new();
        let is_pending =
            |link: &String| PENDING.iter().any(|name| link.starts_with(name) || link.starts_with(&name[5..]));
        for link in document.links().iter().filter(|link| !link.contains("://") && !is_pending(link)) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = if target.is_empty() {
                workspace().join(&document.path)
            } else {
                workspace().join(&document.path).parent().unwrap().join(target)
            };
            if !path.exists() {
                faults.push(format!("{link}: there is no such file"));
            } else if !anchor.is_empty() {
                let linked = Document { text: fs::read_to_string(&path).unwrap(), path };
                if !linked.anchors().contains(anchor) {
                    faults.push(format!("{link}: there is no such heading"));
                }
            }
        }
        faults
    }));
}

#[test]
fn named_files_exist() {
    let entries = fs::read_dir(workspace()).unwrap().map(|entry| entry.unwrap());
    let folders: Vec<_> = entries
        .filter(|entry| entry.path().is_dir() && entry.file_name() != "target")
        .map(|entry| format!("{}/", entry.file_name().into_string().unwrap()))
        .collect();
    none(faults_of_all(|document| {
        if PENDING.iter().any(|name| document.path.ends_with(name)) {
            return Vec::new();
        }
        // In code blocks and spans alike.
        let code = document.text.split('`').skip(1).step_by(2).collect::<Vec<_>>().join("\n");
        let words = code.split_whitespace().map(|word| word.trim_end_matches([',', ';', ':', '.']));
        let paths = words.filter(|path| folders.iter().any(|folder| path.starts_with(folder.as_str())));
        let paths = paths.filter(|path| !path.contains('*'));
        paths.filter(|path| !workspace().join(path).exists()).map(|path| format!("there is no {path}")).collect()
    }));
}

/// The text of all Rust sources below these folders, by path.
fn sources(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut waiting: Vec<_> = folders.iter().map(|folder| workspace().join(folder)).collect();
    let mut sources = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push((path, text));
        }
    }
    sources
}

#[test]
fn named_tests_exist() {
    let sources = sources(&["host/src", "host/tests", "host/crates", "guest/src"]);
    // Tests are functions, or named by a string where the test itself decides whether it can run.
    let test_exists = |name: &str| {
        let (function, string) = (format!("fn {name}("), format!("\"{name}\""));
        sources.iter().any(|(_, text)| text.contains(&function) || text.contains(&string))
    };
    let module_exists = |name: &str| {
        sources.iter().any(|(path, text)| path.file_stem().is_some_and(|stem| stem == name) && text.contains("test]"))
    };
    let mut count = 0;
    let robustness = documents().into_iter().find(|document| document.path.ends_with("robustness.md")).unwrap();
    let mut faults = Vec::new();
    for row in robustness.text.lines().filter(|line| line.starts_with('|')) {
        let tests = row.split('|').nth(3).unwrap_or_default().split('`').skip(1).step_by(2);
        for name in tests.filter(|name| name.chars().all(|letter| letter.is_alphanumeric() || "_:".contains(letter))) {
            count += 1;
            let exists = match name.strip_suffix("::") {
                Some(module) => module_exists(module),
                None => test_exists(name) || workspace().join(format!("host/fuzz/fuzz_targets/{name}.rs")).is_file(),
            };
            if !exists {
                faults.push(format!("docs/robustness.md: there is no test {name}"));
            }
        }
    }
    none(faults);
    assert!(count > 80, "the tables of tests are not where they were");
}
