//! The pages' statements about the repository: links, paths and functions exist, and every page is in the table of
//! contents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::mock_provider::PAGE;
use super::readme::{GUIDE, PLUGIN_GUIDE};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Markdown file of a folder, by its path from the root.
fn below(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let name = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
        if root().join(&name).is_dir() {
            found.extend(below(&name));
        } else if name.ends_with(".md") {
            found.push(name);
        }
    }
    found.sort();
    found
}

/// All pages for people: those of the guide, and those in the root of the repository.
fn pages() -> BTreeMap<String, String> {
    let beside = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "plugins/README.md"];
    let all = below("docs").into_iter().chain(beside.map(str::to_owned));
    all.map(|path| (path.clone(), fs::read_to_string(root().join(&path)).unwrap())).collect()
}

/// The text without code blocks.
fn prose(text: &str) -> String {
    let parts = text.split("\n```");
    parts.step_by(2).collect::<Vec<_>>().join("\n")
}

/// The blocks in a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let inside = text.split("\n```").skip(1).step_by(2);
    inside.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// The targets of links and images, outside of code.
fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    // Text between backticks is not a link.
    let text: String = text.split('`').step_by(2).collect::<Vec<_>>().join("``");
    let ends = text.match_indices("](").filter_map(|(at, _)| text.get(at + 2..)?.split(')').next().map(str::to_owned));
    ends.filter(|target| !target.is_empty()).collect()
}

/// The text between backticks, outside of code blocks.
fn code(text: &str) -> Vec<String> {
    prose(text).split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The anchors of a page's headings, as GitHub and mdbook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).lines().map(str::to_owned).collect::<Vec<_>>();
    let headings = headings.iter().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect::<String>()
    };
    headings.map(anchor).collect()
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = parts.pop(),
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            _ => {}
        }
    }
    parts.join("/")
}

#[test]
fn every_relative_link_leads_to_a_file_and_its_heading() {
    let pages = pages();
    let mut seen = 0;
    for (page, text) in &pages {
        for link in links(text).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let target = match file {
                "" => page.clone(),
                _ => normal(&Path::new(page).parent().unwrap().join(file)),
            };
            assert!(root().join(&target).exists(), "{page} links to {link}, which is not there");
            if page.starts_with("docs/") {
                assert!(
                    target.starts_with("docs/"),
                    "{page} links to {link}, which is not part of the book: give its URL"
                );
            }
            if let (Some(anchor), Some(text)) = (anchor, pages.get(&target)) {
                assert!(anchors(text).contains(anchor), "{page} links to {link}, and that page has no such heading");
            }
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen} links");
}

#[test]
fn every_page_of_the_guide_is_in_its_table_of_contents_once() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let mut listed: Vec<String> = links(&summary).iter().map(|link| format!("docs/{link}")).collect();
    listed.sort();
    let mut there = below("docs");
    there.retain(|page| page != "docs/SUMMARY.md");
    assert_eq!(listed, there);
}

/// Its commands are run by `tests/tests/reliability/postgres.rs`.
const POSTGRES: &str = "docs/operations/postgres.md";
/// Its commands are run by `tests/tests/reliability/backup/`.
const BACKUP: &str = "docs/operations/backup.md";

#[test]
fn every_page_with_commands_is_one_whose_commands_are_run() {
    let typed: BTreeSet<&str> = GUIDE
        .iter()
        .chain(&PLUGIN_GUIDE)
        .copied()
        .chain(["README.md", "CONTRIBUTING.md", PAGE, POSTGRES, BACKUP])
        .collect();
    for (page, text) in pages() {
        let has_commands = !blocks(&format!("\n{text}"), "sh").is_empty();
        assert_eq!(has_commands, typed.contains(page.as_str()), "{page}: `readme.rs` lists the pages with commands");
    }
}

