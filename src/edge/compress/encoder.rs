//! One stream of compressed octets, whichever the coding.
//!
//! Levels are those at which another step costs more time than it saves in octets, and windows are small: the tables of a
//! stream take 0.3 MiB (gzip) to 2 MiB (brotli), less for content that is known to be short.

use std::io::{self, Write};

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use zstd::stream::raw::CParameter;
use zstd::stream::write::Encoder as ZstdEncoder;

use super::accept::Coding;

const ZSTD_LEVEL: i32 = 3;
const BROTLI_QUALITY: i32 = 4;
const GZIP_LEVEL: u32 = 5;
/// The window, as a power of two: 256 KiB.
const WINDOW_MAX: u32 = 18;
/// The smallest that all of them know.
const WINDOW_MIN: u32 = 10;
/// What brotli writes at once.
const BROTLI_BUFFER: usize = 4_096;

/// A stream of one coding.
pub(in crate::edge) enum Encoder {
    Zstd(ZstdEncoder<'static, Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Encoder {
    /// A new stream, for so many octets if that is known.
    pub(in crate::edge) fn new(coding: Coding, size: Option<u64>) -> io::Result<Self> {
        let window = size.map_or(WINDOW_MAX, |size| (u64::BITS - size.leading_zeros()).clamp(WINDOW_MIN, WINDOW_MAX));
        Ok(match coding {
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.set_parameter(CParameter::WindowLog(window))?;
                encoder.set_parameter(CParameter::HashLog(window.clamp(WINDOW_MIN, 17)))?;
                encoder.set_parameter(CParameter::ChainLog(window.clamp(WINDOW_MIN, 16)))?;
                Self::Zstd(encoder)
            }
            Coding::Brotli => {
                let parameters = BrotliEncoderParams {
                    quality: BROTLI_QUALITY,
                    lgwin: window as i32,
                    ..BrotliEncoderParams::default()
                };
                Self::Brotli(Box::new(CompressorWriter::with_params(Vec::new(), BROTLI_BUFFER, &parameters)))
            }
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL))),
        })
    }

    /// Takes content.
    pub(in crate::edge) fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.write_all(octets),
            Self::Brotli(encoder) => encoder.write_all(octets),
            Self::Gzip(encoder) => encoder.write_all(octets),
        }
    }

    /// Has everything that was taken come out.
    pub(in crate::edge) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.flush(),
            Self::Brotli(encoder) => encoder.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }

    /// Octets that came out and were not fetched.
    pub(in crate::edge) fn ready(&self) -> usize {
        match self {
            Self::Zstd(encoder) => encoder.get_ref().len(),
            Self::Brotli(encoder) => encoder.get_ref().len(),
            Self::Gzip(encoder) => encoder.get_ref().len(),
        }
    }

    /// Fetches what came out.
    pub(in crate::edge) fn take(&mut self) -> Bytes {
        let out = match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        };
        Bytes::from(std::mem::take(out))
    }

    /// Ends the stream: the rest of it.
    pub(in crate::edge) fn finish(self) -> io::Result<Bytes> {
        Ok(Bytes::from(match self {
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Brotli(encoder) => encoder.into_inner(),
            Self::Gzip(encoder) => encoder.finish()?,
        }))
    }
}

/// All of it at once.
pub(in crate::edge) fn whole(coding: Coding, octets: &[u8]) -> io::Result<Bytes> {
    let mut encoder = Encoder::new(coding, Some(octets.len() as u64))?;
    encoder.write(octets)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn decoded(coding: Coding, octets: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        match coding {
            Coding::Zstd => drop(zstd::stream::read::Decoder::new(octets).unwrap().read_to_end(&mut text).unwrap()),
            Coding::Brotli => drop(brotli::Decompressor::new(octets, 4_096).read_to_end(&mut text).unwrap()),
            Coding::Gzip => drop(flate2::read::GzDecoder::new(octets).read_to_end(&mut text).unwrap()),
        }
        text
    }

    #[test]
    fn what_goes_in_comes_out() {
        let text: Vec<u8> = (0..300_000_u32).flat_map(|number| format!("{} ", number % 9_973).into_bytes()).collect();
        for coding in Coding::ALL {
            for size in [0, 1, 100, 1_000, 70_000, text.len()] {
                let small = whole(coding, &text[..size]).unwrap();
                assert_eq!(decoded(coding, &small), &text[..size], "{coding:?} {size}");
                assert!(small.len() < size / 2 + 100, "{coding:?} {size}: {}", small.len());
            }
        }
    }

    #[test]
    fn a_flush_lets_nothing_wait() {
        for coding in Coding::ALL {
            let mut encoder = Encoder::new(coding, None).unwrap();
            let mut sent = Vec::new();
            for part in 0..3 {
                encoder.write(format!("event {part}\n").as_bytes()).unwrap();
                encoder.flush().unwrap();
                assert!(encoder.ready() > 0);
                sent.extend(encoder.take());
            }
            let before = sent.len();
            sent.extend(encoder.finish().unwrap());
            assert!(sent.len() - before < 20, "{coding:?}: only the end is left");
            assert_eq!(decoded(coding, &sent), b"event 0\nevent 1\nevent 2\n");
        }
    }
}
