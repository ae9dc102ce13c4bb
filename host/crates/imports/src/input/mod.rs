//! Reading the file of a bulk import: rows in any of several formats, one by one, in memory that does not grow with the file.
//!
//! | module | what it is for |
//! |---|---|
//! | `rows` | the rows of a file: [`Rows`] |
//! | `row`, `error` | what comes out: a row, one that is no good, the end of all reading |
//! | `preset`, `mapping` | whose export it is, and what it calls things |
//! | `source`, `unpack`, `encoding` | its bytes as they were sent, unpacked, and as UTF-8 |
//! | `format` | which of the formats it has |
//! | `lines`, `document`, `csv` | rows cut out of NDJSON, other JSON, and CSV |
//! | `header` | what the columns of a CSV file are |
//! | `spelling`, `spelled` | names as files spell them, beside those that are known here and to an app |
//! | `echo` | names of a file as messages repeat them |
//! | `formula` | cells that a spreadsheet would run |
//! | `original` | a row as it is in its file |
//! | `json`, `moment` | one JSON text, one time |
//! | `flat`, `foreign` | a credential found in a row of ours, and in one of others' |
//! | `draft` | a row under construction |
//! | `ending` | OAuth credentials that end soon |
//! | `fit` | others' names of fields made those of the app |
//! | `origin`, `looks_secret` | what a row leaves out of its source, and whether that looks like a secret |
//!
//! Compression is detected from the first bytes: gzip or zstd. The format is detected from the first line: NDJSON (an object a
//! line), a JSON array, an object that holds one as the lists of APIs do (`{"items":[...]}`), or CSV with a header, separated
//! by commas, semicolons, tabs or bars. Byte order marks, UTF-16, a line `sep=;`, blank lines and empty rows are what
//! spreadsheets add, and say nothing.
//!
//! Keyferry's own rows are
//! `{"linked_account_id":"user_1","slug":"hubspot","auth_object":{"oauth2":{"access_token":"..."}}}`, with `account_name` (for
//! accounts that have yet to be created) and `updated_at` (RFC 3339 or milliseconds since 1970) where they are known. In CSV
//! they have the columns `linked_account_id`, `slug`, `auth_type` and one for each field, or `auth_object` with the JSON of it;
//! an empty cell is an absent one.
//!
//! ```
//! use keyferry_imports::input::{ReadOptions, Rows};
//! let file = "linked_account_id,slug,auth_type,access_token\nuser_1,hubspot,oauth2,example\nuser_2,hubspot\n";
//! let mut rows = Rows::new(file.as_bytes(), ReadOptions::default());
//! let first = rows.next().unwrap()?.content.unwrap();
//! assert_eq!((first.account.as_str(), first.slug.as_str()), ("user_1", "hubspot"));
//! let second = rows.next().unwrap()?;
//! assert_eq!((second.number, second.line), (2, 3));
//! assert_eq!(second.content.unwrap_err().kind.code(), "field_count");
//! assert!(rows.next().is_none());
//! # Ok::<(), keyferry_imports::input::ReadError>(())
//! ```

mod csv;
mod document;
mod draft;
mod echo;
mod encoding;
mod ending;
mod error;
mod fit;
mod flat;
mod foreign;
mod format;
mod formula;
mod header;
mod json;
mod lines;
mod looks_secret;
mod mapping;
mod moment;
mod origin;
mod original;
mod preset;
mod row;
mod rows;
mod source;
mod spelled;
mod spelling;
#[cfg(test)]
mod tests;
mod titles;
mod unpack;

pub(crate) use echo::argument;
pub use echo::{shell_path, shell_word};
pub use error::ReadError;
pub(crate) use foreign::usual;
pub use format::RowFormat;
pub use formula::guard;
pub(crate) use looks_secret::looks_secret;
pub use mapping::{InvalidMapping, Mapping, secret_default};
pub use original::{Original, SOURCE_MEMBER};
pub use preset::{Preset, UnknownPreset};
pub use row::{BadRow, BadRowKind, InputRow, Names, Row};
pub use rows::{ReadOptions, Rows};
pub use source::{ContentDigest, MalformedDigest};
pub use spelled::Misnamed;
pub(crate) use spelling::{Meant, fold, meant};
pub use unpack::Packing;
