//! Where answers are kept: one shelf for all threads, of a bounded weight, and beside it the fetches that are under way.
//!
//! A look takes a read lock of one of several shards, which only writers of the same shard wait for. What is rarely asked for makes room
//! (Clock-PRO, by `quick_cache`): a flood of addresses that nobody asks for twice pushes out its own kind. Rejected: `moka`, which
//! has threads' worth of upkeep for times to live that are ours to know; a shelf for each thread, which would fetch and keep everything as often as there are threads.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::HeaderName;
use quick_cache::sync::Cache as Map;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};
use tokio::sync::watch;

use super::stored::Stored;
use crate::edge::failure::Failure;

/// Parts of the shelf with a lock each.
const SHARDS: usize = 8;
/// Octets of an answer as they are expected, to begin with.
const ANSWER_SIZE: usize = 16 << 10;
/// What an entry without an answer stands for.
const MARK_SIZE: usize = 256;
/// How long it is remembered that an answer was not to be kept.
const PASS_TIME: Duration = Duration::from_secs(10);

/// Which route and path an entry is of.
#[derive(Clone, Debug)]
pub(in crate::edge) struct About {
    pub(super) route: Arc<str>,
    /// With its query.
    pub(super) path: Arc<str>,
    /// Whether the route compresses.
    pub(super) compresses: bool,
}

/// What is known of an address.
#[derive(Clone)]
pub(super) enum Entry {
    /// Its answer.
    Page(Arc<Stored>),
    /// Its answers differ by these fields, and lie elsewhere.
    Fork(Arc<Fork>),
    /// Its answers were not to be kept.
    Pass(Arc<About>, Instant),
}

/// Where the answers of an address part.
pub(super) struct Fork {
    about: About,
    pub(super) id: usize,
    pub(super) names: Vec<HeaderName>,
}

/// By what an entry is found.
pub(super) type Key = Box<[u8]>;

#[derive(Clone)]
struct Weigh;

impl Weighter<Key, Entry> for Weigh {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        let size = match entry {
            Entry::Page(page) => page.weight(),
            Entry::Fork(_) | Entry::Pass(..) => MARK_SIZE,
        };
        (key.len() + size) as u64
    }
}

/// Counts what had to make room.
#[derive(Clone, Default)]
struct Counting;

impl Lifecycle<Key, Entry> for Counting {
    type RequestState = Vec<Entry>;

    fn on_evict(&self, evicted: &mut Self::RequestState, _: Key, entry: Entry) {
        evicted.push(entry);
    }
}

struct Shelf {
    map: Map<Key, Entry, Weigh, DefaultHashBuilder, Counting>,
    flights: Mutex<HashMap<Key, Arc<Flight>>>,
    forks: AtomicUsize,
    /// Octets of bodies that are on their way here, are here, or were and are still being read by somebody.
    held: Arc<AtomicUsize>,
}

/// The cache of the edge: answers that are kept, for all routes that want it. Clones are the same cache.
#[derive(Clone, Default)]
pub struct Cache(Arc<Inner>);

#[derive(Default)]
struct Inner {
    memory_max: usize,
    /// Made when the first route wants it.
    shelf: OnceLock<Shelf>,
}

