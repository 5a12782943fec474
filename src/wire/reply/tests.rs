use super::*;
use crate::wire::Name;
use proptest::prelude::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Follows pointers; the independent half of the round trip.
fn unfold(message: &[u8], mut at: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    for _ in 0..200 {
        match message[at] {
            0 => {
                octets.push(0);
                return octets;
            }
            size @ 1..=63 => {
                octets.extend_from_slice(&message[at..=at + size as usize]);
                at += 1 + size as usize;
            }
            high => at = usize::from(high & 0x3f) << 8 | usize::from(message[at + 1]),
        }
    }
    panic!("a loop of pointers");
}

fn names() -> impl Strategy<Value = Name> {
    "[ab]{1,2}(\\.[ab]{1,2}){0,4}".prop_map(|text| text.parse().unwrap())
}

proptest! {
    /// However names are chained, each one, written with the help of the one before, unfolds to itself.
    #[test]
    fn compression_round_trip(chain in prop::collection::vec((names(), any::<bool>()), 1..12)) {
        let mut buffer = [0; 4096];
        let first = &chain[0].0;
        let question = [first.as_bytes(), &[0, 1, 0, 1]].concat();
        let mut reply = Reply::new(&mut buffer, &question, 4096, 0);
        let mut last = (first.clone(), Spot::whole(12, first.as_bytes().len()));
        let mut written = Vec::new();
        for (name, shorten) in &chain {
            let shared = name.borrow().shared_suffix_size(last.0.borrow());
            let at = reply.at;
            let spot = reply.put_name(name.borrow(), Some(last.1), shared).unwrap();
            written.push((at, name.clone()));
            last = (name.clone(), spot);
            // An ancestor's spot, as that of the apex, stands for the ancestor.
            if let (true, Some(parent)) = (*shorten, name.borrow().parent())
                && let Some(spot) = last.1.ancestor(parent.as_bytes().len())
            {
                last = (parent.to_name(), spot);
            }
        }
        for (at, name) in written {
            prop_assert_eq!(unfold(reply.buffer, at), name.as_bytes());
        }
    }
}

#[test]
fn a_set_goes_in_whole_or_not_at_all() {
    let mut buffer = [0; 512];
    let owner = name("www.example.org");
    let question = [owner.as_bytes(), &[0, 1, 0, 1]].concat();
    let at = Owner::at(owner.borrow(), Spot::question(owner.borrow()));
    let fixed = [0, 1, 0, 1, 0, 0, 0, 60];
    let record = Data { rdata: &[192, 0, 2, 1], hints: &[], name_at: 0 };
    let space = 512 - 12 - question.len();
    let mut reply = Reply::new(&mut buffer, &question, 512, 0);
    let put = |reply: &mut Reply<'_>, count| {
        let records = std::iter::repeat_n(record, count);
        reply.put_set(Section::Answer, at, &fixed, records, &mut |_| ())
    };
    assert_eq!(put(&mut reply, space / 16 + 1), Err(Full));
    assert_eq!((reply.at, reply.counts), (12 + question.len(), [0; 3]));
    assert_eq!(put(&mut reply, space / 16), Ok(()));
    assert_eq!(reply.counts, [(space / 16) as u16, 0, 0]);
}

#[test]
fn name_servers_share_what_the_owner_does_not() {
    let mut buffer = [0; 512];
    let owner = name("example.org");
    let question = [owner.as_bytes(), &[0, 2, 0, 1]].concat();
    let servers = [name("ns1.provider.net"), name("ns2.provider.net")];
    let records = servers.iter().map(|server| Data { rdata: server.as_bytes(), hints: &[1], name_at: 0 });
    let mut reply = Reply::new(&mut buffer, &question, 512, 0);
    let at = Owner::at(owner.borrow(), Spot::question(owner.borrow()));
    let mut told = Vec::new();
    let fixed = [0, 2, 0, 1, 0, 0, 0, 60];
    reply.put_set(Section::Answer, at, &fixed, records, &mut |spot| told.push(spot)).unwrap();
    let second = 12 + question.len() + 12 + servers[0].as_bytes().len() + 12;
    assert_eq!(&reply.buffer[second..second + 4], b"\x03ns2");
    assert_eq!(reply.at, second + 6, "the second server costs six octets");
    assert_eq!(unfold(reply.buffer, second), servers[1].as_bytes());
    assert_eq!(told.len(), 2);
}
