//! The sections of the report about growth.

use std::error::Error;

use super::options::{GrowthOptions, Part};
use super::{credentials, plugins, waiting};
use crate::section::Section;

const SERVED: &str = "Growth";
const STORED: &str = "Growth of what is stored";

/// Sections of the report, by their titles.
pub(crate) async fn growth(
    options: &GrowthOptions,
    quick: bool,
) -> Result<Vec<(&'static str, Section)>, Box<dyn Error>> {
    let mut options = options.clone();
    if quick {
        let only = options.only;
        options = GrowthOptions { most_plugins: 100, most_credentials: 20_000, seconds: 1.0, rounds: 1, only };
    }
    let mut sections = Vec::new();
    if options.only != Some(Part::Stored) {
        sections.push((SERVED, served(&options).await?));
    }
    if options.only != Some(Part::Served) {
        sections.push((STORED, credentials::credentials(&options).await?));
    }
    Ok(sections)
}

async fn served(options: &GrowthOptions) -> Result<Section, Box<dyn Error>> {
    let mut all = Section {
        text: "The whole server with many plugins, connections or waiting verifications. Starts follow a SIGKILL and \
               end when `/readyz` responds with 200, polled every 20 ms; rates are those of a closed loop with 64 \
               connections unless stated otherwise. Clients that get 503 try again after `Retry-After`, except in \
               the rows \"repeated at once\"."
            .to_owned(),
        tables: Vec::new(),
        plots: Vec::new(),
        goals: Vec::new(),
    };
    for part in
        [plugins::plugins(options).await?, waiting::connections(options).await?, waiting::verifications(options).await?]
    {
        all.tables.extend(part.tables);
        all.plots.extend(part.plots);
        all.goals.extend(part.goals);
    }
    Ok(all)
}
