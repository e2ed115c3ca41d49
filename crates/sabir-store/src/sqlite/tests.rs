use std::sync::atomic::{AtomicU32, Ordering};

use super::record::Record;
use super::*;
use crate::MemoryLedger;
use crate::ledger::tests::{Random, agree, attempt, ended, suite};
use crate::{Ended, Outcome};

/// A folder for one test, which goes with it.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sabir-store-{}-{count}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("spend.db")
    }

    fn open(&self) -> Sqlite {
        Sqlite::open(self.database()).expect("opened")
    }

    /// What is left in the folder of journals.
    fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.join("spend.db.journals")).expect("readable");
        let mut names: Vec<_> = entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into()).collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn named(call: &str, reserved: Option<u64>) -> Opened {
    Opened { call: call.into(), tags: [("team".into(), "red".into())].into(), reserved, ..Opened::default() }
}

fn answered() -> Ended {
    Ended::new(Outcome::Answered, Duration::from_secs(1))
}

fn count(ledger: &Sqlite, sql: &str) -> i64 {
    ledger.flush().expect("written");
    count_now(ledger, sql)
}

#[test]
fn it_does_what_every_ledger_does() {
    let place = Place::new("suite");
    suite(&place.open());
}

#[test]
fn it_says_what_the_one_in_memory_says() {
    for seed in 1..4 {
        let place = Place::new("agree");
        agree(&place.open(), &MemoryLedger::default(), seed);
    }
}

#[test]
fn what_was_written_is_there_the_next_time_and_what_was_open_is_lost() {
    let place = Place::new("again");
    let ledger = place.open();
    for (call, reserved) in [("closed", Some(5)), ("open", Some(7)), ("unpriced", None)] {
        ledger.open(&named(call, reserved)).expect("written");
    }
    ledger.close(&named("closed", Some(5)), &answered()).expect("written");
    drop(ledger);
    assert_eq!(place.left(), ["lock"], "nothing is left of a process that ended well");

    let ledger = place.open();
    let spent = ledger.spent(&Filter::default()).expect("read");
    assert_eq!(spent, Spent { settled: 7, reserved: 0, unpriced: 2 });
    assert_eq!(count(&ledger, "SELECT count(*) FROM attempts WHERE outcome = 'lost' AND basis = 'estimate'"), 1);
    assert_eq!(count(&ledger, "SELECT count(*) FROM labels"), 3, "lost ones keep their labels");
    assert_eq!(count(&ledger, "SELECT count(*) FROM journals"), 0);
}

/// More than any attempt of these tests has reserved at first.
const RAISED: u64 = 1 << 41;

/// What a process leaves that is killed: its files without its lock.
#[test]
fn what_a_killed_process_left_is_brought_in_once() {
    let place = Place::new("killed");
    drop(place.open());
    let folder = Folder::beside(&place.database()).expect("a folder");
    let mut random = Random(21);
    let mut bytes = Vec::new();
    {
        let mut journal = Journal::create(folder.clone(), "dead".into()).expect("written");
        for at in 0..40 {
            let mut attempt = attempt(&mut random, at);
            journal.append(&record::opened(&attempt).expect("fits")).expect("written");
            if at % 8 == 0 {
                for more in [RAISED / 2, RAISED] {
                    attempt.reserved = Some(more);
                    journal.append(&record::raised(&attempt)).expect("written");
                }
            }
            if at % 4 > 0 {
                journal.append(&record::closed(&attempt, &ended(&mut random)).expect("fits")).expect("written");
            }
        }
        bytes.extend(std::fs::read(folder.log("dead", 0)).expect("readable"));
    }
    std::fs::write(folder.lock("dead"), "").expect("written");
    let rows = |ledger: &Sqlite| {
        (count(ledger, "SELECT count(*) FROM attempts"), count(ledger, "SELECT sum(outcome = 'lost') FROM attempts"))
    };
    let ledger = place.open();
    assert_eq!((rows(&ledger), ledger.health().torn), ((40, 10), 0));
    let raised =
        format!("SELECT count(*) FROM attempts WHERE outcome = 'lost' AND cost = {RAISED} AND reserved = cost");
    assert_eq!(count(&ledger, &raised), 5, "what is lost counts with what was reserved last");
    // A second one beside it, and the same journal once more.
    std::fs::write(folder.log("dead", 0), &bytes).expect("written");
    let second = place.open();
    assert_eq!(rows(&second), (40, 10), "a row is there once, whatever is read twice");
    drop((ledger, second));

    // Cut anywhere, it is as if the process had died there.
    for cut in (0..bytes.len()).step_by(1_501) {
        let place = Place::new("cut");
        let folder = Folder::beside(&place.database()).expect("a folder");
        std::fs::write(folder.log("dead", 0), &bytes[..cut]).expect("written");
        let whole = journal::read(&folder, "dead", journal::Place::default(), None).expect("readable");
        let count_of = |is: fn(&Record) -> bool| whole.records.iter().filter(|record| is(record)).count();
        let opened = count_of(|record| matches!(record, Record::Opened(_)));
        let closed = count_of(|record| matches!(record, Record::Closed(..)));
        let ledger = place.open();
        let told = (count(&ledger, "SELECT count(*) FROM attempts"), ledger.health().torn);
        assert_eq!(told, (i64::try_from(opened).expect("few"), u64::from(whole.end == journal::End::Torn)));
        let lost = count(&ledger, "SELECT count(*) FROM attempts WHERE outcome = 'lost'");
        assert_eq!(lost, i64::try_from(opened - closed).expect("few"));
    }
}

