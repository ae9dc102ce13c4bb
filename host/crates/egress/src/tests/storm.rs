//! Group 21: many concurrent requests, requests over the limits, and cancelled requests.

use std::time::Duration;

use tokio::task::JoinSet;

use super::site::*;
use crate::*;

#[tokio::test]
async fn requests_over_the_limit_of_a_host_wait_for_their_turn() {
    let few = |settings: &mut EgressSettings| settings.limits.concurrency_per_host = 3;
    let slow =
        |_: &Seen| Reply::Later(Duration::from_millis(20), b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec());
    let bench = Bench::with(few, slow).await;
    let mut storm = JoinSet::new();
    for _ in 0..40 {
        let client = bench.client.clone();
        storm.spawn(async move { client.send(&mut call(), get()).await });
    }
    for result in storm.join_all().await {
        assert_eq!(result.unwrap().status, 200);
    }
    assert_eq!(bench.site.seen().len(), 40);
    assert!((2..=3).contains(&bench.site.most_at_once()), "{} at once", bench.site.most_at_once());
}

#[tokio::test]
async fn a_call_that_asks_without_end_is_told_no_without_a_connection() {
    let mut bench = Bench::new(|_| answer("200 OK", &[], "")).await;
    let most = EgressLimits::default().requests_per_call as usize;
    let mut refused = 0;
    for _ in 0..1000 {
        match bench.send(get()).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!((error.kind, error.sent), (ErrorKind::BudgetExhausted, false));
                refused += 1;
            }
        }
    }
    assert_eq!((bench.site.seen().len(), refused), (most, 1000 - most));
}

#[tokio::test]
async fn a_request_that_is_given_up_frees_its_place_and_blames_nobody() {
    let few = |settings: &mut EgressSettings| settings.limits.concurrency_per_host = 1;
    let mut bench = Bench::with(few, |seen| match seen.line() {
        "GET /stall HTTP/1.1" => Reply::SayAndStall(Vec::new()),
        _ => answer("200 OK", &[], ""),
    })
    .await;
    let stall = || Request { path: vec![vec![text("stall")]], ..get() };
    // More often than it takes to open the circuit breaker.
    for _ in 0..15 {
        bench.call = call();
        let given_up = tokio::time::timeout(Duration::from_millis(20), bench.send(stall())).await;
        assert!(given_up.is_err());
    }
    bench.call = call();
    assert_eq!(bench.send(get()).await.unwrap().status, 200);
}
