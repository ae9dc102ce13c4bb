//! Ten thousand mutations of valid requests: the server responds or closes, and is in the same state afterwards.
//!
//! The long form: `cargo run -p keyferry-tests -- reliability`.

use keyferry_tests::mutations::mutated;

const REQUESTS: usize = 10_000;
/// `KEYFERRY_TEST_SEED` replaces it.
const SEED: u64 = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_mutated_requests_are_answered_or_refused_and_leave_nothing_behind() {
    let seed = std::env::var("KEYFERRY_TEST_SEED").map_or(SEED, |text| text.parse().unwrap());
    println!("KEYFERRY_TEST_SEED={seed}");
    let mutated = mutated(seed, REQUESTS).await;
    println!("{mutated}");
    // The mutants had every kind of outcome: success, refusals at each layer, and bytes that are not HTTP.
    for status in [0, 200, 400, 401, 404, 405, 415, 500] {
        assert!(mutated.statuses.contains_key(&status), "no mutant got {status}");
    }
}
