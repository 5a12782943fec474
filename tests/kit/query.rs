//! What a case sends: a question with its options (`ask`), or octets (`send`).

use super::message::Edns;
use super::name::{class_code, kind_code, name_octets, opcode_code};

/// The client cookie every case uses: its value does not matter.
pub(crate) const CLIENT_COOKIE: [u8; 8] = [0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57];

/// What goes to the server.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) over_tcp: bool,
    pub(crate) packet: Packet,
}

/// A question, or any octets.
#[derive(Debug, Clone)]
pub(crate) enum Packet {
    Ask(Ask),
    Send(Vec<u8>),
}

/// One question with its header bits and EDNS.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// Uncompressed.
    pub(crate) name: Vec<u8>,
    pub(crate) kind: u16,
    class: u16,
    pub(crate) opcode: u16,
    /// The bits of the header that the case sets: rd, ad, cd, ...
    bits: u16,
    /// Has an OPT record, with this payload size.
    pub(crate) edns: Option<u16>,
    version: u8,
    pub(crate) dnssec_ok: bool,
    options: Vec<(u16, Vec<u8>)>,
    /// First learn a server cookie, then ask with it (RFC 7873 section 5.1).
    pub(crate) learns_cookie: bool,
}

impl Query {
    /// `NAME TYPE option...`
    pub(crate) fn ask(words: &[String]) -> Result<Query, String> {
        let [name, kind, options @ ..] = words else { return Err("ask needs a name and a type".to_owned()) };
        let kind = kind_code(kind).ok_or(format!("no such type: {kind}"))?;
        let mut ask = Ask {
            name: name_octets(name),
            kind,
            class: 1,
            opcode: 0,
            bits: 0,
            edns: None,
            version: 0,
            dnssec_ok: false,
            options: Vec::new(),
            learns_cookie: false,
        };
        let mut over_tcp = false;
        for option in options {
            match option.as_str() {
                "tcp" => over_tcp = true,
                option => ask.option(option)?,
            }
        }
        Ok(Query { over_tcp, packet: Packet::Ask(ask) })
    }

    /// `[tcp] HEX "text" ...`
    pub(crate) fn send(words: &[String]) -> Result<Query, String> {
        let over_tcp = words.first().is_some_and(|word| word == "tcp");
        let mut octets = Vec::new();
        for word in &words[usize::from(over_tcp)..] {
            match word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
                Some(text) => octets.extend(text.as_bytes()),
                None => octets.extend(unhex(word)?),
            }
        }
        Ok(Query { over_tcp, packet: Packet::Send(octets) })
    }

    /// The octets to send, with this message identifier if it is a question.
    pub(crate) fn octets(&self, id: u16, server_cookie: &[u8]) -> Vec<u8> {
        match &self.packet {
            Packet::Ask(ask) => ask.octets(id, server_cookie),
            Packet::Send(octets) => octets.clone(),
        }
    }
}

impl Ask {
    fn option(&mut self, text: &str) -> Result<(), String> {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        let unknown = || format!("no such option of ask: {text}");
        let header_bit = |bit: u16| if value.is_empty() { Ok(bit) } else { Err(unknown()) };
        match key {
            "class" => self.class = class_code(value).ok_or_else(unknown)?,
            "opcode" => self.opcode = opcode_code(value).ok_or_else(unknown)?,
            "rd" => self.bits |= header_bit(0x100)?,
            "aa" => self.bits |= header_bit(0x400)?,
            "tc" => self.bits |= header_bit(0x200)?,
            "ra" => self.bits |= header_bit(0x80)?,
            "z" => self.bits |= header_bit(0x40)?,
            "ad" => self.bits |= header_bit(0x20)?,
            "cd" => self.bits |= header_bit(0x10)?,
            "qr" => self.bits |= header_bit(0x8000)?,
            "edns" if value.is_empty() => self.edns = Some(1232),
            "edns" => self.edns = Some(value.parse().map_err(|_| unknown())?),
            "version" => self.version = value.parse().map_err(|_| unknown())?,
            "do" => self.dnssec_ok = true,
            "nsid" => self.options.push((3, Vec::new())),
            "keepalive" => self.options.push((11, unhex(value)?)),
            "padding" => self.options.push((12, vec![0; value.parse().map_err(|_| unknown())?])),
            "cookie" if value.is_empty() => self.options.push((10, CLIENT_COOKIE.to_vec())),
            "cookie" if value == "learned" => self.learns_cookie = true,
            "cookie" => self.options.push((10, unhex(value)?)),
            "option" => {
                let (code, data) = value.split_once(':').ok_or_else(unknown)?;
                self.options.push((code.parse().map_err(|_| unknown())?, unhex(data)?));
            }
            _ => return Err(unknown()),
        }
        if self.version != 0 || self.dnssec_ok || self.learns_cookie || !self.options.is_empty() {
            self.edns = self.edns.or(Some(1232));
        }
        Ok(())
    }

    /// The question section: what the reply must repeat, octet for octet.
    pub(crate) fn question(&self) -> Vec<u8> {
        let mut octets = self.name.clone();
        octets.extend(self.kind.to_be_bytes());
        octets.extend(self.class.to_be_bytes());
        octets
    }

    /// The bits of the header that the reply must repeat: rd and cd.
    pub(crate) fn has_bit(&self, bit: u16) -> bool {
        self.bits & bit != 0
    }

    fn octets(&self, id: u16, server_cookie: &[u8]) -> Vec<u8> {
        let mut octets = Vec::new();
        for field in [id, self.bits | self.opcode << 11, 1, 0, 0, u16::from(self.edns.is_some())] {
            octets.extend(field.to_be_bytes());
        }
        octets.extend(self.question());
        if let Some(size) = self.edns {
            octets.extend([0, 0, 41]);
            octets.extend(size.to_be_bytes());
            octets.extend([0, self.version, u8::from(self.dnssec_ok) << 7, 0]);
            let options = self.options_octets(server_cookie);
            octets.extend((options.len() as u16).to_be_bytes());
            octets.extend(options);
        }
        octets
    }

    fn options_octets(&self, server_cookie: &[u8]) -> Vec<u8> {
        let mut options = self.options.clone();
        if self.learns_cookie {
            options.push((10, [&CLIENT_COOKIE, server_cookie].concat()));
        }
        let mut octets = Vec::new();
        for (code, data) in &options {
            octets.extend(code.to_be_bytes());
            octets.extend((data.len() as u16).to_be_bytes());
            octets.extend(data);
        }
        octets
    }
}

/// The server's part of the cookie in a reply.
pub(crate) fn server_cookie(edns: &Edns) -> Option<Vec<u8>> {
    let (_, cookie) = edns.options.iter().find(|(code, _)| *code == 10)?;
    cookie.strip_prefix(&CLIENT_COOKIE).map(<[u8]>::to_vec)
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let fault = || format!("not hexadecimal octets: {text}");
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return Err(fault());
    }
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).map_err(|_| fault())).collect()
}
