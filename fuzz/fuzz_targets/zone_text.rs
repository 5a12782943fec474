//! Any octets as a zone file: no panic, and what is accepted prints and reads as the same zone again.
#![no_main]

use freehold::zone::{Zone, difference, print, text};
use libfuzzer_sys::fuzz_target;

fn read(octets: &[u8]) -> Option<Zone> {
    let mut load = |_: &str, _: &str| Err(std::io::ErrorKind::NotFound.into());
    let reading = text::read(octets.into(), "fuzz", "example.org".parse().ok(), &mut load, &mut |_| ());
    let sound = reading.faults.iter().all(|fault| fault.severity == freehold::zone::Severity::Warning);
    Zone::build(reading.draft).zone.filter(|_| sound)
}

fuzz_target!(|octets: &[u8]| {
    let Some(zone) = read(octets) else { return };
    let mut printed = Vec::new();
    print::zone(&zone, &mut printed).expect("memory takes everything");
    let again = read(&printed).expect("what was printed is sound");
    difference(Some(&zone), Some(&again), &mut |name, before, after| panic!("{name}: {before:?} became {after:?}"));
});
