//! The schedule of requests.

use std::cell::RefCell;
use std::error::Error;
use std::io::{Write as _, stdin, stdout};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::{Mutex, mpsc};
use tokio::task::LocalSet;

use super::client::{Client, Head, request};
use super::spec::{Latency, Load, Pace, Told};

/// The longest latency that the histogram distinguishes, in microseconds.
const LONGEST: u64 = 120_000_000;
/// How long late responses are waited for after the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The counters, and the counted time.
struct Counted {
    from: Instant,
    until: Instant,
    told: Told,
    latencies: Histogram<u64>,
}

impl Counted {
    fn new(from: Instant, length: Duration) -> Result<Self, Box<dyn Error>> {
        let latencies = Histogram::new_with_bounds(1, LONGEST, 3)?;
        Ok(Self { from, until: from + length, told: Told::default(), latencies })
    }

    /// Counts a response to a request that was due at `due`. In a closed loop the time of the response counts, so that
    /// as many are counted as the server sent within the time; in an open loop the due time, so that no slow response
    /// is lost.
    fn note(&mut self, due: Instant, now: Instant, pace: Pace, response: Option<Head>) {
        let counts = match pace {
            Pace::Closed | Pace::Heeding => now,
            Pace::Open { .. } => due,
        };
        if counts < self.from || counts >= self.until {
            return;
        }
        let Some(head) = response else {
            self.told.broken += 1;
            return;
        };
        *self.told.by_status.entry(head.status).or_default() += 1;
        if head.status == 200 {
            let micros = u64::try_from(now.duration_since(due).as_micros()).unwrap_or(LONGEST);
            self.latencies.saturating_record(micros.max(1));
        } else if head.status == 503 && head.again.is_some() {
            self.told.said_when += 1;
        }
    }
}

/// The process: reads a load from stdin, prints `began` when counting begins, and prints the results.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let load: Load = serde_json::from_reader(stdin())?;
    // One thread: a server with two workers then has a processor for its own work most of the time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told = LocalSet::new().block_on(&runtime, generate(load))?;
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}

async fn generate(load: Load) -> Result<Told, Box<dyn Error>> {
    let load = Rc::new(load);
    let mut clients = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let mut client = Client::new(load.address);
        client.connect().await?;
        clients.push(client);
    }
    let start = Instant::now();
    let (warm_up, length) = (Duration::from_millis(load.warm_up_millis), Duration::from_millis(load.millis));
    let counted = Rc::new(RefCell::new(Counted::new(start + warm_up, length)?));
    let arrivals = match load.pace {
        Pace::Closed | Pace::Heeding => None,
        Pace::Open { per_second } => Some(Rc::new(Mutex::new(arrivals(start, warm_up + length, per_second)))),
    };
    let mut running = Vec::with_capacity(load.connections);
    for (place, client) in clients.into_iter().enumerate() {
        let (load, counted, arrivals) = (Rc::clone(&load), Rc::clone(&counted), arrivals.clone());
        running.push(tokio::task::spawn_local(async move {
            let mut sent = Sender { client, load, counted, next_account: place };
            match arrivals {
                None => sent.closed(start + warm_up + length).await,
                Some(arrivals) => sent.open(&arrivals).await,
            }
        }));
    }
    tokio::time::sleep_until((start + warm_up).into()).await;
    println!("began");
    stdout().flush()?;
    tokio::time::sleep_until((start + warm_up + length).into()).await;
    println!("ended");
    stdout().flush()?;
    if let Pace::Open { per_second } = load.pace {
        // Waits for the responses to due requests; a rate that the server cannot sustain leaves some outstanding.
        let all = async {
            for task in running {
                let _ended = task.await;
            }
        };
        let _late = tokio::time::timeout(PATIENCE, all).await;
        let counted = &mut *counted.borrow_mut();
        let due = due_between(per_second, warm_up, warm_up + length);
        let answered: u64 = counted.told.by_status.values().sum();
        counted.told.unanswered = due.saturating_sub(answered + counted.told.broken);
    }
    let counted = &mut *counted.borrow_mut();
    counted.told.seconds = length.as_secs_f64();
    counted.told.latency = Latency::of(&counted.latencies);
    Ok(std::mem::take(&mut counted.told))
}

