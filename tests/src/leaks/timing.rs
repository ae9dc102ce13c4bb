//! Whether the duration of the look-up of an API key depends on the key.
//!
//! In the manner of dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017): keys of several
//! classes are looked up in random order, and the times of each two classes are compared by Welch's t-test, over all
//! measurements and over the faster ones alone, since slow ones are noise of the machine. Beyond 4.5 two classes are
//! probably different; beyond 10 they are.

use std::fmt;
use std::hint::black_box;
use std::time::Instant;

use keyferry_store::sled::{SledSettings, SledStore};
use keyferry_store::{
    ApiKeyRecord, ApiKeyStore as _, AuditAction, AuditEvent, NewApiKey, RootRecord, Scope, StoreError, Timestamp,
};
use keyferry_types::ids::{Environment, OrgId};
use keyferry_vault::ApiKey;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::or_fail::OrFail as _;
use crate::{ORG, World, create_api_key, run};

/// Beyond this value the durations of two classes differ for sure.
pub const TOLD_APART: f64 = 10.0;
/// Keys of each class. Every class has the same number, so that none is better cached than another.
const KEYS: usize = 64;
/// The shares of the fastest measurements to compare.
const CROPS: [f64; 6] = [1.0, 0.99, 0.95, 0.9, 0.75, 0.5];

/// The class of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A live key.
    Live,
    /// A revoked key.
    Revoked,
    /// A key that does not exist. It begins as a live one and differs in the end.
    UnknownBeginsLive,
    /// A key that does not exist.
    Unknown,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 4] = [Self::Live, Self::Revoked, Self::UnknownBeginsLive, Self::Unknown];
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Revoked => "revoked",
            Self::UnknownBeginsLive => "unknown, begins as a live one",
            Self::Unknown => "unknown",
        })
    }
}

/// Two classes, and the difference of their durations.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// The first class.
    pub first: Class,
    /// The second class.
    pub second: Class,
    /// Their mean durations over the fastest nine tenths, in nanoseconds.
    pub means: [f64; 2],
    /// Welch's t, the largest over all crops.
    pub t: f64,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.means;
        write!(
            f,
            "{:<32} {first:>9.1} ns   {:<32} {second:>9.1} ns   t = {:>7.2}",
            self.first.to_string(),
            self.second.to_string(),
            self.t
        )
    }
}

/// Keys of all classes, and a store that has the live and the revoked ones.
pub struct Keys {
    store: SledStore,
    keys: Vec<(Class, Vec<String>)>,
    _folder: tempfile::TempDir,
}