/// One that was in the database before it was raised, as it is with a stream that goes on for a while.
#[test]
fn what_was_raised_later_is_what_is_lost() {
    let place = Place::new("raised");
    let ledger = place.open();
    ledger.open(&named("long", Some(5))).expect("written");
    assert_eq!(count(&ledger, "SELECT reserved FROM open_attempts"), 5);
    for reserved in [9, 7] {
        ledger.raise(&named("long", Some(reserved))).expect("written");
        assert_eq!(count(&ledger, "SELECT reserved FROM open_attempts"), 9);
    }
    drop(ledger);
    assert_eq!(place.open().spent(&Filter::default()).expect("read").settled, 9);
}

#[test]
fn a_journal_of_another_version_waits_for_it() {
    let place = Place::new("version");
    let folder = Folder::beside(&place.database()).expect("a folder");
    std::fs::write(folder.log("newer", 0), b"sabirJ9\nwho knows").expect("written");
    for _ in 0..2 {
        assert_eq!(place.open().health().unreadable, 1);
    }
    assert!(folder.log("newer", 0).exists());
}

#[test]
fn a_living_process_keeps_its_journal() {
    let place = Place::new("living");
    let (one, other) = (place.open(), place.open());
    one.open(&named("a", Some(3))).expect("written");
    other.open(&named("b", Some(4))).expect("written");
    one.flush().expect("written");
    assert_eq!(other.spent(&Filter::default()).expect("read").reserved, 7);
    drop(other);
    let third = place.open();
    let spent = third.spent(&Filter::default()).expect("read");
    assert_eq!((spent.settled, spent.reserved), (4, 3), "what is open there is open");
    one.close(&named("a", Some(3)), &answered()).expect("written");
    one.flush().expect("written");
    assert_eq!(third.spent(&Filter::default()).expect("read").reserved, 0);
}

#[test]
fn old_rows_are_deleted_with_their_labels() {
    let place = Place::new("prune");
    let ledger = place.open();
    for at in 0..2_500_u64 {
        let attempt = Opened { time: Duration::from_secs(at), ..named(&at.to_string(), None) };
        ledger.close(&attempt, &answered()).expect("written");
    }
    assert_eq!(ledger.prune(Duration::from_secs(2_100)).expect("pruned"), 2_100);
    assert_eq!(ledger.prune(Duration::from_secs(2_100)).expect("pruned"), 0);
    let left = (count(&ledger, "SELECT count(*) FROM attempts"), count(&ledger, "SELECT count(*) FROM labels"));
    assert_eq!((left, count(&ledger, "SELECT min(time) / 1000000000 FROM attempts")), ((400, 400), 2_100));
    // All of them began more than a year ago.
    let ledger = ledger.keep(Duration::from_secs(365 * 86_400));
    ledger.prune(Duration::ZERO).expect("pruned");
    assert_eq!(count(&ledger, "SELECT count(*) FROM attempts"), 0);
}

#[test]
fn segments_go_while_it_lives() {
    let place = Place::new("rotate");
    let ledger = place.open();
    let long = |at: u32| Opened { attempt: at, model: "m".repeat(8_000).into(), ..named("long", Some(1)) };
    for at in 0..1_200 {
        ledger.open(&long(at)).expect("written");
    }
    ledger.flush().expect("written");
    assert_eq!(ledger.health().behind, 0);
    assert_eq!(place.left().iter().filter(|name| name.contains(".log")).count(), 1, "{:?}", place.left());
    assert_eq!(ledger.spent(&Filter::default()).expect("read").reserved, 1_200);
}

