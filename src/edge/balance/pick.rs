//! Which of several apps gets a request: the ways to choose, as functions of numbers.
//!
//! A set of apps is a mask of 64 bits, so nothing is allocated; a route has at most 64 apps. Numbers of requests under way are those
//! of one thread: each thread spreads its own load, and so all of them do, without a number that they share. Whoever is in a
//! slow start weighs less (`slow.rs`); every way to choose goes by weights, so every one knows slow starts.

use std::cell::Cell;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::edge::random::Random;

/// What a weight of 1 is counted as, so that a part of it can be told in whole numbers.
pub(super) const UNIT: u64 = 256;

/// What is known of one app for choosing.
#[derive(Debug)]
pub(in crate::edge) struct Seat {
    /// Its weight at present, in parts of [`UNIT`]; never 0.
    pub(super) weight: Cell<u64>,
    /// What it is recognized by: the same in every process.
    seed: u64,
    /// How much its turn is due.
    due: Cell<i64>,
    /// Requests under way.
    pub(super) busy: Cell<u32>,
}

impl Seat {
    /// For an app of this weight and address.
    pub(super) fn new(weight: u16, address: &str) -> Self {
        let weight = Cell::new(u64::from(weight) * UNIT);
        Self { weight, seed: key(address.as_bytes()), due: Cell::new(0), busy: Cell::new(0) }
    }

    /// Whether there is less to do here than there, as they weigh.
    fn is_less_busy_than(&self, other: &Self) -> bool {
        u64::from(self.busy.get()) * other.weight.get() < u64::from(other.busy.get()) * self.weight.get()
    }
}

/// The apps in a mask, in order.
pub(super) fn in_mask(mask: u64) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let at = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
        rest &= rest - 1;
        Some(at)
    })
}

/// Each in turn, as often as it weighs, and as evenly spread as can be: whoever is most overdue, which then has to wait for as long as
/// all of them weigh together (nginx's smooth weighted round robin).
pub(super) fn in_turn(seats: &[Seat], mask: u64) -> Option<usize> {
    if mask.is_power_of_two() {
        return Some(mask.trailing_zeros() as usize);
    }
    let (mut all, mut most) = (0, None::<usize>);
    for at in in_mask(mask) {
        let seat = &seats[at];
        all += seat.weight.get() as i64;
        seat.due.set(seat.due.get() + seat.weight.get() as i64);
        if most.is_none_or(|most| seat.due.get() > seats[most].due.get()) {
            most = Some(at);
        }
    }
    let most = most?;
    seats[most].due.set(seats[most].due.get() - all);
    Some(most)
}

/// The one with the least to do; of several such, each in turn.
pub(super) fn least_busy(seats: &[Seat], mask: u64) -> Option<usize> {
    let (mut least, mut tied) = (None::<usize>, 0);
    for at in in_mask(mask) {
        match least {
            Some(least) if seats[least].is_less_busy_than(&seats[at]) => (),
            Some(least) if !seats[at].is_less_busy_than(&seats[least]) => tied |= 1 << at,
            Some(_) | None => (least, tied) = (Some(at), 1 << at),
        }
    }
    in_turn(seats, tied)
}

/// Two are drawn by lot, as they weigh, and the one with less to do is taken. It comes close to the least busy one, and unlike it
/// never has all threads fall upon the same app at once.
pub(super) fn of_two(seats: &[Seat], mask: u64, random: &Random) -> Option<usize> {
    let first = drawn(seats, mask, random)?;
    let Some(second) = drawn(seats, mask & !(1 << first), random) else { return Some(first) };
    Some(if seats[second].is_less_busy_than(&seats[first]) { second } else { first })
}

fn drawn(seats: &[Seat], mask: u64, random: &Random) -> Option<usize> {
    let all: u64 = in_mask(mask).map(|at| seats[at].weight.get()).sum();
    let mut lot = random.next().checked_rem(all)?;
    for at in in_mask(mask) {
        match lot.checked_sub(seats[at].weight.get()) {
            Some(rest) => lot = rest,
            None => return Some(at),
        }
    }
    None
}

/// The same for the same key: the highest bidder, where each app's bid for a key is its own (rendezvous hashing, with weights as
/// by Schindelhauer and Schomaker). When one goes only its own keys move, and when it comes back they come back.
pub(super) fn by_key(seats: &[Seat], mask: u64, key: u64) -> Option<usize> {
    let bid = |at: usize| {
        let part = (mixed(key ^ seats[at].seed) >> 11) as f64 + 0.5; // of 2^53, never 0 and never all
        -(seats[at].weight.get() as f64) / (part / (1_u64 << 53) as f64).ln()
    };
    in_mask(mask).map(|at| (at, bid(at))).max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(at, _)| at)
}

