//! Dropped-in files take effect: the plugin folder is watched, and looked through anew after each change.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::registry::Registry;
use keyferry_types::bounded_file::{self, PATIENCE};

/// A copy is several events: wait until they pause.
const SETTLE: Duration = Duration::from_millis(150);
/// Some file systems tell no changes (network mounts): look anyway, which costs one `stat` a file.
const LOOK_ANYWAY: Duration = Duration::from_secs(15);

/// Watches the registry's folder until the registry is dropped by everyone else. Runs as a task of its own.
pub async fn watch(registry: Arc<Registry>) {
    let (sender, mut changes) = mpsc::channel::<()>(1);
    // Held until the end: dropping it ends the watch.
    let folder = registry.folder().to_owned();
    let _watcher =
        bounded_file::apart(registry.folder(), PATIENCE, move || start(&folder, sender).map_err(io::Error::other))
            .await
            .inspect_err(|error| {
                let every = LOOK_ANYWAY.as_secs();
                tracing::warn!(%error, "the plugin folder cannot be watched; it is looked through every {every} s");
            })
            .ok();
    let registry = Arc::downgrade(&registry);
    loop {
        match tokio::time::timeout(LOOK_ANYWAY, changes.recv()).await {
            Ok(Some(())) => while let Ok(Some(())) = tokio::time::timeout(SETTLE, changes.recv()).await {},
            Ok(None) => tokio::time::sleep(LOOK_ANYWAY).await,
            Err(_) => {}
        }
        let Some(registry) = registry.upgrade() else { return };
        if let Err(error) = registry.rescan().await {
            tracing::error!(%error, "the plugins stay as they are");
        }
    }
}

fn start(folder: &Path, sender: mpsc::Sender<()>) -> notify::Result<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading the folder is an event too, and must not cause the next look. A full channel means a look is due anyway.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = sender.try_send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}
