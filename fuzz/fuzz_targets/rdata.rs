//! Any type and any octets as record data: no panic, and sound data survives text.
#![no_main]

use freehold::wire::rdata::{self, Words};
use freehold::wire::{Kind, NameRef};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (kind, data) = (Kind(input.0), input.1);
    if data.len() > 65_535 || kind.is_meta() {
        return;
    }
    let mut printed = String::new();
    rdata::print(kind, data, &mut printed);
    let mut canonical = Vec::new();
    rdata::canonical(kind, data, &mut canonical);
    if !rdata::verify(kind, data) {
        return;
    }
    let (mut words, mut again) = (Vec::new(), Vec::new());
    rdata::cut(printed.as_bytes(), &mut words).expect("printed text can be cut");
    rdata::parse(kind, &mut Words::new(&words, printed.len()), NameRef::root(), &mut again).expect("printed text can be read");
    assert_eq!(again, data, "{kind} {printed}");
});
