//! `sabir usage`, as a person runs it.

mod support;

use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, SystemTime};

use sabir::chat::{Cost, CostBasis};
use sabir::ledger::{Ended, Ledger as _, Opened, Outcome, Sqlite};
use support::{Folder, text};

struct Place(Folder);

impl Place {
    /// With a ledger of three days of November 2026 in its data folder.
    fn new(name: &str) -> Self {
        let place = Self(Folder::new(&format!("usage-{name}")));
        std::fs::create_dir_all(place.0.path().join("sabir")).expect("a folder");
        let ledger = Sqlite::open(place.ledger()).expect("made");
        // The 20th, an hour before midnight.
        let evening = 1_795_215_600;
        for (at, model, seconds, nano_usd, tag) in [
            (0, "small", 0, Some(1_500), "red"),
            (1, "small", 1_800, Some(2_000_000_000), "blue"),
            (2, "large, old", 2 * 3_600, Some(1_250_000_000), "red"),
            (3, "large, old", 86_400, None, ""),
        ] {
            let mut attempt = Opened::default();
            attempt.call = at.to_string().into();
            attempt.time = Duration::from_secs(evening + seconds);
            (attempt.provider, attempt.model) = ("acme".into(), model.into());
            attempt.tags = [("team".into(), tag.into())].into();
            let outcome = if at == 3 { Outcome::Dropped } else { Outcome::Answered };
            let mut ended = Ended::new(outcome, Duration::from_millis(200));
            (ended.usage.input, ended.usage.output) = (Some(1_000), (at < 3).then_some(7));
            ended.cost = nano_usd.map(|nano_usd| Cost { nano_usd, basis: CostBasis::ListPrice });
            ledger.close(&attempt, &ended).expect("written");
        }
        place
    }

    fn ledger(&self) -> PathBuf {
        self.0.path().join("sabir/spend.db")
    }

    fn usage(&self, arguments: &[&str]) -> Output {
        let data = self.0.path().to_str().expect("text");
        support::sabir(&[&["usage"], arguments].concat(), "", &[("XDG_DATA_HOME", data)])
    }
}

#[test]
fn a_table_by_day_with_its_total() {
    let place = Place::new("table");
    let output = place.usage(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let expected = [
        "day         attempts  failed  input  output          usd  latency",
        "2026-11-20         2       0  2,000      14    2.0000015   200 ms",
        "2026-11-21         2       1  2,000       7  1.2500000+?   200 ms",
        "total              4       1  4,000      21  3.2500015+?   200 ms",
    ];
    assert_eq!(text(&output.stdout).lines().collect::<Vec<_>>(), expected);
    assert!(text(&output.stderr).contains("of 1 attempts no price is known"), "{}", text(&output.stderr));
    let east = text(&place.usage(&["--offset", "+01:00", "--by", "day"]).stdout);
    assert!(east.contains("2026-11-21         3") && !east.contains("2026-11-20"), "{east}");
}

#[test]
fn bars_are_drawn_where_they_are_wanted() {
    let place = Place::new("chart");
    let chart = text(&place.usage(&["--chart", "--by", "model"]).stdout);
    let bars: Vec<_> = chart.lines().map(|line| line.chars().filter(|letter| *letter == '█').count()).collect();
    assert_eq!(bars, [0, 15, 24, 0], "{chart}");
    assert!(!text(&place.usage(&[]).stdout).contains('█'), "not into a pipe");
}

#[test]
fn csv_and_json_for_machines() {
    let place = Place::new("csv");
    let csv = text(&place.usage(&["--csv", "--by", "model,tag:team"]).stdout);
    let expected = [
        "model,team,attempts,failed,unpriced,input,output,usd,nano_usd,latency_ms",
        "\"large, old\",,1,1,1,1000,,0.000000000,0,200",
        "\"large, old\",red,1,0,0,1000,7,1.250000000,1250000000,200",
        "small,blue,1,0,0,1000,7,2.000000000,2000000000,200",
        "small,red,1,0,0,1000,7,0.000001500,1500,200",
    ];
    assert_eq!(csv.lines().collect::<Vec<_>>(), expected);
    let json = place.usage(&["--json", "--by", "model", "--model", "small"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["groups"][0]["by"]["model"], "small");
    assert_eq!((&json["total"]["nano_usd"], &json["total"]["usd"]), (&2_000_001_500_u64.into(), &"2.000001500".into()));
    assert_eq!(json["total"]["usage"]["input_total"], 2_000);
}

#[test]
fn filters_by_time_and_name() {
    let place = Place::new("filters");
    let attempts = |arguments: &[&str]| {
        let output = place.usage(&[arguments, &["--json"]].concat());
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        json["total"]["attempts"].as_u64().expect("a count")
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let minutes_ago = format!("{}m", (now.saturating_sub(1_795_215_600 + 900)) / 60);
    for (arguments, count) in [
        (vec!["--since", "2026-11-21"], 2),
        (vec!["--until", "2026-11-21"], 2),
        (vec!["--since", "2026-11-21", "--offset", "+01:00"], 4),
        (vec!["--since", "2026-11-20", "--until", "2026-11-20"], 0),
        (vec!["--since", &minutes_ago], if now > 1_795_215_600 + 900 { 3 } else { 2 }),
        (vec!["--provider", "acme"], 4),
        (vec!["--provider", "nobody"], 0),
        (vec!["--tag", "team=red"], 2),
        (vec!["--tag", "team=red", "--model", "small"], 1),
        (vec!["--key", "spare"], 0),
    ] {
        assert_eq!(attempts(&arguments), count, "{arguments:?}");
    }
    assert_eq!(text(&place.usage(&["--provider", "nobody"]).stdout), "nothing was spent\n");
}

#[test]
fn mistakes_get_one_clear_line() {
    let place = Place::new("mistakes");
    let notes = "no database, whatever its name may be and however long it is".repeat(20);
    let notes = place.0.file("notes.txt", notes.as_bytes());
    for (arguments, says) in [
        (vec!["--ledger", "/no/such/file.db"], "there is no ledger /no/such/file.db yet"),
        (vec!["--ledger", &notes], "name another file"),
        (vec!["--by", "week"], "day, month, provider"),
        (vec!["--since", "yesterday"], "a day like 2026-11-21"),
        (vec!["--since", "2026-11-31"], "there is no day"),
        (vec!["--since", "999999w"], "before 1970"),
        (vec!["--tag", "team"], "NAME=VALUE"),
        (vec!["--offset", "2"], "+02:00"),
    ] {
        let output = place.usage(&arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    let nowhere = support::sabir(&["usage"], "", &[]);
    assert!(text(&nowhere.stderr).contains("--ledger FILE"), "{}", text(&nowhere.stderr));
}

#[test]
fn what_chat_spends_is_there() {
    let place = Place::new("chat");
    let data = place.0.path().join("data");
    let env = [("XDG_DATA_HOME", data.to_str().expect("text"))];
    let sabir = |arguments: &[&str]| support::sabir(arguments, "", &env);
    for question in ["Why is the sea salt?", "And deep?"] {
        let answered = sabir(&["chat", "-m", "sim/simulated", question]);
        assert_eq!(answered.status.code(), Some(0), "{}", String::from_utf8_lossy(&answered.stderr));
    }
    let used = sabir(&["usage", "--by", "provider,model", "--json"]);
    let used: serde_json::Value = serde_json::from_slice(&used.stdout).expect("JSON");
    assert_eq!(used["total"]["attempts"], 2, "{used}");
}
