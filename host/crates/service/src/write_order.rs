//! Requests that write the same integration, one after the other.
//!
//! A version is sealed for the one that it replaces, so work is in vain where another writer comes first. Requests follow each other
//! without waiting for the disk: each seals over the version that the one before has queued, and the store commits them in this
//! order. If one of them writes nothing, those behind it write nothing either, and begin again with what is stored. Rows of
//! imports, their undo and changes of an own app, which need more of what they replace, write [alone](WriteOrder::alone). Checks and
//! deletions are not ordered here: the version that a write expects tells whether one came before it.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::future::poll_fn;
use std::hash::BuildHasher as _;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use keyferry_store::IntegrationKey;

/// Integrations of different shards do not share a lock.
const SHARDS: usize = 64;
/// Chains of one shard at which those without a writer are dropped.
const MOST_CHAINS: usize = 64;

/// The requests, and the writers alone, of all integrations. `V` is what a request has to know of the version that it replaces.
#[derive(Debug)]
pub(super) struct WriteOrder<V> {
    shards: Vec<Shard<V>>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Shard<V> {
    state: Mutex<State<V>>,
    /// Notified at the end of a turn that is waited for.
    ended: Notify,
}

#[derive(Debug)]
struct State<V> {
    /// By the hash of the integration's key.
    chains: HashMap<u64, Chain<V>>,
    /// The number of the last turn.
    turns: u64,
    /// Whether the end of a turn is waited for.
    is_awaited: bool,
}

/// The writers of one integration. Turns are named by their numbers.
#[derive(Debug)]
struct Chain<V> {
    /// The version that the last turn has queued; nothing if the next turn has to read what is stored.
    newest: Option<V>,
    last: u64,
    /// The last turn that is known to be stored.
    stored: u64,
    /// The turns up to this one have not all been stored, or it is unknown whether they were.
    void: u64,
    /// Turns under way.
    pending: usize,
    /// Writers that write alone, or wait for it. No request joins meanwhile.
    alone: usize,
}

/// A moment before an integration is read: what is read contains all turns that had ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    chain: u64,
    turns: u64,
}

/// A write that is about to be queued.
pub(super) struct Submitted<V, F> {
    /// The version that it stores, for the request behind it.
    pub(super) version: V,
    /// Writes it. When it is polled for the first time, it takes its place in the store's queue.
    pub(super) written: F,
}

/// The result of a request's turn.
#[derive(Debug)]
pub(super) enum Followed<T, E> {
    /// What the write returned.
    Done(T),
    /// Nothing can be written over what is stored.
    Refused(E),
    /// What was read is no longer the newest version: read again.
    Outdated,
}

/// What comes next for a request.
enum Step<'a, V, F: Future, E> {
    Queued { turn: Turn<'a, V>, written: F, polled: Poll<F::Output> },
    Over(Followed<F::Output, E>),
    Wait(Notified<'a>),
}

/// A turn under way. Dropped, it is not stored as far as is known.
struct Turn<'a, V> {
    shard: &'a Shard<V>,
    chain: u64,
    number: u64,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Void,
    Stored,
    /// Of a writer that wrote alone, whatever it wrote.
    Alone,
}

/// A writer that writes alone, or waits for it.
struct Alone<'a, V> {
    shard: &'a Shard<V>,
    chain: u64,
}

impl<V> Default for WriteOrder<V> {
    fn default() -> Self {
        let state = || Mutex::new(State { chains: HashMap::new(), turns: 0, is_awaited: false });
        let shards = (0..SHARDS).map(|_| Shard { state: state(), ended: Notify::new() });
        Self { shards: shards.collect(), hasher: RandomState::new() }
    }
}

impl<V> WriteOrder<V> {
    /// The moment before the integration is read.
    pub(super) fn mark(&self, key: &IntegrationKey) -> Mark {
        let chain = self.hasher.hash_one(key);
        Mark { chain, turns: self.shard(chain).map_or(0, |shard| shard.state.lock().turns) }
    }

    /// Takes the next turn after other requests. `submit` gets the version that they leave behind, or `read`, which was read after
    /// the mark. Its error counts once what it was given is known to be stored. `is_stored` tells it from the result of the write.
    pub(super) async fn follow<F: Future + Unpin, E>(
        &self,
        mark: Mark,
        read: Option<&V>,
        mut submit: impl FnMut(Option<&V>) -> Result<Submitted<V, F>, E>,
        is_stored: impl FnOnce(&F::Output) -> bool,
    ) -> Followed<F::Output, E> {
        let Some(shard) = self.shard(mark.chain) else { return Followed::Outdated };
        // The turn whose version was refused.
        let mut refused = None;
        loop {
            match poll_fn(|cx| Poll::Ready(shard.step(mark, read, &mut submit, &mut refused, cx))).await {
                Step::Queued { mut turn, written, polled } => {
                    let result = match polled {
                        Poll::Ready(result) => result,
                        Poll::Pending => written.await,
                    };
                    if is_stored(&result) {
                        turn.end = End::Stored;
                    }
                    return Followed::Done(result);
                }
                Step::Over(over) => return over,
                Step::Wait(ended) => ended.await,
            }
        }
    }

