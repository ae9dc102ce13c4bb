//! The generator as a process, and a server's processor time while it counts.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::spec::{Load, Told};
use crate::figures::figure;
use crate::processor::Machine;

/// A load and what it cost the server.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) told: Told,
    pub(crate) processor: Duration,
    /// The share of all processors' time that was used while it counted, by whomever.
    pub(crate) busy: f64,
}

impl Run {
    /// The rate, in requests a second.
    pub(crate) fn rate(&self) -> f64 {
        figure(self.told.good()) / self.told.seconds
    }

    /// Processor time of one request, in microseconds.
    pub(crate) fn micros_a_request(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / figure(self.told.good()).max(1.0)
    }

    /// Requests done in a second of processor time.
    pub(crate) fn per_processor_second(&self) -> f64 {
        figure(self.told.good()) / self.processor.as_secs_f64().max(1e-9)
    }

    /// An error if a response had another status than 200.
    pub(crate) fn all_good(self, what: &str) -> Result<Self, Box<dyn Error>> {
        if self.told.bad() > 0 || self.told.good() == 0 {
            return Err(format!("{what}: responses were {:?}, {} broken", self.told.by_status, self.told.broken).into());
        }
        Ok(self)
    }
}

/// Sends a load from a process of its own, and reads what `processor` says when counting begins and when it ends.
pub(crate) async fn measure(
    load: Load,
    processor: impl Fn() -> Result<Duration, Box<dyn Error>>,
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
    // Read on a thread of its own: this one's runtime has providers to serve.
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
            "began" => began = Some((processor()?, Machine::now()?)),
            "ended" => ended = Some((processor()?, Machine::now()?)),
            result => told = Some(serde_json::from_str::<Told>(result)?),
        }
    }
    // It ends by itself once its pipes are closed, so that one is left behind on no way out.
    let status = child.wait()?;
    match (began, ended, told) {
        (Some((began, before)), Some((ended, after)), Some(told)) => {
            Ok(Run { told, processor: ended.saturating_sub(began), busy: after.used_since(before) })
        }
        _ => Err(format!("the generator of load ended with {status} before it had told anything").into()),
    }
}
