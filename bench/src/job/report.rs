//! The section of the report: the results of the loads, and the goals.

use std::error::Error;

use super::runs::{ALONE, CLOSED, COMPARED, Closed, HALF, MOST, ONE_ACCOUNT, OPEN, Runs, far_tail, spread, tail};
use crate::bench_server::Length;
use crate::figures::{Spread, shown};
use crate::load::Run;
use crate::plot;
use crate::section::{Goal, Plot, Section};
use crate::table::Table;

pub(super) fn section(
    ours: &Runs,
    theirs: &Runs,
    rounds: usize,
    length: Length,
    open: Length,
) -> Result<Section, Box<dyn Error>> {
    let servers = [("keyferry", ours), ("Node.js and PostgreSQL", theirs)];
    let mut lines = Vec::new();
    for (name, runs) in servers {
        let mut points = Vec::new();
        for load in CLOSED.into_iter().filter(|load| !load.one_account) {
            points.push((f64::from(u32::try_from(load.connections)?), spread(runs.closed(load), Run::rate)?.median));
        }
        lines.push((name.to_owned(), points));
    }
    let ratios = Ratios::of(ours, theirs)?;
    Ok(Section {
        text: format!(
            "`PUT /api/v2/public/migrate-token` on the real server with default settings, its plugin for Stripe, and a \
             mock provider over TLS on loopback; next to it a plain server in Node.js that does the same job in the \
             usual way (`bench/node`: ajv, an HTTPS agent with keep-alive, AES-256-GCM, one row a request in \
             PostgreSQL 15 with `fsync` and `synchronous_commit` on), without an audit trail or a look-up of its API \
             key. Generator and mock provider share the processors with the servers and are not counted; the processes \
             of PostgreSQL count for the server in Node.js. {rounds} rounds of {} s a load, in turns; the server that \
             is not measured is stopped. Context switches are those of all threads (`/proc/PID/task/*/status`). Bytes \
             written are those that the kernel counts for the processes (`/proc/PID/io`): a whole folio of its page \
             cache, up to two MiB, even where few bytes of it change. Bytes that the disk wrote are of the whole \
             machine, including the file system's journal and logs. The open loop has a fixed rate, a share of the \
             rate of the same round's closed loop with {} connections, for {} s; latencies count from when a request \
             was due.",
            shown(length.counted.as_secs_f64()),
            COMPARED.connections,
            shown(open.counted.as_secs_f64()),
        ),
        goals: goals(ours, &ratios)?,
        tables: vec![closed_table(&servers)?, open_table(&servers)?, ratios.table()],
        plots: vec![Plot {
            name: "job",
            title: "Requests a second by connections",
            svg: plot::line("connections", "requests a second", &lines),
        }],
    })
}

fn closed_table(servers: &[(&str, &Runs)]) -> Result<Table, Box<dyn Error>> {
    let mut table = Table::new([
        "closed loop",
        "connections",
        "requests a second",
        "CPU us a request",
        "p50 ms",
        "p99 ms",
        "context switches a request",
        "bytes written a request",
        "bytes that the disk wrote",
    ]);
    for (name, runs) in servers {
        for load in CLOSED {
            let Closed { connections, one_account } = load;
            let spread = |figure: fn(&Run) -> f64| spread(runs.closed(load), figure);
            table.row([
                (*name).to_owned(),
                if one_account { format!("{connections}, all of one account") } else { connections.to_string() },
                spread(Run::rate)?.to_string(),
                spread(Run::micros_a_request)?.to_string(),
                spread(|run| run.told.latency.p50 / 1e3)?.to_string(),
                spread(|run| run.told.latency.p99 / 1e3)?.to_string(),
                spread(Run::switches_a_request)?.to_string(),
                spread(Run::bytes_written_a_request)?.to_string(),
                spread(Run::disk_bytes_a_request)?.to_string(),
            ]);
        }
    }
    Ok(table)
}

