//! Properties: any octets end in faults, never in a panic; what is printed is read back.

use proptest::prelude::*;

use super::{outcome, read_text};
use crate::zone::text::show;
use crate::zone::{Severity, Zone};

/// Octets and pieces of zone files, so that most of the grammar is reached.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..4),
        6 => prop::sample::select(vec![
            "\n", " ", "\t", "(", ")", "\"", ";", "\\", "@", "$", "\r\n", ".", "a", "0", "60", "IN", "A", "192.0.2.1",
            "\n$TTL 60\n", "\n$ORIGIN ", "\n$INCLUDE f", "\n$GENERATE 0-3 a$ A 192.0.2.$\n", "$GENERATE ", "1-2/1",
            "${0,3,n}", "\n@ SOA a b 1 2 3 4 5\n", "TXT", "\\#", "\na 60 TXT ", "CLASS1", "TYPE123", "\\046", "MX 1 a",
        ]).prop_map(|piece| piece.as_bytes().to_vec()),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_octets_are_read_and_shown(main in soup(), included in soup(), known in any::<bool>()) {
        let files = [("f".to_owned(), included)];
        let reading = read_text(&main, known.then_some("example."), &files);
        show(&reading.files, &reading.faults, true);
        let is_refused = reading.faults.iter().any(|fault| fault.severity == Severity::Error);
        for fault in &reading.faults {
            prop_assert!(!fault.message.is_empty() && !fault.cure.is_empty());
            let Some(place) = fault.place else { continue };
            let text = &reading.files[usize::from(place.file)].text;
            let lines: Vec<_> = text.split(|octet| *octet == b'\n').collect();
            prop_assert!(place.line >= 1 && place.line as usize <= lines.len(), "{place:?}");
            prop_assert!(usize::from(place.column) <= lines[place.line as usize - 1].len() + 1, "{place:?}");
        }
        let built = Zone::build(reading.draft);
        prop_assert!(!is_refused || built.zone.is_none());
    }

    /// Records that were read are in the text form of the outcome, and that text is read as the same records.
    #[test]
    fn what_was_read_is_read_again(main in soup()) {
        let first = read_text(&main, Some("example."), &[]);
        let text: String = super::records(&first).concat();
        let second = read_text(text.as_bytes(), Some("example."), &[]);
        prop_assert_eq!(outcome(&second), text);
    }
}
