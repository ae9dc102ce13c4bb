//! `keyferry serve` as a child process.

use std::fmt;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustls::ClientConfig;
use tempfile::TempDir;

use crate::binary;
use crate::http::Request;
use crate::or_fail::{OrFail as _, fail};

/// Timeout of a start or an orderly end: the first start compiles plugins, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(300);
/// The interval of polling.
const POLL: Duration = Duration::from_millis(20);
/// The text before the address in the server's output.
const LISTENING: [&str; 2] = ["listening on http://", "listening on https://"];
const OPERATORS: [&str; 2] = ["operators at http://", "operators at https://"];

/// How plugins get their grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grants {
    /// `--grant-on-drop`
    OnDrop,
    /// Only by `keyferry plugin grant`.
    ByHand,
}

/// Where plugins are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginsIn {
    /// In the folder of the options: `--plugins`.
    Folder,
    /// In the database, for all of its servers.
    Database,
}

/// The condition that ends a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// `/readyz` says that it is ready.
    Ready,
    /// `/readyz` responds, with any status.
    Listening,
}

/// The options of a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// `--listen`
    pub listen: String,
    /// `--data`
    pub data: PathBuf,
    /// `--plugins`
    pub plugins: PathBuf,
    /// Whether that folder is used.
    pub plugins_in: PluginsIn,
    /// How plugins get their grants.
    pub grants: Grants,
    /// `--egress-ca`, and with it `--dev-allow-loopback`.
    pub egress_ca: Option<PathBuf>,
    /// Values of `--dev-resolve`, `HOST=ADDRESS:PORT`.
    pub resolve: Vec<String>,
    /// `--tls-cert` and `--tls-key`, and a client configuration that trusts them.
    pub tls: Option<ServerTls>,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Further environment variables.
    pub environment: Vec<(String, String)>,
    /// The condition that ends a start.
    pub awaits: Awaits,
    /// Another binary, such as an older release.
    pub binary: Option<PathBuf>,
}

impl ServerOptions {
    /// Grants on drop, no providers.
    pub fn new(data: impl Into<PathBuf>, plugins: impl Into<PathBuf>) -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            data: data.into(),
            plugins: plugins.into(),
            plugins_in: PluginsIn::Folder,
            grants: Grants::OnDrop,
            egress_ca: None,
            resolve: Vec::new(),
            tls: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            awaits: Awaits::Ready,
            binary: None,
        }
    }

    fn command(&self) -> Command {
        let mut command = binary::command(self.binary.as_deref().unwrap_or_else(|| binary::keyferry()));
        command.args(["serve", "--listen", &self.listen, "--data"]).arg(&self.data);
        if self.plugins_in == PluginsIn::Folder {
            command.arg("--plugins").arg(&self.plugins);
        }
        if self.grants == Grants::OnDrop {
            command.arg("--grant-on-drop");
        }
        if let Some(ca) = &self.egress_ca {
            command.arg("--dev-allow-loopback").arg("--egress-ca").arg(ca);
        }
        if let Some(tls) = &self.tls {
            command.arg("--tls-cert").arg(&tls.cert).arg("--tls-key").arg(&tls.key);
        }
        for rule in &self.resolve {
            command.args(["--dev-resolve", rule]);
        }
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A server's certificate.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// `--tls-cert`
    pub cert: PathBuf,
    /// `--tls-key`
    pub key: PathBuf,
    /// A client configuration that trusts it.
    pub client: Arc<ClientConfig>,
}

/// A server did not start.
#[derive(Debug)]
pub struct StartFailure {
    /// Its exit status, `None` if it was still running after the timeout.
    pub status: Option<ExitStatus>,
    /// All of its output.
    pub logs: String,
}

impl fmt::Display for StartFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "the server ended with {status}")?,
            None => write!(f, "the server was not ready within {PATIENCE:?}")?,
        }
        write!(f, ", having printed:\n{}", self.logs)
    }
}

impl std::error::Error for StartFailure {}

/// A running `keyferry serve`. It is killed when dropped.
pub struct Server {
    options: ServerOptions,
    printed: Printed,
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts one and waits until it is ready. Fails the test with the server's output if it is not.
    pub async fn start(options: ServerOptions) -> Self {
        match Self::try_start(options).await {
            Ok(server) => server,
            Err(failure) => fail(failure),
        }
    }

    /// Starts one that may refuse to start.
    pub async fn try_start(options: ServerOptions) -> Result<Self, StartFailure> {
        let mut printed = Printed::new();
        let (child, address) = launch(&options, &mut printed).await?;
        Ok(Self { options, printed, child, address })
    }

    /// Starts one and kills it after a while, ready or not.
    pub async fn start_and_kill(options: &ServerOptions, after: Duration) {
        let mut command = options.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().or_fail(format_args!("start {command:?}"));
        tokio::time::sleep(after).await;
        // It may have exited already.
        let _gone = child.kill();
        child.wait().or_fail("wait for the killed server");
    }

    /// The address of the API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of the metrics listener, if there is one.
    pub fn metrics_address(&self) -> SocketAddr {
        printed_address(&self.printed.latest(), "metrics at http://").or_fail("it tells metrics")
    }

    /// The address of the listener for operators, if there is one.
    pub fn operators_address(&self) -> SocketAddr {
        let printed = self.printed.latest();
        let address = OPERATORS.iter().find_map(|words| printed_address(&printed, words));
        address.or_fail("it listens to operators")
    }

    /// Its options; changes take effect at the next [`restart`](Self::restart).
    pub fn options_mut(&mut self) -> &mut ServerOptions {
        &mut self.options
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All of its output so far, over all restarts.
    pub fn logs(&self) -> String {
        self.printed.all()
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self) {
        // It may have exited already.
        let _gone = self.child.kill();
        self.child.wait().or_fail("wait for the killed server");
    }

    /// Sends SIGSTOP: the process stands still until [`resume`](Self::resume).
    pub fn pause(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).or_fail("send SIGSTOP to the server");
    }