impl Keys {
    /// Creates them.
    pub async fn make() -> Self {
        let folder = tempfile::tempdir().or_fail("make a folder");
        let store = SledStore::open(SledSettings::new(folder.path().join("store"))).await.or_fail("open a store");
        let (mut live, mut revoked, mut begins_live, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..KEYS {
            let key = ApiKey::generate(Environment::Test).or_fail("a key");
            add(&store, &key).await.or_fail("store a key");
            begins_live.push(other_end(key.expose()));
            live.push(key.expose().to_owned());
            let key = ApiKey::generate(Environment::Test).or_fail("a key");
            add(&store, &key).await.or_fail("store a key");
            let revoke = audit(AuditAction::ApiKeyRevoked);
            store.revoke_api_key(&org(), &key.hash(), revoke).await.or_fail("revoke a key");
            revoked.push(key.expose().to_owned());
            unknown.push(ApiKey::generate(Environment::Test).or_fail("a key").expose().to_owned());
        }
        let keys = Class::ALL.into_iter().zip([live, revoked, begins_live, unknown]).collect();
        Self { store, keys, _folder: folder }
    }

    /// The keys of a class.
    pub fn of(&self, class: Class) -> &[String] {
        self.keys.iter().find(|(known, _)| *known == class).map_or(&[], |(_, keys)| keys)
    }

    /// Looks keys up as a request does, this number of each class, in random order.
    pub async fn measure_lookup(&self, samples: usize) -> Vec<Comparison> {
        let mut times = Times::default();
        for _ in 0..samples * Class::ALL.len() {
            let (class, text) = self.pick();
            let began = Instant::now();
            let found = self.lookup(black_box(text)).await;
            times.add(class, began);
            assert_eq!(found, class == Class::Live, "{class}");
        }
        times.compare()
    }

    /// The same for an unsafe look-up that compares one key after another, character by character. It shows that the
    /// measurement detects a difference where there is one.
    pub fn measure_careless_lookup(&self, samples: usize) -> Vec<Comparison> {
        let live = self.of(Class::Live);
        let careless = |text: &str| {
            live.iter().any(|known| known.bytes().zip(text.bytes()).all(|(a, b)| black_box(a) == black_box(b)))
        };
        let mut times = Times::default();
        for _ in 0..samples * Class::ALL.len() {
            let (class, text) = self.pick();
            let began = Instant::now();
            let found = careless(black_box(text));
            times.add(class, began);
            assert_eq!(found, class == Class::Live, "{class}");
        }
        times.compare()
    }

    /// The steps of `http::access` from the text of a header to the response.
    async fn lookup(&self, text: &str) -> bool {
        let Ok(key) = text.parse::<ApiKey>() else { return false };
        let record = self.store.api_key(&key.hash()).await.or_fail("look a key up");
        record
            .filter(|record| key.hash_matches(&record.hash) && record.environment == key.environment())
            .is_some_and(|record| record.is_live(Timestamp::now()))
    }

    fn pick(&self) -> (Class, &str) {
        let (class, keys) = fastrand::choice(&self.keys).or_fail("a class");
        (*class, fastrand::choice(keys).or_fail("a key"))
    }
}

/// Sends requests to a running server over one persistent connection, this number with a key of each class.
///
/// A live key causes other work, so its durations say nothing; the server rejects the other three in the same way.
pub async fn measure_loopback(world: &World, samples: usize) -> Vec<Comparison> {
    let mut revoked = Vec::new();
    for _ in 0..4 {
        revoked.push(revoked_key(world).await);
    }
    let unknown = || ApiKey::generate(Environment::Test).or_fail("a key").expose().to_owned();
    let keys = [
        (Class::Live, vec![world.api_key.clone(); 4]),
        (Class::Revoked, revoked),
        (Class::UnknownBeginsLive, vec![other_end(&world.api_key); 4]),
        (Class::Unknown, (0..4).map(|_| unknown()).collect()),
    ];
    let mut stream = TcpStream::connect(world.server.address()).await.or_fail("connect");
    stream.set_nodelay(true).or_fail("set the connection up");
    let mut times = Times::default();
    let mut answer = Vec::with_capacity(4096);
    for _ in 0..samples * keys.len() {
        let (class, keys) = fastrand::choice(&keys).or_fail("a class");
        let key = fastrand::choice(keys).or_fail("a key");
        let head =
            format!("GET /api/v2/public/linked-account/x HTTP/1.1\r\nhost: keyferry\r\nx-api-key: {key}\r\n\r\n");
        answer.clear();
        let began = Instant::now();
        stream.write_all(head.as_bytes()).await.or_fail("send a request");
        while !answer.ends_with(b"}") {
            let read = stream.read_buf(&mut answer).await.or_fail("read a response");
            assert!(read > 0, "the server closed the connection");
        }
        times.add(*class, began);
        assert_eq!(answer.starts_with(b"HTTP/1.1 401"), *class != Class::Live, "{class}");
    }
    times.compare()
}

async fn revoked_key(world: &World) -> String {
    let data = world.data().display().to_string();
    let key = create_api_key(&world.data(), ORG, "test").await;
    let revoked = run(["api-key", "revoke", &key, "--org", ORG, "--data", &data]).await;
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    key
}

fn org() -> OrgId {
    "acme".parse().or_fail("an organisation")
}

fn audit(action: AuditAction) -> AuditEvent {
    AuditEvent::by_operator(action, "").in_environment(Environment::Test)
}

async fn add(store: &SledStore, key: &ApiKey) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let record = ApiKeyRecord {
        hash: key.hash(),
        org: org(),
        environment: Environment::Test,
        label: "timing".to_owned(),
        scopes: vec![Scope::Migrate],
        shown: key.shown().to_owned(),
        created_at: now,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    let root = RootRecord {
        key_id: 1,
        kek_id: "0".repeat(16),
        wrapped: Vec::new(),
        also: Vec::new(),
        created_at: now,
        disabled_at: None,
    };
    store.create_api_key(NewApiKey { record, root: Some(root), audit: audit(AuditAction::ApiKeyCreated) }).await
}

/// A valid key format that begins as this key does and differs in its last characters.
pub fn other_end(key: &str) -> String {
    let (body, _) = key.split_at(key.len() - 6);
    let (kept, end) = body.split_at(body.len() - 3);
    let end: String = end.chars().rev().map(|c| if c == 'x' { 'y' } else { 'x' }).collect();
    let signed = format!("{kept}{end}");
    let mut sum = crc32fast::hash(signed.as_bytes());
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let checksum = (0..6).map(|_| {
        let digit = digits.get(sum as usize % 62).map_or('0', |b| char::from(*b));
        sum /= 62;
        digit
    });
    signed.chars().chain(checksum).collect()
}

/// Durations by class, in nanoseconds.
#[derive(Default)]
pub struct Times(Vec<(Class, Vec<f64>)>);

impl Times {
    /// Adds the time since `began`.
    pub fn add(&mut self, class: Class, began: Instant) {
        self.add_nanos(class, began.elapsed().as_nanos() as f64);
    }

