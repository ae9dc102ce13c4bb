//! Starts, sizes, memory.
use std::error::Error;
use clap::Args;
use crate::outcome::Outcome;
#[derive(Args, Clone)]
pub(crate) struct ColdOptions {}
pub(crate) async fn cold(_: &ColdOptions, _: bool) -> Result<Outcome, Box<dyn Error>> { Err("not there".into()) }
