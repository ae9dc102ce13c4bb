//! The signals that end a server.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::CliError;

/// The signals that end a server, listened to before it starts so that none is missed.
pub(super) struct Signals {
    count: tokio::sync::watch::Receiver<u32>,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, CliError> {
        Self::listen_to(None)
    }

    /// The same, and SIGHUP as well, which a terminal sends when it is closed. `nohup` has it ignored, and it stays so.
    pub(super) fn listen_to_hangup_too() -> Result<Self, CliError> {
        let hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Self::listen_to(hangup)
    }

    fn listen_to(mut hangup: Option<Signal>) -> Result<Self, CliError> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, count) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    Some(_) = async { hangup.as_mut()?.recv().await } => {}
                }
                sender.send_modify(|count| *count += 1);
            }
        });
        Ok(Self { count })
    }

    /// Makes the first signal end the process at once, until the returned task is aborted. It is for a start that hangs, in
    /// whichever thread. The files on disk are consistent at any moment.
    pub(super) fn exit_at_first(&self) -> tokio::task::JoinHandle<()> {
        let mut count = self.count.clone();
        tokio::spawn(async move {
            if count.wait_for(|seen| *seen >= 1).await.is_ok() {
                tracing::info!("stopped by a signal before it served");
                std::process::exit(0);
            }
        })
    }

    async fn reached(&self, count: u32) {
        if self.count.clone().wait_for(|seen| *seen >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(super) async fn first(&self) {
        self.reached(1).await;
    }

    pub(super) async fn second(&self) {
        self.reached(2).await;
    }
}

/// Whether this process was started with SIGHUP ignored.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 != 0)
}
