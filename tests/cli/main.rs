//! The command line as a user meets it: the real binary, in a directory of its own, its whole output compared.

mod check;
mod kit;
mod serve;
mod settings;
mod zones;
