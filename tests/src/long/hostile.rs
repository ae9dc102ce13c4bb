//! Hostile plugins, in repeated rounds.

use std::error::Error;
use std::sync::Arc;

use keyferry_tests::hostile::{self, Holdings, hostile_world};

/// The latencies of the neighbour, and the resources of the server after each round.
pub(crate) async fn hostile_plugins(rounds: u64, only: Option<&str>) -> Result<String, Box<dyn Error>> {
    let world = Arc::new(hostile_world().await);
    let mut figures = hostile::Figures::default();
    let mut held = vec![Holdings::of(world.server.pid())];
    for round in 1..=rounds {
        println!("hostile plugins: round {round} of {rounds}");
        figures.round(&world, only).await;
        held.push(Holdings::of(world.server.pid()));
    }
    let wrong: Vec<&String> = figures.wrong.iter().chain(figures.failures()).collect();
    if !wrong.is_empty() {
        return Err(format!("{wrong:#?}").into());
    }
    let held: String = held.iter().enumerate().map(|(round, held)| format!("| {round} | {held} |\n")).collect();
    Ok(format!(
        "{rounds} rounds, each family of the corpus dropped in while clients call good plugins.\n\n{figures}\n\
         | after round | the server holds |\n|---|---|\n{held}"
    ))
}
