//! Zone → zone file, always in the same order.

use std::io::{self, Write};

use super::Zone;
use crate::wire::rdata;

/// Writes a whole zone.
pub fn zone(zone: &Zone, out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::new();
    for node in zone.nodes() {
        for set in node.sets() {
            for data in set.rdatas() {
                text.clear();
                rdata::print(set.kind(), data, &mut text);
                writeln!(out, "{} {} IN {} {}", node.name(), set.ttl(), set.kind(), text)?;
            }
        }
    }
    Ok(())
}
