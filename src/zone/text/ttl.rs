//! How long a record may be kept: reading a TTL, and where a record without one gets it from.

/// Seconds of a TTL: the top bit is never set (RFC 2181, section 8).
pub const TTL_MAX: u32 = 0x7fff_ffff;

/// Why a word that begins with a digit is not a TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TtlFault {
    /// Neither a number of seconds nor numbers with units.
    Syntax,
    /// More than [`TTL_MAX`] seconds.
    TooLarge,
}

/// Reads seconds, or numbers with the units w, d, h, m and s: `1w2d`. As BIND does and NSD does not, it refuses a
/// number without unit behind one with a unit: in `1h30` a person means minutes and NSD takes seconds.
pub(super) fn parse(text: &[u8]) -> Result<u32, TtlFault> {
    let (mut total, mut number) = (0u64, None::<u64>);
    for &octet in text {
        if octet.is_ascii_digit() {
            let value = number.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(octet - b'0'));
            number = Some(value);
        } else {
            let unit = seconds_of_unit(octet).ok_or(TtlFault::Syntax)?;
            let value = number.take().ok_or(TtlFault::Syntax)?;
            total = total.saturating_add(value.saturating_mul(unit));
        }
    }
    let total = match number {
        Some(seconds) if text.iter().all(u8::is_ascii_digit) => seconds,
        Some(_) => return Err(TtlFault::Syntax),
        None if text.is_empty() => return Err(TtlFault::Syntax),
        None => total,
    };
    u32::try_from(total).ok().filter(|total| *total <= TTL_MAX).ok_or(TtlFault::TooLarge)
}

fn seconds_of_unit(octet: u8) -> Option<u64> {
    Some(match octet.to_ascii_lowercase() {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        b'w' => 604_800,
        _ => return None,
    })
}

/// What is known about the TTL of a record that has none.
#[derive(Default)]
pub(super) struct Ttls {
    /// What `$TTL` says, or else the SOA's minimum.
    default: Option<u32>,
    /// The last one that a record had (RFC 1035, section 5.1).
    last: Option<u32>,
    /// Whether the user has been told where it comes from: once is enough.
    told: bool,
}

/// Where a record without a TTL got it from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// As it should be.
    Default,
    /// From the record before; worth a warning, once.
    RecordBefore,
    /// From the SOA itself; worth a warning, once.
    SoaMinimum,
    /// From nowhere; worth an error, once.
    Nowhere,
}

impl Ttls {
    /// `$TTL`.
    pub(super) fn directive(&mut self, ttl: u32) {
        self.default = Some(ttl);
    }

    /// The record has a TTL.
    pub(super) fn explicit(&mut self, ttl: u32) {
        self.last = Some(ttl);
    }

    /// The record has none: `$TTL`, or else the last TTL (RFC 1035), or else, for the SOA and all that follow, its
    /// minimum (as BIND does).
    pub(super) fn implicit(&mut self, soa_minimum: Option<u32>) -> (u32, Source) {
        let (ttl, source) = match (self.default, self.last, soa_minimum) {
            (Some(ttl), _, _) => (ttl, Source::Default),
            (None, Some(ttl), _) => (ttl, Source::RecordBefore),
            (None, None, Some(ttl)) => {
                self.default = Some(ttl.min(TTL_MAX));
                (ttl.min(TTL_MAX), Source::SoaMinimum)
            }
            (None, None, None) => (0, Source::Nowhere),
        };
        if source != Source::Default && std::mem::replace(&mut self.told, true) {
            return (ttl, Source::Default);
        }
        (ttl, source)
    }

    /// As [`Ttls::implicit`], without a word; 0 if there is none.
    pub(super) fn peek(&self) -> u32 {
        self.default.or(self.last).unwrap_or(0)
    }

    /// Whatever the next record lacks, it is not worth a word: what should have given it is wrong already.
    pub(super) fn hush(&mut self) {
        self.told = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (text, seconds) in [
            ("0", 0),
            ("300", 300),
            ("1h", 3_600),
            ("1w2d3h4m5s", 788_645),
            ("1W1w", 1_209_600),
            ("30m1h", 5_400),
            ("007", 7),
            ("2147483647", TTL_MAX),
            ("2147483647s", TTL_MAX),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn faults() {
        for text in ["", "h", "1x", "1h30", "1 h", "-1", "+1", "1.5h", "1hh", "192.0.2.1"] {
            assert_eq!(parse(text.as_bytes()), Err(TtlFault::Syntax), "{text}");
        }
        for text in ["2147483648", "3551w", "99999999999999999999999999", "99999999999999999999w"] {
            assert_eq!(parse(text.as_bytes()), Err(TtlFault::TooLarge), "{text}");
        }
    }
}
