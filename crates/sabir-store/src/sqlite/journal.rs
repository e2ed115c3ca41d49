//! The journal of a process: segments that are written at their end, and read behind it.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use super::folder::{Folder, private, remove};
use super::record::{self, Next, Record};

/// What every segment begins with. Another version of the records has another one.
const MAGIC: [u8; 8] = *b"sabirJ1\n";
/// When a segment is full.
const SEGMENT: u64 = 4 << 20;
/// How much is read at once, beyond the one record that may always be whole.
const CHUNK: usize = 1 << 20;

/// The end that is written.
#[derive(Debug)]
pub(super) struct Journal {
    folder: Folder,
    id: String,
    file: File,
    segment: u32,
    /// Bytes of this segment.
    length: u64,
}

impl Journal {
    pub(super) fn create(folder: Folder, id: String) -> io::Result<Self> {
        let file = begin(&folder, &id, 0)?;
        let length = MAGIC.len() as u64;
        Ok(Self { folder, id, file, segment: 0, length })
    }

    /// Adds a record, by a single write: it is the system's when this returns, whatever becomes of the process.
    /// Where it does not fit it is not there.
    pub(super) fn append(&mut self, record: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(record) {
            // What was written of it is cut off again; where even that fails, nothing is written behind it.
            if self.file.set_len(self.length).is_err() {
                self.rotate()?;
            }
            return Err(error);
        }
        self.length += record.len() as u64;
        if self.length >= SEGMENT {
            // A full disk keeps the segment that it has.
            let _ = self.rotate();
        }
        Ok(())
    }

    /// Begins a new segment.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        self.file = begin(&self.folder, &self.id, self.segment + 1)?;
        self.segment += 1;
        self.length = MAGIC.len() as u64;
        Ok(())
    }

    /// From now on the disk is full, until a new segment is begun.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn fill_disk(&mut self) {
        self.file = File::options().append(true).open("/dev/full").expect("Linux has it");
    }

    /// Where it ends.
    pub(super) fn end(&self) -> Place {
        Place { segment: self.segment, offset: self.length }
    }
}

fn begin(folder: &Folder, id: &str, segment: u32) -> io::Result<File> {
    let mut file = private().append(true).create(true).open(folder.log(id, segment))?;
    file.set_len(0)?;
    file.write_all(&MAGIC)?;
    Ok(file)
}

/// A place in a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub segment: u32,
    /// Bytes from the segment's beginning.
    pub offset: u64,
}

impl Place {
    /// Bytes from an earlier place to this one, as if every segment but this one were just full.
    pub(super) fn since(self, earlier: Self) -> u64 {
        let segments = u64::from(self.segment.saturating_sub(earlier.segment));
        (segments * SEGMENT + self.offset).saturating_sub(earlier.offset)
    }
}

/// What follows a place in a journal.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub records: Vec<Record>,
    /// Where the next one begins.
    pub next: Place,
    pub end: End,
}

/// Why a chunk ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// There may be more.
    #[default]
    More,
    /// The segment is read to its end.
    Done,
    /// What follows in the segment is no record.
    Torn,
    /// What follows was written by another version.
    Unknown,
}

/// Reads from a place on, up to `until` where the segment is still written, else to the segment's end.
pub(super) fn read(folder: &Folder, id: &str, place: Place, until: Option<u64>) -> io::Result<Chunk> {
    let mut chunk = Chunk { next: place, ..Chunk::default() };
    let mut file = match File::open(folder.log(id, place.segment)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            chunk.end = End::Done;
            return Ok(chunk);
        }
        Err(error) => return Err(error),
    };
    let length = until.map_or_else(|| file.metadata().map(|data| data.len()), Ok)?;
    if place.offset >= length {
        chunk.end = End::Done;
        return Ok(chunk);
    }
    file.seek(SeekFrom::Start(place.offset))?;
    let most = (CHUNK + record::HEAD + record::MOST) as u64;
    let mut bytes = Vec::new();
    file.take((length - place.offset).min(most)).read_to_end(&mut bytes)?;
    let is_all = place.offset + bytes.len() as u64 >= length;
    fill(&mut chunk, &bytes, is_all);
    Ok(chunk)
}

/// The records of these bytes; `is_all` where the segment ends with them.
fn fill(chunk: &mut Chunk, bytes: &[u8], is_all: bool) {
    let mut at = 0;
    if chunk.next.offset == 0 {
        match bytes.first_chunk() {
            Some(&MAGIC) => at = MAGIC.len(),
            Some(other) => {
                chunk.end = if other.starts_with(b"sabirJ") { End::Unknown } else { End::Torn };
                return;
            }
            None => {
                chunk.end = End::Torn;
                return;
            }
        }
    }
    while at < CHUNK {
        match record::next(&bytes[at..]) {
            Next::Whole(payload) => {
                let Some(record) = record::read(payload) else {
                    chunk.end = End::Unknown;
                    break;
                };
                chunk.records.push(record);
                at += record::HEAD + payload.len();
            }
            Next::Short if at == bytes.len() && is_all => {
                chunk.end = End::Done;
                break;
            }
            Next::Short if !is_all => break,
            Next::Short | Next::Damaged => {
                chunk.end = End::Torn;
                break;
            }
        }
    }
    chunk.next.offset += at as u64;
}

