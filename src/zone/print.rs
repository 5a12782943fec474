//! Zone → zone file, always the same for the same zone: SOA, the rest of the apex, then the names in canonical order.
//!
//! ```text
//! $ORIGIN home.example.
//! $TTL 3600
//!
//! @                               SOA     ns1 hostmaster (
//!                                         2026112101 ; serial
//!                                         7200       ; refresh
//!                                         3600       ; retry
//!                                         1209600    ; expire
//!                                         300 )      ; minimum
//!                                 NS      ns1
//!
//! ns1                             A       192.0.2.1
//! www                     60      CNAME   ns1
//! ```
//!
//! The columns are fixed and not as wide as the widest name, so that a new name changes one line of the file and not
//! all. What is read from the file is the zone, octet for octet: names are shortened only where completing them gives
//! the same octets again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use crate::wire::{Kind, NameRef, rdata};

use super::{Node, Set, Zone};

/// Where the TTL stands: three stops of the tabulator, as in most files that people write.
const OWNER_WIDTH: usize = 24;
/// Columns of the TTL and of the type.
const FIELD_WIDTH: usize = 8;
/// What the numbers of an SOA are (RFC 1035, section 3.3.13).
const SOA_NUMBERS: [&str; 5] = ["serial", "refresh", "retry", "expire", "minimum"];
/// Octets that are gathered before they are written.
const CHUNK_SIZE: usize = 64 << 10;

/// Writes the whole zone.
pub fn zone(zone: &Zone, out: &mut dyn Write) -> io::Result<()> {
    let mut printer = Printer::new(zone);
    let _ = write!(printer.text, "$ORIGIN {}\n$TTL {}\n\n", zone.apex(), printer.ttl); // a String takes everything
    printer.node(zone.apex_node());
    printer.text.push('\n');
    for node in zone.nodes().filter(|node| node.name() != zone.apex()) {
        printer.node(node);
        if printer.text.len() >= CHUNK_SIZE {
            out.write_all(printer.text.as_bytes())?;
            printer.text.clear();
        }
    }
    out.write_all(printer.text.as_bytes())
}

/// The TTL that most sets have; of several, the shortest.
fn usual_ttl(zone: &Zone) -> u32 {
    let mut counts = BTreeMap::new();
    for set in zone.nodes().flat_map(Node::sets) {
        *counts.entry(set.ttl()).or_insert(0usize) += 1;
    }
    let most = counts.values().max().copied();
    counts.into_iter().find(|(_, count)| Some(*count) == most).map_or(0, |(ttl, _)| ttl)
}

struct Printer {
    /// The apex, and the apex with the dot that stands before it in names below; empty for the root.
    apex: String,
    below: String,
    ttl: u32,
    text: String,
    /// The owner, the TTL and the data at hand.
    owner: String,
    number: String,
    data: String,
}

impl Printer {
    fn new(zone: &Zone) -> Self {
        let apex = zone.apex().to_string();
        let below = if zone.apex().is_root() { String::new() } else { format!(".{apex}") };
        let [text, owner, number, data] = [const { String::new() }; 4];
        Self { apex, below, ttl: usual_ttl(zone), text, owner, number, data }
    }

    fn node(&mut self, node: &Node) {
        self.write_owner(node.name());
        let soa = node.set(Kind::SOA);
        for set in soa.into_iter().chain(node.sets().filter(|set| set.kind() != Kind::SOA)) {
            for data in set.rdatas() {
                self.record(set, data);
                self.owner.clear(); // the following records of the name have blanks there
            }
        }
    }

    /// Owners stand in lower case in the zone, so their shortened form is always exact.
    fn write_owner(&mut self, name: NameRef<'_>) {
        self.owner.clear();
        let _ = write!(self.owner, "{name}");
        shorten(&mut self.owner, 0, &self.apex, &self.below);
    }

    fn record(&mut self, set: Set<'_>, data: &[u8]) {
        self.number.clear();
        if set.ttl() != self.ttl {
            let _ = write!(self.number, "{}", set.ttl());
        }
        self.data.clear();
        rdata::print(set.kind(), data, &mut self.data);
        self.shorten_names(set.kind());
        let (text, owner, number) = (&mut self.text, &self.owner, &self.number);
        let _ = write!(text, "{owner:<0$} {number:<1$} ", OWNER_WIDTH - 1, FIELD_WIDTH - 1);
        let _ = write!(text, "{:<1$} ", set.kind(), FIELD_WIDTH - 1);
        match set.kind() {
            Kind::SOA => self.write_soa(),
            _ => self.text.push_str(&self.data),
        }
        self.text.push('\n');
    }