#[test]
fn every_recipe_that_is_named_is_in_the_justfile() {
    let recipes = fs::read_to_string(root().join("justfile")).unwrap();
    let recipes: BTreeSet<&str> = recipes
        .lines()
        .filter(|line| !line.starts_with(['#', ' ']))
        .filter_map(|line| line.split([':', ' ']).next())
        .collect();
    let pages = pages();
    let named = pages.values().flat_map(|text| {
        let typed: Vec<String> = blocks(text, "sh").iter().flat_map(|block| block.lines()).map(str::to_owned).collect();
        typed.into_iter().chain(code(text))
    });
    let mut seen = 0;
    for line in named {
        if let Some(recipe) = line.strip_prefix("just ") {
            assert!(recipes.contains(recipe), "there is no recipe {recipe}");
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen} recipes");
}

/// `egress/client::send` is the function `send` in `host/crates/egress/src/client.rs`.
fn is_a_function(name: &str) -> bool {
    let Some((path, function)) = name.split_once("::") else { return false };
    let Some((home, file)) = path.split_once('/') else { return false };
    let file = root().join(format!("host/crates/{home}/src/{file}.rs"));
    let Ok(source) = fs::read_to_string(file) else { return false };
    source.contains(&format!("fn {function}(")) || source.contains(&format!("fn {function}<"))
}

/// Words of the form `crate/file::function`.
fn functions(text: &str) -> Vec<&str> {
    let words =
        text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '/' | '_' | ':' | '-')));
    words.filter(|word| word.contains('/') && word.contains("::")).collect()
}

#[test]
fn every_function_that_a_page_names_exists_and_each_arrow_of_the_two_ways_is_one() {
    let mut seen = 0;
    for (page, text) in
        pages().iter().filter(|(page, _)| page.starts_with("docs/architecture/") || *page == "CONTRIBUTING.md")
    {
        for name in functions(text) {
            assert!(is_a_function(name), "{page} names {name}, which is no function");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} functions");
    for page in ["docs/architecture/request.md", "docs/architecture/credential-value.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let pictures = blocks(&text, "mermaid");
        let arrows: Vec<&str> =
            pictures.iter().flat_map(|picture| picture.lines()).filter(|line| line.contains("-->")).collect();
        assert!(arrows.len() > 15, "{page} has {} arrows", arrows.len());
        for arrow in arrows {
            assert_eq!(functions(arrow).len(), 1, "{page}: one function for {arrow}");
        }
    }
}

#[test]
fn every_path_of_the_repository_that_a_page_names_exists() {
    let folders = ["host/", "tests/", "plugins/", "wit/", "docs/", "bench/", "fuzz/", ".ci/", ".github/"];
    for (page, text) in pages() {
        for path in code(&text) {
            let path = path.split_whitespace().next().unwrap_or_default();
            let is_path = folders.iter().any(|folder| path.starts_with(folder)) && !path.contains("::");
            // A path up to its first placeholder, as `plugins/*/cases`.
            let fixed = path.split(['*', '<', '{']).next().unwrap_or_default();
            // `plugins/` is also a folder of a server.
            if is_path && !page.starts_with("docs/operations/") {
                assert!(root().join(fixed).exists(), "{page} names {path}, which is not there");
            }
        }
    }
}

/// Words that hide who does what. `docs/concepts.md` has the terms.
#[test]
fn pages_are_written_in_plain_words() {
    let banned = [
        "whoever",
        "somebody",
        "is told",
        "are told",
        "stands in",
        "so many",
        "goes on",
        "go on",
        "by itself",
        "nobody's",
    ];
    for (page, text) in pages().iter().filter(|(page, _)| *page != "docs/performance.md") {
        let mut text = prose(text);
        // Tables that the program generates, and names of tests.
        while let Some((before, rest)) = text.split_once("<!-- ") {
            let Some((name, rest)) = rest.split_once(" -->") else { break };
            let after = rest.split_once(&format!("<!-- /{name} -->")).map_or("", |(_, after)| after);
            text = format!("{before}{after}");
        }
        let text = text.split('`').step_by(2).collect::<Vec<_>>().join("`").to_lowercase();
        for word in banned {
            assert!(!text.contains(word), "{page} says \"{word}\"");
        }
    }
}

#[test]
fn the_readme_is_read_to_its_end() {
    let lines = fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= 150, "{lines} lines");
}

#[test]
fn a_page_is_taken_apart_as_it_is_shown() {
    let page = "# A b\n\nSee [c](d.md#e-f) and `[g](h)`.\n\n```sh\njust ci\n```\n\n## Status 200 with `error`\n";
    assert_eq!(links(page), ["d.md#e-f"]);
    assert_eq!(blocks(page, "sh"), ["just ci"]);
    assert_eq!(code(page), ["[g](h)", "error"]);
    assert_eq!(anchors(page).into_iter().collect::<Vec<_>>(), ["a-b", "status-200-with-error"]);
    assert_eq!(functions("by `egress/client::send`, at a::b and c/d"), ["egress/client::send"]);
    assert!(is_a_function("egress/client::send") && !is_a_function("egress/client::sends"));
    assert_eq!(normal(Path::new("docs/plugins/../api.md")), "docs/api.md");
}
