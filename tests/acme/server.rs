//! Our server as far as certificates go: a store with zones, the name server, and the keeper.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use freehold::acme::{self, Handle, Settings};
use freehold::cert::{Certificate, Origin, Outcome, Story, Subject};
use freehold::store::{self, Actor, Change, Decision, Item, Snapshot, Store};
use freehold::wire::{Kind, Name};
use freehold::zone::{Zone, text};

use crate::network;

/// A store in a folder of its own.
pub(crate) struct Ours {
    pub(crate) store: Arc<Store>,
    folder: tempfile::TempDir,
}

impl Ours {
    /// With the zones of the resolver tests.
    pub(crate) fn start() -> Ours {
        let ours = Ours::empty();
        for name in ["home.example", "other.example"] {
            ours.add_zone(name, &std::fs::read_to_string(network::zone_file(name)).unwrap());
        }
        ours
    }

    /// Without zones.
    pub(crate) fn empty() -> Ours {
        let folder = tempfile::tempdir().unwrap();
        let settings = store::Settings { directory: folder.path().join("data"), ..store::Settings::default() };
        Ours { store: Arc::new(Store::open(&settings).unwrap()), folder }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn add_zone(&self, name: &str, zone: &str) {
        let mut no_files = |path: &str, _: &str| Err(std::io::Error::other(path.to_owned()));
        let zone = format!("$ORIGIN {name}.\n{zone}");
        let reading = text::read(zone.as_bytes().into(), name, None, &mut no_files, &mut |_| ());
        let built = Zone::build(reading.draft);
        let zone = built.zone.unwrap_or_else(|| panic!("{:?} {:?}", reading.faults, built.faults));
        self.commit(Change::PutZone { zone: zone.into() });
    }

    /// The name server, on the addresses that the world expects.
    pub(crate) fn serve(&self) -> freehold::dns::Handle {
        use freehold::dns::{Sockets, settings::Listen, start};
        let listen = ["127.0.0.10:53", "127.0.0.11:53"].map(|address| Listen(address.parse().unwrap())).into();
        let settings = freehold::dns::Settings { listen, workers: 1, ..freehold::dns::Settings::default() };
        let sockets = Sockets::bind(&settings).unwrap();
        start(sockets, &settings, b"sixteen octets!!", self.store.snapshots()).unwrap()
    }

    /// The edge, on an address of the world, answering CAs as the keeper says.
    pub(crate) fn edge(&self, kept: &Kept) -> freehold::edge::Handle {
        use freehold::edge::{Settings, Sockets, Sources, TicketKeys, start};
        let listen = |port: u16| vec![std::net::SocketAddr::from(([127, 0, 0, 10], port)).into()];
        let settings =
            Settings { listen_http: listen(80), listen_https: listen(443), workers: 1, ..Settings::default() };
        let (http, tls) = (kept.handle.answers(), kept.handle.answers());
        let sources = Sources {
            dns: None,
            snapshots: self.store.snapshots(),
            challenge_answer: Arc::new(move |host, token| http.http(host, token)),
            challenge_certificate: Arc::new(move |name| tls.tls(name)),
            ticket_keys: TicketKeys::default().renewed(crate::scripted::now()).unwrap(),
        };
        start(Sockets::bind(&settings).unwrap(), &settings, sources).unwrap()
    }

    pub(crate) fn commit(&self, change: Change) {
        self.store.commit_blocking(change, Actor::new("test", "")).unwrap();
    }

    /// Does this while the keeper runs, with these settings and names.
    pub(crate) fn kept<F: Future>(&self, settings: &str, names: &[&str], work: impl FnOnce(Kept) -> F) -> F::Output {
        let settings: Settings = toml::from_str(settings).unwrap();
        assert_eq!(settings.check(), Vec::<String>::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let handle = acme::start(self.store.clone(), settings, subjects(names));
            let kept = Kept { store: self.store.clone(), handle: Arc::new(handle) };
            let handle = kept.handle.clone();
            let told = work(kept).await;
            Arc::into_inner(handle).unwrap().stop().await;
            told
        })
    }
}

pub(crate) fn subjects(names: &[&str]) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = names.iter().map(|name| name.parse().unwrap()).collect();
    subjects.sort();
    subjects
}

/// The store while the keeper is at work.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) store: Arc<Store>,
    pub(crate) handle: Arc<Handle>,
}

