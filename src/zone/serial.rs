//! Serial numbers of zones: arithmetic modulo 2^32 (RFC 1982).

/// Whether `a` is newer than `b`. Two serials exactly 2^31 apart have no order: neither is newer.
pub fn newer(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

/// The serial after a change.
pub fn next(serial: u32) -> u32 {
    match serial.wrapping_add(1) {
        0 => 1, // some software takes 0 for "no serial"
        next => next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_goes_around() {
        assert!(newer(1, 0) && newer(0, u32::MAX) && newer(1 << 31, 1));
        assert!(!newer(0, 0) && !newer(0, 1) && !newer(0, 1 << 31) && !newer(1 << 31, 0));
        assert!(newer(next(u32::MAX), u32::MAX) && next(u32::MAX) == 1);
    }
}
