use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::rust::Location;
use super::template::{self, Files, Tokens};
use super::{AuthKind, Language, NewError};
use keyferry_egress::HostPattern;
use keyferry_types::ids::Slug;

/// The plugin to make.
#[derive(Debug, Clone)]
pub struct NewPlugin {
    /// The app's slug, not parsed yet.
    pub slug: String,
    /// Language of the plugin.
    pub language: Language,
    /// What its credential is, to begin with.
    pub auth: AuthKind,
    /// Its folder, which is empty or not there. None is a folder called like the slug.
    pub folder: Option<PathBuf>,
}

/// A plugin's folder that has been made.
#[derive(Debug, Clone)]
pub struct Created {
    /// Slug of the app.
    pub slug: Slug,
    /// The folder, as it was named.
    pub folder: PathBuf,
    /// Its files, by their paths in it, in order.
    pub files: Vec<PathBuf>,
}

/// Makes the folder of a new plugin.
///
/// # Errors
/// What is wrong with the slug or the folder, before anything is written; or the file that could not be written.
pub fn new_plugin(new: &NewPlugin) -> Result<Created, NewError> {
    let slug = parse(&new.slug)?;
    let folder = new.folder.clone().unwrap_or_else(|| PathBuf::from(slug.as_str()));
    refuse_occupied(&folder)?;
    let files = contents(new, &slug, &folder)?;
    for (path, contents) in &files {
        write(&folder.join(path), contents)?;
    }
    Ok(Created { slug, folder, files: files.into_keys().collect() })
}

fn contents(new: &NewPlugin, slug: &Slug, folder: &Path) -> Result<Files, NewError> {
    let no_template = || NewError::NoTemplate(new.language);
    let tokens = Tokens::new(slug, new.auth);
    match new.language {
        Language::Rust => {
            let location = Location::detect(folder)?;
            let tokens = location.tokens(tokens);
            let mut files = template::files(new.language, new.auth, &tokens).ok_or_else(no_template)?;
            files.extend(location.files(slug)?);
            Ok(files)
        }
        Language::JavaScript | Language::Python => {
            template::files(new.language, new.auth, &tokens).ok_or_else(no_template)
        }
    }
}

fn parse(text: &str) -> Result<Slug, NewError> {
    let slug: Slug = text.parse().map_err(|source| NewError::Slug { source, suggestion: suggestion(text) })?;
    // Kept from every language: a plugin may be written anew in Rust one day.
    if slug.as_str() == "plugin" {
        return Err(NewError::SdkName(slug));
    }
    match format!("api.{slug}.example").parse::<HostPattern>() {
        Ok(_) if !slug.as_str().ends_with('-') => Ok(slug),
        _ => Err(NewError::NoHost(slug)),
    }
}

/// `Acme Inc.` is meant to be `acme-inc`.
fn suggestion(text: &str) -> Option<Slug> {
    let spaced: String =
        text.chars().map(|char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join("-").parse().ok()
}

fn refuse_occupied(folder: &Path) -> Result<(), NewError> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(NewError::NotEmpty(folder.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(NewError::NotAFolder(folder.to_owned())),
        Err(source) => Err(NewError::File { path: folder.to_owned(), source }),
    }
}

/// Writes a file that is not there yet.
fn write(path: &Path, contents: &[u8]) -> Result<(), NewError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(NewError::file(folder))?;
    }
    let mut file = fs::File::create_new(path).map_err(NewError::file(path))?;
    file.write_all(contents).map_err(NewError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(slug: &str, folder: Option<PathBuf>) -> NewPlugin {
        NewPlugin { slug: slug.to_owned(), language: Language::Rust, auth: AuthKind::KeyBased, folder }
    }

    #[test]
    fn what_is_no_slug_is_refused_with_what_to_do() {
        let long = "a".repeat(64);
        let cases = [
            ("Acme Inc.", "Try `keyferry plugin new acme-inc`"),
            ("../acme", "Try `keyferry plugin new acme`"),
            ("", "a slug must be 1 to 64 lower-case letters"),
            ("acme-", "does not end in `-`"),
            (&long, "at most 63 characters"),
            ("plugin", "the name of the SDK"),
        ];
        for (slug, expected) in cases {
            let error = new_plugin(&new(slug, None)).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expected), "{slug}: {error}");
        }
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let outer = tempfile::tempdir().unwrap();
        let (full, file) = (outer.path().join("full"), outer.path().join("full/notes.txt"));
        fs::create_dir(&full).unwrap();
        fs::write(&file, "mine").unwrap();
        let error = new_plugin(&new("acme", Some(full.clone()))).unwrap_err();
        assert!(matches!(error, NewError::NotEmpty(_)), "{error}");
        let error = new_plugin(&new("acme", Some(file.clone()))).unwrap_err();
        assert!(matches!(error, NewError::NotAFolder(_)), "{error}");
        assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(file).unwrap(), "mine");
    }

    #[test]
    fn an_empty_folder_and_one_that_is_not_there_are_filled() {
        let outer = tempfile::tempdir().unwrap();
        for folder in [outer.path().to_owned(), outer.path().join("not/there")] {
            let created = new_plugin(&new("acme", Some(folder.clone()))).unwrap();
            assert_eq!(created.folder, folder);
            for file in ["Cargo.toml", "Cargo.lock", "src/lib.rs", "sdk/src/lib.rs", "cases/valid.toml", ".gitignore"] {
                assert!(folder.join(file).is_file(), "{file}");
                assert!(created.files.iter().any(|path| path == Path::new(file)), "{file}");
            }
        }
    }
}