/// Clears a segment away: for good where it was read to its end, else to the side.
pub(super) fn put_away(folder: &Folder, id: &str, segment: u32, end: End) -> io::Result<()> {
    let path = folder.log(id, segment);
    if end == End::Torn && fs::exists(&path)? {
        return fs::rename(path, folder.torn(id, segment));
    }
    remove(&path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::{Random, attempt, ended};
    use crate::sqlite::record::Raised;
    use crate::sqlite::tests::Place as Temporary;

    /// A journal of some records, and where each of them ends.
    fn written(temporary: &Temporary) -> (Folder, Vec<Record>, Vec<u64>) {
        let folder = Folder::beside(&temporary.database()).expect("a folder");
        let mut journal = Journal::create(folder.clone(), "me".into()).expect("written");
        let mut random = Random(11);
        let (mut records, mut ends) = (Vec::new(), Vec::new());
        for at in 0..12 {
            let attempt = attempt(&mut random, at);
            let (record, bytes) = match at % 3 {
                0 => (Record::Opened(attempt.clone()), record::opened(&attempt)),
                1 => {
                    let crate::Opened { call, attempt: number, reserved, .. } = attempt.clone();
                    (Record::Raised(Raised { call, attempt: number, reserved }), Ok(record::raised(&attempt)))
                }
                _ => {
                    let ended = ended(&mut random);
                    let bytes = record::closed(&attempt, &ended);
                    (Record::Closed(attempt, Box::new(ended)), bytes)
                }
            };
            journal.append(&bytes.expect("fits")).expect("written");
            records.push(record);
            ends.push(journal.end().offset);
        }
        (folder, records, ends)
    }

    #[test]
    fn cut_at_every_byte_it_is_a_prefix_of_its_records() {
        let temporary = Temporary::new("cut");
        let (folder, records, ends) = written(&temporary);
        let path = folder.log("me", 0);
        let bytes = fs::read(&path).expect("readable");
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).expect("written");
            let chunk = read(&folder, "me", Place::default(), None).expect("readable");
            let whole = ends.iter().filter(|end| **end <= cut as u64).count();
            assert_eq!(chunk.records, records[..whole], "cut at {cut}");
            let is_between = cut == 0 || cut == MAGIC.len() || ends.contains(&(cut as u64));
            assert_eq!(chunk.end, if is_between { End::Done } else { End::Torn }, "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_ends_it_and_is_put_aside() {
        let temporary = Temporary::new("flip");
        let (folder, records, ends) = written(&temporary);
        let path = folder.log("me", 0);
        let bytes = fs::read(&path).expect("readable");
        for at in MAGIC.len()..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).expect("written");
            let chunk = read(&folder, "me", Place::default(), None).expect("readable");
            let whole = ends.iter().filter(|end| **end <= at as u64).count();
            assert_eq!((chunk.end, chunk.records.len()), (End::Torn, whole), "flipped at {at}");
            assert_eq!(chunk.records, records[..whole]);
        }
        put_away(&folder, "me", 0, End::Torn).expect("renamed");
        assert!(fs::exists(folder.torn("me", 0)).expect("readable") && !fs::exists(&path).expect("readable"));
    }

    #[test]
    fn segments_follow_each_other_and_the_ones_that_are_read_go() {
        let temporary = Temporary::new("segments");
        let folder = Folder::beside(&temporary.database()).expect("a folder");
        let mut journal = Journal::create(folder.clone(), "me".into()).expect("written");
        let long = crate::Opened { model: "m".repeat(8_000).into(), ..crate::Opened::default() };
        let bytes = record::opened(&long).expect("fits");
        for _ in 0..1_400 {
            journal.append(&bytes).expect("written");
        }
        assert_eq!(folder.segments("me").expect("readable").into_iter().collect::<Vec<_>>(), [0, 1, 2]);
        let (mut place, mut read_of_all) = (Place::default(), 0);
        while place < journal.end() {
            let chunk = read(&folder, "me", place, None).expect("readable");
            read_of_all += chunk.records.len();
            place = chunk.next;
            if chunk.end == End::Done {
                put_away(&folder, "me", place.segment, chunk.end).expect("removed");
                place = Place { segment: place.segment + 1, offset: 0 };
            }
        }
        assert_eq!(read_of_all, 1_400);
        assert_eq!(folder.segments("me").expect("readable").len(), 0);
    }

    #[test]
    fn another_version_is_left_alone() {
        let temporary = Temporary::new("version");
        let (folder, ..) = written(&temporary);
        fs::write(folder.log("me", 0), b"sabirJ2\nwhatever").expect("written");
        assert_eq!(read(&folder, "me", Place::default(), None).expect("readable").end, End::Unknown);
        fs::write(folder.log("me", 0), b"\0\0\0\0\0\0\0\0\0").expect("written");
        assert_eq!(read(&folder, "me", Place::default(), None).expect("readable").end, End::Torn);
    }
}