    /// Shortens the names in the data, of the types that people read.
    fn shorten_names(&mut self, kind: Kind) {
        let names: &[usize] = match kind {
            Kind::NS | Kind::CNAME | Kind::DNAME | Kind::PTR => &[0],
            Kind::MX | Kind::HTTPS | Kind::SVCB => &[1],
            Kind::SRV => &[3],
            Kind::SOA | Kind::RP => &[1, 0],
            _ => return,
        };
        for &word in names {
            let start = match word {
                0 => Some(0),
                _ => self.data.match_indices(' ').nth(word - 1).map(|(blank, _)| blank + 1),
            };
            if let Some(start) = start {
                shorten(&mut self.data, start, &self.apex, &self.below);
            }
        }
    }

    fn write_soa(&mut self) {
        let mut words = self.data.split(' ');
        for name in words.by_ref().take(2) {
            let _ = write!(self.text, "{name} ");
        }
        self.text.push('(');
        let numbers: Vec<_> = words.zip(SOA_NUMBERS).collect();
        let width = numbers.iter().map(|(number, _)| number.len()).max().unwrap_or(0).max(FIELD_WIDTH + 2);
        let margin = OWNER_WIDTH + 2 * FIELD_WIDTH;
        for (number, meaning) in numbers {
            let end = if meaning == SOA_NUMBERS[4] { " )" } else { "" };
            let number = format!("{number}{end}");
            let _ = write!(self.text, "\n{:margin$}{number:<width$} ; {meaning}", "");
        }
    }
}

