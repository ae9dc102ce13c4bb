//! Growth.
use std::error::Error;
use clap::Args;
use crate::outcome::Outcome;
#[derive(Args, Clone)]
pub(crate) struct GrowthOptions {}
pub(crate) async fn growth(_: &GrowthOptions, _: bool) -> Result<Outcome, Box<dyn Error>> { Err("not there".into()) }
