//! The section of the report: the rungs, the floors, what is beside the ladder, and the goals.

use std::error::Error;

use super::step::Step;
use crate::bench_server::Length;
use crate::figures::{Spread, shown};
use crate::floor::Floor;
use crate::load::Run;
use crate::plot;
use crate::section::{Goal, Plot, Section};
use crate::table::Table;
use crate::wasmtime_serve;

/// The kind of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A rung that is assembled from the library's modules.
    Own(Step),
    /// The real server.
    Server,
    Floor(Floor),
    /// A server that does not do the job.
    Beside,
}

/// The runs of a server.
pub(super) struct Measured {
    kind: Kind,
    title: &'static str,
    runs: Vec<Run>,
    micros: Vec<f64>,
}

impl Measured {
    pub(super) fn new(kind: Kind, title: &'static str, runs: Vec<Run>) -> Self {
        let micros = runs.iter().map(Run::micros_a_request).collect();
        Self { kind, title, runs, micros }
    }

    fn spread(&self) -> Result<Spread, Box<dyn Error>> {
        Ok(Spread::of(self.micros.iter().copied()).ok_or("a rung was not measured")?)
    }

    fn figure(&self, figure: fn(&Run) -> f64) -> Result<Spread, Box<dyn Error>> {
        Ok(Spread::of(self.runs.iter().map(figure)).ok_or("a rung was not measured")?)
    }

    /// The ratio of this rung's processor time to the other's, in the same rounds.
    fn to(&self, other: &Self) -> Result<Spread, Box<dyn Error>> {
        ratio(&self.micros, &other.micros)
    }
}

fn ratio(first: &[f64], second: &[f64]) -> Result<Spread, Box<dyn Error>> {
    Ok(Spread::of_ratios(first, second).ok_or("a rung has no figures")?)
}

/// All measurements, by kind.
struct Ladder(Vec<Measured>);

impl Ladder {
    fn one(&self, kind: Kind) -> Result<&Measured, Box<dyn Error>> {
        Ok(self.0.iter().rfind(|measured| measured.kind == kind).ok_or_else(|| format!("{kind:?} was not measured"))?)
    }

    fn rungs(&self) -> impl Iterator<Item = &Measured> {
        self.0.iter().filter(|measured| matches!(measured.kind, Kind::Own(_) | Kind::Server))
    }

    fn beside(&self) -> impl Iterator<Item = &Measured> {
        self.0.iter().filter(|measured| measured.kind == Kind::Beside)
    }

    /// The cost of the whole job minus that of a call into the sandbox, per round.
    fn whole_less_sandbox(&self) -> Result<Vec<f64>, Box<dyn Error>> {
        let [whole, sandbox, before] =
            [Kind::Server, Kind::Own(Step::Sandbox), Kind::Own(Step::Schema)].map(|kind| self.one(kind));
        let own = sandbox?.micros.iter().zip(&before?.micros).map(|(sandbox, before)| sandbox - before);
        Ok(whole?.micros.iter().zip(own).map(|(whole, own)| whole - own).collect())
    }
}

