//! The uses between files of a crate, and the circles among them.
//!
//! Read from the text: `use` declarations and paths in the code, followed through re-exports to the file that defines
//! the item. Calls of methods and fields name no file and are ignored; inline `mod tests` and files of tests are left
//! out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

type Segments = Vec<String>;

/// One source file. Its module's path within the crate is its key in [`Graph`].
#[derive(Default)]
struct Module {
    file: String,
    /// A table of contents, `lib.rs` or `mod.rs`: its re-exports are not uses.
    is_contents: bool,
    defines: BTreeSet<String>,
    /// The path of each name that a `use` declaration imports.
    names: BTreeMap<String, Segments>,
    /// Re-exported names.
    handed_on: BTreeSet<String>,
    globs: Vec<Segments>,
    /// Paths of at least two segments in the code.
    paths: Vec<Segments>,
}

/// The files of one crate.
pub(crate) struct Graph {
    modules: BTreeMap<Segments, Module>,
}

impl Graph {
    /// Reads the files below `src`, the folder of `lib.rs` or `main.rs`.
    pub(crate) fn read(src: &Path) -> Self {
        let mut graph = Self { modules: BTreeMap::new() };
        graph.read_folder(src, src);
        graph
    }

    fn read_folder(&mut self, src: &Path, folder: &Path) {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry of it").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() {
                // Templates of plugins are sources of other crates.
                if !["tests", "templates"].contains(&name.as_str()) {
                    self.read_folder(src, &path);
                }
            } else if let Some(stem) = name.strip_suffix(".rs").filter(|stem| !stem.ends_with("tests")) {
                let file = path.strip_prefix(src).expect("below it").to_str().expect("UTF-8").to_owned();
                let mut module: Segments = file.split('/').map(str::to_owned).collect();
                module.pop();
                let is_contents = ["lib", "main", "mod"].contains(&stem);
                if !is_contents {
                    module.push(stem.to_owned());
                }
                let text = std::fs::read_to_string(&path).expect("a readable source");
                let read = Module { file, is_contents, ..parse(&text) };
                self.modules.insert(module, read);
            }
        }
    }

    /// The files that each file uses.
    pub(crate) fn edges(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let edges = self.modules.iter().map(|(at, module)| {
            let is_use = |name: &&String| !(module.is_contents && module.handed_on.contains(*name));
            let named = module.names.keys().filter(is_use).map(|name| vec![name.clone()]);
            let targets = named.chain(module.paths.iter().cloned()).filter_map(|path| self.definer(at, &path, 0));
            (module.file.as_str(), targets.filter(|file| *file != module.file).collect())
        });
        edges.collect()
    }

    /// Groups of files that each use one another, directly or through others of the group. Sorted.
    pub(crate) fn circles(&self) -> Vec<Vec<&str>> {
        let edges = self.edges();
        let reach: BTreeMap<_, _> = edges.keys().map(|file| (*file, reachable(&edges, file))).collect();
        let circles = edges.keys().map(|file| {
            let mutual = reach[file].iter().filter(|other| reach.get(*other).is_some_and(|back| back.contains(file)));
            mutual.copied().collect::<Vec<_>>()
        });
        circles.filter(|circle| circle.len() > 1).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The file that defines `path` as seen from the module `at`; `None` for items of other crates and for modules.
    fn definer(&self, at: &[String], path: &[String], depth: usize) -> Option<&str> {
        let full = self.absolute(at, path, depth)?;
        let known = (0..=full.len()).rev().find(|length| self.modules.contains_key(&full[..*length]))?;
        let (module_path, item) = full.split_at(known);
        let module = &self.modules[module_path];
        let name = item.first()?;
        if module.defines.contains(name) || depth > 8 {
            return Some(&module.file);
        }
        if module.names.contains_key(name) {
            return self.definer(module_path, item, depth + 1);
        }
        let through = |glob: &Segments| self.definer(module_path, &[glob.as_slice(), item].concat(), depth + 1);
        module.globs.iter().find_map(through).or(Some(&module.file))
    }

    /// `path` from the root of the crate; `None` if it leads out of the crate.
    fn absolute(&self, at: &[String], path: &[String], depth: usize) -> Option<Segments> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([at, rest].concat()),
            "super" => self.absolute(at.split_last()?.1, &[&["self".to_owned()], rest].concat(), depth),
            name => {
                let module = self.modules.get(at)?;
                if let Some(target) =
                    module.names.get(name).filter(|target| target.first() != Some(first) && depth <= 8)
                {
                    return self.absolute(at, &[target.as_slice(), rest].concat(), depth + 1);
                }
                let child = [at, &path[..1]].concat();
                self.modules.contains_key(&child).then(|| [at, path].concat())
            }
        }
    }
}

fn reachable<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let (mut found, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        for target in edges.get(file).into_iter().flatten() {
            if found.insert(*target) {
                next.push(target);
            }
        }
    }
    found
}

