//! The order of the rounds, and the figures.

use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum as _};

use super::alone::Alone;
use super::contestants::Kind;
use super::load::Round;
use super::records::Records;
use super::worker::Worker;
use crate::effort::Effort;
use crate::outcome::{Outcome, Tried as _};
use crate::report::{Bound, Goal, Row, Section};
use crate::rounds::Series;

/// The options of this part. An empty list means all.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Choice {
    /// Only these contestants, and Keyferry's store first.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Numbers of concurrent writers.
    #[arg(long, value_delimiter = ',')]
    writers: Vec<usize>,
    /// Rounds of each contestant.
    #[arg(long)]
    rounds: Option<usize>,
    /// Milliseconds of a round.
    #[arg(long)]
    round_ms: Option<u64>,
    /// The folder of the databases, on a disk rather than in memory.
    #[arg(long)]
    folder: Option<std::path::PathBuf>,
}

/// The numbers of concurrent writers.
const WRITERS: [usize; 4] = [1, 16, 64, 256];
/// The goal: a share of the raw rate.
const GOAL: f64 = 0.8;

struct Plan {
    kinds: Vec<Kind>,
    writers: Vec<usize>,
    rounds: usize,
    length: Duration,
}

impl Plan {
    fn new(choice: &Choice, effort: Effort) -> Self {
        let (rounds, millis) = match effort {
            Effort::Quick => (2, 300),
            Effort::Full => (5, 2_000),
        };
        let all = || Kind::value_variants().to_vec();
        Self {
            kinds: if choice.only.is_empty() { all() } else { choice.only.clone() },
            writers: if choice.writers.is_empty() { WRITERS.to_vec() } else { choice.writers.clone() },
            rounds: choice.rounds.unwrap_or(rounds),
            length: Duration::from_millis(choice.round_ms.unwrap_or(millis)),
        }
    }
}

/// A section for each number of writers.
pub(crate) fn sections(choice: &Choice, effort: Effort) -> Outcome<Vec<Section>> {
    let plan = Plan::new(choice, effort);
    let root = match &choice.folder {
        Some(folder) => tempfile::tempdir_in(folder),
        // The target folder is on a disk, unlike many a folder for temporary files.
        None => tempfile::tempdir_in(beside_the_binary()?),
    };
    let root = root.tried("make a folder for the databases")?;
    plan.writers.iter().map(|writers| section(&plan, root.path(), *writers)).collect()
}

fn beside_the_binary() -> Outcome<std::path::PathBuf> {
    let binary = std::env::current_exe().tried("find this program's file")?;
    binary.parent().map(Path::to_owned).tried("find this program's folder")
}

/// The rounds of one contestant.
struct Figures {
    kind: Kind,
    worker: Worker,
    rounds: Vec<Round>,
}

impl Figures {
    fn series(&self, figure: impl Fn(&Round) -> f64) -> Series {
        self.rounds.iter().map(figure).collect()
    }
}

fn section(plan: &Plan, root: &Path, writers: usize) -> Outcome<Section> {
    let folder = tempfile::tempdir_in(root).tried("make a folder for the databases")?;
    let mut all = Vec::new();
    for kind in &plan.kinds {
        let own = folder.path().join(format!("{kind:?}"));
        std::fs::create_dir(&own).tried("make a contestant's folder")?;
        let worker = Worker::start(*kind, writers, &own)?;
        all.push(Figures { kind: *kind, worker, rounds: Vec::new() });
    }
    let alone = Alone::open(folder.path())?;
    let mut alone_rates = Series::default();
    for round in 0..=plan.rounds {
        for figures in &mut all {
            let ran = figures.worker.round(plan.length)?;
            sync(folder.path())?;
            // The first round fills caches and the first segments; it is not counted.
            if round > 0 {
                figures.rounds.push(ran);
            }
        }
        if let Some(first) = all.first().and_then(|first| first.rounds.last()) {
            // As many records per sync as the store had in the same round.
            alone_rates.push(alone.run(first.batch().round() as usize, plan.length)?);
        }
    }
    write_down(&all, &alone_rates, writers)
}

/// The writes that a round left in the cache are synced before the next one begins.
fn sync(folder: &Path) -> Outcome<()> {
    let folder = std::fs::File::open(folder).tried("open the databases' folder")?;
    rustix::fs::syncfs(&folder).tried("sync the databases' file system")
}

fn write_down(all: &[Figures], alone: &Series, writers: usize) -> Outcome<Section> {
    let first = all.first().tried("compare anything")?;
    let ours = first.series(Round::rate);
    let mut rows = Vec::new();
    for figures in all {
        rows.push(Row::of(figures.kind.name(), "records/s", &figures.series(Round::rate), Some(&ours)));
        if figures.kind == first.kind {
            rows.push(Row::of("append and fdatasync alone, same batches", "records/s", alone, Some(&ours)));
        }
    }
    for (what, unit, figure) in [
        ("records a batch", "records", Round::batch as fn(&Round) -> f64),
        ("time a record", "us", |round| 1e6 / round.rate()),
        ("processor time a record", "us", Round::cpu_micros),
        ("written to disk a record", "bytes", Round::disk_bytes),
    ] {
        let beside = first.series(figure);
        for figures in all {
            let name = format!("{what}: {}", figures.kind.name());
            rows.push(Row::of(name, unit, &figures.series(figure), Some(&beside)));
        }
    }
    let bytes = Records::new()?.rows(0)?;
    let text = format!(
        "The records of one migration, a new integration of {} bytes and its entry of the audit chain of {} bytes \
         (keys included), written by {writers} concurrent writers that each wait until they are on disk. Ratios are to \
         {} in the same rounds. `alone` means that the same bytes are appended and synced in batches of the size that \
         Keyferry's had in the same round, without a queue and without replies.",
        bytes.integration.0.len() + bytes.integration.1.len(),
        bytes.audit.0.len() + bytes.audit.1.len(),
        first.kind.name(),
    );
    let rate = |kind| all.iter().find(|figures| figures.kind == kind).map(|figures| figures.series(Round::rate));
    let goals = [
        Goal::of("part of the rate of appending and syncing alone", Bound::AtLeast(GOAL), ours.ratio_to(alone)),
        Goal::of(
            "part of the rate of appending and syncing under the same committer",
            Bound::AtLeast(GOAL),
            rate(Kind::Raw).and_then(|raw| ours.ratio_to(&raw)),
        ),
        // The rate of the engine alone with the same batches.
        Goal::of(
            "part of sled's rate under the same committer",
            Bound::AtLeast(GOAL),
            rate(Kind::Sled).and_then(|sled| ours.ratio_to(&sled)),
        ),
    ];
    Ok(Section {
        title: format!("Durable store, {writers} {}", if writers == 1 { "writer" } else { "writers" }),
        text,
        command: format!("cargo run --release --manifest-path bench/peers/Cargo.toml -- store --writers {writers}"),
        rows: rows.into_iter().flatten().collect(),
        goals: goals.into_iter().flatten().collect(),
    })
}
