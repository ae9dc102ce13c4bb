//! Everything that a plugin usually names: `use keyferry_plugin::prelude::*;`.

pub use crate::{
    Address, App, AuthType, Client, ClientAuth, Credential, DAY, Failure, Field, Grant, HOUR, Json, Jwt, MINUTE,
    OAuth1, Plugin, Renewal, RenewalFailure, Renewed, Request, Response, Rotation, Secret, SigV4, Value, Verified,
};
