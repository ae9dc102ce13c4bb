//! Credentials of the user's: a CSV file with the columns `slug`, `outcome`, and one for each field.

use std::path::Path;

use keyferry_devkit::cases::mock::{MockPlugin, MockTable, Token};
use keyferry_devkit::cases::unknown_name;
use keyferry_types::bounded_file::{self, LARGE};
use keyferry_types::echo::safe_name;
use keyferry_types::path_text::ShowPath as _;

/// Columns of a file to import that are no fields.
const OTHERS: [&str; 3] = ["linked_account_id", "account_name", "updated_at"];

/// A row of the file.
pub(super) struct Row {
    line: u64,
    slug: String,
    token: Token,
}

/// Reads the file.
pub(super) fn read(path: &Path) -> Result<Vec<Row>, String> {
    let shown = path.shown();
    let file = bounded_file::read_input(path, LARGE).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let text = file.text().map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    // The message of the CSV reader can quote a value.
    let broken = |line: Option<u64>| match line {
        Some(line) => format!("{shown}:{line}: this row does not have a cell for each column of the header"),
        None => format!("{shown} is not CSV with a header"),
    };
    let header: Vec<String> = reader.headers().map_err(|_| broken(None))?.iter().map(str::to_ascii_lowercase).collect();
    for column in ["slug", "outcome"] {
        if !header.iter().any(|name| name == column) {
            return Err(format!(
                "{shown} has no column `{column}`; the header is `slug,outcome` and the fields of the apps"
            ));
        }
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| broken(error.position().map(csv::Position::line)))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |column: &str| header.iter().zip(&record).find(|(name, _)| *name == column).map(|(_, cell)| cell);
        let fields = header.iter().zip(&record).filter(|(name, cell)| {
            !cell.is_empty()
                && !["slug", "outcome", "auth_type"].contains(&name.as_str())
                && !OTHERS.contains(&name.as_str())
        });
        let token = Token {
            auth_type: cell("auth_type").filter(|cell| !cell.is_empty()).map(str::to_owned),
            fields: fields.map(|(name, cell)| (name.clone(), cell.to_owned())).collect(),
            outcome: cell("outcome").unwrap_or_default().to_owned(),
        };
        rows.push(Row { line, slug: cell("slug").unwrap_or_default().to_owned(), token });
    }
    Ok(rows)
}

/// Refuses rows of apps that are not served.
pub(super) fn check_apps(rows: &[Row], slugs: &[String]) -> Result<(), String> {
    let known: Vec<&str> = slugs.iter().map(String::as_str).collect();
    match rows.iter().find(|row| !slugs.contains(&row.slug)) {
        None => Ok(()),
        Some(row) => {
            let slug = safe_name(&row.slug, known.iter().copied());
            Err(format!("line {} of the tokens: {}", row.line, unknown_name("app here", slug, &known)))
        }
    }
}

/// Adds the rows of an app.
pub(super) async fn add(rows: &[Row], plugin: &MockPlugin, table: &mut MockTable) -> Result<(), String> {
    for row in rows.iter().filter(|row| row.slug == plugin.slug()) {
        plugin
            .add_token(table, &row.token)
            .await
            .map_err(|error| format!("line {} of the tokens: {error}", row.line))?;
    }
    Ok(())
}