fn parse(text: &str) -> Module {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut module = Module::default();
    let tokens = tokens(text);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let is_path = tokens.get(at).is_some_and(|next| next == "::");
        if token == "use" {
            let is_public = ["pub", ")"].contains(&tokens.get(at.wrapping_sub(2)).map_or("", String::as_str));
            read_use(&tokens, &mut at, Vec::new(), is_public, &mut module);
        } else if ["fn", "struct", "enum", "trait", "type", "const", "static", "macro_rules", "union"]
            .contains(&token.as_str())
        {
            let name = tokens[at..].iter().find(|token| !["!", "mut", "fn"].contains(&token.as_str()));
            module.defines.extend(name.cloned());
        } else if is_path && is_name(token) && tokens.get(at.wrapping_sub(2)).is_none_or(|before| before != "::") {
            let mut path = vec![token.clone()];
            while tokens.get(at).is_some_and(|next| next == "::")
                && tokens.get(at + 1).is_some_and(|next| is_name(next))
            {
                path.push(tokens[at + 1].clone());
                at += 2;
            }
            module.paths.push(path);
        }
    }
    module
}

/// Reads one tree of a `use` declaration below `prefix`, up to the `;`, `,` or `}` behind it.
fn read_use(tokens: &[String], at: &mut usize, mut prefix: Segments, is_public: bool, module: &mut Module) {
    let mut bound = None;
    while let Some(token) = tokens.get(*at) {
        match token.as_str() {
            ";" | "," | "}" => break,
            "::" => {}
            "*" => {
                module.globs.push(prefix);
                *at += 1;
                return;
            }
            "as" => {
                *at += 1;
                bound = tokens.get(*at).cloned();
            }
            "{" => {
                while tokens.get(*at).is_some_and(|token| token != "}" && token != ";") {
                    *at += 1;
                    if tokens.get(*at).is_some_and(|token| token != "}") {
                        read_use(tokens, at, prefix.clone(), is_public, module);
                    }
                }
                *at += 1;
                return;
            }
            "self" if !prefix.is_empty() => {}
            name => prefix.push(name.to_owned()),
        }
        *at += 1;
    }
    if let Some(name) = bound.or_else(|| prefix.last().cloned()) {
        if is_public {
            module.handed_on.insert(name.clone());
        }
        module.names.insert(name, prefix);
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Words, `::`, and other characters one by one; without comments, texts and characters in quotes.
fn tokens(text: &str) -> Vec<String> {
    let pattern = concat!(
        r#"(?s)//[^\n]*|/\*.*?\*/"#,
        r##"|b?r#".*?"#|b?r"[^"]*"|b?"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\[^u]|\\u\{[^}]*\}|\\x..)'"##,
        r"|(?P<token>r#\w+|\w+|::|[^\s\w])"
    );
    static PATTERN: OnceLock<regex::Regex> = OnceLock::new();
    let pattern = PATTERN.get_or_init(|| regex::Regex::new(pattern).expect("a pattern of our own"));
    pattern.captures_iter(text).filter_map(|found| Some(found.name("token")?.as_str().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(files: &[(&str, &str)]) -> (tempfile::TempDir, Graph) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let graph = Graph::read(folder.path());
        (folder, graph)
    }

    #[test]
    fn files_that_use_each_other_through_a_re_export_form_a_circle() {
        let (_folder, graph) = graph(&[
            ("lib.rs", "mod a; mod b; mod c;\npub use a::{A, inner as renamed}; pub use c::*;"),
            ("a.rs", "use crate::b::{self, B};\npub struct A(B);\npub fn inner() { b::go() }"),
            ("b.rs", "pub struct B;\npub fn go() { crate::renamed() }"),
            ("c.rs", "use super::A;\npub struct C(A); // crate::b::B uses \"crate::C\""),
        ]);
        assert_eq!(graph.circles(), [["a.rs", "b.rs"]]);
        assert_eq!(graph.edges()["c.rs"], BTreeSet::from(["a.rs"]));
    }

    #[test]
    fn a_table_of_contents_and_tests_close_no_circle() {
        let (_folder, graph) = graph(&[
            ("lib.rs", "mod room;"),
            ("room/mod.rs", "mod one;\nmod two;\npub use one::One;"),
            (
                "room/one.rs",
                "use super::two::Two;\npub struct One(Two);\n#[cfg(test)]\nmod tests { use crate::room::One; }",
            ),
            ("room/two.rs", "pub struct Two;\n#[cfg(test)]\nmod tests {\n    use super::super::One;\n}"),
        ]);
        assert_eq!(graph.circles(), Vec::<Vec<&str>>::new());
    }

    #[test]
    fn an_item_that_its_parent_defines_closes_a_circle() {
        let (_folder, graph) = graph(&[
            ("lib.rs", "mod room;"),
            ("room/mod.rs", "mod one;\npub struct Shared;\nfn f() { one::go(&Shared) }"),
            ("room/one.rs", "pub fn go(_: &super::Shared) {}"),
        ]);
        assert_eq!(graph.circles(), [["room/mod.rs", "room/one.rs"]]);
    }
}
