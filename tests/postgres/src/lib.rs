//! PostgreSQL for tests: clusters in temporary folders. A cluster stops when the process that started it ends, also by a kill.
//!
//! A cluster listens only on a Unix socket in its folder. PostgreSQL refuses to run as root; then it runs as `postgres` or `nobody`.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use tempfile::TempDir;

/// The superuser of each cluster, who needs no password on its socket.
pub const USER: &str = "keyferry";
/// A user who needs one.
pub const USER_WITH_PASSWORD: &str = "careful";
/// The password of [`USER_WITH_PASSWORD`].
pub const PASSWORD: &str = "p4ss:w\\ord";

/// How long a cluster may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts PostgreSQL and executes the commands `stop` and `start` from its standard input. When the input ends, it stops PostgreSQL
/// and deletes the folder.
const KEEPER: &str = r#"
trap '' INT TERM HUP
folder=$1; shift
begin() { "$@" >>"$folder/log" 2>&1 </dev/null & server=$!; }
# A server that has just been started ignores it.
end() { while kill -QUIT "$server" 2>/dev/null; do sleep 0.05; done; wait "$server"; }
begin "$@"
while read -r word; do
    case $word in
        stop) end ;;
        start) begin "$@" ;;
    esac
    echo "$word"
done
end
rm -rf "$folder"
"#;

/// The folder with the programs: one in `PATH`, or Debian's.
fn programs() -> Option<PathBuf> {
    let debian = (13..=20).rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |folder: &PathBuf| {
        ["initdb", "postgres", "pg_isready", "psql", "pg_basebackup"].iter().all(|name| folder.join(name).is_file())
    };
    env::split_paths(&path).chain(debian).find(is_there)
}

#[track_caller]
#[expect(clippy::panic, reason = "a harness without its database has to fail the test that uses it")]
fn fail(what: impl Display) -> ! {
    panic!("{what}")
}

#[track_caller]
fn or_fail<T, E: Display>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|error| fail(format_args!("cannot {what}: {error}")))
}

/// A cluster.
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    keeper: Mutex<Keeper>,
    databases: AtomicU64,
}

struct Keeper {
    _process: Child,
    words: ChildStdin,
    replies: BufReader<ChildStdout>,
}

/// A database of a cluster.
pub struct Database<'a> {
    /// Its cluster.
    pub cluster: &'a Cluster,
    /// Its name.
    pub name: String,
}

