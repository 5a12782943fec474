//! A zone text becomes a zone, or faults: all of them, those of the text and those of the zone, in one list.

use std::io;
use std::sync::Arc;

use crate::wire::Name;
use crate::zone::text::{self, Reading, Source};
use crate::zone::{Fault, Severity, Zone};

/// What faults call the text of a request.
const REQUEST: &str = "request";

/// A zone text that was read and checked.
pub struct Checked {
    /// The zone, if there is no error.
    pub zone: Option<Arc<Zone>>,
    /// Errors and warnings in the order of the text; those without a place come last.
    pub faults: Vec<Fault>,
    /// The texts that the faults point into.
    pub files: Vec<Source>,
}

impl Checked {
    /// Checks what was read.
    pub fn of(reading: Reading) -> Self {
        let Reading { draft, mut faults, files } = reading;
        let readable = errors(&faults) == 0;
        let built = Zone::build(draft);
        faults.extend(built.faults);
        faults.sort_by_key(|fault| (fault.place.is_none(), fault.place));
        Self { zone: built.zone.filter(|_| readable).map(Arc::new), faults, files }
    }

    /// Reads and checks the text of a request. `$INCLUDE` is refused: whoever may send a zone may not thereby read
    /// the server's files. The text leaves the memory before the zone is built: an answer quotes nothing of it.
    pub(super) fn request(text: Vec<u8>, origin: &Name) -> Self {
        let mut load = |_: &str, _: &str| {
            let reason = "a zone file sent to the server cannot include others";
            Err(io::Error::new(io::ErrorKind::Unsupported, reason))
        };
        let mut reading = text::read(text.into(), REQUEST, Some(origin.clone()), &mut load, &mut |_| ());
        reading.files.iter_mut().for_each(|file| file.text = Arc::new([]));
        Self::of(reading)
    }

    /// How many faults are errors.
    pub fn error_count(&self) -> usize {
        errors(&self.faults)
    }
}

fn errors(faults: &[Fault]) -> usize {
    faults.iter().filter(|fault| fault.severity == Severity::Error).count()
}
