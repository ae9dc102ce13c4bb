//! Each contestant has a process of its own, which is stopped outside of its rounds: work that an engine defers
//! (compaction, cleaning, a flush every half second) and the kernel's counters fall into its own rounds only.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum as _};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Builder;

use super::contestants::Kind;
use super::load::{self, Round};
use crate::allocator::{self, Freed};
use crate::outcome::{Outcome, Tried as _};

/// The arguments of a contestant's process.
#[derive(Debug, Args)]
pub(crate) struct Duty {
    #[arg(long, value_enum)]
    kind: Kind,
    #[arg(long)]
    writers: usize,
    #[arg(long)]
    folder: PathBuf,
}

/// The line that it prints when it is ready for writes.
const READY: &str = "ready";

/// The process of a contestant: opens it, and runs a round for each line of stdin, which is the round's milliseconds.
pub(crate) fn work(duty: &Duty) -> Outcome<()> {
    let freed = match duty.kind {
        Kind::Keyferry => Freed::Wiped,
        _ => Freed::AsItIs,
    };
    allocator::with(freed, || serve(duty))
}

fn serve(duty: &Duty) -> Outcome<()> {
    let runtime = Builder::new_multi_thread().enable_all().build().tried("start the runtime")?;
    let contestant = Arc::new(runtime.block_on(duty.kind.open(&duty.folder))?);
    let next = Arc::default();
    say(READY)?;
    for line in std::io::stdin().lines() {
        let millis = line.tried("read a round's length")?.parse().tried("understand a round's length")?;
        let length = Duration::from_millis(millis);
        let round = runtime.block_on(load::run(&contestant, duty.writers, length, &next))?;
        say(&serde_json::to_string(&round).tried("write a round down")?)?;
    }
    Ok(())
}

fn say(line: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).tried("tell the process that measures")
}

/// The handle of a contestant's process. The process is stopped except during a round.
pub(super) struct Worker {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts one and waits until it is ready for writes.
    pub(super) fn start(kind: Kind, writers: usize, folder: &Path) -> Outcome<Self> {
        let program = std::env::current_exe().tried("find this program's file")?;
        let value = kind.to_possible_value().tried("name a contestant")?;
        let mut command = Command::new(program);
        command.args(["store-worker", "--kind", value.get_name(), "--writers", &writers.to_string(), "--folder"]);
        command.arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().tried("start a contestant's process")?;
        let orders = child.stdin.take().tried("reach a contestant's input")?;
        let answers = child.stdout.take().tried("reach a contestant's output")?;
        let mut worker = Self { child, orders, answers: BufReader::new(answers) };
        let said = worker.answer()?;
        if said != READY {
            return Err(format!("{} says {said:?} instead of being ready", kind.name()).into());
        }
        worker.signal(Signal::STOP)?;
        Ok(worker)
    }

    /// Runs a round in it.
    pub(super) fn round(&mut self, length: Duration) -> Outcome<Round> {
        self.signal(Signal::CONT)?;
        let order = writeln!(self.orders, "{}", length.as_millis()).and_then(|()| self.orders.flush());
        order.tried("begin a round")?;
        let answer = self.answer()?;
        self.signal(Signal::STOP)?;
        serde_json::from_str(&answer).tried("read a round's figures")
    }

    fn answer(&mut self) -> Outcome<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line).tried("hear of a contestant")? {
            0 => Err("a contestant's process has ended; what it said stands above".into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn signal(&self, signal: Signal) -> Outcome<()> {
        kill_process(Pid::from_child(&self.child), signal).tried("stop or wake a contestant's process")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Its folder is removed, so it needs no orderly end. A stopped process can be killed, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
