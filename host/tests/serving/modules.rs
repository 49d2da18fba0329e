//! The module rules: files form no import cycles, and the top-level modules of the host depend downwards only.
//!
//! The tests read the sources as text. A file depends on another if one of its paths (in a `use` or anywhere else)
//! leads to an item that the other file defines; re-exports are followed to the definition. Code under `#[cfg(test)]`
//! does not count, and neither does what a parent module declares or re-exports of its children.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// The top-level modules of the host. Each may use those before it.
const ORDER: &[&str] = &[
    "logging",
    "process",
    "buf_list",
    "origin",
    "tls_client",
    "channels",
    "results",
    "sandbox",
    "swap",
    "drivers",
    "filters",
    "http",
    "status",
    "admin",
    "config",
    "commands",
    "app",
];

/// The fewest crate roots that the test must find. With fewer, it looks in the wrong place.
const FEWEST_ROOTS: usize = 10;

#[test]
fn files_form_no_import_cycles() {
    let mut cycles = Vec::new();
    for root in crate_roots() {
        let graph = Graph::read(&root);
        for cycle in graph.cycles() {
            let names: Vec<_> = cycle.iter().map(|file| graph.name(*file)).collect();
            let edges = graph.edges.iter().filter(|((from, to), _)| cycle.contains(from) && cycle.contains(to));
            let edges: String = edges
                .map(|((from, to), path)| format!("    {} uses {path} of {}\n", graph.name(*from), graph.name(*to)))
                .collect();
            cycles.push(format!("{names:?}:\n{edges}"));
        }
    }
    assert!(cycles.is_empty(), "import cycles:\n{}", cycles.concat());
}

#[test]
fn the_top_level_modules_of_the_host_depend_downwards_only() {
    let graph = Graph::read(&workspace().join("host/src/lib.rs"));
    let rank = |module: &str| ORDER.iter().position(|name| *name == module);
    let mut upwards = Vec::new();
    for ((from, to), path) in &graph.edges {
        let (from_module, to_module) = (graph.top_level(*from), graph.top_level(*to));
        let (Some(from_rank), Some(to_rank)) = (rank(&from_module), rank(&to_module)) else {
            upwards.push(format!("{from_module} or {to_module} is missing from ORDER\n"));
            continue;
        };
        if from_rank < to_rank {
            upwards.push(format!("{} uses {path} of {}\n", graph.name(*from), graph.name(*to)));
        }
    }
    assert!(upwards.is_empty(), "dependencies against ORDER:\n{}", upwards.concat());
}

#[test]
fn the_graph_follows_re_exports_and_ignores_tests() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("lib.rs");
    let write = |name: &str, source: &str| fs::write(folder.path().join(name), source).unwrap();
    write("lib.rs", "mod a;\nmod b;\nmod c;\npub use c::{C, D as E};");
    write("a.rs", "mod inline { fn f() { let _ = super::super::b::f(\"\\\"\", 'x'); } }");
    write("b.rs", "use crate::{C, E};\n// crate::a::A\n#[cfg(test)]\nmod tests { use crate::a::A; }");
    write("c.rs", "pub struct C;\npub struct D;");
    assert_eq!(Graph::read(&root).edges.keys().collect::<Vec<_>>(), [&(1, 2), &(2, 3)]);
    write("c.rs", "pub struct C<'a>(&'a crate::a::A);\npub struct D;");
    assert_eq!(Graph::read(&root).cycles(), [[1, 2, 3]]);
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns the root files of the workspace's crates.
fn crate_roots() -> Vec<PathBuf> {
    let mut folders = vec!["host/src".into(), "guest/src".into(), "host/crates/fakecam/preload/src".into()];
    for entry in fs::read_dir(workspace().join("host/crates")).unwrap() {
        folders.push(entry.unwrap().path().join("src"));
    }
    let roots = folders.iter().flat_map(|folder: &PathBuf| ["lib.rs", "main.rs"].map(|root| folder.join(root)));
    let roots: Vec<_> = roots.map(|root| workspace().join(root)).filter(|root| root.exists()).collect();
    assert!(roots.len() >= FEWEST_ROOTS, "found only {roots:?}");
    roots
}

/// Which files of a crate depend on which.
struct Graph {
    files: Vec<PathBuf>,
    modules: Vec<Module>,
    /// An edge from a file to one that it depends on, with a path as an example.
    edges: BTreeMap<(usize, usize), String>,
}

#[derive(Default)]
struct Module {
    /// From the crate's root.
    path: Vec<String>,
    file: usize,
    children: HashMap<String, usize>,
    /// What `use` declarations bind here, as paths from the crate's root. `None` is an item of another crate.
    bindings: HashMap<String, Option<Vec<String>>>,
    /// Paths from the crate's root that are used here.
    references: Vec<Vec<String>>,
}

