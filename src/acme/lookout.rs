//! What others may know of the keeper: how each certificate stands, whether the world is led here for our zones, and what was
//! done; and a look at a name with a stranger's eyes, for whoever asks how a route stands.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::timeout;

use super::ask::{Data, NO_SUCH_NAME};
use super::keeper::Outlooks;
use super::own::{self, shown};
use super::plan::{Outlook, is_internal};
use super::preflight::delegation::{self, Delegation};
use super::stats::Stats;
use super::world::{World, now};
use crate::cert::Subject;
use crate::store::Snapshot;
use crate::wire::{Kind, Name, NameRef};

/// How long one look at a delegation may take: some servers of the parent and of the zone, each with its time.
const LOOK_TIME: Duration = Duration::from_secs(30);

/// What was found of each zone, by its name.
pub(super) type Delegations = ArcSwap<BTreeMap<String, Arc<Delegation>>>;

/// How to know what the keeper knows. Cheap to clone; after the keeper's end it tells what was so.
#[derive(Clone)]
pub struct Lookout {
    pub(super) world: Arc<World>,
    pub(super) outlooks: Outlooks,
    pub(super) stats: Arc<Stats>,
}

/// What a stranger is told of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether there is such a name.
    pub exists: bool,
    /// The names it is an alias of, one after the other.
    pub aliases: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

impl Lookout {
    /// How things stand with each wanted certificate, by id, as of the last look.
    pub fn outlooks(&self) -> Arc<BTreeMap<String, Outlook>> {
        self.outlooks.load_full()
    }

    /// What was done since the start.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What was found of the delegation of a zone of ours, be it a zone or one above it; nothing before the first look.
    pub fn delegation(&self, snapshot: &Snapshot, zone: &Name) -> Option<Arc<Delegation>> {
        self.world.delegations.load().get(&shown(&delegation::topmost(snapshot, zone))).cloned()
    }

    /// All that was found of delegations.
    pub fn delegations(&self) -> Arc<BTreeMap<String, Arc<Delegation>>> {
        self.world.delegations.load_full()
    }

    /// Looks at it now.
    pub async fn look_at_delegation(&self, snapshot: &Snapshot, zone: &Name) -> Arc<Delegation> {
        self.world.look_at_delegation(&delegation::topmost(snapshot, zone)).await
    }

    /// Whether the world is not asked about a name: only its own network knows such names, and no resolver was named that
    /// could be of that network.
    pub fn is_private(&self, name: &str) -> bool {
        self.world.is_private(name)
    }

    /// Whether this is an address at which the world reaches us, as far as we know.
    pub fn is_own(&self, snapshot: &Snapshot, address: IpAddr) -> bool {
        own::is_own(snapshot, address)
    }

    /// What a stranger is told of a name, by the resolvers of the settings.
    pub async fn see(&self, name: NameRef<'_>) -> Result<Seen, String> {
        let mut seen = Seen::default();
        for kind in [Kind::A, Kind::AAAA] {
            let reply = self.world.resolver.ask(name, kind).await?;
            seen.exists |= reply.rcode != NO_SUCH_NAME;
            seen.aliases.clear(); // both say the same
            for record in reply.answer {
                match record.data {
                    Data::Address(address) => seen.addresses.push(address),
                    Data::Alias(target) => seen.aliases.push(shown(&target)),
                    Data::NameServer(_) | Data::Start(_) | Data::Text(_) | Data::Caa(..) => (),
                }
            }
        }
        Ok(seen)
    }
}

#[cfg(test)]
impl Lookout {
    /// Of a keeper that does nothing, and knows the delegation of one zone.
    pub(crate) fn idle(store: Arc<crate::store::Store>) -> Self {
        let world = World {
            resolver: super::ask::Resolver::new(&[]),
            settings: super::Settings::default(),
            store,
            answers: Arc::default(),
            delegations: Delegations::default(),
            accounts: tokio::sync::Mutex::default(),
        };
        let found = Delegation {
            zone: "home.example".to_owned(),
            verdict: super::Verdict::Right,
            message: "example delegates home.example to ns1.home.example".to_owned(),
            cure: String::new(),
            servers: vec!["ns1.home.example".to_owned()],
            looked_at: 1_800_000_000,
        };
        world.delegations.store(Arc::new(BTreeMap::from([(found.zone.clone(), Arc::new(found))])));
        Self { world: Arc::new(world), outlooks: Outlooks::default(), stats: Arc::default() }
    }
}

impl World {
    /// Looks whether the world is led to us for a zone, the topmost of those that lie in each other, and remembers it.
    pub(super) async fn look_at_delegation(&self, zone: &Name) -> Arc<Delegation> {
        let name = shown(zone);
        let found = if self.is_private(&name) {
            Delegation::private(zone, now())
        } else {
            let snapshot = self.snapshot();
            let look = timeout(LOOK_TIME, delegation::look(&snapshot, &self.resolver, zone, now())).await;
            look.unwrap_or_else(|_| Delegation::unknown(zone, "it took too long", now()))
        };
        let found = Arc::new(found);
        self.delegations.rcu(|known| {
            let mut known = BTreeMap::clone(known);
            known.insert(name.clone(), Arc::clone(&found));
            known
        });
        found
    }

    fn is_private(&self, name: &str) -> bool {
        let internal = name.parse::<Subject>().is_ok_and(|subject| is_internal(&subject));
        internal && self.settings.resolvers.is_empty()
    }
}