/// Shortens the name that stands at `start` in `text`, up to the next blank, if it ends with the apex octet for octet.
fn shorten(text: &mut String, start: usize, apex: &str, below: &str) {
    let end = text[start..].find(' ').map_or(text.len(), |size| start + size);
    let name = &text[start..end];
    if below.is_empty() {
        return; // the names of the root zone stay absolute
    }
    if name == apex {
        text.replace_range(start..end, "@");
        return;
    }
    // A dot behind a backslash is most likely part of a label.
    match name.strip_suffix(below) {
        Some(relative) if !relative.is_empty() && !relative.ends_with('\\') => {
            text.replace_range(start + relative.len()..end, "");
        }
        Some(_) | None => (),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::Name;
    use crate::zone::text;

    fn read(text: &str) -> Zone {
        let mut load = |_: &str, _: &str| Err(io::Error::other("nothing to include"));
        let reading = text::read(Arc::from(text.as_bytes()), "test", None, &mut load, &mut |_| ());
        assert!(reading.faults.is_empty(), "{}", text::show(&reading.files, &reading.faults, false));
        let built = Zone::build(reading.draft);
        built.zone.unwrap_or_else(|| panic!("{}", text::show(&reading.files, &built.faults, false)))
    }

    fn printed(of: &Zone) -> String {
        let mut out = Vec::new();
        zone(of, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn assert_same(a: &Zone, b: &Zone) {
        assert_eq!(a.name_count(), b.name_count());
        assert!(a.nodes().zip(b.nodes()).all(|(a, b)| a.same(b)));
    }

    #[test]
    fn a_zone_is_pleasant_to_read() {
        let file = "\
$ORIGIN home.example.
$TTL 3600

@                               SOA     ns1 host\\.master (
                                        2026112101 ; serial
                                        7200       ; refresh
                                        3600       ; retry
                                        1209600    ; expire
                                        300 )      ; minimum
                                NS      ns1
                                NS      ns2.elsewhere.example.
                        60      MX      10 @
                                TXT     \"a b\"

\\000\\.x                         A       192.0.2.3
a-very-long-name.and-another-one 60      A       192.0.2.1
ns1                             A       192.0.2.1
                                AAAA    2001:db8::1
*.www                           SRV     0 5 443 ns1
                                TYPE65280 \\# 2 0A0B
";
        let zone = read(file);
        let again = printed(&zone);
        assert_same(&zone, &read(&again));
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(&again), lines(file));
    }

    #[test]
    fn names_are_shortened_only_if_they_come_back_octet_for_octet() {
        for (name, short) in [
            ("a.example.", "a"),
            ("example.", "@"),
            ("a.EXAMPLE.", "a.EXAMPLE."),
            ("aexample.", "aexample."),
            ("a\\.example.", "a\\.example."),
            ("10 a.b.example. alpn", "10 a.b.example. alpn"),
        ] {
            let mut text = name.to_owned();
            shorten(&mut text, 0, "example.", ".example.");
            assert_eq!(text, short);
        }
        let mut text = "10 a.b.example. alpn".to_owned();
        shorten(&mut text, 3, "example.", ".example.");
        assert_eq!(text, "10 a.b alpn");
    }

    #[test]
    fn the_root_zone_and_empty_non_terminals() {
        let zone = read("$TTL 60\n. SOA a. b. 1 2 3 4 5\n. NS a.\na. A 192.0.2.1\nx.y.z. A 192.0.2.1\n");
        let text = printed(&zone);
        assert!(text.contains("\nx.y.z. "), "{text}");
        assert!(!text.contains("\ny.z") && !text.contains("\nz"), "{text}");
        assert_same(&zone, &read(&text));
    }

    fn label() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => "[a-c]{1,2}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 1..5),
            1 => prop::sample::select(vec![&b"*"[..], b"@", b"$x", b"a.b", b"\\", b" ", b"\"", b"(", b";", b"example"])
                .prop_map(<[u8]>::to_vec),
        ]
    }

    fn name() -> impl Strategy<Value = Name> {
        (prop::collection::vec(label(), 0..4), any::<bool>()).prop_map(|(labels, inside)| {
            let mut octets: Vec<u8> = labels.iter().flat_map(|l| [&[l.len() as u8], &l[..]].concat()).collect();
            octets.extend_from_slice(if inside { b"\x07example\0" } else { b"\0" });
            NameRef::read(&octets).unwrap().0.to_name()
        })
    }

    fn record() -> impl Strategy<Value = (Name, Kind, u32, Vec<u8>)> {
        let data = prop_oneof![
            any::<[u8; 4]>().prop_map(|data| (Kind::A, data.to_vec())),
            (any::<u16>(), name()).prop_map(|(n, name)| (Kind::MX, [&n.to_be_bytes(), name.as_bytes()].concat())),
            name().prop_map(|name| (Kind::PTR, name.as_bytes().to_vec())),
            (any::<[u8; 6]>(), name()).prop_map(|(n, name)| (Kind::SRV, [&n[..], name.as_bytes()].concat())),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|mut text| {
                text.insert(0, text.len() as u8);
                (Kind::TXT, text)
            }),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|data| (Kind(65_280), data)),
            (name(), name()).prop_map(|(a, b)| (Kind::RP, [a.as_bytes(), b.as_bytes()].concat())),
        ];
        (name(), data, prop::sample::select(vec![60, 300, 0, 0x7fff_ffff]))
            .prop_map(|(owner, (kind, data), ttl)| (owner, kind, ttl, data))
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_as_the_same_zone(records in prop::collection::vec(record(), 0..30)) {
            let mut draft = super::super::Draft::new("example".parse().unwrap());
            let place = super::super::Place { file: 0, line: 1, column: 1, width: 0 };
            let apex: Name = "example".parse().unwrap();
            let mut soa = b"\x01a\x07example\0\x01b\0".to_vec();
            soa.extend([0; 20]);
            draft.push(apex.borrow(), Kind::SOA, 60, &soa, place).unwrap();
            draft.push(apex.borrow(), Kind::NS, 60, b"\x02ns\0", place).unwrap();
            let mut ttls = std::collections::HashMap::new();
            for (owner, kind, ttl, data) in records.iter().filter(|(owner, ..)| owner.borrow().is_within(apex.borrow())) {
                let ttl = *ttls.entry((owner.borrow().to_lower(), *kind)).or_insert(*ttl); // one for the set
                draft.push(owner.borrow(), *kind, ttl, data, place).unwrap();
            }
            let zone = Zone::build(draft).zone.unwrap();
            let text = printed(&zone);
            let again = read(&text);
            assert_same(&zone, &again);
            prop_assert_eq!(printed(&again), text);
        }
    }
}