impl Kept {
    /// Waits until the store says what is wanted; panics with the stories after so long.
    pub(crate) async fn until<T>(&self, seconds: u64, what: &str, mut found: impl FnMut(&Snapshot) -> Option<T>) -> T {
        let (mut revisions, deadline) = (self.store.revisions(), Instant::now() + Duration::from_secs(seconds));
        loop {
            revisions.borrow_and_update();
            let snapshot = self.store.snapshot();
            if let Some(found) = found(&snapshot) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if tokio::time::timeout(left, revisions.changed()).await.is_err() {
                let stories: Vec<_> = snapshot.stories.iter().map(|story| tell(story)).collect();
                panic!(
                    "not within {seconds} s: {what}; {:?}\n{}",
                    snapshot.certificates.iter().collect::<Vec<_>>(),
                    stories.join("\n")
                );
            }
        }
    }

    /// Waits for a certificate of a CA for these names.
    pub(crate) async fn issued(&self, names: &[&str]) -> Arc<Certificate> {
        self.other_than(names, "").await
    }

    /// Waits for a certificate of a CA for these names with another serial.
    pub(crate) async fn other_than(&self, names: &[&str], serial: &str) -> Arc<Certificate> {
        let id = Certificate::id_of(&subjects(names));
        self.until(90, &format!("a certificate for {id}"), |now| {
            let held = now.certificates.get(&id)?;
            (matches!(held.origin(), Origin::Acme(_)) && held.serial() != serial).then(|| held.clone())
        })
        .await
    }

    /// Waits until the last attempt for these names has failed, with these words in its message or steps.
    pub(crate) async fn failed(&self, names: &[&str], words: &str) -> Arc<Story> {
        let id = Certificate::id_of(&subjects(names));
        self.until(90, &format!("a failure of {id} that says {words:?}"), |now| {
            let story = now.stories.get(&id).filter(|story| story.failures > 0)?;
            let is_it =
                |outcome: &Outcome| matches!(outcome, Outcome::Failed { message, .. } if message.contains(words));
            story.attempts.iter().any(|attempt| is_it(&attempt.outcome)).then(|| story.clone())
        })
        .await
    }

    pub(crate) fn story(&self, names: &[&str]) -> Arc<Story> {
        self.store.snapshot().stories.get(&Certificate::id_of(&subjects(names))).unwrap().clone()
    }

    /// Changes the story of these names, as the API would.
    pub(crate) async fn wish(&self, names: &[&str], wish: impl Fn(&mut Story) + Send + Sync + 'static) {
        let subjects = subjects(names);
        let decision = Decision::new(1, move |now| {
            let known = now.stories.get(&Certificate::id_of(&subjects));
            let mut story = known.map_or_else(|| Story::new(subjects.clone()), |story| (**story).clone());
            wish(&mut story);
            Ok(Change::PutItem(Item::Story(Arc::new(story))))
        });
        self.store.commit(Change::Decide(decision), Actor::new("test", "")).await.unwrap();
    }

    /// Waits until nothing of a challenge is left in the zones.
    pub(crate) async fn cleaned(&self) {
        self.until(30, "no records of challenges", |now| {
            let proofs = now.stories.iter().all(|story| story.proofs.is_empty());
            let names =
                now.zones.iter().flat_map(|zone| zone.nodes().map(|node| node.name().to_name()).collect::<Vec<_>>());
            let records = names.into_iter().filter(|name| name.to_string().contains("_acme-challenge"));
            let texts = records.filter(|name| has_text(now, name)).count();
            (proofs && texts == 0).then_some(())
        })
        .await;
    }
}

/// Whether there is a TXT record.
pub(crate) fn has_text(now: &Snapshot, name: &Name) -> bool {
    now.zones.iter().any(|zone| zone.node(name.borrow()).is_some_and(|node| node.set(Kind::TXT).is_some()))
}

/// A story as a person reads it.
pub(crate) fn tell(story: &Story) -> String {
    let mut text = format!("{:?}, {} failures\n", story.subjects(), story.failures);
    for attempt in &story.attempts {
        text += &format!("  {} {:?}\n", attempt.directory, attempt.outcome);
        attempt.steps.iter().for_each(|step| text += &format!("    {:>6} ms {}\n", step.after_ms, step.text));
    }
    text
}
