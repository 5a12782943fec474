//! Valid queries of every kind, and how they are spoilt.

use super::dice::Dice;

/// The largest packet of the storm: more than the server reads of one datagram.
const PACKET_SIZE_MAX: usize = 4_500;

const NAMES: &[&str] = &[
    "storm.test",
    "www.storm.test",
    "c1.storm.test",
    "way.around.storm.test",
    "mail.storm.test",
    "any.wild.storm.test",
    "host.sub.storm.test",
    "deep.old.storm.test",
    "svc.storm.test",
    "big.storm.test",
    "ent.storm.test",
    "missing.storm.test",
    "elsewhere.example",
    "",
    "version.bind",
    "id.server",
];
const KINDS: &[u16] = &[1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 41, 43, 46, 47, 48, 64, 65, 249, 250, 251, 252, 255, 257];
const CLASSES: &[u16] = &[1, 1, 1, 1, 3, 255];
/// EDNS options: nothing, NSID, client subnet, cookies, keepalive, padding, one that nobody knows.
const OPTIONS: &[&[u8]] = &[
    b"",
    b"\0\x03\0\0",
    b"\0\x08\0\x07\0\x01\x18\0\xc0\0\x02",
    b"\0\x0a\0\x08a client",
    b"\0\x0a\0\x18a clienta server's cookie",
    b"\0\x0b\0\0",
    b"\0\x0b\0\x02\0\x10",
    b"\0\x0c\0\x04\0\0\0\0",
    b"\xfd\xe9\0\x03xyz",
];

/// Every name with every kind, and with and without EDNS.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut dice = Dice(1);
    let mut seeds = Vec::new();
    for name in NAMES {
        for &kind in KINDS {
            let class = if name.ends_with(".bind") || name.ends_with(".server") { 3 } else { *dice.pick(CLASSES) };
            let plain = query(0, name, kind, class);
            let mut extended = plain.clone();
            extended[11] = 1;
            let options = dice.pick(OPTIONS);
            extended.extend(b"\0\0\x29");
            extended.extend(dice.pick(&[512_u16, 1_232, 4_096, 65_535, 0]).to_be_bytes());
            extended.extend([0, 0, 0x80 * u8::from(dice.chance(2)), 0]);
            extended.extend((options.len() as u16).to_be_bytes());
            extended.extend(*options);
            seeds.extend([plain, extended]);
        }
    }
    seeds
}

/// A valid query without EDNS.
pub(crate) fn query(identifier: u16, name: &str, kind: u16, class: u16) -> Vec<u8> {
    let mut query = identifier.to_be_bytes().to_vec();
    query.extend(b"\x01\0\0\x01\0\0\0\0\0\0");
    for label in name.split('.').filter(|label| !label.is_empty()) {
        query.push(label.len() as u8);
        query.extend(label.bytes());
    }
    query.push(0);
    query.extend(kind.to_be_bytes());
    query.extend(class.to_be_bytes());
    query
}

/// A query, spoilt in one to four ways; once in a while left as it is, and once in a while nothing but noise.
pub(crate) fn mutate(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    if dice.chance(64) {
        return (0..dice.below(600)).map(|_| dice.octet()).collect();
    }
    let mut packet = dice.pick(seeds).clone();
    let identifier = dice.next() as u16;
    packet[..2].copy_from_slice(&identifier.to_be_bytes());
    if dice.chance(32) {
        return packet;
    }
    for _ in 0..1 + dice.below(4) {
        if packet.is_empty() {
            break;
        }
        spoil(&mut packet, seeds, dice);
    }
    packet.truncate(PACKET_SIZE_MAX);
    packet
}

fn spoil(packet: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(packet.len());
    match dice.below(10) {
        0 => (0..1 + dice.below(8)).for_each(|_| {
            let at = dice.below(packet.len());
            packet[at] ^= 1 << dice.below(8);
        }),
        1 => packet.truncate(at),
        2 => {
            let other = dice.pick(seeds);
            packet.truncate(at);
            packet.extend_from_slice(&other[dice.below(other.len())..]);
        }
        3 => counts(packet, dice),
        4 => pointer(packet, at, dice),
        5 => option(packet, dice),
        6 => packet[at] = *dice.pick(&[0, 1, 63, 64, 0x7f, 0x80, 0xc0, 0xff]),
        7 => {
            // A piece again and again: labels in long rows, several OPT records.
            let piece = packet[at..].to_vec();
            (0..dice.below(12)).for_each(|_| packet.extend_from_slice(&piece));
        }
        8 => packet.extend((0..dice.below(200)).map(|_| dice.octet())),
        _ => {
            if let Some(flags) = packet.get_mut(2..4) {
                flags.copy_from_slice(&(dice.next() as u16).to_be_bytes());
            }
        }
    }
}

/// One of the counts in the header tells a lie.
fn counts(packet: &mut [u8], dice: &mut Dice) {
    let at = 4 + 2 * dice.below(4);
    let lie = *dice.pick(&[0_u16, 1, 2, 255, 65_535]);
    if let Some(count) = packet.get_mut(at..at + 2) {
        count.copy_from_slice(&lie.to_be_bytes());
    }
}

/// A compression pointer: forwards, backwards, to itself, into the header, behind the end.
fn pointer(packet: &mut Vec<u8>, at: usize, dice: &mut Dice) {
    let to = *dice.pick(&[0, 4, 12, at, at + 2, packet.len(), 0x3fff]) as u16;
    let octets = (0xc000 | to).to_be_bytes();
    if dice.chance(2) {
        packet.splice(at..at, octets);
    } else if let Some(place) = packet.get_mut(at..at + 2) {
        place.copy_from_slice(&octets);
    }
}

/// An OPT record whose lengths may lie.
fn option(packet: &mut Vec<u8>, dice: &mut Dice) {
    if let Some(count) = packet.get_mut(10..12) {
        count.copy_from_slice(&[0, 1 + dice.below(2) as u8]);
    }
    let mut data = Vec::new();
    for _ in 0..dice.below(6) {
        let value = vec![dice.octet(); dice.below(48)];
        let size = if dice.chance(4) { dice.next() as u16 } else { value.len() as u16 };
        let code = *dice.pick(&[3_u16, 8, 10, 10, 11, 12, 15, 65_001]);
        data.extend([code.to_be_bytes(), size.to_be_bytes()].concat());
        data.extend(value);
    }
    let size = if dice.chance(4) { dice.next() as u16 } else { data.len() as u16 };
    packet.extend(b"\0\0\x29\x04\xd0\0");
    packet.extend([dice.below(3) as u8, dice.octet(), 0]);
    packet.extend(size.to_be_bytes());
    packet.extend(data);
}

/// Appends a message as TCP carries it; now and then with a length that is not its own.
pub(crate) fn frame(message: &[u8], dice: &mut Dice, octets: &mut Vec<u8>) {
    let size = if dice.chance(16) { dice.next() as u16 } else { message.len() as u16 };
    octets.extend(size.to_be_bytes());
    octets.extend(message);
}
