//! Tests of deadlines and pauses.

use std::ops::Range;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

const DEADLINES: Deadlines =
    Deadlines { head: Duration::from_millis(200), idle: Duration::from_millis(600), write: Duration::from_millis(300) };

impl OverSocket for DuplexStream {
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

fn connected() -> (DuplexStream, Arc<Progress>, Connection<DuplexStream>) {
    let (client, server) = duplex(16);
    let progress = Arc::new(Progress::default());
    (client, Arc::clone(&progress), Connection::new(server, progress, DEADLINES))
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    (work.await, began.elapsed())
}

/// Not earlier, and well before any other timeout.
fn at(deadline: Duration) -> Range<Duration> {
    deadline..deadline + Duration::from_secs(20)
}

#[tokio::test]
async fn a_connection_on_which_nothing_comes_ends_as_if_the_client_had_closed_it() {
    let (_client, _, mut server) = connected();
    let (read, after) = timed(server.read(&mut [0])).await;
    assert_eq!(read.unwrap(), 0);
    assert!(at(DEADLINES.head).contains(&after), "{after:?}");
    let (_client, progress, mut server) = connected();
    progress.ask(false);
    progress.responded();
    server.write_all(b"response").await.unwrap();
    server.flush().await.unwrap();
    let (read, after) = timed(server.read(&mut [0])).await;
    assert_eq!(read.unwrap(), 0);
    assert!(at(DEADLINES.idle).contains(&after), "{after:?}");
}

#[tokio::test]
async fn a_head_that_trickles_has_no_more_time_than_one_that_stops() {
    let (mut client, _, mut server) = connected();
    tokio::spawn(async move {
        while client.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    });
    let (error, after) = timed(async {
        loop {
            if let Err(error) = server.read_u8().await {
                return error.kind();
            }
        }
    })
    .await;
    assert_eq!(error, io::ErrorKind::TimedOut);
    assert!(at(DEADLINES.head).contains(&after), "{after:?}");
}

#[tokio::test]
async fn while_a_request_is_handled_no_deadline_runs_here() {
    let (_client, progress, mut server) = connected();
    progress.ask(false);
    let waited = tokio::time::timeout(DEADLINES.idle * 2, server.read_u8()).await;
    assert!(waited.is_err(), "it keeps waiting");
}

#[tokio::test]
async fn after_a_pause_the_next_request_is_read_and_not_before() {
    let (mut client, progress, mut server) = connected();
    progress.ask(false);
    progress.pause(DEADLINES.head);
    progress.responded();
    client.write_all(b"next").await.unwrap();
    let (read, after) = timed(async {
        server.flush().await.unwrap();
        server.read_u8().await
    })
    .await;
    assert_eq!(read.unwrap(), b'n');
    assert!(at(DEADLINES.head).contains(&after), "{after:?}");
    let (read, after) = timed(server.read_u8()).await;
    assert!(read.is_ok() && after < DEADLINES.head, "the pause is over: {after:?}");
}

#[tokio::test]
async fn a_response_has_to_be_taken_in_time_however_steadily_it_is_taken() {
    for pause in [Duration::from_millis(10), Duration::from_secs(3600)] {
        let (mut client, progress, mut server) = connected();
        progress.ask(false);
        progress.responded();
        let slow = tokio::spawn(async move {
            while client.read_u8().await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        });
        let (written, after) = timed(server.write_all(&[b'x'; 10_000])).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(at(DEADLINES.write).contains(&after), "a byte each {pause:?}: {after:?}");
        slow.abort();
    }
}

#[tokio::test]
async fn what_is_still_being_sent_is_taken_for_a_while_and_no_longer() {
    let (mut client, progress, mut server) = connected();
    progress.ask(true);
    progress.responded();
    let sending = tokio::spawn(async move { while client.write_all(b"more").await.is_ok() {} });
    let (ended, after) = timed(server.shutdown()).await;
    ended.unwrap();
    assert!(at(LINGER).contains(&after), "{after:?}");
    sending.abort();
    let (_client, progress, mut server) = connected();
    progress.ask(true);
    progress.responded();
    let flushed_meanwhile = async {
        while tokio::time::timeout(DEADLINES.head, server.shutdown()).await.is_err() {
            server.flush().await.unwrap();
        }
    };
    let ((), after) = timed(flushed_meanwhile).await;
    assert!(at(LINGER).contains(&after), "a client that is silent: {after:?}");
    let (_client, progress, mut server) = connected();
    progress.ask(false);
    progress.responded();
    server.flush().await.unwrap();
    let (ended, after) = timed(server.shutdown()).await;
    ended.unwrap();
    assert!(after < LINGER, "without a body there is nothing to wait for: {after:?}");
}
