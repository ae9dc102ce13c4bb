//! Everything that a plugin usually names: `use keyferry_plugin::prelude::*;`.

pub use crate::{
    Address, App, AuthType, Credential, Failure, Field, Grant, Json, Jwt, OAuth1, Plugin, Request, Response, Secret,
    SigV4, Value, Verified,
};
