//! Stops servers while another one is measured. Background work of an idle server, such as a database that cleans up
//! after a load, would slow the measured one.

use std::error::Error;

use rustix::process::{Pid, Signal, kill_process};

/// Stopped processes. Dropping this resumes them.
pub(crate) struct Paused(Vec<Pid>);

impl Paused {
    pub(crate) fn new(pids: impl IntoIterator<Item = u32>) -> Result<Self, Box<dyn Error>> {
        let mut paused = Self(Vec::new());
        for pid in pids {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or("a process has no number")?;
            // A process that has ended needs no stop.
            if kill_process(pid, Signal::STOP).is_ok() {
                paused.0.push(pid);
            }
        }
        Ok(paused)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _gone = kill_process(*pid, Signal::CONT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn state(pid: u32) -> String {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        text.rsplit_once(") ").unwrap().1[..1].to_owned()
    }

    #[test]
    fn what_is_paused_stands_still_until_it_is_let_go() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let paused = Paused::new([child.id()]).unwrap();
        while state(child.id()) != "T" {
            std::thread::yield_now();
        }
        drop(paused);
        while state(child.id()) == "T" {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
