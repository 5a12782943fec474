//! What the store promises, tried by breaking it: processes are killed, power is cut, files are damaged, deleted and
//! left without room, and afterwards every acknowledged change must be there, whole.
//!
//! * [`clients`]: `kill -9` of the server while clients write through its admin API.
//! * [`kill`]: `kill -9` of a process with many writers, at random moments.
//! * [`power`]: everything that was not synced is thrown away, or a random part of it.
//! * [`damage`]: sled, checkpoint and journal deleted, damaged, cut short.
//! * [`room`]: a disk that is full or read-only.
//! * [`neighbours`]: a second process.
//! * [`backup`]: backups, damaged and sound, beside writers.
//! * [`earlier`]: what earlier versions wrote.
//!
//! `FREEHOLD_CRASH_SECONDS` makes the first three run longer than their ten seconds each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "who cannot go on here should stop")]

mod backup;
mod clients;
mod damage;
#[path = "../kit/disk.rs"]
mod disk;
mod earlier;
mod kill;
mod kit;
mod neighbours;
mod power;
mod room;
