//! Failed rows as a CSV file that can be corrected and imported again. It holds credentials, as the file does that it is made
//! of, and only its owner can read it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use http::Method;
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::super::client::Server;
use super::super::{CliError, term};
use super::follow::{count, number, text};
use super::source::{Identities, Source, is_stdin, open};
use crate::jobs::input::{Names, ReadOptions, Row, RowFormat, Rows};

/// Columns that are read again, and those that tell what was wrong.
const COLUMNS: [&str; 12] = [
    "linked_account_id",
    "slug",
    "auth_object",
    "account_name",
    "updated_at",
    "keyferry_names",
    "keyferry_row",
    "keyferry_line",
    "keyferry_outcome",
    "keyferry_detail",
    "keyferry_fields",
    "keyferry_warnings",
];

/// What the ledger says of a row that failed.
struct Failed {
    line: u64,
    account: String,
    slug: String,
    outcome: String,
    detail: String,
    fields: String,
    warnings: String,
}

/// Writes the failed rows of an import that has ended beside its file. Where they are; none where nothing failed.
pub(super) async fn write(
    server: &Server,
    import: &Value,
    file: &Path,
    identities: &Identities,
    asked: Option<&Path>,
    reading: &ReadOptions,
) -> Result<Option<PathBuf>, CliError> {
    if count(import, "failed") == 0 {
        return Ok(None);
    }
    let path = match (asked, is_stdin(file)) {
        (Some(path), _) => path.to_owned(),
        (None, true) => {
            term::progress(
                "standard input cannot be read again: name a file by --failures to have the failed rows listed",
            );
            return Ok(None);
        }
        (None, false) => PathBuf::from(format!("{}.failures.csv", file.display())),
    };
    let failed = failed(server, text(import, "id")).await?;
    let (source, reading, identities) = (file.to_owned(), reading.clone(), identities.clone());
    let target = path.clone();
    let written =
        tokio::task::spawn_blocking(move || write_rows(&target, &source, &identities, reading, &failed)).await?;
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Some(path))
}

/// Failed rows of the ledger, by their numbers.
async fn failed(server: &Server, id: &str) -> Result<BTreeMap<u64, Failed>, CliError> {
    let path = format!("/api/v2/public/imports/{id}/results?state=failed");
    let mut answer = server.send(Method::GET, &path, None).await?.good().await?;
    let (mut failed, mut buffer) = (BTreeMap::new(), Vec::new());
    while let Some(frame) = answer.response.body_mut().frame().await {
        if let Ok(data) = frame?.into_data() {
            buffer.extend_from_slice(&data);
        }
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let row: Value = serde_json::from_slice(&line)?;
            let own = |name: &str| text(&row, name).to_owned();
            let list = |name: &str| {
                let items = row.get(name).and_then(Value::as_array).into_iter().flatten();
                items.filter_map(Value::as_str).collect::<Vec<_>>()
            };
            failed.insert(
                number(&row, "row"),
                Failed {
                    line: number(&row, "line"),
                    account: own("linked_account_id"),
                    slug: own("slug"),
                    outcome: own("outcome"),
                    detail: own("detail"),
                    fields: list("fields").join(" "),
                    warnings: list("warnings").join("; "),
                },
            );
        }
    }
    Ok(failed)
}

fn write_rows(
    target: &Path,
    source: &Path,
    identities: &Identities,
    reading: ReadOptions,
    failed: &BTreeMap<u64, Failed>,
) -> Result<(), CliError> {
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(target)?;
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record(COLUMNS)?;
    if is_stdin(source) {
        for (number, about) in failed {
            record(&mut csv, *number, about, None)?;
        }
    } else {
        let format = source.file_name().and_then(|name| name.to_str()).and_then(RowFormat::from_file_name);
        let reading = ReadOptions { format: reading.format.or(format), ..reading };
        let Source { reader, .. } = open(source, identities)?;
        for row in Rows::new(reader, reading) {
            let row = row?;
            if let Some(about) = failed.get(&row.number) {
                record(&mut csv, row.number, about, row.content.ok().as_ref())?;
            }
        }
    }
    csv.flush()?;
    Ok(())
}

fn record(csv: &mut csv::Writer<impl Write>, number: u64, about: &Failed, row: Option<&Row>) -> Result<(), CliError> {
    let auth_object = row.map(|row| row.auth_object.to_json()).transpose()?;
    let auth_object = auth_object.as_deref().map(|json| std::str::from_utf8(json)).transpose()?;
    let names = match row.map(|row| &row.names) {
        Some(Names::Foreign { spare }) => format!("foreign {}", spare.join(" ")),
        Some(Names::Own) | None => String::new(),
    };
    csv.write_record([
        row.map_or(about.account.as_str(), |row| row.account.as_str()),
        row.map_or(about.slug.as_str(), |row| row.slug.as_str()),
        auth_object.unwrap_or_default(),
        row.and_then(|row| row.name.as_deref()).unwrap_or_default(),
        &row.and_then(|row| row.updated_at).map(|at| at.to_string()).unwrap_or_default(),
        names.trim_end(),
        &number.to_string(),
        &about.line.to_string(),
        &about.outcome,
        &about.detail,
        &about.fields,
        &about.warnings,
    ])?;
    Ok(())
}
