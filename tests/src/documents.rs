//! Markdown as a reader uses it: the commands in it, and the tables that a program generates.

use std::fs;
use std::path::{Path, PathBuf};

use crate::or_fail::OrFail as _;

/// A document of the repository, and its path from the root.
pub struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    /// Reads it.
    pub fn read(path: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
        let text = fs::read_to_string(&path).or_fail(format_args!("read {}", path.display()));
        Self { path, text }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The content of each code block in that language.
    pub fn blocks(&self, language: &str) -> Vec<String> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if let Some(name) = line.strip_prefix("```") {
                let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                if name == language {
                    blocks.push(block.join("\n"));
                }
            }
        }
        blocks
    }

    /// The commands in its `sh` blocks, in order. A line that ends in `\` continues on the next.
    pub fn commands(&self) -> Vec<String> {
        let joined: Vec<String> = self.blocks("sh").iter().map(|block| block.replace("\\\n", " ")).collect();
        joined.iter().flat_map(|block| block.lines()).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// The text between `<!-- NAME -->` and `<!-- /NAME -->`.
    pub fn section(&self, name: &str) -> &str {
        let after = self.text.split_once(&format!("<!-- {name} -->\n"));
        let inside = after.and_then(|(_, rest)| rest.split_once(&format!("<!-- /{name} -->")));
        inside.or_fail(format_args!("find the section {name} in {}", self.path.display())).0
    }
}
