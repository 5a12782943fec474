//! Signed messages (RFC 8945): as much of them as a server without keys needs, which is to say that it knows no key.

use super::NameRef;

/// Octets of what stands between the algorithm and the signature, and behind the signature.
const TIME_AND_FUDGE_SIZE: usize = 8;
const BADKEY: u16 = 17;

/// The TSIG record of a query.
#[derive(Clone, Copy, Debug)]
pub struct Tsig<'p> {
    key: NameRef<'p>,
    algorithm: NameRef<'p>,
    time_and_fudge: &'p [u8; TIME_AND_FUDGE_SIZE],
    original_id: [u8; 2],
}

impl<'p> Tsig<'p> {
    /// Reads the owner and the data of a TSIG record (RFC 8945, section 4.2); no name in it is ever compressed.
    pub fn read(owner: &'p [u8], data: &'p [u8]) -> Option<Self> {
        let (key, []) = NameRef::read(owner).ok()? else { return None };
        let (algorithm, rest) = NameRef::read(data).ok()?;
        let (time_and_fudge, rest) = rest.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk::<2>()?;
        let (_signature, rest) = rest.split_at_checked(u16::from_be_bytes(*size).into())?;
        let (fixed, other) = rest.split_first_chunk::<6>()?;
        let sound = usize::from(u16::from_be_bytes([fixed[4], fixed[5]])) == other.len();
        sound.then_some(Self { key, algorithm, time_and_fudge, original_id: [fixed[0], fixed[1]] })
    }

    /// Writes the record that says: no such key (RFC 8945, section 5.2.1). It is not signed, for want of that key.
    /// Returns its size, or `None` where it does not fit.
    pub fn write_bad_key(&self, out: &mut [u8]) -> Option<usize> {
        let data_size = self.algorithm.as_bytes().len() + TIME_AND_FUDGE_SIZE + 2 + 2 + 2 + 2;
        let parts: [&[u8]; 9] = [
            self.key.as_bytes(),
            &[0, 250, 0, 255, 0, 0, 0, 0], // TSIG, class ANY, TTL 0
            &(data_size as u16).to_be_bytes(),
            self.algorithm.as_bytes(),
            self.time_and_fudge,
            &[0, 0],
            &self.original_id,
            &BADKEY.to_be_bytes(),
            &[0, 0],
        ];
        let size = parts.iter().map(|part| part.len()).sum();
        let mut rest = out.get_mut(..size)?;
        for part in parts {
            let (here, behind) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = behind;
        }
        Some(size)
    }
}
