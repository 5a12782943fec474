//! Copies of what is published, for backups: whole segments, verified before a single octet is handed out.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tracing::warn;

use super::read::JournalFault;
use super::segment::{self, Segment};
use super::walk::{Mark, Walk};

/// Octets that are handed out at once.
const PIECE_SIZE: usize = 1 << 18;

/// A segment as far as it is published.
pub(in crate::store) struct Published {
    pub(in crate::store) first: u64,
    pub(in crate::store) last: u64,
    /// Octets.
    pub(in crate::store) size: u64,
    file: File,
}

/// Tells the segments up to a revision that was published before, the newest first. Where one is pruned just now, or is
/// damaged, the past ends.
pub(in crate::store) fn each_published(
    directory: &Path,
    up_to: u64,
    tell: &mut dyn FnMut(Published) -> io::Result<()>,
) -> io::Result<()> {
    let mut last = up_to;
    for segment in segment::list(directory)?.iter().rev() {
        if segment.first > last {
            continue;
        }
        match Published::open(segment, last) {
            Ok(Some(published)) => tell(published)?,
            Ok(None) => return Ok(()),
            Err(JournalFault::Io { error, .. }) => return Err(error),
            Err(fault) => {
                let (file, reason) = fault.describe();
                warn!(file = %file.display(), reason, "the history up to here is damaged and not in the backup");
                return Ok(());
            }
        }
        last = segment.first.saturating_sub(1);
    }
    Ok(())
}

impl Published {
    /// Verifies a segment up to a revision; `None` if it has been pruned or does not reach that far.
    fn open(segment: &Segment, last: u64) -> Result<Option<Self>, JournalFault> {
        let path = &segment.path;
        let Some(mut walk) = Walk::open(segment, Mark::start(segment))? else { return Ok(None) };
        while walk.mark().revision <= last {
            if !walk.enter()? {
                return Ok(None);
            }
            io::copy(&mut walk, &mut io::sink()).map_err(|error| walk.unreadable(error))?;
            walk.leave()?;
        }
        match File::open(path) {
            Ok(file) => Ok(Some(Self { first: segment.first, last, size: walk.mark().offset, file })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(JournalFault::Io { path: path.clone(), error }),
        }
    }

    /// Hands out its octets.
    pub(in crate::store) fn copy(&mut self, tell: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut piece = Vec::with_capacity(PIECE_SIZE);
        let mut left = self.size;
        while left > 0 {
            piece.clear();
            (&mut self.file).take(left.min(PIECE_SIZE as u64)).read_to_end(&mut piece)?;
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            tell(&piece)?;
            left -= piece.len() as u64;
        }
        Ok(())
    }
}
