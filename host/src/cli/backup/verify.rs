//! Checking a backup, and what is said of one.

use std::path::Path;

use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::progress;
use crate::cli::error::CliError;
use crate::cli::import::source::{self, Identities};
use keyferry_store::backup::{Contents, Header, Reader};
use keyferry_types::path_text::ShowPath as _;

/// Reads a backup to its end.
pub(super) async fn whole(file: &Path, identities: &Identities) -> Result<(Header, Contents), CliError> {
    let source = source::open(file, identities)?;
    let bar = progress::bytes("checking", source.bytes);
    let counted = bar.clone();
    let read = tokio::task::spawn_blocking(move || Reader::open(source.reader)?.verify(|at| counted.set_position(at)));
    let read = read.await?;
    bar.finish_and_clear();
    read.map_err(|error| format!("{}: {error}", file.shown()).into())
}

/// What a backup has, for programs.
pub(super) fn as_json(file: &Path, header: &Header, contents: &Contents) -> Value {
    let rows = contents.rows.iter().map(|(table, rows)| json!({ "table": table, "rows": rows }));
    let keys = header.keys.iter().map(|key| json!({ "id": key.id, "root_keys": key.root_keys }));
    json!({
        "file": file.shown().to_string(),
        "id": header.id,
        "made_at": header.made_at,
        "keyferry": header.keyferry,
        "store": header.store,
        "root_keys": header.root_keys,
        "keys": keys.collect::<Vec<_>>(),
        "rows": rows.collect::<Vec<_>>(),
        "bytes": contents.bytes,
        "sha256": contents.sha256,
    })
}

/// What a backup has, in a line.
pub(super) fn as_text(header: &Header, contents: &Contents) -> String {
    format!(
        "{} rows of {} as of {}, {}, sha256 {}",
        contents.rows.total(),
        header.store,
        header.made_at,
        HumanBytes(contents.bytes),
        contents.sha256
    )
}

/// Which keys open it.
pub(super) fn keys_as_text(header: &Header) -> String {
    let all: Vec<_> = header.keys.iter().map(|key| format!("{} ({} root keys)", key.id, key.root_keys)).collect();
    match all.as_slice() {
        [] => "it has no root keys, and needs no key".to_owned(),
        all => format!("its key-encryption key is not in it, and has to be kept apart: {}", all.join(", ")),
    }
}
