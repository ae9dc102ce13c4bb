//! An import of a large file, from outside.

#![expect(clippy::indexing_slicing, reason = "a member that JSON does not have is null")]

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::apps::shipped_apps;
use crate::http::Request;
use crate::{ServerChange, World, WorldOptions, binary};

/// Where imports are.
pub const IMPORTS: &str = "/api/v2/public/imports";

/// A world with all apps, and one credential for each of their auth types.
pub async fn start() -> (World, Vec<(&'static str, Value)>) {
    let (providers, credentials) = shipped_apps().await;
    let change: ServerChange = Box::new(|options| {
        binary::copy(binary::slugs(), &options.plugins);
        options.environment.push(("KEYFERRY_LOG".to_owned(), "warn".to_owned()));
    });
    (World::start_with(WorldOptions { providers: Some(providers), server: Some(change) }).await, credentials)
}

/// Imports a file and waits for its end.
pub async fn run(world: &World, path: &Path) -> Result<(), Box<dyn Error>> {
    ended(world, &upload(world, path).await?).await
}

/// Waits for the end of an import.
pub async fn ended(world: &World, id: &str) -> Result<(), Box<dyn Error>> {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let import = show(world, id).await?;
        match import["state"].as_str() {
            Some("running") => {}
            Some("finished") => return Ok(()),
            _ => return Err(format!("the import ended otherwise: {import:#}").into()),
        }
    }
}

/// Sends a file with `keyferry import`. Returns the import's id once the whole file is in the ledger.
pub async fn upload(world: &World, path: &Path) -> Result<String, Box<dyn Error>> {
    let mut command = tokio::process::Command::from(binary::command(binary::keyferry()));
    command
        .args(["import", "--create-accounts", "--detach", "--json"])
        .arg(path)
        .env("KEYFERRY_API_KEY", &world.api_key)
        .env("KEYFERRY_SERVER", format!("http://{}", world.server.address()));
    let output = command.output().await?;
    let accepted: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok(accepted["import"]["id"].as_str().unwrap_or_default().to_owned())
}

/// A request with the world's API key.
pub fn request(world: &World, method: &str, target: &str) -> Request {
    Request::new(method, target).header("x-api-key", &world.api_key)
}

/// An import as the API shows it.
pub async fn show(world: &World, id: &str) -> Result<Value, Box<dyn Error>> {
    let answer = request(world, "GET", &format!("{IMPORTS}/{id}"))
        .try_send(world.server.address())
        .await
        .map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(&answer.body)?)
}
