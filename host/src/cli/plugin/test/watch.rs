//! Watching a plugin and its cases for changes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::cli::error::CliError;

/// A save causes several events: a change is complete when there were none for this long.
const SETTLE: Duration = Duration::from_millis(200);

/// Folders in which building writes.
const BUILT: [&str; 6] = ["target", "node_modules", ".venv", "__pycache__", ".git", "sdk"];

/// Changes, one at a time.
pub(super) struct Changes {
    events: mpsc::Receiver<()>,
    // Held until the end: dropping it ends the watch.
    _watcher: notify::RecommendedWatcher,
}

/// Watches files and folders. Of a file, its folder is watched: a build replaces it.
pub(super) fn start<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> Result<Changes, CliError> {
    let (sender, events) = mpsc::channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let counts = |event: notify::Event| !event.kind.is_access() && event.paths.iter().any(|path| !is_built(path));
        if event.is_ok_and(counts) {
            let _ = sender.try_send(());
        }
    })?;
    for path in paths {
        let folder = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new(".")) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        watcher.watch(folder, RecursiveMode::Recursive)?;
    }
    Ok(Changes { events, _watcher: watcher })
}

fn is_built(path: &Path) -> bool {
    path.components().any(|part| BUILT.iter().any(|built| part.as_os_str() == *built))
}

impl Changes {
    /// Waits for a change, and until there are no more for a moment.
    pub(super) async fn next(&mut self) {
        self.events.recv().await;
        while let Ok(Some(())) = tokio::time::timeout(SETTLE, self.events.recv()).await {}
    }
}
