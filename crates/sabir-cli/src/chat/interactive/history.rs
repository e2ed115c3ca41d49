//! What was typed before, in a file of the person's own.

use std::fs;
use std::io;
use std::path::Path;

use reedline::{FileBackedHistory, History};

use crate::output::notice;
use crate::private::append_to;

/// How many lines are kept.
const LINES: usize = 1_000;
/// How large the file may become, in bytes: a question may be a whole text. Beyond it the older half goes.
const LARGEST: usize = 1 << 20;

/// The history in that file; `None`, and a word about it, where it cannot be used.
pub(super) fn open(path: &Path) -> Option<Box<dyn History>> {
    let opened = make_ready(path)
        .map_err(|error| error.to_string())
        .and_then(|()| FileBackedHistory::with_file(LINES, path.to_owned()).map_err(|error| error.to_string()));
    match opened {
        Ok(history) => Some(Box::new(history)),
        Err(why) => {
            notice(&format!("note: what is typed is not kept: the history {} cannot be used: {why}", path.display()));
            None
        }
    }
}

/// Makes the file and its folder, nobody else's to read, and no larger than it may be.
fn make_ready(path: &Path) -> io::Result<()> {
    let file = append_to(path)?;
    // One that was copied here may be everybody's.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    if file.metadata()?.len() > LARGEST as u64 {
        fs::write(path, newer_half(&fs::read(path)?))?;
    }
    Ok(())
}

/// The last lines of a history, at most half as much as it may hold.
fn newer_half(all: &[u8]) -> &[u8] {
    let tail = &all[all.len().saturating_sub(LARGEST / 2)..];
    // The first line of it is cut.
    tail.iter().position(|byte| *byte == b'\n').map_or(&[], |end| &tail[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_its_owners_alone_and_bounded() {
        let folder = std::env::temp_dir().join(format!("sabir-history-{}", std::process::id()));
        let path = folder.join("sabir").join("history");
        make_ready(&path).expect("made");
        let line = "x".repeat(1023);
        fs::write(&path, format!("{line}\n").repeat(1025)).expect("written");
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("set");
        make_ready(&path).expect("made ready");
        let kept = fs::read_to_string(&path).expect("read");
        assert!(kept.len() <= LARGEST / 2 && kept.lines().count() > 500 && kept.lines().all(|one| one == line));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(folder.join("sabir")).expect("there").permissions().mode() & 0o777, 0o700);
        }
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        assert_eq!(newer_half(&vec![b'x'; LARGEST * 2]), b"");
        assert_eq!(newer_half(b"a\nb\n"), b"b\n");
    }
}