#[test]
fn a_database_that_cannot_be_written_loses_nothing() {
    let place = Place::new("busy");
    let ledger = place.open();
    ledger.flush().expect("written");
    // As if the disk were gone under it: the table is.
    let saboteur = connect(&place.database()).expect("opened");
    saboteur.execute_batch("ALTER TABLE attempts RENAME TO hidden").expect("renamed");
    ledger.open(&named("a", Some(1))).expect("the journal takes it");
    ledger.close(&named("a", Some(1)), &answered()).expect("the journal takes it");
    let said = ledger.flush().expect_err("not written").to_string();
    assert!(said.contains("spend.db cannot be brought up to date"), "{said}");
    assert!(ledger.spent(&Filter::default()).is_err() && ledger.health().failures > 0);
    saboteur.execute_batch("ALTER TABLE hidden RENAME TO attempts").expect("renamed");
    assert_eq!(count(&ledger, "SELECT count(*) FROM attempts"), 1);
    assert_eq!(ledger.health().behind, 0);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let place = Place::new("wrong");
    let file = place.0.join("notes.txt");
    std::fs::write(&file, "no database, but long enough to look like the beginning of one: ".repeat(20))
        .expect("written");
    for (path, says) in [(place.0.join("no/such/folder/x.db"), "No such file"), (file, "name another file")] {
        let error = Sqlite::open(&path).expect_err("not a ledger");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Configuration, Stage::NotSent));
        assert!(error.message().contains(says), "{error}");
    }
    let other = place.0.join("other.db");
    Connection::open(&other).and_then(|made| made.execute_batch("CREATE TABLE theirs (x)")).expect("made");
    let bytes = std::fs::read(&other).expect("readable");
    let error = Sqlite::open(&other).expect_err("not a ledger");
    assert!(error.message().contains("of something else"), "{error}");
    assert_eq!(std::fs::read(&other).expect("readable"), bytes, "what is somebody else's stays as it is");
    assert_eq!(std::fs::read_dir(&place.0).expect("readable").count(), 2, "and nothing is put beside it");
}

/// A disk that is full for one write each time.
#[cfg(target_os = "linux")]
#[test]
fn what_a_full_disk_did_not_take_is_said_or_kept() {
    let place = Place::new("full");
    let ledger = place.open();
    ledger.open(&named("a", Some(5))).expect("written");
    ledger.shared.fill_disk();
    let error = ledger.open(&named("b", Some(7))).expect_err("no room");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Configuration, Stage::NotSent));
    assert!(error.message().contains("spend.db cannot be written: No space left"), "{error}");
    assert!(error.message().contains("make room on the disk"), "{error}");
    assert_eq!(ledger.health().refused, 1);
    assert_eq!(ledger.spent(&Filter::default()).expect("read").reserved, 5, "what was refused is not there");

    ledger.shared.fill_disk();
    let error = ledger.close(&named("a", Some(5)), &answered()).expect_err("no room");
    assert!(error.message().contains("kept in memory and tried again"), "{error}");
    ledger.flush().expect("there is room again");
    assert_eq!(
        (count(&ledger, "SELECT count(*) FROM attempts WHERE outcome = 'answered'"), ledger.health().kept),
        (1, 0)
    );
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_kept_for_a_full_disk_has_a_bound() {
    let place = Place::new("kept");
    let folder = Folder::beside(&place.database()).expect("a folder");
    let shared = Shared::new(Journal::create(folder, "me".into()).expect("written"), adopt::Found::default());
    // Nor can a new segment be begun.
    std::fs::remove_dir_all(place.0.join("spend.db.journals")).expect("removed");
    shared.fill_disk();
    let mut long = named("long", None);
    long.model = "m".repeat(16_000).into();
    let record = record::closed(&long, &answered()).expect("fits");
    let closed = (0..400).map(|_| shared.close(&record).expect_err("no room").to_string());
    let given_up = closed.filter(|error| error.contains("it will count as lost")).count() as u64;
    let health = shared.health();
    assert_eq!((health.given_up, health.kept), (given_up, 400 - given_up));
    assert!(given_up > 0 && health.kept * record.len() as u64 <= 4 << 20, "{health:?}");
}

