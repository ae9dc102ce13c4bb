//! The order of the rounds, and the figures.

use clap::{Args, ValueEnum};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::runtime::{Builder, Runtime};

use super::calls::{self, Caller, Figures};
use super::extism::{Compiled, Instances};
use super::guests::Guests;
use super::keyferry::Served;
use super::wasmtime;
use crate::allocator;
use crate::effort::Effort;
use crate::outcome::{Outcome, Tried as _};
use crate::report::{Bound, Goal, Row, Section};

/// The options of this part. An empty list means all.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Choice {
    /// Measure only these contestants.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Numbers of concurrent threads.
    #[arg(long, value_delimiter = ',')]
    threads: Vec<usize>,
    /// Rounds of each contestant.
    #[arg(long)]
    rounds: Option<usize>,
    /// Calls in a round on each thread.
    #[arg(long)]
    calls: Option<usize>,
}

/// A contestant, which calls the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Keyferry, as its server does
    Keyferry,
    /// wasmtime with a pool and imports tied once, and no limits
    WasmtimePooled,
    /// wasmtime that allocates on demand and ties imports at each call
    WasmtimeOnDemand,
    /// Extism, a new plugin a call
    ExtismFresh,
    /// Extism, a new plugin a call, with a pool of instances
    ExtismPooled,
    /// Extism, one plugin for all calls
    ExtismReused,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Keyferry => "Keyferry",
            Self::WasmtimePooled => "wasmtime 48 alone: pool, imports tied once",
            Self::WasmtimeOnDemand => "wasmtime 48 alone: on demand, a linker a call",
            Self::ExtismFresh => "Extism 1.30: a new plugin a call",
            Self::ExtismPooled => "Extism 1.30: a new plugin a call, from a pool",
            Self::ExtismReused => "Extism 1.30: one plugin for all calls",
        }
    }
}

/// Buckets of times, about as many as a server has.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];
/// Bound of the duration of a call, in microseconds.
const GOAL: f64 = 15.0;
/// The goal: how many times as fast as on-demand allocation.
const TIMES_ON_DEMAND: f64 = 4.0;

/// The callers of all contestants.
struct Ready {
    served: Served,
    extism: Compiled,
    extism_pooled: Compiled,
    guests: Guests,
}

impl Ready {
    fn caller(&self, kind: Kind) -> Outcome<Caller> {
        match kind {
            Kind::Keyferry => self.served.caller(),
            Kind::WasmtimePooled => wasmtime::pooled(&self.guests.component),
            Kind::WasmtimeOnDemand => wasmtime::on_demand(&self.guests.component),
            Kind::ExtismFresh => self.extism.fresh(),
            Kind::ExtismPooled => self.extism_pooled.fresh(),
            Kind::ExtismReused => self.extism.reused(),
        }
    }
}

/// A section for one thread, and one for two.
pub(crate) fn sections(choice: &Choice, effort: Effort) -> Outcome<Vec<Section>> {
    // A server has metrics, so this one has them, too.
    let recorder = PrometheusBuilder::new().set_buckets(&SECONDS).tried("set the buckets of times")?.build_recorder();
    metrics::set_global_recorder(recorder).tried("count")?;
    let runtime = Builder::new_multi_thread().enable_all().build().tried("start the runtime")?;
    let guests = Guests::build()?;
    let ready = Ready {
        served: Served::start(&guests.component, &runtime)?,
        extism: Compiled::new(&guests.extism, Instances::OnDemand)?,
        extism_pooled: Compiled::new(&guests.extism, Instances::Pooled)?,
        guests,
    };
    let threads = if choice.threads.is_empty() { vec![1, 2] } else { choice.threads.clone() };
    threads.into_iter().map(|threads| section(choice, effort, &ready, &runtime, threads)).collect()
}

fn section(choice: &Choice, effort: Effort, ready: &Ready, runtime: &Runtime, threads: usize) -> Outcome<Section> {
    let (rounds, calls) = match effort {
        Effort::Quick => (3, 1_000),
        Effort::Full => (11, 5_000),
    };
    let (rounds, calls) = (choice.rounds.unwrap_or(rounds), choice.calls.unwrap_or(calls));
    let kinds = if choice.only.is_empty() { Kind::value_variants() } else { choice.only.as_slice() };
    let mut all = Vec::new();
    for kind in kinds {
        all.push((*kind, ready.caller(*kind)?, Figures::default()));
    }
    for round in 0..=rounds {
        for (kind, caller, figures) in &mut all {
            let wiping = if *kind == Kind::Keyferry { allocator::Freed::Wiped } else { allocator::Freed::AsItIs };
            let times = allocator::with(wiping, || calls::run(caller, runtime, threads, calls))?;
            // The first round fills pools and caches; it is not counted.
            if round > 0 {
                figures.add(times);
            }
        }
    }
    Ok(write_down(&all, threads))
}

fn write_down(all: &[(Kind, Caller, Figures)], threads: usize) -> Section {
    let figures = |wanted| all.iter().find(|(kind, ..)| *kind == wanted).map(|(.., figures)| figures);
    let ours = figures(Kind::Keyferry);
    let mut rows = Vec::new();
    for (kind, _, figures) in all {
        rows.push(Row::of(kind.name(), "us", &figures.medians, ours.map(|ours| &ours.medians)));
    }
    for (kind, _, figures) in all {
        let name = format!("99 of 100 calls: {}", kind.name());
        rows.push(Row::of(name, "us", &figures.p99s, ours.map(|ours| &ours.p99s)));
    }
    let ratio = |kind| Some(figures(kind)?.medians.ratio_to(&ours?.medians)).flatten();
    let text = "One call with its setup: a store, an instance, the call itself, in which the guest reads a short token \
        and calls the host for the time, and the removal of all of them. Figures are the median of the calls of each \
        round; ratios are to Keyferry's in the same rounds. Keyferry runs as in its server, with its limits, \
        deadlines, slots, metrics and an allocator that clears freed memory."
        .to_owned();
    let on_demand = format!("{}, to Keyferry's median", Kind::WasmtimeOnDemand.name());
    let goals = [
        Goal::of("Keyferry's median in us", Bound::AtMost(GOAL), ours.and_then(|ours| ours.medians.median())),
        Goal::of(
            format!("{}, to Keyferry's median", Kind::ExtismFresh.name()),
            Bound::AtLeast(1.0),
            ratio(Kind::ExtismFresh),
        ),
        Goal::of(on_demand, Bound::AtLeast(TIMES_ON_DEMAND), ratio(Kind::WasmtimeOnDemand)),
    ];
    Section {
        title: format!("Sandbox, {threads} {}", if threads == 1 { "thread" } else { "threads" }),
        text,
        command: format!("cargo run --release --manifest-path bench/peers/Cargo.toml -- sandbox --threads {threads}"),
        rows: rows.into_iter().flatten().collect(),
        goals: goals.into_iter().flatten().collect(),
    }
}
