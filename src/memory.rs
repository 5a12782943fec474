//! The allocator of the binary.
//!
//! mimalloc is faster than the system's under many small nodes. Freed memory it keeps for a second, and gives it back only
//! when somebody frees again after that; but a server that has read a million names frees nothing for hours, and would
//! hold half as much again for good. So it gives back sooner. A command does so at once, and so does a server while it reads what
//! it keeps: the peak of an import stays low. From then on it waits a little: giving back between two requests what the second takes again costs each of ten a system call, and
//! a third of all its processor time. When all is read,
//! it gives back everything that is free ([`give_back_all`]): a server that nobody asks frees nothing, and would keep it.
//!
//! Rejected: nothing but a collection after each large piece of work, which comes too late for the peak of an import.

#![allow(unsafe_code, reason = "the allocator's options are a C interface, and mimalloc's own crate has none for them")]

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, which the crate does not name: milliseconds.
const PURGE_DELAY: mi_option_t = 15;
/// How soon a command gives back, in milliseconds.
pub(crate) const AT_ONCE: c_long = 1;
/// How soon a server does.
pub(crate) const SOON: c_long = 100;

/// Has freed memory given back after so many milliseconds.
pub(crate) fn give_back(delay: c_long) {
    // SAFETY: sets one word of the allocator's, checked by it against the options there are. Other threads may read it at the
    // same time, when they free: they find the old delay or the new one, and either is right.
    unsafe { mi_option_set(PURGE_DELAY, delay) }
}

/// Gives back at once what is free, and what the calling thread keeps for its next allocations, which nobody else could take
/// from there.
pub(crate) fn give_back_all() {
    // SAFETY: any thread may call it at any time; it touches memory that is free, and locks what it shares.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_still_means_this_option() {
        let delay = |option| {
            // SAFETY: reads an integer of the allocator's.
            unsafe { libmimalloc_sys::mi_option_get(option) }
        };
        assert_eq!(delay(PURGE_DELAY), 1_000, "the default; no other option has it");
        give_back(AT_ONCE);
        assert_eq!(delay(PURGE_DELAY), AT_ONCE);
    }
}
