//! EDNS(0): the OPT record of a query and of a reply, and the options we speak (RFC 6891).

/// A name server identifier is asked for, or given (RFC 5001).
pub const NSID: u16 = 3;
/// A DNS cookie (RFC 7873).
pub const COOKIE: u16 = 10;
/// How long a TCP connection may idle (RFC 7828).
pub const KEEPALIVE: u16 = 11;
/// Octets that say nothing, so that the size of a message does not tell what is in it (RFC 7830).
pub const PADDING: u16 = 12;
/// An extended DNS error (RFC 8914).
pub const EXTENDED_ERROR: u16 = 15;

/// The OPT record of a query. An option we do not know is passed over (RFC 6891, section 6.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edns<'p> {
    /// Octets of a UDP reply that the client takes; at least 512 (RFC 6891, section 6.2.3).
    pub reply_size: u16,
    /// The version; we speak 0.
    pub version: u8,
    /// Whether the client wants DNSSEC records (RFC 3225).
    pub dnssec_ok: bool,
    /// The cookie option's data: 8 octets, or 16 to 40, or malformed.
    pub cookie: Option<&'p [u8]>,
    /// Whether the server's identity is asked for.
    pub nsid: bool,
    /// Whether the client speaks the keepalive option.
    pub keepalive: bool,
    /// Whether the client has padded the query, and so wants the reply padded (RFC 7830, section 4).
    pub padded: bool,
}

/// The options do not fill the record data exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadOptions;

impl<'p> Edns<'p> {
    /// Reads an OPT record from its class (reply size), its TTL (version and flags) and its data (options).
    pub fn read(class: u16, ttl: [u8; 4], mut options: &'p [u8]) -> Result<Self, BadOptions> {
        let [_, version, flags, _] = ttl;
        let mut edns = Self { reply_size: class.max(512), version, dnssec_ok: flags & 0x80 != 0, ..Self::default() };
        while !options.is_empty() {
            let (head, rest) = options.split_first_chunk::<4>().ok_or(BadOptions)?;
            let size = u16::from_be_bytes([head[2], head[3]]) as usize;
            let (data, rest) = rest.split_at_checked(size).ok_or(BadOptions)?;
            match u16::from_be_bytes([head[0], head[1]]) {
                NSID => edns.nsid = true,
                KEEPALIVE => edns.keepalive = true,
                PADDING => edns.padded = true,
                COOKIE if edns.cookie.is_none() => edns.cookie = Some(data), // only the first counts (RFC 7873, section 5.2)
                _ => (),
            }
            options = rest;
        }
        Ok(edns)
    }
}

/// The OPT record of a reply.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opt<'a> {
    /// Octets of a UDP query that we take.
    pub query_size: u16,
    /// The upper eight bits of the response code.
    pub rcode_high: u8,
    /// The query's DO bit, copied (RFC 3225, section 3).
    pub dnssec_ok: bool,
    /// Who we are.
    pub nsid: Option<&'a [u8]>,
    /// The client's cookie and ours.
    pub cookie: Option<([u8; 8], [u8; 16])>,
    /// How long a TCP connection may idle, in units of 100 ms.
    pub keepalive: Option<u16>,
    /// The extended error: its number (RFC 8914, section 4).
    pub error: Option<u16>,
    /// How many octets of padding; where it is 0, the reply that is finished takes what fills its last block.
    pub padding: Option<u16>,
}

const OPT_SIZE: usize = 11;

impl Opt<'_> {
    /// The same without the server's identity where that leaves too little room, an extended error included: all else
    /// together always fits behind the longest question.
    pub fn within(self, room: usize) -> Self {
        let largest = Self { error: Some(0), ..self };
        Self { nsid: self.nsid.filter(|_| largest.size() <= room), ..self }
    }

    /// Octets of the record.
    pub fn size(&self) -> usize {
        OPT_SIZE
            + self.nsid.map_or(0, |id| 4 + id.len())
            + self.cookie.map_or(0, |_| 4 + 24)
            + self.keepalive.map_or(0, |_| 4 + 2)
            + self.error.map_or(0, |_| 4 + 2)
            + self.padding.map_or(0, |octets| 4 + usize::from(octets))
    }

    /// Writes the record to the start of `out`; returns its size, or `None` where it does not fit.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let size = self.size();
        let out = out.get_mut(..size)?;
        let [q1, q2] = self.query_size.to_be_bytes();
        let [s1, s2] = ((size - OPT_SIZE) as u16).to_be_bytes();
        let flags = if self.dnssec_ok { 0x80 } else { 0 };
        let (fixed, mut rest) = out.split_at_mut(OPT_SIZE);
        fixed.copy_from_slice(&[0, 0, 41, q1, q2, self.rcode_high, 0, flags, 0, s1, s2]);
        if let Some(id) = self.nsid {
            rest = option(rest, NSID, &[id]);
        }
        if let Some((client, server)) = &self.cookie {
            rest = option(rest, COOKIE, &[client, server]);
        }
        if let Some(units) = self.keepalive {
            rest = option(rest, KEEPALIVE, &[&units.to_be_bytes()]);
        }
        if let Some(code) = self.error {
            rest = option(rest, EXTENDED_ERROR, &[&code.to_be_bytes()]);
        }
        if let Some(octets) = self.padding {
            let [high, low] = octets.to_be_bytes();
            let (head, zeros) = rest.split_at_mut(4);
            head.copy_from_slice(&[0, PADDING as u8, high, low]);
            zeros.fill(0); // RFC 7830, section 3
        }
        Some(size)
    }
}

fn option<'o>(out: &'o mut [u8], code: u16, parts: &[&[u8]]) -> &'o mut [u8] {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    let (head, mut rest) = out.split_at_mut(4);
    head[..2].copy_from_slice(&code.to_be_bytes());
    head[2..].copy_from_slice(&(size as u16).to_be_bytes());
    for part in parts {
        let (here, behind) = rest.split_at_mut(part.len());
        here.copy_from_slice(part);
        rest = behind;
    }
    rest
}
