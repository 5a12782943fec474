//! Any octets as what the store keeps: blocks of names, journal entries, backups.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    freehold::store::decode_anything(octets);
});
