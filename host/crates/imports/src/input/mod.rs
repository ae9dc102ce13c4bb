//! Reading the file of a bulk import: rows in any of several formats, one by one, in memory that does not grow with the file.
//!
//! | file | answers |
//! |---|---|
//! | `rows` | which rows does a file have? ([`Rows`]) |
//! | `row`, `part`, `error` | what is a row, an invalid row, a part of one, the end of all reading? |
//! | `preset`, `mapping`, `mapping_rules` | which system is an export from? which names do its rules map, and how are rules written? |
//! | `source`, `decompress`, `compression`, `encoding` | how do its bytes become UTF-8? |
//! | `format`, `lines`, `document`, `csv` | which format does it have, and how are rows cut out of NDJSON, other JSON, CSV? |
//! | `title_lines`, `header` | which lines are above the header of a CSV file, and what are its columns? |
//! | `own_rows`, `foreign` | how is a row of Keyferry's own read, and one of another system? |
//! | `draft`, `renaming` | how is a row put together, and which names do its values get? |
//! | `normalize`, `unknown_names`, `name_match` | how do names of fields become the app's? what about those that it does not have? which is meant? |
//! | `provenance`, `looks_secret` | what does a row leave out of its source, and does that look like a secret? |
//! | `expiry`, `timestamp` | does a credential end soon? how are times written? |
//! | `original`, `formula`, `echo` | how is a row written down again? a cell that a spreadsheet would run? names in messages? |
//! | `json`, `text` | how is one JSON text read? which value is a text? |
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

mod compression;
mod csv;
mod decompress;
mod document;
mod draft;
mod echo;
mod encoding;
mod error;
mod expiry;
mod foreign;
mod format;
mod formula;
mod header;
mod json;
mod lines;
mod looks_secret;
mod mapping;
mod mapping_rules;
mod name_match;
mod normalize;
mod original;
mod own_rows;
mod part;
mod preset;
mod provenance;
mod renaming;
mod row;
mod rows;
mod source;
mod text;
mod timestamp;
mod title_lines;
mod unknown_names;

#[cfg(test)]
mod tests;

pub use compression::Compression;
pub(crate) use echo::argument;
pub use echo::{shell_path, shell_word};
pub use error::ReadError;
pub(crate) use foreign::usual;
pub use format::RowFormat;
pub use formula::guard;
pub(crate) use looks_secret::looks_secret;
pub use mapping::Mapping;
pub use mapping_rules::{InvalidMapping, secret_default};
pub(crate) use name_match::{NameMatch, fold, match_name};
pub use original::{Original, SOURCE_MEMBER};
pub use preset::{Preset, UnknownPreset};
pub use row::{BadRow, BadRowKind, InputRow, Names, Row};
pub use rows::{ReadOptions, Rows};
pub use source::{ContentDigest, MalformedDigest};
pub use unknown_names::UnknownNames;