    /// Writes while no other writer of the integration does.
    pub(super) async fn alone<T>(&self, key: &IntegrationKey, write: impl Future<Output = T>) -> T {
        let chain = self.hasher.hash_one(key);
        let Some(shard) = self.shard(chain) else { return write.await };
        let _alone = shard.alone(chain);
        let _turn = shard.turn_alone(chain).await;
        write.await
    }

    fn shard(&self, chain: u64) -> Option<&Shard<V>> {
        self.shards.get(usize::try_from(chain % SHARDS as u64).unwrap_or_default())
    }
}

impl<V> Shard<V> {
    /// Queues a request's write, if it is its turn.
    fn step<F: Future + Unpin, E>(
        &self,
        mark: Mark,
        read: Option<&V>,
        submit: &mut impl FnMut(Option<&V>) -> Result<Submitted<V, F>, E>,
        refused: &mut Option<(u64, E)>,
        cx: &mut Context<'_>,
    ) -> Step<'_, V, F, E> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let chain = state.chains.entry(mark.chain).or_insert_with(|| Chain::new(state.turns));
        if let Some((turn, error)) = refused.take() {
            if turn <= chain.void {
                return Step::Over(Followed::Outdated);
            }
            if turn <= chain.stored {
                return Step::Over(Followed::Refused(error));
            }
            *refused = Some((turn, error));
        }
        if refused.is_some() || chain.is_broken() || chain.alone > 0 {
            state.is_awaited = true;
            return Step::Wait(self.ended.notified());
        }
        let base = match (chain.pending > 0 || chain.last > mark.turns, &chain.newest) {
            (true, None) => return Step::Over(Followed::Outdated),
            (true, newest) => newest.as_ref(),
            (false, _) => read,
        };
        match submit(base) {
            Ok(Submitted { version, mut written }) => {
                // Before it is a turn: one that is dropped by a panic here would wait for the lock that is held.
                let polled = written.poll_unpin(cx);
                state.turns += 1;
                chain.queue(state.turns, Some(version));
                let turn = Turn { shard: self, chain: mark.chain, number: state.turns, end: End::Void };
                Step::Queued { turn, written, polled }
            }
            Err(error) if chain.pending > 0 => {
                *refused = Some((chain.last, error));
                state.is_awaited = true;
                Step::Wait(self.ended.notified())
            }
            Err(error) => Step::Over(Followed::Refused(error)),
        }
    }

    fn alone(&self, id: u64) -> Alone<'_, V> {
        let mut state = self.state.lock();
        let turns = state.turns;
        state.chains.entry(id).or_insert_with(|| Chain::new(turns)).alone += 1;
        Alone { shard: self, chain: id }
    }

    /// Waits for the end of all turns under way. The caller counts as [`Alone`].
    async fn turn_alone(&self, id: u64) -> Turn<'_, V> {
        loop {
            let ended = {
                let mut state = self.state.lock();
                let state = &mut *state;
                let chain = state.chains.entry(id).or_insert_with(|| Chain::new(state.turns));
                if chain.pending == 0 {
                    state.turns += 1;
                    chain.queue(state.turns, None);
                    return Turn { shard: self, chain: id, number: state.turns, end: End::Alone };
                }
                state.is_awaited = true;
                self.ended.notified()
            };
            ended.await;
        }
    }
}

impl<V> Shard<V> {
    /// Changes a chain that a writer leaves, and wakes those who wait.
    fn leave(&self, id: u64, change: impl FnOnce(&mut Chain<V>)) {
        let mut state = self.state.lock();
        if let Some(chain) = state.chains.get_mut(&id) {
            change(chain);
        }
        if state.chains.len() > MOST_CHAINS {
            state.chains.retain(|_, chain| chain.pending > 0 || chain.alone > 0);
        }
        if std::mem::take(&mut state.is_awaited) {
            self.ended.notify_waiters();
        }
    }
}

impl<V> Chain<V> {
    /// Of what was before, after that many turns, nothing is known.
    fn new(turns: u64) -> Self {
        Self { newest: None, last: 0, stored: 0, void: turns, pending: 0, alone: 0 }
    }

    fn queue(&mut self, turn: u64, version: Option<V>) {
        (self.last, self.newest) = (turn, version);
        self.pending += 1;
    }

    /// Whether the turns under way will not be stored.
    fn is_broken(&self) -> bool {
        self.pending > 0 && self.last <= self.void
    }
}

impl<V> Drop for Turn<'_, V> {
    fn drop(&mut self) {
        self.shard.leave(self.chain, |chain| {
            chain.pending = chain.pending.saturating_sub(1);
            match self.end {
                End::Alone => {}
                End::Stored => chain.stored = chain.stored.max(self.number),
                End::Void => (chain.void, chain.newest) = (chain.last, None),
            }
        });
    }
}

impl<V> Drop for Alone<'_, V> {
    fn drop(&mut self) {
        self.shard.leave(self.chain, |chain| chain.alone = chain.alone.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests;