/// Which answers of a route are to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge<'a> {
    /// All.
    All,
    /// Those of a path, with any query; with a star at its end those of all paths that begin so.
    Path(&'a str),
    /// Those with this word in `Surrogate-Key` or `Cache-Tag`.
    Tag(&'a str),
}

/// How a fetch that others wait for has ended.
#[derive(Clone, Debug)]
pub(super) enum Landing {
    /// Not yet.
    Flying,
    /// It has: look again.
    Landed,
    /// The app did not answer.
    Failed(Failure),
}

/// A fetch that others may wait for.
pub(super) struct Flight {
    landing: watch::Sender<Landing>,
    /// Whether the address was changed or purged meanwhile.
    spoiled: AtomicBool,
    /// Of the address, whichever of its answers is fetched.
    primary: Key,
    about: About,
}

/// The fetch of whoever leads it. When it goes, however that comes, nobody waits for it any more.
pub(super) struct Lead {
    cache: Cache,
    key: Key,
    flight: Arc<Flight>,
}

/// The part of a request in a fetch.
pub(super) enum Boarding {
    Lead(Lead),
    Wait(watch::Receiver<Landing>),
}

impl Cache {
    /// A cache of at most so many octets.
    pub(in crate::edge) fn new(memory_max: usize) -> Self {
        Self(Arc::new(Inner { memory_max, shelf: OnceLock::new() }))
    }

    fn shelf(&self) -> &Shelf {
        self.0.shelf.get_or_init(|| {
            let memory = self.0.memory_max.max(1);
            let items = memory / ANSWER_SIZE + SHARDS;
            let mut options = OptionsBuilder::new();
            options.shards(SHARDS).estimated_items_capacity(items).weight_capacity(memory as u64);
            let map = match options.build() {
                Ok(options) => Map::with_options(options, Weigh, DefaultHashBuilder::default(), Counting),
                Err(_) => Map::with(items, memory as u64, Weigh, DefaultHashBuilder::default(), Counting),
            };
            Shelf { map, flights: Mutex::default(), forks: AtomicUsize::new(0), held: Arc::default() }
        })
    }

    /// Octets that are kept, and answers.
    pub fn size(&self) -> (u64, u64) {
        self.0.shelf.get().map_or((0, 0), |shelf| (shelf.map.weight(), shelf.map.len() as u64))
    }

    /// Octets that one answer may have: a share of a shard, so that no one answer clears it.
    pub(super) fn answer_max(&self) -> usize {
        self.0.memory_max / SHARDS / 4
    }

    pub(super) fn find(&self, key: &[u8]) -> Option<Entry> {
        self.shelf().map.get(key)
    }

    /// Takes away what is kept of an address, also what is about to arrive.
    pub(super) fn remove(&self, key: &[u8]) {
        let shelf = self.shelf();
        let flights = shelf.flights();
        for flight in flights.values().filter(|flight| *flight.primary == *key) {
            flight.spoiled.store(true, Ordering::Relaxed);
        }
        // Of a fork, the branches stay where nobody finds them any more, and make room in their time.
        shelf.map.remove(key);
    }

    /// Takes away answers of a route: how many.
    pub fn purge(&self, route: &str, which: Purge<'_>) -> u64 {
        let Some(shelf) = self.0.shelf.get() else { return 0 };
        let flights = shelf.flights();
        for flight in flights.values().filter(|flight| flight.about.is_hit(route, which)) {
            flight.spoiled.store(true, Ordering::Relaxed);
        }
        let count = std::cell::Cell::new(0);
        shelf.map.retain(|_, entry| {
            let (hit, page) = match entry {
                Entry::Page(page) => (page.is_hit(route, which), 1),
                Entry::Fork(fork) => (fork.about.is_hit(route, which), 0),
                Entry::Pass(about, _) => (about.is_hit(route, which), 0),
            };
            count.set(count.get() + if hit { page } else { 0 });
            !hit
        });
        count.get()
    }

    /// Takes part in the fetch of an address.
    pub(super) fn board(&self, key: &[u8], primary: &[u8], about: impl FnOnce() -> About) -> Boarding {
        match self.shelf().flights().entry(key.into()) {
            Place::Occupied(place) => Boarding::Wait(place.get().landing.subscribe()),
            Place::Vacant(place) => {
                let landing = watch::Sender::new(Landing::Flying);
                let (spoiled, primary) = (AtomicBool::new(false), primary.into());
                let flight = Arc::new(Flight { landing, spoiled, primary, about: about() });
                let key = place.key().clone();
                place.insert(Arc::clone(&flight));
                Boarding::Lead(Lead { cache: self.clone(), key, flight })
            }
        }
    }

    /// Whether there is room for more bodies: half as much again as is kept may be on its way here, or with slow readers.
    pub(super) fn has_room(&self) -> bool {
        self.shelf().held.load(Ordering::Relaxed) <= self.0.memory_max / 2 * 3
    }

    /// Counts octets, beginning with none.
    pub(super) fn held(&self) -> Held {
        Held { all: Arc::clone(&self.shelf().held), octets: 0 }
    }

    /// A body that counts for as long as anybody has it.
    pub(super) fn own(&self, body: Vec<u8>) -> Bytes {
        let mut held = self.held();
        held.add(body.len());
        Bytes::from_owner(Owned { body, _held: held })
    }

    /// A number that no fork had before.
    fn next_fork(&self) -> usize {
        self.shelf().forks.fetch_add(1, Ordering::Relaxed)
    }
}

impl Shelf {
    fn flights(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Octets of memory that are held, for as long as they are.
pub(super) struct Held {
    all: Arc<AtomicUsize>,
    octets: usize,
}

impl Held {
    pub(super) fn add(&mut self, octets: usize) {
        self.octets += octets;
        self.all.fetch_add(octets, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

struct Owned {
    body: Vec<u8>,
    _held: Held,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Lead {
    /// Whether somebody else waits for it.
    pub(super) fn has_company(&self) -> bool {
        self.flight.landing.receiver_count() > 0
    }

    /// Keeps an answer, unless its address was changed meanwhile. `selected` are the values of the fields it varies by. How many answers
    /// made room for it.
    pub(super) fn keep(&self, primary: &[u8], page: Stored, selected: impl Fn(&[HeaderName]) -> Vec<u8>) -> usize {
        let shelf = self.cache.shelf();
        let flights = shelf.flights();
        if self.flight.spoiled.load(Ordering::Relaxed) {
            return 0;
        }
        let mut evicted = Vec::new();
        let names = &page.verdict.vary;
        if names.is_empty() {
            shelf.map.insert_with_lifecycle(primary.into(), Entry::Page(Arc::new(page)), &mut evicted);
        } else {
            let known = match shelf.map.get(primary) {
                Some(Entry::Fork(fork)) if fork.names == *names => Some(fork),
                Some(Entry::Fork(_) | Entry::Page(_) | Entry::Pass(..)) | None => None,
            };
            let fork = known.unwrap_or_else(|| {
                let fork = Fork { about: page.about.clone(), id: self.cache.next_fork(), names: names.clone() };
                let fork = Arc::new(fork);
                shelf.map.insert_with_lifecycle(primary.into(), Entry::Fork(Arc::clone(&fork)), &mut evicted);
                fork
            });
            let key = fork.key(&selected(&fork.names));
            shelf.map.insert_with_lifecycle(key, Entry::Page(Arc::new(page)), &mut evicted);
        }
        drop(flights);
        evicted.iter().filter(|entry| matches!(entry, Entry::Page(_))).count()
    }

    /// Remembers for a while that the answers of an address are not to be kept.
    pub(super) fn pass(&self, now: Instant) {
        let about = Arc::new(self.flight.about.clone());
        self.cache.shelf().map.insert(self.key.clone(), Entry::Pass(about, now + PASS_TIME));
    }

    /// Takes away what was kept.
    pub(super) fn forget(&self) {
        self.cache.shelf().map.remove(&self.key);
    }

    /// Tells those who wait that the app did not answer.
    pub(super) fn fail(self, failure: &Failure) {
        self.flight.landing.send_replace(Landing::Failed(failure.clone()));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.cache.shelf().flights().remove(&self.key);
        self.flight.landing.send_if_modified(|landing| {
            let flying = matches!(landing, Landing::Flying);
            if flying {
                *landing = Landing::Landed;
            }
            flying
        });
    }
}

impl Fork {
    /// Where the answer for these values lies.
    pub(super) fn key(&self, selected: &[u8]) -> Key {
        [&self.id.to_ne_bytes(), selected].concat().into()
    }
}

impl About {
    fn is_hit(&self, route: &str, which: Purge<'_>) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        *self.route == *route
            && match which {
                Purge::All => true,
                Purge::Path(wanted) => match wanted.strip_suffix('*') {
                    Some(front) => path.starts_with(front),
                    None => path == wanted,
                },
                Purge::Tag(_) => false,
            }
    }
}

impl Stored {
    /// Whether a purge means it.
    fn is_hit(&self, route: &str, which: Purge<'_>) -> bool {
        let Purge::Tag(tag) = which else { return self.about.is_hit(route, which) };
        // Surrogate-Key is parted by spaces, Cache-Tag by commas; a word of either is a tag.
        let fields = ["surrogate-key", "cache-tag"].iter().flat_map(|name| self.headers.get_all(*name));
        let mut tags = fields.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split([' ', ',', '\t']));
        *self.about.route == *route && tags.any(|found| found == tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slow_readers_hold_counts_until_they_are_done() {
        let cache = Cache::new(1_000);
        let bodies: Vec<Bytes> = (0..16).map(|_| cache.own(vec![0; 100])).collect();
        assert!(!cache.has_room());
        let parts: Vec<Bytes> = bodies.iter().map(|body| body.slice(..1)).collect();
        drop(bodies);
        assert!(!cache.has_room(), "a part of a body holds all of it");
        drop(parts);
        assert!(cache.has_room());
        let mut held = cache.held();
        held.add(1_501);
        assert!(!cache.has_room());
        drop(held);
        assert!(cache.has_room());
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_the_end_however_it_comes() {
        let cache = Cache::new(1 << 20);
        let about = || About { route: "a/".into(), path: "/".into(), compresses: false };
        let key = b"key";
        for failed in [false, true] {
            let Boarding::Lead(lead) = cache.board(key, key, about) else { panic!("the first one leads") };
            let Boarding::Wait(mut landing) = cache.board(key, key, about) else { panic!("the second one waits") };
            assert!(lead.has_company());
            if failed {
                lead.fail(&Failure::AppSlow)
            } else {
                drop(lead)
            }
            let heard = landing.wait_for(|landing| !matches!(landing, Landing::Flying)).await.unwrap();
            assert_eq!(matches!(&*heard, Landing::Failed(Failure::AppSlow)), failed);
        }
    }
}