impl Graph {
    /// Reads the crate with this root file.
    fn read(root: &Path) -> Self {
        let mut graph = Self { files: Vec::new(), modules: Vec::new(), edges: BTreeMap::new() };
        graph.read_file(root.to_owned(), root.parent().unwrap(), Vec::new());
        for module in &graph.modules {
            for path in &module.references {
                if let Some(file) = graph.resolve(path).filter(|file| *file != module.file) {
                    graph.edges.entry((module.file, file)).or_insert_with(|| path.join("::"));
                }
            }
        }
        graph
    }

    /// Reads a file and those of its child modules, which are in `folder`. Returns the index of its module.
    fn read_file(&mut self, file: PathBuf, folder: &Path, path: Vec<String>) -> usize {
        let tokens = tokens(&fs::read_to_string(&file).unwrap());
        self.files.push(file);
        let module = Module { path, file: self.files.len() - 1, ..Module::default() };
        self.read_module(module, folder, &tokens)
    }

    fn read_module(&mut self, module: Module, folder: &Path, tokens: &[String]) -> usize {
        let number = self.modules.len();
        let (path, file) = (module.path.clone(), module.file);
        self.modules.push(module);
        let mut items = Items::default();
        items.read(tokens);
        for (name, body) in items.children {
            let child = [&path[..], std::slice::from_ref(&name)].concat();
            let folder = folder.join(&name);
            let child = match body {
                Some(tokens) => self.read_module(Module { path: child, file, ..Module::default() }, &folder, &tokens),
                None if folder.join("mod.rs").exists() => self.read_file(folder.join("mod.rs"), &folder, child),
                None => self.read_file(folder.with_extension("rs"), &folder, child),
            };
            self.modules[number].children.insert(name, child);
        }
        let module = &mut self.modules[number];
        for Use { path, name, is_public } in items.uses {
            let is_of_child = module.children.contains_key(&path[0]);
            let path = module.absolute(&path);
            if !(is_public && is_of_child) {
                module.references.extend(path.clone());
            }
            module.bindings.insert(name, path);
        }
        for path in items.paths {
            let path = module.absolute(&path);
            module.references.extend(path);
        }
        number
    }

    /// Returns the file that defines the item at this path, or `None` if another crate defines it.
    fn resolve(&self, path: &[String]) -> Option<usize> {
        let mut module = &self.modules[0];
        for (index, name) in path.iter().enumerate() {
            if let Some(child) = module.children.get(name) {
                module = &self.modules[*child];
            } else if let Some(target) = module.bindings.get(name) {
                return self.resolve(&[target.as_ref()?, &path[index + 1..]].concat());
            } else {
                break;
            }
        }
        Some(module.file)
    }

    /// Returns the sets of files that form import cycles.
    fn cycles(&self) -> Vec<Vec<usize>> {
        let reachable = |start| {
            let mut reached = BTreeSet::new();
            let mut next = vec![start];
            while let Some(file) = next.pop() {
                let successors = self.edges.keys().filter(|(from, _)| *from == file).map(|(_, to)| *to);
                next.extend(successors.filter(|to| reached.insert(*to)));
            }
            reached
        };
        let reached: Vec<_> = (0..self.files.len()).map(reachable).collect();
        let on_cycle = (0..self.files.len()).filter(|file| reached[*file].contains(file));
        let cycles =
            on_cycle.map(|file| reached[file].iter().copied().filter(|to| reached[*to].contains(&file)).collect());
        cycles.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn name(&self, file: usize) -> String {
        self.files[file].strip_prefix(workspace()).unwrap().display().to_string()
    }

    /// Returns the top-level module that a file belongs to.
    fn top_level(&self, file: usize) -> String {
        let module = self.modules.iter().find(|module| module.file == file).unwrap();
        module.path.first().cloned().unwrap_or("lib".to_owned())
    }
}

impl Module {
    /// Converts a path in this module to a path from the crate's root. Returns `None` if it leads to another crate, to
    /// a local variable or to an item of this module.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let mut base = self.path.clone();
        match first.as_str() {
            "crate" => return Some(rest.to_vec()),
            "self" => {}
            "super" => {
                let supers = path.iter().take_while(|name| *name == "super").count();
                base.truncate(base.len().checked_sub(supers)?);
                return Some([&base[..], &path[supers..]].concat());
            }
            name if self.children.contains_key(name) => base.push(first.clone()),
            name => base.clone_from(self.bindings.get(name)?.as_ref()?),
        }
        base.extend_from_slice(rest);
        Some(base)
    }
}

struct Use {
    path: Vec<String>,
    /// The name that it binds.
    name: String,
    is_public: bool,
}

