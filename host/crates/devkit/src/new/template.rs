use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};

use super::{AuthKind, Language};
use keyferry_types::ids::Slug;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/new/templates");

/// What files hold, by their paths in the new folder.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The placeholders of a template and the texts that replace them.
pub(super) struct Tokens(Vec<(&'static str, String)>);

impl Tokens {
    pub(super) fn new(slug: &Slug, auth: AuthKind) -> Self {
        Self(vec![
            ("__SLUG__", slug.to_string()),
            ("__NAME__", title(slug)),
            ("__AUTH__", auth.folder().to_owned()),
            ("__SECRET__", auth.secret().to_owned()),
        ])
    }

    pub(super) fn and(mut self, token: &'static str, value: String) -> Self {
        self.0.push((token, value));
        self
    }

    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (token, value)| text.replace(token, value))
    }
}

/// The files of a template, filled in. None, if there is no template for that language.
pub(super) fn files(language: Language, auth: AuthKind, tokens: &Tokens) -> Option<Files> {
    let language = language.folder();
    let mut files = Files::new();
    for (folder, prefix) in [
        (format!("{language}/common"), ""),
        (format!("{language}/{}", auth.folder()), ""),
        (format!("cases/{}", auth.folder()), "cases"),
    ] {
        let folder = TEMPLATES.get_dir(folder)?;
        for (path, contents) in below(folder) {
            let path = Path::new(prefix).join(named(path, tokens));
            let contents = match std::str::from_utf8(contents) {
                Ok(text) => tokens.fill(text).into_bytes(),
                Err(_) => contents.to_vec(),
            };
            files.insert(path, contents);
        }
    }
    Some(files)
}

/// Every file below an embedded folder, by its path from there.
pub(super) fn below(folder: &'static Dir<'_>) -> Vec<(&'static Path, &'static [u8])> {
    fn collect(folder: &'static Dir<'_>, root: &Path, found: &mut Vec<(&'static Path, &'static [u8])>) {
        for entry in folder.entries() {
            match entry {
                DirEntry::Dir(folder) => collect(folder, root, found),
                DirEntry::File(file) => {
                    found.push((file.path().strip_prefix(root).unwrap_or(file.path()), file.contents()));
                }
            }
        }
    }
    let mut found = Vec::new();
    collect(folder, folder.path(), &mut found);
    found
}

/// A file's name in the new folder. `.tmpl` keeps tools from taking a template for the real thing.
fn named(path: &Path, tokens: &Tokens) -> PathBuf {
    let path = tokens.fill(&path.to_string_lossy());
    PathBuf::from(path.strip_suffix(".tmpl").unwrap_or(&path))
}

/// `acme-pay` is `Acme Pay`.
fn title(slug: &Slug) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    slug.as_str().split('-').filter_map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(text: &str) -> Slug {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_the_slug_in_title_case() {
        for (text, name) in [("acme", "Acme"), ("acme-pay", "Acme Pay"), ("1password", "1password"), ("a--b", "A B")] {
            assert_eq!(title(&slug(text)), name);
        }
    }

    #[test]
    fn every_language_gets_the_three_cases_and_no_token_is_left_over() {
        let present = |language: &Language| TEMPLATES.get_dir(language.folder()).is_some();
        let languages: Vec<_> =
            [Language::Rust, Language::JavaScript, Language::Python].into_iter().filter(present).collect();
        assert!(languages.contains(&Language::Rust));
        for language in languages {
            for auth in [AuthKind::OAuth2, AuthKind::KeyBased] {
                let tokens = Tokens::new(&slug("acme-pay"), auth)
                    .and("__SDK__", "\"sdk\"".to_owned())
                    .and("__WORKSPACE__", String::new());
                let files = files(language, auth, &tokens).unwrap();
                for case in ["valid", "rejected", "rate-limited"] {
                    let text = &files[Path::new(&format!("cases/{case}.toml"))];
                    toml::from_slice::<toml::Table>(text).unwrap_or_else(|error| panic!("{case}: {error}"));
                }
                for (path, contents) in &files {
                    assert!(path.extension().is_none_or(|extension| extension != "tmpl"), "{}", path.display());
                    let text = String::from_utf8_lossy(contents);
                    for token in ["__SLUG__", "__NAME__", "__AUTH__", "__SECRET__", "__SDK__", "__WORKSPACE__"] {
                        assert!(!text.contains(token), "{language} {auth}: {token} in {}", path.display());
                    }
                }
                assert!(files.contains_key(Path::new("README.md")), "{language}");
                assert!(files.contains_key(Path::new(".gitignore")), "{language}");
            }
        }
    }
}
