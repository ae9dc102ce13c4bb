//! Mutations of valid requests.

use keyferry_tests::mutations::{Mutated, mutated};

/// Sends this number of mutated requests and returns the results.
pub(crate) async fn mutants(requests: usize, seed: u64) -> Mutated {
    println!("mutated requests: {requests}, seed {seed}");
    mutated(seed, requests).await
}
