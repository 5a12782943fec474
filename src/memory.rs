//! The allocator of the binary.
//!
//! mimalloc is faster than the system's under many small nodes. Freed memory it keeps for a second, and gives it back only
//! when somebody frees again after that; but a server that has read a million names frees nothing for hours, and would
//! hold half as much again for good. So it gives back at once: the pause is too short to notice, and long enough for
//! what is freed and taken again in one go.
//!
//! Rejected: to ask for a collection after each large piece of work, which comes too late for the peak of an import.

#![allow(unsafe_code, reason = "the allocator's options are a C interface, and mimalloc's own crate has none for them")]

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, which the crate does not name: milliseconds.
const PURGE_DELAY: mi_option_t = 15;
const PURGE_DELAY_MILLISECONDS: c_long = 100;

/// Has freed memory given back soon. To be called before there is a second thread.
pub(crate) fn give_back_soon() {
    // SAFETY: sets an integer of the allocator's, checked by it against the options there are; the one thread that there is
    // allocates nothing meanwhile.
    unsafe { mi_option_set(PURGE_DELAY, PURGE_DELAY_MILLISECONDS) }
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
        give_back_soon();
        assert_eq!(delay(PURGE_DELAY), PURGE_DELAY_MILLISECONDS);
    }
}