    fn add_nanos(&mut self, class: Class, nanos: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == class) {
            Some((_, times)) => times.push(nanos),
            None => self.0.push((class, vec![nanos])),
        }
    }

    /// Compares each two classes.
    pub fn compare(mut self) -> Vec<Comparison> {
        self.0.iter_mut().for_each(|(_, times)| times.sort_by(f64::total_cmp));
        self.0.sort_by_key(|(class, _)| Class::ALL.iter().position(|known| known == class));
        let mut comparisons = Vec::new();
        for (at, (first, a)) in self.0.iter().enumerate() {
            for (second, b) in self.0.iter().skip(at + 1) {
                let t = CROPS
                    .iter()
                    .map(|crop| welch(faster(a, *crop), faster(b, *crop)))
                    .fold(0.0, |most: f64, t| if t.abs() > most.abs() { t } else { most });
                let means = [a, b].map(|times| mean(faster(times, 0.9)));
                comparisons.push(Comparison { first: *first, second: *second, means, t });
            }
        }
        comparisons
    }
}

fn faster(sorted: &[f64], share: f64) -> &[f64] {
    let count = (sorted.len() as f64 * share) as usize;
    sorted.get(..count).unwrap_or(sorted)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Welch's t: the difference of the means in units of its standard error.
fn welch(a: &[f64], b: &[f64]) -> f64 {
    let spread = |values: &[f64]| {
        let mean = mean(values);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        squares / (values.len().max(2) - 1) as f64 / values.len().max(1) as f64
    };
    let error = (spread(a) + spread(b)).sqrt();
    if error == 0.0 { 0.0 } else { (mean(a) - mean(b)) / error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_is_there_is_seen_and_one_that_is_not_is_not() {
        let noise = || f64::from(fastrand::u32(900..1100)) + if fastrand::u8(..) == 0 { 50_000.0 } else { 0.0 };
        let (mut same, mut different) = (Times::default(), Times::default());
        for _ in 0..20_000 {
            same.add_nanos(Class::Live, noise());
            same.add_nanos(Class::Unknown, noise());
            different.add_nanos(Class::Live, noise() + 8.0);
            different.add_nanos(Class::Unknown, noise());
        }
        let (same, different) = (same.compare()[0].t, different.compare()[0].t);
        assert!(same.abs() < 6.0, "{same}");
        assert!(different > TOLD_APART, "{different}");
    }

    #[test]
    fn welch_gives_what_another_implementation_gives() {
        // Computed with Python: (mean(a) - mean(b)) / sqrt(variance(a)/4 + variance(b)/5), module statistics.
        let t = welch(&[1.0, 2.0, 3.0, 6.0], &[2.0, 4.0, 5.0, 9.0, 10.0]);
        assert!((t - -1.611_258_466_588_724).abs() < 1e-9, "{t}");
    }

    #[tokio::test]
    async fn the_careless_look_up_is_caught_and_each_class_is_what_it_says() {
        let keys = Keys::make().await;
        keys.measure_lookup(50).await;
        for key in keys.of(Class::UnknownBeginsLive) {
            assert!(key.parse::<ApiKey>().is_ok(), "its checksum is right");
        }
        let careless = keys.measure_careless_lookup(4000);
        let live = careless.iter().find(|one| (one.first, one.second) == (Class::Live, Class::Unknown)).unwrap();
        assert!(live.t.abs() > TOLD_APART, "{live}");
    }
}