/// When the request of this number is due, after the start.
fn due(number: u32, per_second: f64) -> Duration {
    Duration::from_secs_f64(f64::from(number) / per_second)
}

fn due_between(per_second: f64, from: Duration, until: Duration) -> u64 {
    (0_u32..).map(|number| due(number, per_second)).skip_while(|due| *due < from).take_while(|due| *due < until).count()
        as u64
}

/// Sends each due time when it arrives. A thread sleeps more exactly than a runtime.
fn arrivals(start: Instant, length: Duration, per_second: f64) -> mpsc::UnboundedReceiver<Instant> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for due in (0_u32..).map(|number| due(number, per_second)).take_while(|due| *due < length) {
            let at = start + due;
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if sender.send(at).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A connection and the accounts of its requests.
struct Sender {
    client: Client,
    load: Rc<Load>,
    counted: Rc<RefCell<Counted>>,
    next_account: usize,
}

impl Sender {
    async fn closed(&mut self, end: Instant) {
        loop {
            let now = Instant::now();
            if now >= end {
                return;
            }
            let again = self.send(now).await.filter(|_| self.load.pace == Pace::Heeding);
            if let Some(again) = again {
                tokio::time::sleep(again).await;
            }
        }
    }

    async fn open(&mut self, arrivals: &Mutex<mpsc::UnboundedReceiver<Instant>>) {
        loop {
            let Some(due) = arrivals.lock().await.recv().await else { return };
            self.send(due).await;
        }
    }

    /// The wait until the next request, if the response asks for it.
    async fn send(&mut self, due: Instant) -> Option<Duration> {
        // Several connections share an account where there are fewer accounts than connections.
        let account = self.next_account % self.load.accounts.max(1);
        self.next_account += self.load.connections;
        if self.next_account >= self.load.accounts {
            self.next_account %= self.load.connections;
        }
        let response = self.client.exchange(&request(&self.load, account)).await.ok();
        self.counted.borrow_mut().note(due, Instant::now(), self.load.pace, response);
        response?.again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Pace = Pace::Open { per_second: 1.0 };

    fn head(status: u16) -> Option<Head> {
        Head::parse(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn in_open_loop_latency_counts_from_when_a_request_was_due() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut counted = Counted::new(at(100), Duration::from_millis(100)).unwrap();
        counted.note(at(99), at(150), OPEN, head(200));
        counted.note(at(100), at(160), OPEN, head(200));
        // Due before the end, with a response after it: slow responses must not be lost.
        counted.note(at(199), at(299), OPEN, head(200));
        counted.note(at(200), at(201), OPEN, head(200));
        counted.note(at(150), at(151), OPEN, head(503));
        counted.note(at(150), at(151), OPEN, None);
        assert_eq!((counted.told.good(), counted.told.bad(), counted.told.broken), (2, 2, 1));
        let latency = Latency::of(&counted.latencies);
        assert!((latency.p50 - 60_000.0).abs() < 100.0, "{latency:?}");
        assert!((latency.longest - 100_000.0).abs() < 100.0, "{latency:?}");
    }

    #[test]
    fn in_closed_loop_what_was_answered_within_the_time_counts() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut counted = Counted::new(at(100), Duration::from_millis(100)).unwrap();
        for (due, now) in [(90, 99), (99, 100), (150, 199), (199, 200)] {
            counted.note(at(due), at(now), Pace::Closed, head(200));
        }
        assert_eq!(counted.told.good(), 2);
    }

    #[test]
    fn as_many_are_due_as_the_rate_says() {
        assert_eq!(due_between(100.0, Duration::from_secs(1), Duration::from_secs(3)), 200);
    }
}
