//! Certificates kept fresh: for every name that somebody serves, from the first second, without anybody doing anything.
//!
//! ```text
//! routes, wishes ─> plan ─> keeper ─┬─> the built-in CA, at once      ─┬─> store ─> the next handshake finds it
//! held, stories, time               └─> order: preflight, account,     │
//!                                       order, challenges, certificate ─┘
//! ```
//!
//! [`plan()`] is pure and decides; [`start`] runs the loop that carries it out. An order is made with instant-acme. A name of a
//! zone of ours is proven by a record that is committed like any other; for other names [`Answers`] tells the edge what to say.
//! Why something did not work stands in the [`Story`](crate::cert::Story) of the names.
//!
//! Rejected: getting a certificate inside a handshake (locks, waiters and time limits follow), and a state machine on disk
//! (what is wanted and what is held say what to do next; a crash is a restart).

mod account;
mod answers;
mod ask;
mod challenge;
mod client;
mod directory;
mod keeper;
mod lookout;
mod order;
mod own;
pub mod plan;
mod preflight;
mod settings;
mod stats;
mod tls;
mod trouble;
mod window;
mod world;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cert::Subject;
use crate::store::Store;
pub use answers::Answers;
pub use lookout::{Lookout, Seen};
pub use own::{Said, say};
pub use plan::{Job, Memory, Order, Outlook, Plan, Situation, Warning, plan, warning};
pub use preflight::delegation::{Delegation, Verdict};
pub use settings::{Ca, LETS_ENCRYPT, Limits, Settings};
pub use stats::Stats;

/// The running keeper. It stops when this is dropped.
pub struct Handle {
    answers: Arc<Answers>,
    lookout: Lookout,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Starts to keep certificates fresh, on the runtime it is called from. `names` are wanted whatever the routes say.
pub fn start(store: Arc<Store>, settings: Settings, names: Vec<Subject>) -> Handle {
    let (answers, outlooks, stats) = (Arc::<Answers>::default(), keeper::Outlooks::default(), Arc::<Stats>::default());
    let (stop, stopped) = watch::channel(false);
    let world = world::World {
        store,
        resolver: ask::Resolver::new(&settings.resolvers),
        answers: answers.clone(),
        delegations: lookout::Delegations::default(),
        accounts: tokio::sync::Mutex::default(),
        settings,
    };
    let cas = world.settings.cas();
    let world = Arc::new(world);
    let lookout = Lookout { world: Arc::clone(&world), outlooks: outlooks.clone(), stats: stats.clone() };
    let keeper = keeper::Keeper { cas, world, names, outlooks, stats, stop: stopped };
    Handle { answers, lookout, stop, task: tokio::spawn(keeper.run()) }
}

impl Handle {
    /// What the edge says to CAs.
    pub fn answers(&self) -> Arc<Answers> {
        self.answers.clone()
    }

    /// How to know what the keeper knows.
    pub fn lookout(&self) -> &Lookout {
        &self.lookout
    }

    /// Stops. What was under way is begun again at the next start, and what it left in a zone is taken away then.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let _ = (&mut self.task).await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
    }
}
