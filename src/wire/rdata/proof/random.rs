//! Random sound record data of any type of the table, from one number, so that a failure can be had again.

use super::super::field::Field;
use super::super::{gateway, table};
use crate::wire::Kind;

/// A stream of numbers (splitmix64) that is the same for the same start.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number from 0 to `end - 1`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn octet(&mut self) -> u8 {
        self.next() as u8
    }

    fn octets(&mut self, count: usize, wire: &mut Vec<u8>) {
        wire.extend((0..count).map(|_| self.octet()));
    }

    /// From `least` to `most` octets.
    fn some_octets(&mut self, least: usize, most: usize, wire: &mut Vec<u8>) {
        let count = self.size(least, most);
        self.octets(count, wire);
    }

    /// Mostly short, now and then as long as allowed.
    fn size(&mut self, least: usize, most: usize) -> usize {
        match self.below(8) {
            0 => least,
            1 => most,
            _ => least + self.below((most - least).min(12) + 1),
        }
    }

    fn name(&mut self, wire: &mut Vec<u8>) {
        let start = wire.len();
        let mut left = if self.below(16) == 0 { 254 } else { self.below(40) };
        while left >= 2 {
            let size = 1 + self.below(63.min(left - 1));
            wire.push(size as u8);
            self.octets(size, wire);
            left -= 1 + size;
        }
        wire.push(0);
        assert!(wire.len() - start <= 255);
    }

    fn string(&mut self, least: usize, wire: &mut Vec<u8>) {
        let size = self.size(least, 255);
        wire.push(size as u8);
        self.octets(size, wire);
    }
}

/// Sound record data of the type.
pub(super) fn rdata(kind: Kind, dice: &mut Dice) -> Vec<u8> {
    let mut wire = Vec::new();
    for field in table::layout(kind).unwrap().fields {
        add(field, dice, &mut wire);
    }
    wire
}

fn add(field: &Field, dice: &mut Dice, wire: &mut Vec<u8>) {
    match field {
        Field::U8("IPSECKEY gateway type") => wire.push(dice.below(4) as u8),
        Field::U16("CSYNC flags") => wire.extend([0, dice.below(4) as u8]), // hickory-proto takes no other
        Field::U8(_) | Field::Named8(..) => dice.octets(1, wire),
        Field::U16(_) | Field::Named16(..) | Field::Type(_) => dice.octets(2, wire),
        Field::U32(_) | Field::Period(_) | Field::Time(_) | Field::Ipv4 => dice.octets(4, wire),
        Field::Ipv6 => ipv6(dice, wire),
        Field::Mac(size) => dice.octets(*size, wire),
        Field::Locator64 => dice.octets(8, wire),
        Field::Nsap => dice.some_octets(1, 20, wire),
        Field::Name(..) => dice.name(wire),
        Field::Names(..) => (0..dice.below(3)).for_each(|_| dice.name(wire)),
        Field::Text("NAPTR flags") => tag(dice, wire), // hickory-proto takes letters and digits only
        Field::Text(_) => dice.string(0, wire),
        Field::OptionalText(_) => (0..dice.below(2)).for_each(|_| dice.string(0, wire)),
        Field::Texts(_) => (0..=dice.below(4)).for_each(|_| dice.string(0, wire)),
        Field::LongText(least, _) | Field::Hex(least, _) | Field::Base64(least, _) => {
            dice.some_octets(*least, 1_000, wire);
        }
        Field::Tag => tag(dice, wire),
        Field::Digest(sizes, _) => {
            let of_type = sizes.sizes.iter().find(|(of, _)| *of == wire[sizes.type_at]);
            let size = of_type.map_or_else(|| dice.size(sizes.least, 100), |(_, size)| *size);
            dice.octets(size, wire);
        }
        Field::OrZero(field) => add(field, dice, wire),
        Field::Salt => dice.string(0, wire),
        Field::Hash => dice.string(1, wire),
        Field::Types(least) => types(*least, dice, wire),
        Field::OldTypes => {
            let size = dice.below(16);
            wire.push(1 + dice.below(127) as u8);
            dice.octets(size, wire);
            *wire.last_mut().unwrap() |= 1;
        }
        Field::Services => {
            dice.some_octets(0, 40, wire);
            wire.push(dice.octet());
        }
        Field::Location => location(dice, wire),
        Field::Prefixes => (0..dice.below(5)).for_each(|_| prefix(dice, wire)),
        Field::Params => params(dice, wire),
        Field::Gateway(bits) => match bits.of(wire) {
            0 => (),
            1 => dice.octets(4, wire),
            2 => ipv6(dice, wire),
            gateway::NAME => dice.name(wire),
            other => panic!("gateway type {other}"),
        },
        Field::RelayType => wire.push((dice.below(2) << 7 | dice.below(4)) as u8),
        Field::HostIdentity => {
            let (tag, key) = (dice.size(1, 255), dice.size(1, 300));
            wire.extend([tag as u8, dice.octet(), (key >> 8) as u8, key as u8]);
            dice.octets(tag + key, wire);
        }
    }
}

