//! The cost of a migration, in figures that a busy machine does not change. A change that makes it more expensive shows
//! here, before a benchmark is run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use keyferry_tests::cost::{Call, Callgrind, Migrations, Strace, start_under};
use keyferry_tests::{ACCOUNT, World, WorldOptions, tools};

/// Migrations before the count: they open connections, fill caches and create the plugin's first instances.
const WARM_UP: usize = 20;
/// Migrations that are counted.
const COUNTED: usize = 100;
/// The allowed growth of a figure, in percent.
const GROWTH: f64 = 10.0;
/// The decrease after which the lower figure has to be recorded, in percent.
const GAIN: f64 = 25.0;

/// Calls by which threads wait for each other and for time: their number depends on scheduling.
const OF_WAITING: [&str; 6] =
    ["clock_nanosleep", "epoll_pwait", "epoll_wait", "futex", "restart_syscall", "sched_yield"];

/// A server that is started under a tool, with the one plugin that is used.
async fn world_under(tool: Vec<String>) -> (World, Migrations) {
    let world = World::start_with(WorldOptions {
        server: Some(Box::new(move |server| start_under(server, &tool))),
        ..WorldOptions::default()
    })
    .await;
    let mut migrations = Migrations::open(world.server.address(), &world.api_key, vec![ACCOUNT.to_owned()]).await;
    migrations.send(WARM_UP).await;
    (world, migrations)
}

async fn instructions(callgrind: &Callgrind) -> f64 {
    let (world, mut migrations) = world_under(callgrind.under()).await;
    callgrind.begin(world.server.pid());
    migrations.send(COUNTED).await;
    callgrind.end(world.server.pid()).total() as f64 / COUNTED as f64
}

/// System calls except those for waiting, and bytes that were passed to writes of the store's journal. sled's file is
/// written by checkpoints, whose number depends on the time.
async fn calls_and_bytes(strace: &Strace) -> (f64, f64) {
    let (world, mut migrations) = world_under(strace.under()).await;
    let began = strace.begin();
    migrations.send(COUNTED).await;
    let all = strace.end(began);
    println!("{:?}", all.by_name());
    // A write to an event wakes a waiting thread.
    let is_event = |call: &Call| call.file.as_deref() == Some("anon_inode:[eventfd]");
    let calls = all.0.iter().filter(|&call| !OF_WAITING.contains(&&*call.name) && !is_event(call)).count();
    let journal = ["journal.0", "journal.1"].map(|file| all.written_below(&world.data().join("store").join(file)));
    (calls as f64 / COUNTED as f64, journal.iter().sum::<u64>() as f64 / COUNTED as f64)
}

/// The deviation of a figure from the recorded one.
fn off(known: f64, counted: f64) -> Option<&'static str> {
    let change = (counted / known - 1.0) * 100.0;
    if change > GROWTH {
        Some("has grown")
    } else if change < -GAIN {
        Some("has shrunk, which is to be kept")
    } else {
        None
    }
}

#[tokio::test]
async fn what_a_migration_costs_grows_by_a_tenth_at_most() {
    let (callgrind, strace) = match (Callgrind::new(), Strace::new()) {
        (Ok(callgrind), Ok(strace)) => (callgrind, strace),
        (Err(why), _) | (_, Err(why)) => return tools::skip(why),
    };
    let ((calls, bytes), instructions) = tokio::join!(calls_and_bytes(&strace), instructions(&callgrind));
    let counted: BTreeMap<String, f64> =
        [("instructions", instructions), ("system_calls", calls), ("journal_bytes", bytes)]
            .into_iter()
            .map(|(name, figure)| (name.to_owned(), (figure * 10.0).round() / 10.0))
            .collect();
    println!("{counted:?}");
    // Another profile has other figures.
    if !cfg!(debug_assertions) {
        println!("compared with nothing: the figures that are written down are those of the profile `dev`");
        return;
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("cost.json");
    if std::env::var_os("KEYFERRY_WRITE_EXAMPLES").is_some() {
        fs::write(&golden, serde_json::to_string_pretty(&counted).unwrap() + "\n").unwrap();
    }
    let known: BTreeMap<String, f64> = serde_json::from_slice(&fs::read(&golden).unwrap()).unwrap();
    if known.is_empty() {
        return tools::skip(format_args!("{} has no figures; KEYFERRY_WRITE_EXAMPLES=1 writes them", golden.display()));
    }
    assert_eq!(known.keys().collect::<Vec<_>>(), counted.keys().collect::<Vec<_>>());
    let wrong: Vec<_> = known
        .iter()
        .filter_map(|(name, known)| {
            let counted = counted[name];
            off(*known, counted).map(|what| format!("{name} of a migration {what}: {known} before, {counted} now"))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{}\n`keyferry-bench count` shows where; KEYFERRY_WRITE_EXAMPLES=1 writes {} anew",
        wrong.join("\n"),
        golden.display()
    );
}

#[test]
fn a_figure_may_grow_by_a_tenth_and_shrink_by_a_quarter() {
    for (counted, right) in [(109.0, true), (111.0, false), (76.0, true), (74.0, false), (100.0, true)] {
        assert_eq!(off(100.0, counted).is_none(), right, "{counted}");
    }
}
