//! PostgreSQL in a folder of its own, with its default durability: `fsync` and `synchronous_commit` on.

use std::env;
use std::error::Error;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The timeout of a start.
const PATIENCE: Duration = Duration::from_secs(60);
/// The interval of polling.
const POLL: Duration = Duration::from_millis(50);

/// The user of a server that refuses to run as root.
#[derive(Debug, Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
}

/// A running server, on a Unix socket in its folder. It is killed when dropped.
pub(crate) struct Postgres {
    child: Child,
    folder: TempDir,
}

impl Postgres {
    /// Creates a cluster and starts it. As root, it runs as the user `postgres`.
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let folder = TempDir::new()?;
        let owner = owner()?;
        if let Some(Owner { user, group }) = owner {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let data = folder.path().join("data");
        let command = |name: &str| -> Result<Command, Box<dyn Error>> {
            let mut command = Command::new(program(name)?);
            command.current_dir(folder.path()).env("TZ", "UTC").env("LC_ALL", "C");
            if let Some(Owner { user, group }) = owner {
                command.uid(user).gid(group);
            }
            Ok(command)
        };
        let made = command("initdb")?
            .args(["--username", "bench", "--auth", "trust", "--encoding", "UTF8", "--pgdata"])
            .arg(&data)
            .output()?;
        if !made.status.success() {
            return Err(format!("initdb ended with {}: {}", made.status, String::from_utf8_lossy(&made.stderr)).into());
        }
        let log = fs::File::create(folder.path().join("log"))?;
        let child = command("postgres")?
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=on",
                "-c",
                "synchronous_commit=on",
                "-c",
                "shared_buffers=256MB",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let postgres = Self { child, folder };
        let until = Instant::now() + PATIENCE;
        // Its last line shows that it accepts connections.
        while !postgres.log().contains("ready to accept connections") {
            if Instant::now() >= until {
                return Err(format!("PostgreSQL did not start: {}", postgres.log()).into());
            }
            std::thread::sleep(POLL);
        }
        Ok(postgres)
    }

    pub(crate) fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process id of its main process, the parent of all others.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its children exit when they notice its end.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A program of PostgreSQL: on PATH, or in Debian's folder for programs that are not.
fn program(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = env::var_os("PATH").unwrap_or_default();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = env::split_paths(&path).chain(debian.map(|version| version.path().join("bin")));
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    Ok(found.ok_or_else(|| format!("{name} is not installed: it is in Debian's package postgresql-15"))?)
}

/// The user that runs PostgreSQL; `None` for the current one.
fn owner() -> Result<Option<Owner>, Box<dyn Error>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = fields
        .filter(|fields| fields.first() == Some(&"postgres"))
        .find_map(|fields| Some(Owner { user: fields.get(2)?.parse().ok()?, group: fields.get(3)?.parse().ok()? }));
    Ok(Some(
        found.ok_or("PostgreSQL refuses to run as root, and there is no user `postgres`: run this as another user")?,
    ))
}
