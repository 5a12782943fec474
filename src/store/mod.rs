//! What Freehold knows, durable and in memory.

mod snapshot;

pub use snapshot::{Snapshot, Zones};