/// A key of octets: the same in every process, so that clients find their app again after a restart of this server.
pub(in crate::edge) fn key(octets: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(octets);
    hasher.finish()
}

/// The last step of SplitMix64: each bit depends on all.
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(weights: &[u16]) -> Vec<Seat> {
        weights.iter().enumerate().map(|(at, weight)| Seat::new(*weight, &format!("http://10.0.0.{at}"))).collect()
    }

    fn counts(seats: &[Seat], times: usize, mut pick: impl FnMut(&[Seat]) -> Option<usize>) -> Vec<usize> {
        let mut counts = vec![0; seats.len()];
        (0..times).for_each(|_| counts[pick(seats).unwrap()] += 1);
        counts
    }

    #[test]
    fn turns_are_taken_exactly_by_weight_and_evenly_spread() {
        let all = seats(&[5, 1, 1]);
        let order: Vec<_> = (0..14).map(|_| in_turn(&all, 0b111).unwrap()).collect();
        assert_eq!(order, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(counts(&all, 70, |seats| in_turn(seats, 0b101)), [58, 0, 12]);
        assert_eq!((in_turn(&all, 0), in_turn(&all, 0b010)), (None, Some(1)));
    }

    #[test]
    fn the_least_busy_one_is_found_by_weight_and_ties_take_turns() {
        let all = seats(&[1, 1, 2]);
        assert_eq!(counts(&all, 40, |seats| least_busy(seats, 0b111)), [10, 10, 20]);
        for (seat, busy) in all.iter().zip([2, 1, 3]) {
            seat.busy.set(busy);
        }
        assert_eq!(least_busy(&all, 0b111), Some(1)); // 1 of 1 is less than 3 of 2
        assert_eq!(least_busy(&all, 0b101), Some(2));
        assert_eq!(least_busy(&all, 0), None);
    }

    #[test]
    fn two_choices_follow_the_weights_while_idle_and_the_load_else() {
        let (all, random) = (seats(&[1, 1, 2]), Random::new().unwrap());
        let found = counts(&all, 40_000, |seats| of_two(seats, 0b111, &random));
        for (found, wanted) in found.iter().zip([10_000_usize, 10_000, 20_000]) {
            assert!(found.abs_diff(wanted) < 700, "{found} of {wanted}");
        }
        all[2].busy.set(100);
        let found = counts(&all, 1_000, |seats| of_two(seats, 0b111, &random));
        assert_eq!(found[2], 0, "whoever it is drawn with has less to do");
        assert_eq!((of_two(&all, 0b100, &random), of_two(&all, 0, &random)), (Some(2), None));
    }

    #[test]
    fn keys_are_shared_out_by_weight_and_only_those_of_a_lost_app_move() {
        let all = seats(&[1, 1, 2, 1]);
        let keys = || (0..50_000_u64).map(|number| key(&number.to_ne_bytes()));
        let mut found = [0_usize; 4];
        keys().for_each(|key| found[by_key(&all, 0b1111, key).unwrap()] += 1);
        for (found, wanted) in found.iter().zip([10_000_usize, 10_000, 20_000, 10_000]) {
            assert!(found.abs_diff(wanted) < 500, "{found} of {wanted}");
        }
        let mut taken_over = [0_usize; 4];
        for key in keys() {
            let (before, after) = (by_key(&all, 0b1111, key), by_key(&all, 0b1101, key));
            match before == Some(1) {
                true => taken_over[after.unwrap()] += 1,
                false => assert_eq!(before, after, "a key of an app that is there has moved"),
            }
        }
        assert!(taken_over[1] == 0 && taken_over[2].abs_diff(5_000) < 400, "{taken_over:?}");
        assert_eq!(by_key(&all, 0, 1), None);
    }

    #[test]
    fn an_app_that_grows_only_takes_keys() {
        let all = seats(&[1, 1, 1]);
        all[0].weight.set(UNIT / 10);
        let keys: Vec<_> = (0..5_000_u64).map(|number| key(&number.to_ne_bytes())).collect();
        let before: Vec<_> = keys.iter().map(|key| by_key(&all, 0b111, *key)).collect();
        all[0].weight.set(UNIT);
        for (key, before) in keys.iter().zip(before) {
            let after = by_key(&all, 0b111, *key);
            assert!(after == before || after == Some(0));
        }
    }

    #[test]
    fn choosing_allocates_nothing() {
        let (all, random) = (seats(&[1, 2, 3]), Random::new().unwrap());
        let counted = allocation_counter::measure(|| {
            std::hint::black_box((in_turn(&all, 7), least_busy(&all, 7), of_two(&all, 7, &random), by_key(&all, 7, 9)));
        });
        assert_eq!(counted.count_total, 0);
    }
}
