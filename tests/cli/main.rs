//! The command line as a user meets it: the real binary, in a directory of its own, its whole output compared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "who cannot go on here should stop"
)]

mod addresses;
mod check;
mod kit;
mod owner;
mod passthrough;
mod serve;
mod session;
mod tour;

/// A test for each file of `sessions/`.
macro_rules! sessions {
    ($($name:ident)*) => {
        /// The files of `sessions/`.
        mod sessions {
            $(#[test] fn $name() { crate::session::play(stringify!($name)); })*
        }
    };
}

sessions! { cert check completions edge edit help history init man narrow nobody passthrough password records remote route server settings several token warnings zones }