fn open_table(servers: &[(&str, &Runs)]) -> Result<Table, Box<dyn Error>> {
    let mut table = Table::new([
        "open loop",
        "of capacity",
        "requests a second",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "p99 / p50",
        "p99.9 / p50",
        "not answered",
        "CPU us a request",
        "all processors busy",
    ]);
    for (name, runs) in servers {
        for share in OPEN {
            let spread = |figure: fn(&Run) -> f64| spread(runs.open(share), figure);
            table.row([
                (*name).to_owned(),
                format!("{} %", shown(share * 100.0)),
                spread(Run::rate)?.to_string(),
                spread(|run| run.told.latency.p50 / 1e3)?.to_string(),
                spread(|run| run.told.latency.p99 / 1e3)?.to_string(),
                spread(|run| run.told.latency.p999 / 1e3)?.to_string(),
                spread(tail)?.to_string(),
                spread(far_tail)?.to_string(),
                runs.open(share).map(|run| run.told.bad() + run.told.unanswered).sum::<u64>().to_string(),
                spread(Run::micros_a_request)?.to_string(),
                format!("{} %", spread(|run| run.busy * 100.0)?),
            ]);
        }
    }
    Ok(table)
}

/// The ratios of Keyferry's figures to those of the other server in the same rounds, and between its own.
struct Ratios {
    by_processor: Spread,
    by_rate: Spread,
    median_alone: Spread,
    one_account: Spread,
}

impl Ratios {
    fn of(ours: &Runs, theirs: &Runs) -> Result<Self, Box<dyn Error>> {
        let to_theirs = |load: Closed, figure: fn(&Run) -> f64| {
            Spread::of_ratios(&ours.figures(load, figure), &theirs.figures(load, figure)).ok_or("there are no ratios")
        };
        let cost = |load: Closed| ours.figures(load, Run::micros_a_request);
        Ok(Self {
            by_processor: to_theirs(COMPARED, Run::per_processor_second)?,
            by_rate: to_theirs(COMPARED, Run::rate)?,
            median_alone: to_theirs(ALONE, |run| run.told.latency.p50)?,
            one_account: Spread::of_ratios(&cost(ONE_ACCOUNT), &cost(COMPARED)).ok_or("there are no ratios")?,
        })
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["ratios, each of the same round", "ratio"]);
        for (what, ratio) in [
            (
                "keyferry to Node.js and PostgreSQL, 64 connections: requests in a second of processor time",
                &self.by_processor,
            ),
            ("keyferry to Node.js and PostgreSQL, 64 connections: requests a second", &self.by_rate),
            ("keyferry to Node.js and PostgreSQL, one connection: p50", &self.median_alone),
            ("keyferry, 64 connections of one account to those of many: processor time a request", &self.one_account),
        ] {
            table.row([what.to_owned(), ratio.to_string()]);
        }
        table
    }
}

fn goals(ours: &Runs, ratios: &Ratios) -> Result<Vec<Goal>, Box<dyn Error>> {
    let closed = |load: Closed, figure: fn(&Run) -> f64| spread(ours.closed(load), figure).map(|spread| spread.median);
    let open = |share: f64, figure: fn(&Run) -> f64| spread(ours.open(share), figure).map(|spread| spread.median);
    Ok(vec![
        Goal::at_least("whole job to Node.js and PostgreSQL, by processor time", 3.5, ratios.by_processor.median),
        Goal::at_least("whole job to Node.js and PostgreSQL, by rate", 3.0, ratios.by_rate.median),
        Goal::at_most("one connection: CPU us a request", 250.0, closed(ALONE, Run::micros_a_request)?),
        Goal::at_most("one connection: p50, to that of Node.js and PostgreSQL", 1.0, ratios.median_alone.median),
        Goal::at_most(
            "64 connections of one account to those of many, CPU us a request",
            2.0,
            ratios.one_account.median,
        ),
        Goal::at_most("p99 to p50 in open loop at 70 % of capacity", 5.0, open(MOST, tail)?),
        Goal::at_most("p99.9 to p50 in open loop at 70 % of capacity", 10.0, open(MOST, far_tail)?),
        Goal::at_most("p99 to p50 in open loop at 50 % of capacity", 3.0, open(HALF, tail)?),
        Goal::at_most("context switches a request, 64 connections", 1.5, closed(COMPARED, Run::switches_a_request)?),
        Goal::at_most("context switches a request, one connection", 8.0, closed(ALONE, Run::switches_a_request)?),
        Goal::at_most("bytes written a record, 64 writers", 4096.0, closed(COMPARED, Run::bytes_written_a_request)?),
        Goal::at_most("bytes written a record, one writer", 20_480.0, closed(ALONE, Run::bytes_written_a_request)?),
    ])
}
