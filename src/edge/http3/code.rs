//! Why a stream or a connection is ended (RFC 9114, section 8.1; RFC 9204, section 6).

use quinn::VarInt;

/// What the other side is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Code {
    /// Nothing is wrong.
    NoError = 0x100,
    /// We could not go on.
    Internal = 0x102,
    /// A stream of a kind that may not be opened.
    StreamCreation = 0x103,
    /// A stream has ended that a connection needs.
    ClosedCritical = 0x104,
    /// A frame where it may not be.
    FrameUnexpected = 0x105,
    /// A frame that is not written soundly.
    Frame = 0x106,
    /// More of something than anybody needs who means well.
    ExcessiveLoad = 0x107,
    /// An identifier that cannot be.
    Id = 0x108,
    /// Settings that cannot be.
    Settings = 0x109,
    /// No settings where they have to be.
    MissingSettings = 0x10a,
    /// The request was not looked at, and may be made again.
    RequestRejected = 0x10b,
    /// The request ended before its head did.
    RequestIncomplete = 0x10d,
    /// The message contradicts itself, or HTTP.
    Message = 0x10e,
    /// Fields that cannot be read.
    Decompression = 0x200,
    /// Instructions for a table that is not there.
    EncoderStream = 0x201,
    /// Words about sections that we did not send.
    DecoderStream = 0x202,
}

impl From<Code> for VarInt {
    fn from(code: Code) -> Self {
        Self::from_u32(code as u32)
    }
}

/// What is wrong with what a client sent, and how much of it ends with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its connection ends.
    Connection(Code),
    /// The request ends.
    Request(Code),
    /// The head is larger than it may be, which is worth an answer.
    HeadTooLarge,
    /// The client has changed its mind, or is gone.
    Gone,
}
