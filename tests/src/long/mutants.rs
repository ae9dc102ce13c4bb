//! Requests that were good once.

use keyferry_tests::mutations::{Mutated, mutated};

/// What became of so many.
pub(crate) async fn mutants(requests: usize, seed: u64) -> Mutated {
    println!("mutated requests: {requests}, seed {seed}");
    mutated(seed, requests).await
}
