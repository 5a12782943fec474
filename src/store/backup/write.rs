//! State and past → file.

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use super::{BLOCK, END, ITEM, JOURNAL, MAGIC, PIECE, VERSION, ZONE, section_checksum};
use crate::store::codec;
use crate::store::journal::each_published;
use crate::store::snapshot::Snapshot;

/// Writes everything of one revision, and what `journal` keeps of the past. The caller makes the file durable.
pub(in crate::store) fn write(snapshot: &Snapshot, journal: Option<&Path>, out: &mut dyn Write) -> io::Result<()> {
    let mut sections = Sections::start(snapshot, out)?;
    for zone in snapshot.zones.iter() {
        let apex = zone.apex().as_bytes();
        let counts = [zone.name_count() as u64, zone.record_count() as u64].map(u64::to_le_bytes).concat();
        sections.write(ZONE, &[&counts[..], &[apex.len() as u8], apex].concat())?;
        codec::each_block(zone.apex(), zone.nodes(), |_, block| sections.write(BLOCK, &block))?;
    }
    let mut items = 0_u64;
    for item in snapshot.items() {
        let mut content = Vec::new();
        item.key().write(&mut content)?;
        content.extend(item.encode()?);
        sections.write(ITEM, &content)?;
        items += 1;
    }
    if let Some(journal) = journal {
        each_published(journal, snapshot.revision, &mut |mut segment| {
            let head = [segment.first, segment.last, segment.size].map(u64::to_le_bytes).concat();
            sections.write(JOURNAL, &head)?;
            segment.copy(&mut |piece| sections.write(PIECE, piece))
        })?;
    }
    sections.write(END, &items.to_le_bytes())
}

struct Sections<'o> {
    out: &'o mut dyn Write,
    checksum: u32,
}

impl<'o> Sections<'o> {
    fn start(snapshot: &Snapshot, out: &'o mut dyn Write) -> io::Result<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut head = MAGIC.to_vec();
        head.extend(VERSION.to_le_bytes());
        for number in [snapshot.revision, now, snapshot.zones.len() as u64] {
            head.extend(number.to_le_bytes());
        }
        let checksum = crc32c::crc32c(&head);
        out.write_all(&head)?;
        out.write_all(&checksum.to_le_bytes())?;
        Ok(Self { out, checksum })
    }

    fn write(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        self.checksum = section_checksum(self.checksum, kind, content);
        self.out.write_all(&[kind])?;
        self.out.write_all(&(content.len() as u32).to_le_bytes())?;
        self.out.write_all(&self.checksum.to_le_bytes())?;
        self.out.write_all(content)
    }
}
