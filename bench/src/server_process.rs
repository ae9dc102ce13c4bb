//! A server that was started for this run.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A running process and its address. It is killed when dropped.
pub(crate) struct ServerProcess {
    child: Child,
    address: SocketAddr,
}

impl ServerProcess {
    pub(crate) fn new(child: Child, address: SocketAddr) -> Self {
        Self { child, address }
    }

    /// Starts a command that prints its address, as [`started`] does.
    pub(crate) fn start(command: Command, settings: &impl Serialize) -> Result<Self, Box<dyn Error>> {
        let (mut child, said) = started(command, settings)?;
        match said.parse() {
            Ok(address) => Ok(Self::new(child, address)),
            Err(_) => {
                child.kill()?;
                child.wait()?;
                Err(format!("a server did not come up, and said: {said:?}").into())
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have exited already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Starts a command that reads its settings from stdin, a line of JSON, and waits for the first line that it prints.
pub(crate) fn started(mut command: Command, settings: &impl Serialize) -> Result<(Child, String), Box<dyn Error>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("start {command:?}: {error}"))?;
    let (Some(stdin), Some(stdout)) = (&mut child.stdin, child.stdout.take()) else {
        return Err(format!("{command:?} has no pipes").into());
    };
    writeln!(stdin, "{}", serde_json::to_string(settings)?)?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok((child, line.trim().to_owned()))
}

/// This program with other arguments, under another program where one is given.
pub(crate) fn this_program(under: &[String], arguments: &[&str]) -> Result<Command, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let mut command = match under.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.args(arguments);
    Ok(command)
}

/// The settings that [`started`] has sent to this process, which ends when its stdin is closed.
pub(crate) fn settings_of_this_process<T: DeserializeOwned>() -> Result<T, Box<dyn Error>> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let settings = serde_json::from_str(&line)?;
    std::thread::spawn(|| {
        let _closed = std::io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    Ok(settings)
}
