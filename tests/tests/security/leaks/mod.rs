//! Nothing leaks: canaries are sent through every path, and then searched in all output that is visible from outside.
//!
//! Two texts of the contract repeat an input to its sender: the id of a linked account that does not exist,
//! and the slug of an app that does not, where it is part of the path. Both are searched everywhere else.
//!
//! | file | content |
//! |---|---|
//! | `everywhere` | the tests: the requests in order, and the places that are searched |
//! | `hunt` | a server, its recorded output, and the canaries to search for |
//! | `leaky_provider` | a provider that echoes what it receives, in every encoding and place |
//! | `verifications`, `wrong_requests`, `readers`, `operators` | the requests and commands that carry canaries |
//! | `api_keys` | the look-up and the comparison of API keys |

mod api_keys;
mod everywhere;
mod hunt;
mod leaky_provider;
mod operators;
mod readers;
mod verifications;
mod wrong_requests;
