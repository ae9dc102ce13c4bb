//! `keyferry backup`: writes a backup, or checks one.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::{Buf as _, Bytes};
use clap::Args;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::output::Output;
use super::{progress, stores, verify};
use crate::cli::config::{DataFolder, FolderArgs, Folders, OperatorArgs};
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::export::recipient;
use crate::cli::import::source::Identities;
use crate::cli::term;
use keyferry_api::admin::{self, AdminError, BackupBytes};
use keyferry_store::backup::{self, BackupError, BackupStream, Contents, Header, Reader};
use keyferry_types::path_text::ShowPath as _;

/// Parts of a backup that wait to be checked.
const AHEAD: usize = 4;

#[derive(Args)]
pub(in crate::cli) struct BackupArgs {
    /// The file to write, which must not exist; `-` is standard output.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Check FILE instead of writing it: whether it is whole and undamaged. Without a store.
    #[arg(long)]
    verify: bool,

    /// An age recipient that can decrypt the file (`age1...`; `age-keygen` makes one). Repeatable.
    #[arg(long, short, value_name = "RECIPIENT", value_parser = recipient, conflicts_with = "verify")]
    recipient: Vec<age::x25519::Recipient>,

    /// A file with keys of age, to check a file that is encrypted. Repeatable.
    #[arg(long, short, value_name = "FILE", requires = "verify")]
    identity: Vec<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    folders: OperatorArgs,
}

pub(in crate::cli) async fn run(args: BackupArgs) -> CliResult {
    let BackupArgs { file, verify, recipient, identity, json, folders } = args;
    let is_stdout = !verify && file == Path::new("-");
    if json && is_stdout {
        return Err("--json needs a FILE: standard output has the backup".into());
    }
    let (header, contents) = match verify {
        true => verify::whole(&file, &Identities::new(identity)).await?,
        false => make(folders.into(), &file, &recipient).await?,
    };
    if json {
        term::print_json(&verify::as_json(&file, &header, &contents))?;
        return Ok(Exit::Done);
    }
    let text = verify::as_text(&header, &contents);
    match (is_stdout, verify) {
        (true, _) => term::progress(&format!("written: {text}")),
        (_, true) => term::print(&format!("{} is whole: {text}", file.shown())),
        (_, false) => term::print(&format!("{} is written: {text}", file.shown())),
    }
    term::progress(&verify::keys_as_text(&header));
    Ok(Exit::Done)
}

/// The bytes of a backup.
enum Source {
    Server(BackupBytes),
    Here(BackupStream),
}

impl Source {
    async fn next(&mut self) -> Result<Option<Bytes>, CliError> {
        match self {
            Self::Server(bytes) => Ok(bytes.next().await?),
            Self::Here(bytes) => Ok(bytes.next().await.transpose()?),
        }
    }
}

async fn make(
    folders: FolderArgs,
    file: &Path,
    recipients: &[age::x25519::Recipient],
) -> Result<(Header, Contents), CliError> {
    let folders = folders.resolve_in(DataFolder::at)?;
    let mut output = Output::begin(file, recipients)?;
    let (mut source, store) = begin(&folders).await?;
    // What is written is checked at the same time.
    let (sender, receiver) = mpsc::channel(AHEAD);
    let bar = progress::bytes("written", None);
    let counted = bar.clone();
    let checked = tokio::task::spawn_blocking(move || {
        Reader::open(Incoming { receiver, rest: Bytes::new() })?.verify(|at| counted.set_position(at))
    });
    let written = async {
        while let Some(bytes) = source.next().await.map_err(broken_off)? {
            output.write(&bytes).map_err(|error| format!("cannot write {}: {error}", file.shown()))?;
            if sender.send(bytes).await.is_err() {
                // It says why.
                break;
            }
        }
        drop(sender);
        Ok::<_, CliError>(output)
    };
    let written = written.await;
    bar.finish_and_clear();
    let output = written?;
    let (header, contents) = checked.await?.map_err(|error: BackupError| broken_off(error.into()))?;
    output.finish()?;
    if let Some(store) = store {
        store.close().await?;
    }
    Ok((header, contents))
}

fn broken_off(error: CliError) -> CliError {
    format!("the backup was broken off, and nothing is kept of it: {}", crate::cli::error::chain(error.as_ref())).into()
}

/// A backup by the running server, or of a store that is not served; and that store.
async fn begin(folders: &Folders) -> Result<(Source, Option<std::sync::Arc<dyn keyferry_store::Store>>), CliError> {
    match admin::take_backup(&folders.data.socket()).await {
        Ok(bytes) => Ok((Source::Server(bytes), None)),
        Err(AdminError::NotRunning) => {
            if folders.database.is_none() {
                DataFolder::existing(folders.data.path())?;
            }
            let store = stores::to_read(folders).await?;
            Ok((Source::Here(backup::write(store.as_ref()).await?), Some(store)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Bytes as they come.
struct Incoming {
    receiver: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.receiver.blocking_recv() {
                Some(bytes) => self.rest = bytes,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.rest.len());
        self.rest.split_to(length).copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}
