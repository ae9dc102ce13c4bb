//! For plugin authors: from a crate to a component.

pub mod build;
