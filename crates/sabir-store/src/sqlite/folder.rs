//! The folder of journals beside a database: which files there are, and whose.
//!
//! `spend.db.journals/` holds `lock`, taken while a process starts, and of each process `ID.lock`, which it keeps locked
//! as long as it lives, and `ID.0.log`, `ID.1.log` … A system frees the locks of a process that is gone, however it went.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The one beside this database; made where it is missing.
    pub(super) fn beside(database: &Path) -> io::Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push(".journals");
        let folder = Self(path.into());
        match fs::create_dir(&folder.0) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(folder),
        }
    }

    pub(super) fn log(&self, id: &str, segment: u32) -> PathBuf {
        self.0.join(format!("{id}.{segment}.log"))
    }

    /// Where what could not be read of a segment is kept for a person to look at.
    pub(super) fn torn(&self, id: &str, segment: u32) -> PathBuf {
        self.0.join(format!("{id}.{segment}.torn"))
    }

    pub(super) fn lock(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.lock"))
    }

    /// Waits until no other process starts. Held until it is dropped.
    pub(super) fn hold(&self) -> io::Result<File> {
        let file = private().write(true).create(true).truncate(false).open(self.0.join("lock"))?;
        fs4::FileExt::lock(&file)?;
        Ok(file)
    }

    /// A name that no other process has, and its lock. While the folder is held.
    pub(super) fn own(&self) -> io::Result<(String, File)> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:x}-{}-{count}", since.as_nanos(), std::process::id());
        let lock = private().write(true).create_new(true).open(self.lock(&id))?;
        fs4::FileExt::lock(&lock)?;
        Ok((id, lock))
    }

    /// The lock of another process, where that is gone. While the folder is held.
    pub(super) fn of_dead(&self, id: &str) -> io::Result<Option<File>> {
        let lock = private().write(true).create(true).truncate(false).open(self.lock(id))?;
        match fs4::FileExt::try_lock(&lock) {
            Ok(()) => Ok(Some(lock)),
            Err(fs4::TryLockError::WouldBlock) => Ok(None),
            Err(fs4::TryLockError::Error(error)) => Err(error),
        }
    }

    /// All that have a lock or a segment here.
    pub(super) fn ids(&self) -> io::Result<BTreeSet<String>> {
        let mut ids = BTreeSet::new();
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(id) =
                name.strip_suffix(".lock").or_else(|| name.strip_suffix(".log")?.rsplit_once('.').map(|n| n.0))
            {
                ids.insert(id.to_owned());
            }
        }
        Ok(ids)
    }

    /// The segments of a process, in order.
    pub(super) fn segments(&self, id: &str) -> io::Result<BTreeSet<u32>> {
        let mut segments = BTreeSet::new();
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".log")?.strip_prefix(id)?.strip_prefix('.'));
            segments.extend(number.and_then(|number| number.parse::<u32>().ok()));
        }
        Ok(segments)
    }
}

/// Files that only their owner reads: labels and tenants are nobody else's.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Removes a file; one that is gone is removed.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