impl Cluster {
    /// The cluster that all tests of this process share. `None` if PostgreSQL is not installed, with a message; in CI that is a failure.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// A separate cluster, for a test that stops it.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            if env::var_os("CI").is_some() {
                fail("PostgreSQL is not installed, and CI has to run everything");
            }
            println!("skipped: PostgreSQL is not installed");
            return None;
        };
        let folder = or_fail(TempDir::with_prefix("kf-pg-"), "make a folder for PostgreSQL").keep();
        let user = as_whom(&folder);
        let data = folder.join("data");
        let initdb = run(
            &user,
            &programs.join("initdb"),
            &[
                "--no-sync".as_ref(),
                "--auth=trust".as_ref(),
                "--encoding=UTF8".as_ref(),
                "--locale=C".as_ref(),
                "--username".as_ref(),
                USER.as_ref(),
                "--pgdata".as_ref(),
                data.as_os_str(),
            ],
        );
        check(&initdb, "initdb");
        let rules =
            format!("local all {USER_WITH_PASSWORD} scram-sha-256\nlocal all all trust\nlocal replication all trust\n");
        or_fail(fs::write(data.join("pg_hba.conf"), rules), "write pg_hba.conf");
        let cluster = Self::launch(folder, programs, user);
        let password = PASSWORD.replace('\'', "''");
        cluster.run_sql("postgres", &format!("CREATE ROLE {USER_WITH_PASSWORD} LOGIN SUPERUSER PASSWORD '{password}'"));
        Some(cluster)
    }

    /// A standby of this cluster. From then on, this one acknowledges a commit once the standby has it on disk.
    pub fn standby(&self) -> Self {
        let folder = or_fail(TempDir::with_prefix("kf-pg-"), "make a folder for PostgreSQL").keep();
        let user = as_whom(&folder);
        let data = folder.join("data");
        let arguments = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--username", USER, "--host"];
        let mut arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        arguments.extend([self.folder.as_os_str(), "--pgdata".as_ref(), data.as_os_str()]);
        check(&run(&user, &self.programs.join("pg_basebackup"), &arguments), "pg_basebackup");
        let standby = Self::launch(folder, self.programs.clone(), user);
        self.run_sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.run_sql("postgres", "SELECT pg_reload_conf()");
        let until = Instant::now() + PATIENCE;
        while self.run_sql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != "1" {
            if Instant::now() > until {
                fail("the standby does not follow");
            }
            thread::sleep(Duration::from_millis(30));
        }
        standby
    }

    /// Makes a standby take writes.
    pub fn promote(&self) {
        self.run_sql("postgres", "SELECT pg_promote()");
    }

    /// Starts PostgreSQL on a folder with data.
    fn launch(folder: PathBuf, programs: PathBuf, user: Vec<String>) -> Self {
        let data = folder.join("data");
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&folder).args(user).arg(programs.join("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(&folder);
        for setting in ["listen_addresses=", "max_connections=300", "shared_buffers=32MB"] {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = or_fail(command.spawn(), "start PostgreSQL");
        let (words, replies) = (child.stdin.take(), child.stdout.take());
        let (Some(words), Some(replies)) = (words, replies) else { fail("the keeper of PostgreSQL has no pipes") };
        let keeper = Mutex::new(Keeper { _process: child, words, replies: BufReader::new(replies) });
        let cluster = Self { folder, programs, keeper, databases: AtomicU64::new(0) };
        cluster.wait();
        cluster
    }

    /// The folder with its socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new database.
    pub fn database(&self) -> Database<'_> {
        let name = format!("kf_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run_sql("postgres", &format!("CREATE DATABASE {name}"));
        Database { cluster: self, name }
    }

    /// Stops all its processes immediately, like a crash.
    pub fn stop(&self) {
        self.tell("stop");
    }

    /// Starts it again.
    pub fn start_again(&self) {
        self.tell("start");
        self.wait();
    }

    fn tell(&self, word: &str) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        or_fail(writeln!(keeper.words, "{word}"), "reach the keeper of PostgreSQL");
        let mut reply = String::new();
        or_fail(keeper.replies.read_line(&mut reply), "hear from the keeper of PostgreSQL");
    }

    /// Waits until it takes connections.
    fn wait(&self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            ready.arg("--quiet").arg("--host").arg(&self.folder);
            if or_fail(ready.status(), "run pg_isready").success() {
                return;
            }
            if Instant::now() > until {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                fail(format_args!("PostgreSQL does not start:\n{log}"));
            }
            thread::sleep(Duration::from_millis(30));
        }
    }

    fn run_sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", database, "-h"]);
        psql.arg(&self.folder).args(["-c", sql]);
        let output = or_fail(psql.output(), "run psql");
        check(&output, sql);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The keeper deletes the folder when its input ends, which is after this.
        self.tell("stop");
    }
}

impl Database<'_> {
    /// Its address.
    pub fn url(&self) -> String {
        self.url_of(USER)
    }

    /// Its address for this user.
    pub fn url_of(&self, user: &str) -> String {
        format!("postgres://{user}@/{}?host={}", self.name, self.cluster.folder.display())
    }

    /// What a statement returns, as text.
    pub fn sql(&self, sql: &str) -> String {
        self.cluster.run_sql(&self.name, sql)
    }
}

/// The command that runs a program as a user that PostgreSQL accepts. Gives the folder to that user.
fn as_whom(folder: &Path) -> Vec<String> {
    let me = or_fail(fs::metadata("/proc/self"), "find out who runs this").uid();
    if me != 0 {
        return Vec::new();
    }
    let users = or_fail(fs::read_to_string("/etc/passwd"), "read /etc/passwd");
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut members = line.split(':').skip(2);
        Some((members.next()?.parse::<u32>().ok()?, members.next()?.parse::<u32>().ok()?))
    };
    let Some((user, group)) = ids("postgres").or_else(|| ids("nobody")) else {
        fail("there is neither a user postgres nor nobody")
    };
    or_fail(chown(folder, Some(user), Some(group)), "give the folder away");
    ["setpriv", "--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups", "--"]
        .map(str::to_owned)
        .to_vec()
}

fn run(user: &[String], program: &Path, arguments: &[&OsStr]) -> Output {
    let mut command = match user.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    };
    or_fail(command.args(arguments).current_dir("/").output(), "run initdb")
}

fn check(output: &Output, what: &str) {
    if !output.status.success() {
        fail(format_args!("{what}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
}
