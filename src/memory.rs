//! The allocator of the binary.
//!
//! mimalloc is faster than the system's under many small nodes. Freed memory it keeps for a second, and gives it back only
//! when somebody frees again after that; but a server that has read a million names frees nothing for hours, and would
//! hold half as much again for good. So it gives back sooner. A command does so at once, and so does a server while it reads what
//! it keeps: the peak of an import stays low. From then on it waits a little: giving back between two requests what the second takes again costs each of ten a system call, and
//! a third of all its processor time. When all is read, it gives back everything that is free
//! ([`give_back_all`]): a server that nobody asks frees nothing, and would keep it.
//!
//! A million names lie in some thirty thousand pages of 4 KiB, more than a processor knows the places of; most of all in a
//! virtual machine it costs to find out. So what a server keeps is moved to large pages ([`pack`]), which makes answers 1 to 6 %
//! cheaper; but only where memory is dense, since a large page has no holes.
//!
//! Rejected: nothing but a collection after each large piece of work, which comes too late for the peak of an import; to have
//! the kernel give large pages by itself, which makes an idle server hold 45 MiB more.

#![allow(
    unsafe_code,
    reason = "the allocator's options and the advice to the kernel are C interfaces that have no other"
)]

use std::ffi::c_long;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use libmimalloc_sys::{mi_option_set, mi_option_t};
use rustix::thread::{disable_transparent_huge_pages, transparent_huge_pages_are_disabled};

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

/// Octets of a large page.
const LARGE: u64 = 2 << 20;
/// Octets of an entry of `/proc/self/pagemap`, and its bit that says that the page is there.
const ENTRY: usize = 8;
const PRESENT: u64 = 1 << 63;
/// What is resident may become more by one part in so many when holes are filled, all calls together.
const GROWTH: u64 = 10;

/// A part of the memory as large as a large page.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    /// Octets that are not there.
    holes: u64,
    start: u64,
}

/// Moves what is kept to large pages, the densest parts first, for as long as little memory is added. Takes about a
/// millisecond for each of them, in which whoever reads there waits.
pub(crate) fn pack() {
    static GROWN: AtomicU64 = AtomicU64::new(0);
    match pieces() {
        Ok(pieces) => _ = GROWN.fetch_add(pack_densest(pieces, GROWN.load(Ordering::Relaxed)), Ordering::Relaxed),
        Err(fault) => tracing::debug!(%fault, "memory stays in small pages: /proc/self does not say where it lies"),
    }
}

/// Moves the densest pieces, with what was added before; how many octets were added.
fn pack_densest(mut pieces: Vec<Piece>, before: u64) -> u64 {
    let resident: u64 = pieces.iter().map(|piece| LARGE - piece.holes).sum();
    pieces.sort();
    let (mut added, most) = (0, (resident / GROWTH).saturating_sub(before));
    let forbidden = transparent_huge_pages_are_disabled().unwrap_or(false);
    if forbidden {
        _ = disable_transparent_huge_pages(false); // where that fails, nothing is moved
    }
    for piece in pieces {
        if added + piece.holes > most {
            break;
        }
        if collapse(piece.start) {
            added += piece.holes;
        }
    }
    if forbidden {
        _ = disable_transparent_huge_pages(true);
    }
    added
}

/// Has the kernel move a piece to a large page; false if it does not.
fn collapse(start: u64) -> bool {
    // SAFETY: the contents of memory stay as they are, where no memory is mapped any more the call fails, and the kernel
    // lets whoever uses it meanwhile wait.
    unsafe { libc::madvise(start as *mut libc::c_void, LARGE as usize, libc::MADV_COLLAPSE) == 0 }
}

/// The pieces of this process's own memory in which there is something.
fn pieces() -> io::Result<Vec<Piece>> {
    let pagemap = File::open("/proc/self/pagemap")?;
    let page = rustix::param::page_size() as u64;
    let mut entries = vec![0; (LARGE / page) as usize * ENTRY];
    let mut pieces = Vec::new();
    for range in fs::read_to_string("/proc/self/maps")?.lines().filter_map(own_memory) {
        let mut start = range.start.next_multiple_of(LARGE);
        while start + LARGE <= range.end {
            pagemap.read_exact_at(&mut entries, start / page * ENTRY as u64)?;
            let present =
                entries.as_chunks().0.iter().filter(|entry| u64::from_ne_bytes(**entry) & PRESENT != 0).count();
            if present > 0 {
                pieces.push(Piece { holes: LARGE - present as u64 * page, start });
            }
            start += LARGE;
        }
    }
    Ok(pieces)
}

/// The addresses of a line of `/proc/self/maps`, if that is memory without a name which may be read and written.
fn own_memory(line: &str) -> Option<Range<u64>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_own = fields.next()? == "rw-p" && fields.nth(2)? == "0" && fields.next().is_none_or(|name| name == "[heap]");
    let address = |text| u64::from_str_radix(text, 16).ok();
    is_own.then_some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_memory_of_our_own_counts() {
        let own = "20000000000-20040000000 rw-p 00000000 00:00 0 ";
        assert_eq!(own_memory(own), Some(0x200_0000_0000..0x200_4000_0000));
        assert!(own_memory("5581-5582 rw-p 00000000 00:00 0                          [heap]").is_some());
        for other in [
            "7ffd-7ffe rw-p 00000000 00:00 0                          [stack]",
            "7f00-7f01 r--p 00000000 00:00 0 ",
            "7f00-7f01 rw-s 00000000 00:00 0 ",
            "7f00-7f01 rw-p 00000000 fe:00 1234                       /usr/lib/libc.so.6",
            "",
            "nonsense",
        ] {
            assert_eq!(own_memory(other), None, "{other}");
        }
    }

    /// Octets in large pages of the mapping that holds an address.
    fn large(address: u64) -> u64 {
        let (smaps, mut inside) = (fs::read_to_string("/proc/self/smaps").unwrap(), false);
        for line in smaps.lines() {
            if line.split_ascii_whitespace().nth(1) == Some("rw-p") {
                inside = own_memory(line).is_some_and(|range| range.contains(&address));
            } else if inside && line.starts_with("AnonHugePages:") {
                return line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10;
            }
        }
        0
    }

    #[test]
    fn dense_memory_is_moved_and_sparse_memory_is_not() {
        if !fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap() {
            eprintln!("SKIPPED: this kernel has no large pages");
            return;
        }
        let size = 4 * LARGE as usize;
        let dense = vec![7_u8; 2 * size];
        let mut sparse = vec![0_u8; 8 * size];
        sparse.iter_mut().step_by(3 * 4_096).for_each(|octet| *octet = 1); // a third of all pages
        let holes = |vector: &[u8]| {
            let range = vector.as_ptr_range();
            let inside =
                move |piece: &Piece| piece.start >= range.start as u64 && piece.start + LARGE <= range.end as u64;
            pieces().unwrap().iter().filter(|piece| inside(piece)).map(|piece| piece.holes).collect::<Vec<_>>()
        };
        let before = holes(&sparse);
        assert!(before.len() >= 31 && before.iter().all(|holes| *holes > LARGE / 2), "{before:?}");
        pack();
        assert!(large(dense.as_ptr() as u64) >= 2 * size as u64 - 2 * LARGE, "{}", large(dense.as_ptr() as u64));
        let filled = holes(&sparse).iter().filter(|holes| **holes == 0).count();
        assert!(filled <= 4, "{filled} of {} pieces were filled", before.len());
        assert!(dense.iter().all(|octet| *octet == 7), "what was there is there");
    }

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
