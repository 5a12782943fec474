//! Store (being built).
mod fault;
mod journal;
mod lock;
mod medium;
mod settings;
pub use fault::{OpenFault, Refused};
pub use medium::{Step, Witness};
pub use settings::Settings;
