//! The section of the report: each server's figures, Keyferry's stages, system calls by name, and the goals.

use std::collections::BTreeSet;
use std::error::Error;

use super::counted::Counted;
use super::stages::{OWNERS, STAGES, is_allocation};
use super::subject::Subject;
use crate::figures::{figure, shown};
use crate::section::{Goal, Section};
use crate::table::Table;

/// Calls that are fewer than this per request on every server are added up.
const SELDOM: f64 = 0.1;

pub(super) fn section(counted: &[Counted], fuel: u64, missing: &[String]) -> Result<Section, Box<dyn Error>> {
    let ours = counted.iter().find(|counted| counted.subject == Subject::Keyferry).ok_or("Keyferry was not counted")?;
    let mut tables = vec![servers(counted)];
    tables.extend(stages(ours));
    tables.extend(owners(counted));
    tables.extend(system_calls(counted));
    let missing: String = missing.iter().map(|why| format!(" Not counted: {why}.")).collect();
    Ok(Section {
        text: format!(
            "{} sequential migrations on one connection, each of a linked account that has a credential. Instructions \
             are those of user code that callgrind counts (`valgrind --tool=callgrind`). callgrind does not support \
             SHA instructions, and the server runs there without its pool of instances, for lack of address space: \
             both raise Keyferry's figure. Allocations are calls of the allocator for a new or a larger block. System \
             calls are those that strace records, of all threads, including those by which threads wait for each \
             other. Bytes handed to writes are those of files in the data folder. Bytes written are those that the \
             kernel counts for the process (`/proc/PID/io`), including the access log: a whole folio of its page \
             cache, up to two MiB, even where few bytes of it change and go to the disk. A stage has the instructions \
             of its functions and of all their callees, so that calls from one stage to another are in both; the table \
             after it has each instruction once. The plugin for Stripe takes {} units of fuel in the largest of its \
             cases, which is about the number of its instructions before compilation.{missing}",
            ours.requests,
            shown(figure(fuel)),
        ),
        goals: goals(ours),
        tables,
        plots: Vec::new(),
    })
}

fn servers(counted: &[Counted]) -> Table {
    let mut table = Table::new([
        "a migration on one connection",
        "instructions in user code",
        "allocations",
        "system calls",
        "bytes handed to writes",
        "bytes written to disk",
        "context switches",
    ]);
    for one in counted {
        let cell = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| shown(one.a_request(count)));
        table.row([
            one.subject.title().to_owned(),
            cell(one.profile.as_ref().map(|profile| profile.total())),
            cell(one.profile.as_ref().map(|profile| profile.entered(is_allocation).times)),
            cell(one.calls.as_ref().map(|calls| calls.0.len() as u64)),
            cell(one.bytes_handed),
            cell(one.used.written),
            cell(Some(one.used.switches)),
        ]);
    }
    table
}

fn stages(ours: &Counted) -> Option<Table> {
    let profile = ours.profile.as_ref()?;
    let whole = figure(profile.total()).max(1.0);
    let mut table =
        Table::new(["stage of a migration", "functions", "entered", "instructions, with what it calls", "of all"]);
    for stage in &STAGES {
        let entered = profile.entered(|name| stage.has(name));
        if entered.times == 0 {
            table.row([stage.title, "none of them was called", "-", "-", "-"]);
            continue;
        }
        table.row([
            stage.title.to_owned(),
            stage.names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            shown(ours.a_request(entered.times)),
            shown(ours.a_request(entered.instructions)),
            format!("{} %", shown(figure(entered.instructions) / whole * 100.0)),
        ]);
    }
    Some(table)
}

/// Instructions by the crate that they belong to: each one counts once.
fn owners(counted: &[Counted]) -> Option<Table> {
    let profiles: Vec<_> = counted.iter().filter_map(|one| Some((one, one.profile.as_ref()?))).collect();
    if profiles.is_empty() {
        return None;
    }
    let owner = |name: &str| OWNERS.iter().position(|part| part.has(name)).unwrap_or(OWNERS.len());
    let titles = profiles.iter().map(|(one, _)| one.subject.title().to_owned());
    let mut table = Table::new(["instructions of these themselves".to_owned()].into_iter().chain(titles));
    for (place, title) in OWNERS.iter().map(|part| part.title).chain(["all others"]).enumerate() {
        let own = profiles.iter().map(|(one, profile)| shown(one.a_request(profile.own(|name| owner(name) == place))));
        table.row([title.to_owned()].into_iter().chain(own));
    }
    Some(table)
}

fn system_calls(counted: &[Counted]) -> Option<Table> {
    let all: Vec<_> = counted.iter().filter_map(|one| Some((one, one.calls.as_ref()?.by_name()))).collect();
    if all.is_empty() {
        return None;
    }
    let of = |one: &Counted, calls: &[(&str, usize)], name: &str| {
        let count = calls.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count);
        one.a_request(count as u64)
    };
    let names: BTreeSet<&str> = all.iter().flat_map(|(_, calls)| calls.iter().map(|(name, _)| *name)).collect();
    let most = |name: &str| all.iter().map(|(one, calls)| of(one, calls, name)).fold(0.0, f64::max);
    let (mut often, seldom): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| most(name) >= SELDOM);
    often.sort_by(|one, other| most(other).total_cmp(&most(one)));
    let mut table = Table::new(
        ["system call".to_owned()].into_iter().chain(all.iter().map(|(one, _)| one.subject.title().to_owned())),
    );
    for name in often {
        let cells = all.iter().map(|(one, calls)| shown(of(one, calls, name)));
        table.row([format!("`{name}`")].into_iter().chain(cells));
    }
    let rest = all
        .iter()
        .map(|(one, calls)| shown(seldom.iter().map(|name| of(one, calls, name)).fold(0.0, |sum, count| sum + count)));
    table.row(["all others".to_owned()].into_iter().chain(rest));
    Some(table)
}

fn goals(ours: &Counted) -> Vec<Goal> {
    let Some(profile) = &ours.profile else { return Vec::new() };
    vec![
        Goal::at_most(
            "instructions in user code a request, one connection",
            250_000.0,
            ours.a_request(profile.total()),
        ),
        Goal::at_most("allocations a request", 150.0, ours.a_request(profile.entered(is_allocation).times)),
    ]
}
