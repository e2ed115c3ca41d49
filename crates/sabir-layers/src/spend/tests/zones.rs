//! Budgets whose days begin by a zone's clocks.

use super::*;
use crate::random::Random;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
/// Midnight in UTC of 2026-03-29 and 2026-10-25, the days on which the European Union changes its clocks at one o'clock
/// UTC (Directive 2000/84/EC).
const SPRING: u64 = 20_541 * DAY;
const AUTUMN: u64 = 20_751 * DAY;

fn in_rome(window: Window) -> Window {
    window.zone("Europe/Rome").expect("it is in the database")
}

/// From when until when, in seconds since 1970.
fn around(window: &Window, now: u64) -> (u64, u64) {
    let (from, until) = window.around(Duration::from_secs(now));
    (from.as_secs(), until.expect("an end").as_secs())
}

#[test]
fn days_are_shorter_and_longer_by_an_hour_when_the_clocks_change() {
    let day = in_rome(Window::day());
    assert_eq!(around(&day, SPRING), (SPRING - HOUR, SPRING + 22 * HOUR), "23 hours");
    assert_eq!(around(&day, SPRING - HOUR - 1), (SPRING - 25 * HOUR, SPRING - HOUR), "the day before");
    assert_eq!(around(&day, SPRING + 22 * HOUR), (SPRING + 22 * HOUR, SPRING + 46 * HOUR), "the day after");
    assert_eq!(around(&day, AUTUMN), (AUTUMN - 2 * HOUR, AUTUMN + 23 * HOUR), "25 hours");
    assert_eq!(around(&day, AUTUMN + 23 * HOUR), (AUTUMN + 23 * HOUR, AUTUMN + 47 * HOUR), "the day after");
    // Both changes are on a Sunday, at the end of the week.
    let week = in_rome(Window::week());
    assert_eq!(around(&week, SPRING), (SPRING - 6 * DAY - HOUR, SPRING + 22 * HOUR));
    assert_eq!(around(&week, AUTUMN), (AUTUMN - 6 * DAY - 2 * HOUR, AUTUMN + 23 * HOUR));
    // March begins in winter and ends in summer; the year begins and ends in winter.
    let month = in_rome(Window::month());
    assert_eq!(around(&month, SPRING), (SPRING - 28 * DAY - HOUR, SPRING + 3 * DAY - 2 * HOUR));
    assert_eq!(around(&month, AUTUMN), (AUTUMN - 24 * DAY - 2 * HOUR, AUTUMN + 7 * DAY - HOUR));
    assert_eq!(around(&in_rome(Window::year()), SPRING), (20_454 * DAY - HOUR, 20_819 * DAY - HOUR));
}

#[test]
fn an_hour_that_is_shown_twice_is_two_and_one_that_is_skipped_is_none() {
    let hour = in_rome(Window::hour());
    for change in [SPRING + HOUR, AUTUMN + HOUR] {
        assert_eq!(around(&hour, change - 1), (change - HOUR, change));
        assert_eq!(around(&hour, change), (change, change + HOUR));
    }
}

#[test]
fn zones_may_be_half_an_hour_off() {
    let half = HOUR / 2;
    let kolkata = |window: Window| window.zone("Asia/Kolkata").expect("it is in the database");
    assert_eq!(around(&kolkata(Window::day()), SPRING), (SPRING - 5 * HOUR - half, SPRING + 18 * HOUR + half));
    assert_eq!(around(&kolkata(Window::hour()), SPRING), (SPRING - half, SPRING + half));
    // Lord Howe puts its clocks back by half an hour, on 2026-04-05 at 15:00 UTC of the day before: its hour is cut.
    let howe = |window: Window| window.zone("Australia/Lord_Howe").expect("it is in the database");
    let change = SPRING + 6 * DAY + 15 * HOUR;
    assert_eq!(around(&howe(Window::day()), change), (change - 2 * HOUR, change + 22 * HOUR + half));
    assert_eq!(around(&howe(Window::hour()), change - 1), (change - HOUR, change));
    assert_eq!(around(&howe(Window::hour()), change), (change, change + half));
}

#[test]
fn a_day_that_a_zone_left_out_is_no_window() {
    // Samoa went from the 29th to the 31st of December 2011, at 10:00 UTC of the 30th.
    let day = Window::day().zone("Pacific/Apia").expect("it is in the database");
    let change = 15_338 * DAY + 10 * HOUR;
    assert_eq!(around(&day, change - 1), (change - DAY, change));
    assert_eq!(around(&day, change), (change, change + DAY));
}

/// At any time, in any zone, a window holds the time, and where it ends the next one begins.
#[test]
fn windows_follow_each_other_without_a_gap_in_every_zone() {
    let names: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
    assert!(names.len() > 400, "{}", names.len());
    let random = Random::seeded(0x20fe);
    let units = [Window::hour(), Window::day(), Window::week(), Window::month(), Window::year()];
    for name in &names {
        for unit in &units {
            let window = unit.clone().zone(name).expect("it is available");
            let mut now = 2 * DAY + random.below(100 * 365 * DAY);
            for _ in 0..4 {
                let (from, until) = around(&window, now);
                assert!(from <= now && now < until, "{window} at {now}: {from} to {until}");
                assert_eq!(around(&window, from), (from, until), "{window} at {now}, where it begins");
                assert_eq!(around(&window, until - 1), (from, until), "{window} at {now}, before it ends");
                assert_eq!(around(&window, until).0, until, "{window} at {now}, where it ends");
                now = until;
            }
        }
    }
}

#[test]
fn zones_that_nobody_knows_are_refused() {
    for name in ["Europe/Roma", "", "../../etc/passwd", "Europe"] {
        let error = Window::day().zone(name).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
    assert_eq!(in_rome(Window::day()), Window::day().zone("europe/rome").expect("whatever its capitals"));
    assert_eq!(in_rome(Window::day()).to_string(), "a day (Europe/Rome)");
    assert_eq!(in_rome(Window::rolling(NOON)), Window::rolling(NOON));
}

#[test]
fn a_budget_of_a_day_is_full_again_at_midnight_in_rome() {
    let outcomes = (0..5).map(|_| Outcome::whole(used(1_000, 0)));
    let house = House::new(|spend| spend.budget(Budget::per(in_rome(Window::day()), Usd(2_000_000))), outcomes);
    let until = |time: u64| house.clock.advance(Duration::from_secs(time).saturating_sub(NOON + house.clock.now()));
    let refused_for = || house.ask().expect_err("one is all that fits").retry_after().expect("a time").as_secs();
    // The next year's: a year, but a day or so, later.
    let (spring, autumn) = (SPRING + 364 * DAY, AUTUMN + 371 * DAY);
    until(spring - HOUR - HOUR / 2);
    house.ask().expect("half past eleven at night");
    assert_eq!(refused_for(), HOUR / 2);
    until(spring - HOUR);
    house.ask().expect("midnight");
    assert_eq!(refused_for(), 23 * HOUR);
    until(spring + 22 * HOUR - 1);
    assert_eq!(refused_for(), 1);
    until(spring + 22 * HOUR);
    house.ask().expect("midnight, after 23 hours");
    until(autumn - 2 * HOUR);
    house.ask().expect("midnight");
    until(autumn + 22 * HOUR);
    assert_eq!(refused_for(), HOUR, "after 24 hours it is eleven at night");
    until(autumn + 23 * HOUR);
    house.ask().expect("midnight, after 25 hours");
}
