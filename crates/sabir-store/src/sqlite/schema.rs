//! The tables, and how older ones become them.

use rusqlite::{Connection, TransactionBehavior};

use super::failure::{Failure, failed};

/// "sabr": a database of this kind, to `file` and to us.
const APPLICATION: i64 = 0x7361_6272;

/// What brings a database from the version that is an entry's place to the next one. Entries are only ever added.
const STEPS: [&str; 1] = [include_str!("schema.sql")];

/// The counters of a usage, as columns, in the order of [`super::record::buckets`].
pub(super) const BUCKETS: [&str; 12] = [
    "input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "image_input", "output", "reasoning",
    "audio_output", "image_output", "input_stated", "output_stated",
];

/// Brings a database up to date, in one transaction: it is of the old version or of the new one, never between.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Failure> {
    migrate_to(connection, APPLICATION, &STEPS)
}

/// Brings a database of any kind of ours up to date, which its application's number names.
pub(super) fn migrate_to(connection: &mut Connection, application: i64, steps: &[&str]) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(missing) =
        usize::try_from(version_of(&transaction, application)?).ok().and_then(|version| steps.get(version..))
    else {
        return Err(failed("it was written by a newer version of sabir; update this one"));
    };
    if !missing.is_empty() {
        missing.iter().try_for_each(|step| transaction.execute_batch(step))?;
        transaction.pragma_update(None, "application_id", application)?;
        transaction.pragma_update(None, "user_version", i64::try_from(steps.len()).unwrap_or(i64::MAX))?;
    }
    Ok(transaction.commit()?)
}

/// Of which version a ledger is, 0 where it is empty. Fails where it is none.
pub(super) fn version(connection: &Connection) -> Result<i64, Failure> {
    // As it is at one moment: another process may be making it.
    let now = connection.unchecked_transaction()?;
    version_of(&now, APPLICATION)
}

fn version_of(connection: &Connection, wanted: i64) -> Result<i64, Failure> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT COUNT(*) FROM sqlite_schema")?;
    if application != wanted && (application, version, tables) != (0, 0, 0) {
        return Err(failed("it is a database of something else; name another file"));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrate_by(connection: &mut Connection, steps: &[&str]) -> Result<(), Failure> {
        migrate_to(connection, APPLICATION, steps)
    }

    fn version(connection: &Connection) -> i64 {
        super::version(connection).expect("a version")
    }

    #[test]
    fn old_ones_are_brought_up_and_others_are_refused() {
        let mut database = Connection::open_in_memory().expect("memory");
        let steps = ["CREATE TABLE a (b)", "ALTER TABLE a ADD COLUMN c; INSERT INTO a VALUES (1, 2)"];
        migrate_by(&mut database, &steps[..1]).expect("made");
        assert_eq!(version(&database), 1);
        for _ in 0..2 {
            migrate_by(&mut database, &steps).expect("brought up");
            assert_eq!(version(&database), 2);
        }
        let rows: i64 = database.query_row("SELECT COUNT(*) FROM a", [], |row| row.get(0)).expect("a count");
        assert_eq!(rows, 1, "each step is done once");
        let newer = migrate_by(&mut database, &steps[..1]).expect_err("newer");
        assert!(newer.to_string().contains("newer version"), "{newer}");

        let mut broken = Connection::open_in_memory().expect("memory");
        migrate_by(&mut broken, &[steps[0], "CREATE TABLE"]).expect_err("no SQL");
        assert_eq!(version(&broken), 0, "all steps or none");

        let mut other = Connection::open_in_memory().expect("memory");
        other.execute_batch("CREATE TABLE theirs (x)").expect("made");
        let other = migrate(&mut other).expect_err("not ours");
        assert!(other.to_string().contains("something else"), "{other}");
    }

    #[test]
    fn one_that_is_being_made_is_never_taken_for_something_else() {
        let path = std::env::temp_dir().join(format!("sabir-schema-{}.db", std::process::id()));
        for _ in 0..50 {
            let _ = std::fs::remove_file(&path);
            let connect = || {
                let connection = Connection::open(&path).expect("opened");
                connection.busy_timeout(std::time::Duration::from_secs(10)).expect("set");
                connection
            };
            std::thread::scope(|scope| {
                scope.spawn(|| migrate(&mut connect()).expect("made"));
                let looked = connect();
                while version(&looked) == 0 {}
            });
        }
        std::fs::remove_file(&path).expect("removed");
    }

    #[test]
    fn every_bucket_has_its_column() {
        let mut database = Connection::open_in_memory().expect("memory");
        migrate(&mut database).expect("made");
        database.prepare(&format!("SELECT {} FROM attempts", BUCKETS.join(", "))).expect("the columns are there");
    }
}
