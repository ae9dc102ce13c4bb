//! The server in Node.js that does the same job, with its database.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keyferry_mock_providers::apps::demo::STRIPE_HOST;
use keyferry_tests::{World, binary};
use serde_json::json;

use crate::pause::Paused;
use crate::postgres::Postgres;
use crate::processor::all_below;
use crate::server_process::ServerProcess;
use crate::usage::Used;

/// A running server of `bench/node`.
pub(crate) struct NodeServer {
    served: ServerProcess,
    postgres: Postgres,
}

impl NodeServer {
    /// Starts one that calls the mock provider of that world and accepts its API key.
    pub(crate) fn start(world: &World) -> Result<Self, Box<dyn Error>> {
        let folder = installed()?;
        let postgres = Postgres::start()?;
        let mut child = Command::new("node")
            .arg(folder.join("server.mjs"))
            .env("NODE_ENV", "production")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("start node: {error}; install Debian's package nodejs, version 20"))?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("node has no pipes".into());
        };
        let provider = world.providers.address_of(STRIPE_HOST).ok_or("there is no provider")?;
        let setting = json!({
            "api_key": world.api_key,
            "ca": world.folder().join("ca.pem"),
            "provider": provider.to_string(),
            "postgres_socket": postgres.socket_folder(),
        });
        writeln!(stdin, "{setting}")?;
        drop(stdin);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().map_err(|_| format!("the server in Node.js did not come up: {line:?}"))?;
        Ok(Self { served: ServerProcess::new(child, address), postgres })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.served.address()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.served.pid()
    }

    /// The server and its database, stopped.
    pub(crate) fn paused(&self) -> Result<Paused, Box<dyn Error>> {
        Paused::new(all_below(self.postgres.pid())?.into_iter().chain([self.pid()]))
    }

    /// The resources of the server and its database together.
    pub(crate) fn used(&self) -> Result<Used, Box<dyn Error>> {
        Ok(Used::by(self.pid())? + Used::by_tree(self.postgres.pid())?)
    }
}

/// A folder with the server and the packages of its lock file, installed once for each content of the lock file.
fn installed() -> Result<PathBuf, Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
    let folder = binary::target().join("bench-tools/node");
    fs::create_dir_all(&folder)?;
    fs::copy(source.join("server.mjs"), folder.join("server.mjs"))?;
    let wanted = fs::read(source.join("package-lock.json"))?;
    // Written last, so that an interrupted installation does not have it.
    let stamp = folder.join("installed-from");
    if fs::read(&stamp).ok().as_ref() != Some(&wanted) {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source.join(file), folder.join(file))?;
        }
        let quietly = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        let output = Command::new("npm").args(quietly).current_dir(&folder).output();
        let output = output.map_err(|error| format!("run npm: {error}; install Debian's package npm"))?;
        if !output.status.success() {
            return Err(
                format!("npm ci ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into()
            );
        }
        fs::write(&stamp, wanted)?;
    }
    Ok(folder)
}
