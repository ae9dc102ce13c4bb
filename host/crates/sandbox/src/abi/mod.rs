//! The contract's words and ours: one file a major version of the contract. Nothing that a binding generator made leaves
//! this folder.

pub(super) mod v1;
