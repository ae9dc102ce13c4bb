//! Conversion between the contract's types and the host's: one file for each major version of the contract. No type of a
//! binding generator leaves this folder.

pub(super) mod v1;
