//! Record data as text, for the types whose text a reader wants to see; the rest as RFC 3597 has it.

use super::message::{Reader, Unreadable};
use super::name::kind_text;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The text of a record's data, whose octets are `reader`'s next `length` ones.
pub(crate) fn rdata_text(reader: &mut Reader, kind: u16, length: usize) -> Result<String, Unreadable> {
    let end = reader.position() + length;
    let text = match kind_text(kind).as_str() {
        "A" => Ipv4Addr::from(reader.array::<4>()?).to_string(),
        "AAAA" => Ipv6Addr::from(reader.array::<16>()?).to_string(),
        "NS" | "CNAME" | "DNAME" | "PTR" => reader.name()?,
        "MX" | "AFSDB" | "KX" => format!("{} {}", reader.u16()?, reader.name()?),
        "SRV" => format!("{} {} {} {}", reader.u16()?, reader.u16()?, reader.u16()?, reader.name()?),
        "SOA" => soa(reader)?,
        "RP" => format!("{} {}", reader.name()?, reader.name()?),
        "TXT" | "SPF" | "HINFO" => strings(reader, end)?,
        "SVCB" | "HTTPS" => service(reader, end)?,
        "CAA" => {
            let flags = reader.array::<1>()?[0];
            format!("{flags} {} {}", string(reader)?.trim_matches('"'), quoted(reader.take_to(end)?))
        }
        "DS" | "CDS" => {
            let (tag, [algorithm, digest]) = (reader.u16()?, reader.array::<2>()?);
            format!("{tag} {algorithm} {digest} {}", hex(reader.take_to(end)?))
        }
        _ => format!("\\# {length} {}", hex(reader.take_to(end)?)).trim_end().to_owned(),
    };
    if reader.position() == end { Ok(text) } else { Err(Unreadable("rdata longer or shorter than its fields")) }
}

fn soa(reader: &mut Reader) -> Result<String, Unreadable> {
    let mut text = format!("{} {}", reader.name()?, reader.name()?);
    for _ in 0..5 {
        text.push_str(&format!(" {}", reader.u32()?));
    }
    Ok(text)
}

fn strings(reader: &mut Reader, end: usize) -> Result<String, Unreadable> {
    let mut texts = Vec::new();
    while reader.position() < end {
        texts.push(string(reader)?);
    }
    Ok(texts.join(" "))
}

fn string(reader: &mut Reader) -> Result<String, Unreadable> {
    let length = usize::from(reader.array::<1>()?[0]);
    let end = reader.position() + length;
    Ok(quoted(reader.take_to(end)?))
}

/// Parameters stand as `key1=HEX`: their text forms are the zone reader's tests, not ours.
fn service(reader: &mut Reader, end: usize) -> Result<String, Unreadable> {
    let mut text = format!("{} {}", reader.u16()?, reader.name()?);
    while reader.position() < end {
        let (key, length) = (reader.u16()?, usize::from(reader.u16()?));
        let value_end = reader.position() + length;
        text.push_str(&format!(" key{key}={}", hex(reader.take_to(value_end)?)));
    }
    Ok(text)
}

fn quoted(octets: &[u8]) -> String {
    let mut text = String::from('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(octet)]),
            0x20..=0x7e => text.push(char::from(octet)),
            octet => text.push_str(&format!("\\{octet:03}")),
        }
    }
    text.push('"');
    text
}

/// Lower-case hexadecimal digits, two an octet.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
