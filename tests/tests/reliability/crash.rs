//! Nothing acknowledged is lost: a few rounds of what `cargo run --release -p keyferry-tests -- reliability` does many
//! of.

use keyferry_tests::reliability::{Ending, Figures, Loop, PowerCut, Survivors};

/// A random seed; a failure prints it.
fn seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seed = u64::try_from(since.as_nanos()).unwrap_or_default();
    println!("seed {seed}");
    seed
}

async fn run(ending: Ending, rounds: u64) {
    let figures = Loop::new(ending, seed()).await.run(rounds, |_: &Figures| ()).await;
    println!("{figures}");
    assert!(figures.rounds == rounds && figures.during_start >= rounds / 3, "{figures}");
    assert!(figures.acknowledged > 0 && figures.opened > 0 && figures.replayed > 0, "{figures}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_in_25_kills() {
    run(Ending::Kill, 25).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_in_20_power_cuts() {
    for survivors in [Survivors::None, Survivors::SomeSectors] {
        let Some(cut) = PowerCut::new(survivors) else { return };
        run(Ending::PowerCut(cut), 10).await;
    }
}

/// A test that cannot fail proves nothing: where the sync before the response does nothing, the same rounds must find a
/// loss.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_answers_before_it_syncs_would_be_found_out() {
    let Some(cut) = PowerCut::new(Survivors::NotEvenSynced) else { return };
    let found = tokio::spawn(run(Ending::PowerCut(cut), 10)).await.expect_err("a loss");
    let why = found.into_panic();
    let why = why.downcast_ref::<String>().map_or("", String::as_str);
    assert!(why.contains("LOST"), "{why}");
}
