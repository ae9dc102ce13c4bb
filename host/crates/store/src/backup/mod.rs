//! Backups: all content of a store in one file, for either engine; and copies of one store into another.
//!
//! A backup is the first line, and sections: the header, rows and changes as [`Piece`](crate::Piece)s, and the end with the number
//! of rows in each table and a SHA-256 of all before it. Records are as the store has them, so that what is secret is sealed. Each section
//! has a number and checksums: what is cut or damaged is refused where it is, before the end is there.
//!
//! | file | answers |
//! |---|---|
//! | `about` | what does a backup say of itself? |
//! | `section` | how are bytes framed? |
//! | `rows` | how are rows bytes? |
//! | `write` | how is a store written into a backup? |
//! | `read` | how is a backup read and checked? |
//! | `fill` | how is an empty store filled, by a backup or by another store? |
//! | `error` | what is wrong with a backup? why is a store not filled? |

mod about;
mod error;
mod fill;
mod read;
mod rows;
mod section;
mod write;

pub use about::{Contents, Header, KeyUse, SampleRoot};
pub use error::{BackupError, FillError, SectionName};
pub use fill::{Filled, Step, copy, restore};
pub use read::Reader;
#[cfg(any(test, feature = "fuzzing"))]
pub use section::framed;
pub use write::{BackupStream, write};

#[cfg(test)]
mod tests;
