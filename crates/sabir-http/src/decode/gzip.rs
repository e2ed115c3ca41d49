//! The gzip envelope (RFC 1952) around deflate data, cut anywhere. One or more members, each checked.

use miniz_oxide::DataFormat;
use miniz_oxide::inflate::stream::{InflateState, MinReset};

use super::Step;
use super::codec::inflated;

const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;
const RESERVED: u8 = 0b1110_0000;

/// The most bytes a member's header may have: a file name has no bound of its own.
const HEADER_LIMIT: usize = 64 << 10;

pub(super) struct Gzip {
    at: At,
    flags: u8,
    header_bytes: usize,
    inflate: Box<InflateState>,
    check: Check,
}

/// The part of a member that the next byte belongs to.
#[derive(Clone, Copy)]
enum At {
    /// One of the ten fixed bytes.
    Fixed(u8),
    /// The first or second byte of the length of the extra field, with what the first one said.
    ExtraLength(u8, u16),
    Extra(u16),
    Name,
    Comment,
    /// The two bytes of the header's own checksum.
    HeaderCrc(u8),
    Data,
    /// One of the eight bytes of checksum and length.
    Trailer(u8),
    /// After a member; another may follow.
    End,
}

impl Default for Gzip {
    fn default() -> Self {
        Self {
            at: At::Fixed(0),
            flags: 0,
            header_bytes: 0,
            inflate: InflateState::new_boxed(DataFormat::Raw),
            check: Check::default(),
        }
    }
}

impl Gzip {
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        let mut read = 0;
        loop {
            if matches!(self.at, At::Data) {
                let (step, ended) = inflated(&mut self.inflate, &input[read..], output)?;
                self.check.update(&output[..step.written]);
                read += step.read;
                if ended {
                    self.at = At::Trailer(0);
                }
                if !ended || step.written > 0 {
                    return Ok(Step { read, written: step.written });
                }
            }
            let Some(byte) = input.get(read) else {
                return Ok(Step { read, written: 0 });
            };
            read += 1;
            self.at = self.after(*byte)?;
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        matches!(self.at, At::End)
    }

    /// What comes after a byte of the envelope.
    fn after(&mut self, byte: u8) -> Result<At, String> {
        if !matches!(self.at, At::Trailer(_) | At::End) {
            self.header_bytes += 1;
            if self.header_bytes > HEADER_LIMIT {
                return Err("the gzip header is too long".to_owned());
            }
        }
        Ok(match self.at {
            At::End => {
                // The least reset: a member may be tiny, and there may be many.
                self.inflate.reset_as(MinReset);
                (self.at, self.flags, self.header_bytes, self.check) = (At::Fixed(0), 0, 0, Check::default());
                return self.after(byte);
            }
            At::Fixed(index) => {
                let right = match index {
                    0 => byte == 0x1f,
                    1 => byte == 0x8b,
                    2 => byte == 8,
                    3 => byte & RESERVED == 0,
                    _ => true,
                };
                if !right {
                    return Err("it is not gzip data".to_owned());
                }
                if index == 3 {
                    self.flags = byte;
                }
                if index < 9 { At::Fixed(index + 1) } else { self.next_field(FEXTRA) }
            }
            At::ExtraLength(0, _) => At::ExtraLength(1, u16::from(byte)),
            At::ExtraLength(_, low) => match low | (u16::from(byte) << 8) {
                0 => self.next_field(FNAME),
                length => At::Extra(length),
            },
            At::Extra(1) => self.next_field(FNAME),
            At::Extra(left) => At::Extra(left - 1),
            At::Name if byte == 0 => self.next_field(FCOMMENT),
            At::Comment if byte == 0 => self.next_field(FHCRC),
            At::HeaderCrc(0) => At::HeaderCrc(1),
            At::HeaderCrc(_) => At::Data,
            At::Trailer(index) => {
                let value = if index < 4 { !self.check.crc } else { self.check.length };
                if byte != value.to_le_bytes()[usize::from(index % 4)] {
                    return Err("the gzip checksum is wrong".to_owned());
                }
                if index < 7 { At::Trailer(index + 1) } else { At::End }
            }
            unchanged @ (At::Name | At::Comment | At::Data) => unchanged,
        })
    }

    /// The first optional header field, from `first` on, that the flags announce; the data when there is none.
    fn next_field(&self, first: u8) -> At {
        let fields =
            [(FEXTRA, At::ExtraLength(0, 0)), (FNAME, At::Name), (FCOMMENT, At::Comment), (FHCRC, At::HeaderCrc(0))];
        let from = fields.iter().position(|(flag, _)| *flag == first).unwrap_or(0);
        fields[from..].iter().find(|(flag, _)| self.flags & flag != 0).map_or(At::Data, |(_, at)| *at)
    }
}

/// What the trailer is compared with: CRC-32 (RFC 1952 §8, kept inverted) and the length modulo 2^32.
struct Check {
    crc: u32,
    length: u32,
}

impl Default for Check {
    fn default() -> Self {
        Self { crc: !0, length: 0 }
    }
}

impl Check {
    fn update(&mut self, data: &[u8]) {
        for byte in data {
            self.crc = CRC_TABLE[usize::from(self.crc.to_le_bytes()[0] ^ byte)] ^ (self.crc >> 8);
            self.length = self.length.wrapping_add(1);
        }
    }
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    let mut value: u32 = 0;
    while index < 256 {
        let mut crc = value;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
        value += 1;
    }
    table
};
