//! The generator as a process, and the resources that a server uses while it counts.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use super::spec::{Load, Told};
use crate::figures::figure;
use crate::processor::Machine;
use crate::usage::{Used, disk_written};

/// The results of a load, and the server's resources during it.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) told: Told,
    pub(crate) used: Used,
    /// The share of all processors' time that was used during counting, by all processes.
    pub(crate) busy: f64,
    /// Bytes written to the disk during counting, by all processes. `None` where the system does not report them.
    pub(crate) disk: Option<u64>,
}

impl Run {
    /// The rate, in requests a second.
    pub(crate) fn rate(&self) -> f64 {
        figure(self.told.good()) / self.told.seconds
    }

    /// Processor time of one request, in microseconds.
    pub(crate) fn micros_a_request(&self) -> f64 {
        self.used.processor.as_secs_f64() * 1e6 / figure(self.told.good()).max(1.0)
    }

    /// Context switches of one request.
    pub(crate) fn switches_a_request(&self) -> f64 {
        figure(self.used.switches) / figure(self.told.good()).max(1.0)
    }

    /// Bytes that the kernel counts as written for one request. Not a number where it does not report them.
    pub(crate) fn bytes_written_a_request(&self) -> f64 {
        self.bytes_a_request(self.used.written)
    }

    /// Bytes written to the disk for one request. Not a number where the system does not report them.
    pub(crate) fn disk_bytes_a_request(&self) -> f64 {
        self.bytes_a_request(self.disk)
    }

    fn bytes_a_request(&self, bytes: Option<u64>) -> f64 {
        bytes.map_or(f64::NAN, |bytes| figure(bytes) / figure(self.told.good()).max(1.0))
    }

    /// Requests done in a second of processor time.
    pub(crate) fn per_processor_second(&self) -> f64 {
        figure(self.told.good()) / self.used.processor.as_secs_f64().max(1e-9)
    }

    /// An error if a response had another status than 200.
    pub(crate) fn all_good(self, what: &str) -> Result<Self, Box<dyn Error>> {
        if self.told.bad() > 0 || self.told.good() == 0 {
            return Err(format!("{what}: responses were {:?}, {} broken", self.told.by_status, self.told.broken).into());
        }
        Ok(self)
    }
}

/// Sends a load from a separate process, and reads the server's counters when counting begins and when it ends.
pub(crate) async fn measure(
    load: Load,
    used: impl Fn() -> Result<Used, Box<dyn Error>>,
) -> Result<Run, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("load")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("start the generator of load: {error}"))?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the generator of load has no pipes".into());
    };
    serde_json::to_writer(&mut stdin, &load)?;
    stdin.flush()?;
    drop(stdin);
    // Read on a separate thread: this one's runtime serves the mock providers.
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let (mut began, mut ended, mut told) = (None, None, None);
    while let Some(line) = lines.recv().await {
        match line.as_str() {
            "began" => began = Some((used()?, Machine::now()?, disk_written())),
            "ended" => ended = Some((used()?, Machine::now()?, disk_written())),
            result => told = Some(serde_json::from_str::<Told>(result)?),
        }
    }
    // The generator exits when its pipes are closed, so no path leaves one behind.
    let status = child.wait()?;
    match (began, ended, told) {
        (Some((began, before, disk_before)), Some((ended, after, disk_after)), Some(told)) => Ok(Run {
            told,
            used: ended.since(began),
            busy: after.used_since(before),
            disk: disk_after.zip(disk_before).map(|(after, before)| after.saturating_sub(before)),
        }),
        _ => Err(format!("the generator of load ended with {status} before it had told anything").into()),
    }
}