/// With many zero octets, as real addresses have.
fn ipv6(dice: &mut Dice, wire: &mut Vec<u8>) {
    let zeros = dice.octet();
    wire.extend((0..16).map(|at| if zeros >> (at / 2) & 1 == 0 { 0 } else { dice.octet() }));
}

/// Up to 15 octets, because hickory-proto takes no more in CAA.
fn tag(dice: &mut Dice, wire: &mut Vec<u8>) {
    let size = dice.size(1, 15);
    wire.push(size as u8);
    wire.extend((0..size).map(|_| b"0123456789abcXYZ"[dice.below(16)]));
}

fn types(least: usize, dice: &mut Dice, wire: &mut Vec<u8>) {
    for window in 0..=255 {
        if dice.below(100) > 0 && (window > 0 || least == 0) {
            continue;
        }
        let size = 1 + dice.below(32);
        wire.extend([window, size as u8]);
        dice.octets(size, wire);
        *wire.last_mut().unwrap() |= 1 << dice.below(8);
    }
}

fn location(dice: &mut Dice, wire: &mut Vec<u8>) {
    wire.push(0);
    wire.extend((0..3).map(|_| match dice.below(8) {
        0 => 0,
        _ => ((1 + dice.below(9)) << 4 | dice.below(10)) as u8,
    }));
    for degrees in [90u32, 180] {
        let half = degrees * 3_600_000;
        wire.extend(((1u32 << 31) - half + dice.below(2 * half as usize + 1) as u32).to_be_bytes());
    }
    dice.octets(4, wire);
}

fn prefix(dice: &mut Dice, wire: &mut Vec<u8>) {
    let (family, width) = [(1, 4), (2, 16), (77, 127)][dice.below(3)];
    let size = dice.below(width + 1);
    let prefix = dice.below((width * 8).min(255) + 1);
    wire.extend([0, family, prefix as u8, (dice.below(2) << 7 | size) as u8]);
    dice.octets(size, wire);
    if size > 0 {
        *wire.last_mut().unwrap() |= 1;
    }
}

/// UTF-8, because hickory-proto takes no other.
fn protocol(dice: &mut Dice, wire: &mut Vec<u8>) {
    let size = dice.size(1, 127);
    wire.push(2 * size as u8);
    (0..size).for_each(|_| wire.extend([*b"h2", *b"\\,", *b",\"", *b" =", [0xc3, 0xbc]][dice.below(5)]));
}

fn params(dice: &mut Dice, wire: &mut Vec<u8>) {
    let chosen = dice.next();
    let has = |key: u16| chosen >> key & 1 == 1;
    for key in (0..12).filter(|key| has(*key)) {
        let mut value = Vec::new();
        match key {
            0 => value.extend((1..12).filter(|key| has(*key)).flat_map(u16::to_be_bytes)),
            1 => (0..=dice.below(3)).for_each(|_| protocol(dice, &mut value)),
            2 if !has(1) => continue,
            2 | 8 => (),
            3 => dice.octets(2, &mut value),
            4 => (0..=dice.below(3)).for_each(|_| dice.octets(4, &mut value)),
            5 => dice.some_octets(1, 50, &mut value),
            6 => (0..=dice.below(3)).for_each(|_| ipv6(dice, &mut value)),
            7 => value.extend_from_slice([&b"/dns-query{?dns}"[..], "/\u{fc}\"\\{?a,dns}".as_bytes()][dice.below(2)]),
            _ => dice.some_octets(0, 20, &mut value),
        }
        if key == 0 && (value.is_empty() || has(2) && !has(1)) {
            continue;
        }
        wire.extend(key.to_be_bytes());
        wire.extend((value.len() as u16).to_be_bytes());
        wire.extend_from_slice(&value);
    }
}
