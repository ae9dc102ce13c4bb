//! Kills and power cuts under load: whether an acknowledged write is ever lost.

use std::error::Error;
use std::io::{IsTerminal as _, Write as _};

use keyferry_tests::reliability::{Ending, Figures, HostsLoop, Loop, PowerCut, Survival, Survivors};

use crate::Endings;

/// All rounds of each ending.
pub(crate) async fn endings(rounds: &Endings, seed: u64) -> Result<Survival, Box<dyn Error>> {
    let power_cut = |survivors| PowerCut::new(survivors).ok_or("power cuts need a C compiler");
    let runs = [
        ("SIGKILL", Ending::Kill, rounds.kills),
        ("power cut: nothing that was not synced survives", Ending::PowerCut(power_cut(Survivors::None)?), rounds.cuts),
        (
            "power cut: half of the sectors that were not synced survive",
            Ending::PowerCut(power_cut(Survivors::SomeSectors)?),
            rounds.torn,
        ),
    ];
    let mut survival = Survival::new(seed);
    for (name, ending, rounds) in runs {
        println!("{name}: {rounds} rounds, seed {seed}");
        let figures = Loop::new(ending, seed).await.run(rounds, |figures| progress(figures, rounds)).await;
        println!("{figures}");
        survival.add(name, figures);
    }
    Ok(survival)
}

/// Rounds in which servers on one database end, and the database.
pub(crate) async fn hosts(rounds: u64, seed: u64) -> Result<Survival, Box<dyn Error>> {
    println!("two servers on one database: {rounds} rounds, seed {seed}");
    let mut survival = Survival::new(seed);
    let mut hosts = HostsLoop::new(seed).await.ok_or("this needs PostgreSQL")?;
    let figures = hosts.run(rounds, |figures| progress(figures, rounds)).await;
    println!("{figures}");
    survival.add("SIGKILL of servers, immediate stops of the database, servers that stand still", figures);
    Ok(survival)
}

/// A progress line that overwrites itself, where stdout is a terminal.
fn progress(figures: &Figures, rounds: u64) {
    let mut stdout = std::io::stdout();
    if stdout.is_terminal() {
        let _ = write!(stdout, "\r{}/{rounds} rounds, {} writes acknowledged ", figures.rounds, figures.acknowledged);
        let _ = stdout.flush();
    } else if figures.rounds.is_multiple_of(50) {
        println!("{}/{rounds} rounds, {} writes acknowledged", figures.rounds, figures.acknowledged);
    }
}
