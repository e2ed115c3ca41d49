//! A batch's file: which lines it has, each read when it is needed.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::item::Item;
use crate::failure::Failure;

/// The longest line, in bytes: an item with images.
const LONGEST: u64 = 64 << 20;
/// How many broken lines are told of.
const TOLD: usize = 20;

/// The lines of a batch.
#[derive(Debug)]
pub(super) struct Input {
    file: Mutex<File>,
    lines: Vec<Line>,
    fingerprint: u64,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug)]
struct Line {
    number: u64,
    at: u64,
    length: usize,
}

impl Input {
    /// Reads all lines once, and looks at each item with `check`, which says what is wrong with it.
    ///
    /// # Errors
    /// A file that cannot be read; broken lines, by their numbers; a file without items.
    pub(super) fn open(path: &Path, mut check: impl FnMut(&Item) -> Result<(), String>) -> Result<Self, Failure> {
        let unreadable = |error: std::io::Error| Failure::usage(format!("cannot read {}: {error}", path.display()));
        let file = File::open(path).map_err(unreadable)?;
        let mut reader = BufReader::with_capacity(1 << 16, &file);
        let (mut lines, mut faults, mut ids) = (Vec::new(), Vec::new(), HashSet::new());
        let (mut number, mut at, mut fingerprint, mut broken) = (0_u64, 0_u64, FNV, 0_usize);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = reader.by_ref().take(LONGEST + 1).read_until(b'\n', &mut line).map_err(unreadable)?;
            if length == 0 {
                break;
            }
            number += 1;
            if length as u64 > LONGEST {
                return Err(Failure::usage(format!("line {number} is longer than {LONGEST} bytes")));
            }
            fingerprint = line.iter().copied().fold(fingerprint, hashed);
            let begin = at;
            at += length as u64;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let item = text(&line).and_then(|text| Item::read(text, number));
            let looked = item.and_then(|item| {
                check(&item)?;
                if ids.insert(item.id) { Ok(()) } else { Err("its id is another line's, too".to_owned()) }
            });
            if let Err(why) = looked {
                broken += 1;
                if faults.len() < TOLD {
                    faults.push(format!("line {number}: {why}"));
                }
            }
            lines.push(Line { number, at: begin, length });
        }
        if broken > faults.len() {
            faults.push(format!("and {} more", broken - faults.len()));
        }
        if broken > 0 {
            return Err(Failure::usage(format!(
                "nothing was sent; {} has broken lines:\n  {}",
                path.display(),
                faults.join("\n  ")
            )));
        }
        if lines.is_empty() {
            return Err(Failure::usage(format!("{} has no items", path.display())));
        }
        Ok(Self { file: Mutex::new(file), lines, fingerprint })
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// A figure by which the same bytes are known again.
    pub(super) fn fingerprint(&self) -> String {
        format!("{:016x}", self.fingerprint)
    }

    /// The item in this place, from 0.
    ///
    /// # Errors
    /// Where the file was changed or taken away.
    pub(super) fn item(&self, index: usize) -> Result<Item, Failure> {
        let changed = |why: String| Failure::nothing(format!("the batch was changed while it ran: {why}"));
        let line = self.lines.get(index).ok_or_else(|| changed("it has fewer lines".to_owned()))?;
        // What was read was that long: no more than `LONGEST`.
        let mut bytes = vec![0; line.length];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(line.at))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(|error| changed(error.to_string()))?;
        }
        text(&bytes).and_then(|text| Item::read(text, line.number)).map_err(changed)
    }
}

fn text(line: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())
}

/// FNV-1a, 64 bit (draft-eastlake-fnv): enough to tell a file that was edited.
const FNV: u64 = 0xcbf2_9ce4_8422_2325;

fn hashed(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
}
