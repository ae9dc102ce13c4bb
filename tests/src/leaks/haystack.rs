//! Everything that is visible from outside, with its source.

use std::fs;
use std::path::Path;

use keyferry_egress::each_reading;
use memchr::memmem;

use super::{Finding, Searcher};
use crate::http::Response;
use crate::or_fail::OrFail as _;

/// Bytes of a text that are unescaped at once, and the overlap of two such chunks.
const CHUNK: usize = 1 << 20;
const OVERLAP: usize = 1 << 12;

/// Bytes of context on each side of a finding.
const CONTEXT: usize = 60;

/// The texts to search.
#[derive(Default)]
pub struct Haystack {
    parts: Vec<(String, Vec<u8>)>,
}

/// Whether these exact bytes are in any file of a folder.
pub fn folder_holds(folder: &Path, needle: &[u8]) -> bool {
    // An optimised search: folders hold megabytes of compiled code, and tests are not optimised.
    folder_has(folder, &memmem::Finder::new(needle))
}

fn folder_has(folder: &Path, needle: &memmem::Finder<'_>) -> bool {
    fs::read_dir(folder).or_fail(format_args!("list {}", folder.display())).any(|entry| {
        let path = entry.or_fail("list a folder").path();
        match path.is_dir() {
            true => folder_has(&path, needle),
            false => fs::read(&path).is_ok_and(|bytes| needle.find(&bytes).is_some()),
        }
    })
}

impl Haystack {
    /// Adds any bytes.
    pub fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.parts.push((place.into(), bytes.into()));
    }

    /// Adds a response: status, headers, body.
    pub fn answer(&mut self, place: &str, answer: &Response) {
        let headers: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        self.add(format!("the answer to: {place}"), [headers.as_bytes(), b"\n", &answer.body].concat());
    }

    /// Adds all files of a folder, and their names, except those in `except`.
    pub fn folder(&mut self, folder: &Path, except: &str) {
        for entry in fs::read_dir(folder).or_fail(format_args!("list {}", folder.display())) {
            let path = entry.or_fail("list a folder").path();
            if path.is_dir() {
                self.folder(&path, except);
            } else if path.is_file() && path.file_name().is_none_or(|name| name != except) {
                self.add(format!("the name of {}", path.display()), path.display().to_string());
                self.add(format!("the file {}", path.display()), fs::read(&path).or_fail("read a file"));
            }
        }
    }

    /// Adds the parts of a process that every user can read: its arguments.
    pub fn process(&mut self, pid: u32) {
        for file in ["cmdline", "environ", "comm", "status"] {
            // Another user's environment is not readable, which is correct.
            if let Ok(bytes) = fs::read(format!("/proc/{pid}/{file}")) {
                self.add(format!("/proc/PID/{file}"), bytes);
            }
        }
    }

    /// The number of bytes.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// The number of parts.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// A line for each finding, with its context. Findings for which `is_fine` holds are left out.
    pub fn search(&self, searcher: &Searcher, is_fine: impl Fn(&str, &Finding) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        for (place, bytes) in &self.parts {
            let mut look = |bytes: &[u8]| {
                for finding in searcher.find(bytes).iter().filter(|finding| !is_fine(place, finding)) {
                    let around = bytes
                        .get(finding.at.saturating_sub(CONTEXT)..bytes.len().min(finding.at + CONTEXT))
                        .map(String::from_utf8_lossy)
                        .unwrap_or_default();
                    lines.push(format!("{finding} in {place}: ...{around}..."));
                }
            };
            // A text is also searched with its escapes undone, as the search of responses does.
            match std::str::from_utf8(bytes) {
                Ok(text) => chunks(text.as_bytes()).for_each(|chunk| each_reading(chunk, &mut look)),
                Err(_) => look(bytes),
            }
        }
        lines
    }
}

fn chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = (0..bytes.len()).step_by(CHUNK);
    starts.filter_map(|start| bytes.get(start..bytes.len().min(start + CHUNK + OVERLAP)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaks::Canary;

    #[test]
    fn what_is_planted_in_an_answer_a_file_a_name_or_an_environment_is_found() {
        let canary = Canary::plain("planted");
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), format!("x{}", canary.value())).unwrap();
        fs::write(deep.join(canary.value()), "").unwrap();
        fs::write(deep.join("the.key"), canary.value()).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").env("PLANTED", canary.value()).spawn().unwrap();
        // The process has started, but its environment may not be set yet.
        while fs::read(format!("/proc/{}/environ", child.id())).unwrap().is_empty() {
            std::thread::yield_now();
        }
        let mut haystack = Haystack::default();
        haystack.folder(folder.path(), "the.key");
        haystack.process(child.id());
        let _ = child.kill();
        let _ = child.wait();
        let escaped = canary.value().bytes().map(|byte| format!("\\u{byte:04x}")).collect::<String>();
        haystack.add("three", escaped);
        let header = ("x-a".to_owned(), canary.value().to_owned());
        haystack.answer("one", &Response { status: 200, headers: vec![header], body: Vec::new() });
        haystack.answer("two", &Response { status: 200, headers: vec![], body: canary.value().into() });
        let found = haystack.search(&Searcher::new([&canary]), |_, _| false);
        for place in ["/a/b/file:", "the name of ", "environ", "to: one", "to: two", "three"] {
            assert!(found.iter().any(|line| line.contains(place)), "{place}: {found:#?}");
        }
        assert!(!found.iter().any(|line| line.contains("the.key")), "{found:#?}");
    }
}
