//! What goes wrong between journal and database, in one line.

use std::fmt;
use std::io;

use rusqlite::ErrorCode;

/// Why something on the disk could not be done.
#[derive(Clone, Debug)]
pub(super) struct Failure(String);

pub(super) fn failed(why: impl Into<String>) -> Failure {
    Failure(why.into())
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                "; make room on the disk"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "; it has to be writable",
            _ => "",
        };
        Self(format!("{error}{advice}"))
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let advice = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "; make room on the disk",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "; another program holds it",
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "; it has to be writable",
            Some(ErrorCode::NotADatabase) => "; name another file",
            Some(ErrorCode::DatabaseCorrupt) => "; restore a copy, the journals beside it are kept",
            _ => "",
        };
        Self(format!("{error}{advice}"))
    }
}
