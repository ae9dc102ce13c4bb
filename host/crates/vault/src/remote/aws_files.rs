//! Files that AWS' own client reads without a limit of time or size. They are checked before it does.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use keyferry_types::bounded_file::{self, FileFault, PATIENCE};
use keyferry_types::path_text::ShowPath as _;

/// Variables that name a file with settings, credentials, a token or certificates.
const VARIABLES: [&str; 5] = [
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "SSL_CERT_FILE",
];
/// Default paths of the first two, below `$HOME`.
const AT_HOME: [&str; 2] = [".aws/config", ".aws/credentials"];

/// The fault of the first file that hangs, or that is a pipe or something else than a regular file. A missing file is
/// not a fault.
pub(super) fn fault() -> Option<String> {
    fault_of(files(|name| env::var_os(name)))
}

fn files(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let home = variable("HOME").map(PathBuf::from);
    let mut at_home = AT_HOME.into_iter();
    VARIABLES
        .into_iter()
        .filter_map(|name| {
            let default = at_home.next().zip(home.as_ref()).map(|(path, home)| home.join(path));
            variable(name).filter(|path| !path.is_empty()).map(PathBuf::from).or(default)
        })
        .collect()
}

fn fault_of(files: Vec<PathBuf>) -> Option<String> {
    // The usual way to name an empty file. Reading it ends at once.
    let mut files = files.into_iter().filter(|path| path != Path::new("/dev/null"));
    files.find_map(|path| obstacle(&path).map(|fault| format!("{}: {fault}", path.shown())))
}

fn obstacle(path: &Path) -> Option<String> {
    let named = path.to_owned();
    match bounded_file::within(path, PATIENCE, move || Ok(bounded_file::kind_of(&named))) {
        Ok(kind) => kind.map(|kind| FileFault::NotRegular(kind).to_string()),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_or_a_folder_in_place_of_a_file_of_awss_client_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at(".aws")).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), mode).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at(".aws/credentials"), mode).unwrap();
        std::fs::write(at("file"), "").unwrap();
        let home = |name: &str| (name == "HOME").then(|| folder.path().as_os_str().to_owned());
        for name in VARIABLES {
            let set = |value: &'static str| move |known: &str| (known == name).then(|| OsString::from(value));
            assert_eq!(fault_of(files(set(""))), None);
            assert_eq!(fault_of(files(set("/nowhere/at/all"))), None);
            assert_eq!(fault_of(files(set("/dev/null"))), None);
            let to = |path: PathBuf| move |known: &str| (known == name).then(|| path.clone().into_os_string());
            assert_eq!(fault_of(files(to(at("file")))), None);
            let told = fault_of(files(to(at("pipe")))).unwrap();
            assert!(told.contains("/pipe: it is a FIFO (named pipe)"), "{name}: {told}");
            assert!(fault_of(files(to(folder.path().to_owned()))).unwrap().contains("it is a folder"), "{name}");
        }
        assert!(fault_of(files(home)).unwrap().contains("/.aws/credentials: it is a FIFO"));
    }
}