pub(super) fn section(
    measured: Vec<Measured>,
    connections: usize,
    rounds: usize,
    length: Length,
) -> Result<Section, Box<dyn Error>> {
    let ladder = Ladder(measured);
    let [hello, sandbox] = [Step::Hello, Step::Sandbox].map(|step| ladder.one(Kind::Own(step)));
    let (hello, sandbox, whole) = (hello?, sandbox?, ladder.one(Kind::Server)?);
    let [cores, threads] = [Floor::Cores, Floor::Threads].map(|floor| ladder.one(Kind::Floor(floor)));
    let (cores, threads) = (cores?, threads?);
    let without_sandbox = ratio(&ladder.whole_less_sandbox()?, &threads.micros)?;

    let mut floors = Table::new([
        "the same job by the same libraries, without sandbox, schema, audit chain and policy",
        "CPU us a request",
        "the whole job to it",
        "the whole job without the sandbox's own cost to it",
        "context switches a request",
        "bytes that the disk wrote a request",
        "requests a second",
    ]);
    for (floor, without_sandbox) in [(cores, None), (threads, Some(without_sandbox))] {
        floors.row([
            floor.title.to_owned(),
            floor.spread()?.to_string(),
            whole.to(floor)?.to_string(),
            without_sandbox.map_or_else(|| "-".to_owned(), |ratio| ratio.to_string()),
            floor.figure(Run::switches_a_request)?.to_string(),
            floor.figure(Run::disk_bytes_a_request)?.to_string(),
            floor.figure(Run::rate)?.to_string(),
        ]);
    }
    let mut components =
        Table::new(["HTTP responses of a component", "CPU us a request", "to Keyferry's", "requests a second"]);
    for rung in [sandbox].into_iter().chain(ladder.beside()) {
        components.row([
            rung.title.to_owned(),
            rung.spread()?.to_string(),
            rung.to(sandbox)?.to_string(),
            rung.figure(Run::rate)?.to_string(),
        ]);
    }
    let bars = ladder.rungs().chain([threads, cores]).map(|rung| Ok((rung.title.to_owned(), rung.spread()?)));
    Ok(Section {
        text: text(connections, rounds, length),
        plots: vec![Plot {
            name: "ladder",
            title: "Processor time of a request, rung by rung",
            svg: plot::bars("CPU us a request", &bars.collect::<Result<Vec<_>, Box<dyn Error>>>()?),
        }],
        tables: vec![rungs_table(&ladder, hello)?, floors, components],
        goals: vec![
            Goal::at_least("whole job, as a share of hyper hello by processor time", 0.25, hello.to(whole)?.median),
            Goal::at_most(
                "whole job without the sandbox's own cost, to the multi-thread floor by processor time",
                1.5,
                without_sandbox.median,
            ),
            Goal::at_most(
                "whole job, to the floor with one runtime a core by processor time",
                2.5,
                whole.to(cores)?.median,
            ),
        ],
    })
}

fn rungs_table(ladder: &Ladder, hello: &Measured) -> Result<Table, Box<dyn Error>> {
    let mut table = Table::new([
        "rung",
        "CPU us a request",
        "more than the rung before",
        "hello's share of it",
        "context switches a request",
        "requests a second",
    ]);
    let mut before: Option<f64> = None;
    for rung in ladder.rungs() {
        let (spread, share) = (rung.spread()?, hello.to(rung)?);
        let [median, low, high] = [share.median, share.low, share.high].map(|share| shown(share * 100.0));
        table.row([
            rung.title.to_owned(),
            spread.to_string(),
            before.map_or_else(|| "-".to_owned(), |before| shown(spread.median - before)),
            format!("{median} % ({low} to {high})"),
            rung.figure(Run::switches_a_request)?.to_string(),
            rung.figure(Run::rate)?.to_string(),
        ]);
        before = Some(spread.median);
    }
    Ok(table)
}

fn text(connections: usize, rounds: usize, length: Length) -> String {
    format!(
        "Each rung is a server process of its own that does one step more of the job than the one before, assembled \
         from the library's modules; the last two are the real `keyferry serve`. Only the server process' own time in \
         user code and in the kernel counts, from `/proc`; the load generator ({connections} connections, closed loop) \
         and the mock provider are other processes on the same processors, and are not counted. {rounds} rounds of {} \
         s a rung, one rung after the other and then all again, with the others stopped: medians, with the lowest and \
         the highest in brackets. In the same rounds there are two floors: servers that hash the API key, parse the \
         body, send a request to the provider over TLS, read its response, seal with AES-GCM and write durably in \
         shared batches, with the same libraries and nothing else (`bench/src/floor`). The sandbox's own cost is the \
         difference of the rung up to the sandbox and the one before. `wasmtime serve` {} with default settings runs a \
         component that responds with the bytes of a successful migration (`bench/hello`), and does nothing else of \
         the job: it is compared with the rung up to the sandbox, where a request has a component instance of its own, \
         too.",
        shown(length.counted.as_secs_f64()),
        wasmtime_serve::VERSION,
    )
}
