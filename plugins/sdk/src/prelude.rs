//! Everything that a plugin usually names: `use keyferry_plugin::prelude::*;`.

pub use crate::{
    Address, Answer, App, AuthType, Credential, Failure, Field, Grant, Json, Jwt, OAuth1, Plugin, Request, Secret,
    SigV4, Value, Verified,
};