/// What a module contains, without its tests.
#[derive(Default)]
struct Items {
    uses: Vec<Use>,
    /// Paths of more than one name outside `use` declarations.
    paths: Vec<Vec<String>>,
    /// Child modules, with their tokens if they are inline.
    children: Vec<(String, Option<Vec<String>>)>,
}

impl Items {
    fn read(&mut self, tokens: &[String]) {
        let mut rest = tokens;
        let mut last = "";
        while let Some((token, after)) = rest.split_first() {
            rest = match (token.as_str(), after) {
                ("#", _) if is_cfg_test(after) => &rest[item_length(rest)..],
                ("mod", [name, body, ..]) if body == ";" => {
                    self.children.push((name.clone(), None));
                    &after[2..]
                }
                ("mod", [name, body, ..]) if body == "{" => {
                    let end = item_length(after);
                    self.children.push((name.clone(), Some(after[2..end - 1].to_vec())));
                    &after[end..]
                }
                // What a type captures: `use<>`.
                ("use", [angle, ..]) if angle == "<" => after,
                ("use", _) => {
                    let end = item_length(after);
                    read_use(&after[..end - 1], Vec::new(), last == "pub" || last == ")", &mut self.uses);
                    &after[end..]
                }
                // A visibility: `pub(in crate::http)`.
                ("in", [_, ..]) if last == "(" => &after[2..],
                (name, _) if is_name(name) && last != "." && last != "::" => {
                    let mut path = vec![token.clone()];
                    let mut rest = after;
                    while let [colons, name, after @ ..] = rest
                        && colons == "::"
                        && is_name(name)
                    {
                        path.push(name.clone());
                        rest = after;
                    }
                    if path.len() > 1 {
                        self.paths.push(path);
                    }
                    rest
                }
                _ => after,
            };
            last = token;
        }
    }
}

/// Whether these tokens, which follow a `#`, start with `[cfg(test)]`.
fn is_cfg_test(tokens: &[String]) -> bool {
    tokens.iter().take(6).eq(["[", "cfg", "(", "test", ")", "]"])
}

/// Returns the number of tokens in the item that starts here, including the final semicolon or closing brace.
fn item_length(tokens: &[String]) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                // The braces of `use a::{b, c};` do not end it.
                if depth == 0 && tokens.get(index + 1).is_none_or(|next| next != ";") {
                    return index + 1;
                }
            }
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Reads the tokens between `use` and the semicolon.
fn read_use(tokens: &[String], mut path: Vec<String>, is_public: bool, uses: &mut Vec<Use>) {
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        match token.as_str() {
            "::" => {}
            "{" => {
                for branch in branches(&after[..after.len() - 1]) {
                    read_use(branch, path.clone(), is_public, uses);
                }
                return;
            }
            "as" => {
                return uses.push(Use { path, name: after[0].clone(), is_public });
            }
            "self" if !path.is_empty() => {}
            "*" => break,
            _ => path.push(token.clone()),
        }
        rest = after;
    }
    let name = path.last().unwrap().clone();
    uses.push(Use { path, name, is_public });
}

/// Splits at the commas outside inner braces.
fn branches(tokens: &[String]) -> Vec<&[String]> {
    let mut depth = 0;
    let parts = tokens.split(|token| {
        depth += i32::from(token == "{") - i32::from(token == "}");
        depth == 0 && token == ","
    });
    parts.filter(|part| !part.is_empty()).collect()
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Splits Rust source into names, `::` and other single characters, without comments, literals and lifetimes.
fn tokens(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").unwrap() + 2
        } else if let Some(length) = literal_length(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|next: char| !(next.is_alphanumeric() || next == '_')).unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            if !first.is_whitespace() {
                tokens.push(rest[..length].to_owned());
            }
            length
        };
        rest = &rest[length..];
    }
    tokens
}

/// Returns the length of the string, character or lifetime that starts here.
fn literal_length(text: &str) -> Option<usize> {
    let quoted = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let prefix = text.len() - quoted.len();
    if let Some(raw) = quoted.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return Some(prefix + 1 + hashes + 1 + raw[hashes + 1..].find(&end).unwrap() + end.len());
        }
    }
    let quote = quoted.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    let inside = &quoted[1..];
    let is_lifetime = quote == '\'' && !inside.starts_with('\\') && inside.chars().nth(1) != Some('\'');
    if is_lifetime {
        let length = inside.find(|next: char| !(next.is_alphanumeric() || next == '_')).unwrap_or(inside.len());
        return Some(1 + length);
    }
    let mut escaped = false;
    let end = inside.find(|next| {
        let is_end = next == quote && !escaped;
        escaped = next == '\\' && !escaped;
        is_end
    })?;
    Some(prefix + 1 + end + 1)
}
