//! Bulk imports: many credentials at once, from a file.

pub mod input;
