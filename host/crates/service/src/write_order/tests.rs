//! Tests of the order of writers.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{BoxFuture, join_all};
use keyferry_store::AccountKey;
use keyferry_types::ids::Environment;
use tokio::sync::oneshot;

use super::*;

fn key(account: &str) -> IntegrationKey {
    let account =
        AccountKey { org: "acme".parse().unwrap(), environment: Environment::Test, account: account.parse().unwrap() };
    IntegrationKey { account, slug: "hubspot".parse().unwrap() }
}

type Write = BoxFuture<'static, bool>;

/// A request that writes the next version; its write ends on a signal.
macro_rules! request {
    ($order:expr, $mark:expr, $read:expr) => {{
        let (send, receive) = oneshot::channel();
        let mut receive = Some(receive);
        let submit = move |base: Option<&u64>| {
            let receive = receive.take().unwrap();
            let version = base.map_or(1, |base| base + 1);
            let written: BoxFuture<'static, (u64, bool)> = async move { (version, receive.await.unwrap()) }.boxed();
            Ok::<_, &'static str>(Submitted { version, written })
        };
        (send, Box::pin($order.follow($mark, $read, submit, |(_, is_stored)| *is_stored)))
    }};
}

fn done<E: std::fmt::Debug>(followed: Followed<(u64, bool), E>) -> u64 {
    match followed {
        Followed::Done((version, _)) => version,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn requests_follow_each_other_before_any_of_them_is_stored() {
    let order = WriteOrder::<u64>::default();
    let mark = order.mark(&key("a"));
    let (sends, mut requests): (Vec<_>, Vec<_>) = (0..3).map(|_| request!(order, mark, Some(&7))).unzip();
    for request in &mut requests {
        assert!(request.as_mut().now_or_never().is_none(), "its write is under way");
    }
    sends.into_iter().for_each(|send| send.send(true).unwrap());
    let versions: Vec<_> = join_all(requests).await.into_iter().map(done).collect();
    assert_eq!(versions, [8, 9, 10]);
    // Requests that read before them do not build on them; requests that read later do.
    let (send, late) = request!(order, mark, Some(&7));
    send.send(true).unwrap();
    assert_eq!(done(late.await), 11);
    let (send, fresh) = request!(order, order.mark(&key("a")), Some(&20));
    send.send(true).unwrap();
    assert_eq!(done(fresh.await), 21);
}

#[tokio::test]
async fn behind_a_write_that_failed_nothing_is_built_on_it() {
    let order = WriteOrder::<u64>::default();
    let mark = order.mark(&key("a"));
    let (first, mut failing) = request!(order, mark, None);
    let (second, mut behind) = request!(order, mark, None);
    assert!(failing.as_mut().now_or_never().is_none() && behind.as_mut().now_or_never().is_none());
    first.send(false).unwrap();
    assert_eq!(done(failing.await), 1);
    // While one of the broken chain is in flight, no request joins it or begins another.
    let (third, mut waiting) = request!(order, mark, None);
    assert!(waiting.as_mut().now_or_never().is_none());
    second.send(false).unwrap();
    assert_eq!(done(behind.await), 2);
    assert!(matches!(waiting.await, Followed::Outdated), "what it has read may be older");
    assert!(third.is_closed());
    let (send, again) = request!(order, order.mark(&key("a")), Some(&5));
    send.send(true).unwrap();
    assert_eq!(done(again.await), 6);
}

#[tokio::test]
async fn a_refusal_counts_once_what_it_is_about_is_stored() {
    for is_stored in [true, false] {
        let order = WriteOrder::<u64>::default();
        let mark = order.mark(&key("a"));
        let (send, mut under_way) = request!(order, mark, None);
        assert!(under_way.as_mut().now_or_never().is_none());
        let refuse = |base: Option<&u64>| match base {
            Some(1) => Err("another version"),
            other => panic!("{other:?}"),
        };
        let mut refused = Box::pin(order.follow::<Write, _>(mark, None, refuse, |is_stored| *is_stored));
        assert!(refused.as_mut().now_or_never().is_none());
        send.send(is_stored).unwrap();
        assert_eq!(done(under_way.await), 1);
        // A later chain does not change the result of this one.
        let (other, next) = request!(order, order.mark(&key("a")), Some(&3));
        other.send(true).unwrap();
        assert_eq!(done(next.await), 4);
        match refused.await {
            Followed::Refused(error) => assert!(is_stored, "{error}"),
            Followed::Outdated => assert!(!is_stored),
            Followed::Done(_) => panic!(),
        }
    }
}

#[tokio::test]
async fn a_writer_that_is_dropped_counts_as_failed() {
    let order = WriteOrder::<u64>::default();
    let mark = order.mark(&key("a"));
    let (_send, mut dropped) = request!(order, mark, None);
    assert!(dropped.as_mut().now_or_never().is_none());
    drop(dropped);
    let (_send, outdated) = request!(order, mark, None);
    assert!(matches!(outdated.await, Followed::Outdated));
}

#[tokio::test]
async fn a_writer_alone_has_none_beside_it_and_all_writers_come_to_write() {
    let order = WriteOrder::<u64>::default();
    let (writing, most) = (AtomicU64::new(0), AtomicU64::new(0));
    let alone = async |account: &str| {
        let write = async {
            most.fetch_max(writing.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            writing.fetch_sub(1, Ordering::Relaxed);
        };
        order.alone(&key(account), write).await;
    };
    let mark = order.mark(&key("a"));
    let (send, mut first) = request!(order, mark, None);
    assert!(first.as_mut().now_or_never().is_none());
    let mut others = Box::pin(join_all((0..9).map(|_| alone("a"))));
    assert!(others.as_mut().now_or_never().is_none() && writing.load(Ordering::Relaxed) == 0);
    alone("b").await;
    let (_send, mut waiting) = request!(order, mark, None);
    assert!(waiting.as_mut().now_or_never().is_none(), "no request joins before them");
    send.send(true).unwrap();
    assert_eq!(done(first.await), 1);
    others.await;
    assert_eq!(most.load(Ordering::Relaxed), 1);
    assert!(matches!(waiting.await, Followed::Outdated));
}

#[tokio::test]
async fn chains_without_a_writer_are_not_kept_for_ever() {
    let order = WriteOrder::<u64>::default();
    for number in 0..SHARDS * MOST_CHAINS * 4 {
        let (send, request) = request!(order, order.mark(&key(&format!("a{number}"))), None);
        send.send(true).unwrap();
        assert_eq!(done(request.await), 1);
    }
    assert!(order.shards.iter().all(|shard| shard.state.lock().chains.len() <= MOST_CHAINS));
}