    /// Sends SIGCONT.
    pub fn resume(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).or_fail("send SIGCONT to the server");
    }

    /// Sends SIGTERM and returns the exit status. Fails the test if it does not exit.
    pub async fn terminate(&mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).or_fail("send SIGTERM to the server");
        self.wait().await
    }

    /// Waits for its exit status. Fails the test if it does not exit.
    pub async fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().or_fail("look at the server") {
                return status;
            }
            if Instant::now() >= deadline {
                fail(format_args!("the server has not ended within {PATIENCE:?}:\n{}", self.logs()));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Starts it again on the same folders, and kills it first if it still runs. The port is another one.
    pub async fn restart(&mut self) {
        self.kill();
        match launch(&self.options, &mut self.printed).await {
            Ok((child, address)) => (self.child, self.address) = (child, address),
            Err(failure) => fail(failure),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

async fn launch(options: &ServerOptions, printed: &mut Printed) -> Result<(Child, SocketAddr), StartFailure> {
    let (stdout, stderr) = printed.next_run();
    let mut command = options.command();
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let mut child = command.spawn().or_fail(format_args!("start {command:?}"));
    let deadline = Instant::now() + PATIENCE;
    let mut status = None;
    while status.is_none() && Instant::now() < deadline {
        if let Some(address) = bound_address(&printed.latest())
            && is_ready(address, options).await
        {
            return Ok((child, address));
        }
        status = child.try_wait().or_fail("look at the server");
        tokio::time::sleep(POLL).await;
    }
    let _gone = child.kill();
    let _reaped = child.wait();
    Err(StartFailure { status, logs: printed.all() })
}

async fn is_ready(address: SocketAddr, options: &ServerOptions) -> bool {
    let request = Request::new("GET", "/readyz");
    let answer = async {
        match &options.tls {
            None => request.try_send(address).await,
            Some(tls) => request.try_send_tls(address, Arc::clone(&tls.client)).await.map(|(answer, _)| answer),
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(5), answer).await;
    matches!(answer, Ok(Ok(answer)) if answer.status == 200 || options.awaits == Awaits::Listening)
}

/// The address in the server's output. An incomplete line does not count, because the port may be cut in two.
fn bound_address(printed: &str) -> Option<SocketAddr> {
    LISTENING.iter().find_map(|words| printed_address(printed, words))
}

/// The address after these words, in their last occurrence.
fn printed_address(printed: &str, words: &str) -> Option<SocketAddr> {
    let (_, rest) = printed.rsplit_once(words)?;
    let (line, _) = rest.split_once('\n')?;
    let end = line.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(line.len());
    line.get(..end)?.trim_end_matches(['.', ':']).parse().ok()
}

/// The files of the server's output, two for each run.
struct Printed {
    folder: TempDir,
    runs: usize,
}

impl Printed {
    fn new() -> Self {
        Self { folder: TempDir::new().or_fail("make a folder for the server's output"), runs: 0 }
    }

    fn next_run(&mut self) -> (File, File) {
        self.runs += 1;
        let create = |path: PathBuf| File::create(&path).or_fail(format_args!("make {}", path.display()));
        (create(self.path(self.runs, "stdout")), create(self.path(self.runs, "stderr")))
    }

    fn path(&self, run: usize, stream: &str) -> PathBuf {
        self.folder.path().join(format!("{run}.{stream}"))
    }

    fn of(&self, run: usize) -> String {
        let read = |stream| fs::read(self.path(run, stream)).unwrap_or_default();
        ["stdout", "stderr"].map(|stream| String::from_utf8_lossy(&read(stream)).into_owned()).concat()
    }

    fn latest(&self) -> String {
        self.of(self.runs)
    }

    fn all(&self) -> String {
        (1..=self.runs).map(|run| self.of(run)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_address_in_any_kind_of_line() {
        let expected = Some("127.0.0.1:4321".parse().unwrap());
        for printed in [
            "listening on http://127.0.0.1:4321\n",
            "2026-01-01T00:00:00Z INFO keyferry: listening on http://127.0.0.1:4321 plugins=4\n",
            "{\"message\":\"listening on http://127.0.0.1:4321\",\"level\":\"INFO\"}\nmore\n",
            "listening on https://127.0.0.1:4321\n",
            "listening on http://127.0.0.1:1\nlistening on http://127.0.0.1:4321.\n",
        ] {
            assert_eq!(bound_address(printed), expected, "{printed}");
        }
        for printed in
            ["", "listening on http://127.0.0.1:43", "listening on http://\n", "listening on 127.0.0.1:4321\n"]
        {
            assert_eq!(bound_address(printed), None, "{printed}");
        }
    }

    #[tokio::test]
    async fn a_server_that_ends_at_once_shows_its_command_line_and_status() {
        let mut options = ServerOptions::new("/data", "/plugins");
        options.binary = Some(PathBuf::from("echo"));
        options.egress_ca = Some(PathBuf::from("/ca.pem"));
        options.resolve = vec!["api.example.com=127.0.0.1:1".to_owned()];
        options.arguments = vec!["--dev".to_owned()];
        let failure = Server::try_start(options).await.map(|_| ()).unwrap_err();
        assert!(failure.status.unwrap().success());
        assert_eq!(
            failure.logs,
            "serve --listen 127.0.0.1:0 --data /data --plugins /plugins --grant-on-drop --dev-allow-loopback \
             --egress-ca /ca.pem --dev-resolve api.example.com=127.0.0.1:1 --dev\n"
        );
    }
}
