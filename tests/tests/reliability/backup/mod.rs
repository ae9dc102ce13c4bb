//! Backups, restores and copies of stores, by the built program: of a folder and of PostgreSQL, while a server serves and without one.

mod copied;
mod restored;
mod stage;
mod under_load;