/// No file of a child process may grow beyond 256 KB: journal, database and write-ahead log alike.
#[cfg(target_os = "linux")]
#[test]
fn a_process_without_room_says_of_each_attempt_whether_it_is_there() {
    use std::io::Write as _;
    let name = "sqlite::tests::a_process_without_room_says_of_each_attempt_whether_it_is_there";
    if let Some(path) = std::env::var_os("SABIR_STORE_WITHOUT_ROOM") {
        let ledger = Sqlite::open(path).expect("there is room for a beginning");
        let mut out = std::io::stdout().lock();
        for at in 0..5_000 {
            let attempt = Opened { model: "m".repeat(500).into(), ..named(&at.to_string(), Some(9)) };
            let opened = ledger.open(&attempt).is_ok();
            let closed = opened && at % 3 > 0 && ledger.close(&attempt, &answered()).is_ok();
            writeln!(out, "said {at} {opened} {closed}").expect("the parent reads");
        }
        writeln!(out, "said health {} {}", ledger.health().refused, ledger.health().failures)
            .expect("the parent reads");
        // As if it were killed: nothing is brought to its end.
        std::process::abort();
    }
    let place = Place::new("limit");
    let me = std::env::current_exe().expect("known");
    let script = format!("trap '' XFSZ; ulimit -c 0; ulimit -f 512; exec \"$0\" --exact {name} --nocapture");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]).arg(me).env("SABIR_STORE_WITHOUT_ROOM", place.database());
    let output = command.stderr(std::process::Stdio::null()).output().expect("it runs");
    let said = String::from_utf8(output.stdout).expect("text");
    let said: Vec<Vec<&str>> =
        said.lines().filter(|line| line.starts_with("said")).map(|line| line.split(' ').skip(1).collect()).collect();
    assert_eq!(said.len(), 5_001, "{}", output.status);

    let ledger = place.open();
    let (mut refused, mut there) = (0, 0);
    for row in &said[..5_000] {
        let [call, opened, closed] = row[..] else { panic!("{row:?}") };
        let sql = |outcome: &str| format!("SELECT count(*) FROM attempts WHERE call = '{call}' AND outcome {outcome}");
        let is = |outcome: &str| count_now(&ledger, &sql(outcome));
        assert_eq!(is("NOTNULL"), i64::from(opened == "true"), "{row:?}");
        assert!(closed == "false" || is("= 'answered'") == 1, "{row:?}");
        (refused, there) = (refused + i64::from(opened == "false"), there + i64::from(opened == "true"));
    }
    assert!(refused > 0 && there > 100, "{refused} refused, {there} there");
    assert_eq!(said[5_000][1], refused.to_string(), "and it knew");
    assert_eq!(count(&ledger, "SELECT count(*) FROM attempts"), there);
}

fn count_now(ledger: &Sqlite, sql: &str) -> i64 {
    ledger.reader.lock().expect("free").query_row(sql, [], |row| row.get(0)).expect("a number")
}

#[test]
fn people_read_dollars_and_days() {
    let place = Place::new("view");
    let ledger = place.open();
    let attempt = Opened { time: Duration::from_secs(1_798_718_400), ..named("a", None) };
    let mut ended = answered();
    ledger.close(&attempt, &ended).expect("written");
    ended.cost = Some(sabir_core::chat::Cost { nano_usd: 2_000_000_017, basis: sabir_core::chat::CostBasis::Reported });
    ledger.close(&Opened { attempt: 1, ..attempt }, &ended).expect("written");
    ledger.flush().expect("written");
    let reader = ledger.reader.lock().expect("free");
    let mut said = reader.prepare("SELECT utc, usd, basis FROM spending ORDER BY attempt").expect("the view");
    let said = said.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
    let said: Vec<(String, Option<String>, Option<String>)> = said.map(|row| row.expect("a row")).collect();
    let noon = || "2026-12-31 12:00:00".to_owned();
    let priced = (noon(), Some("2.000000017".to_owned()), Some("reported".to_owned()));
    assert_eq!(said, [(noon(), None, None), priced]);
}

/// Each query that is asked often goes by an index, and not through the whole table.
#[test]
fn sums_go_by_indices() {
    let place = Place::new("plans");
    let ledger = place.open();
    let from = Some(Duration::from_secs(9));
    let all = Filter { from, ..Filter::default() };
    let tagged = Filter { tags: vec![("team".into(), "red".into())], ..all.clone() };
    for (of, index) in [
        (all.clone(), "attempts_by_time"),
        (Filter { tenant: Some("a".into()), ..all.clone() }, "attempts_by_tenant"),
        (Filter { key: Some("a".into()), ..all.clone() }, "attempts_by_key"),
        (Filter { model: Some("a".into()), ..all.clone() }, "attempts_by_model"),
        (tagged, "USING PRIMARY KEY (name=? AND value=? AND time>?)"),
    ] {
        let plan = query::plan(&ledger.reader.lock().expect("free"), &of).expect("a plan");
        assert!(plan.contains(index) && !plan.contains("SCAN attempts\n"), "{of:?}: {plan}");
    }
}
