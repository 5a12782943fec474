//! The slow start of an app that came back: its caches are cold and its pools empty, so its share grows from a tenth to the whole
//! of it in a straight line. A tenth, because less would leave nothing to warm it with.

/// The weight now of an app that came back so many milliseconds ago, if it starts for that long.
pub(super) fn weight(whole: u64, back_for: u64, lasts: u64) -> u64 {
    if back_for >= lasts {
        return whole;
    }
    (whole / 10 + (whole - whole / 10) * back_for / lasts).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_grows_in_a_straight_line_and_never_shrinks() {
        let curve: Vec<_> = (0..=10).map(|step| weight(1_000, step * 3_000, 30_000)).collect();
        assert_eq!(curve, [100, 190, 280, 370, 460, 550, 640, 730, 820, 910, 1_000]);
        assert_eq!(weight(1_000, 99_000, 30_000), 1_000);
        assert_eq!((weight(1_000, 0, 0), weight(1, 0, 30_000)), (1_000, 1));
    }
}
