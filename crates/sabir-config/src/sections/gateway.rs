//! The gateway: who is let in, and what each may do and spend.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use super::costs::{BudgetMode, Period, UnknownPrice};
use super::provider::Url;
use super::route::{OneOrMore, Short};
use super::zone::TimeZone;
use crate::field::{choice, section};
use crate::secret::SecretRef;
use crate::units::{Money, Share, Size};
use crate::values::leaf;

section! {
    /// The gateway (`sabir serve`).
    GatewayConfig {
        /// Where it listens: an address and a port; 0 takes a free one.
        listen: SocketAddr = "127.0.0.1:8911";
        /// How many threads answer; as many as the machine has cores unless said. A connection stays on its thread. Read at
        /// its start alone.
        threads: Option<NonZeroU32>;
        /// The longest body of a request that is read.
        max_body: Size = "32MiB";
        /// Whether requests and answers go through byte by byte where client and provider speak one dialect and no layer
        /// needs what is said; the other way says the same.
        passage: bool = "true";
        /// Whether everybody who is let in may ask a provider for anything it has, at `/raw/PROVIDER/…`.
        raw: bool = "false";
        /// The models that are listed to clients, as they name them; unless said, the default models of all providers
        /// whose keys are there.
        models: Vec<String>;
        /// The MCP servers of `mcp` that are offered at `/mcp/NAME` to whoever has the key under `key`, and to everybody
        /// where no keys are asked for. None unless said.
        mcp: Vec<String>;
        /// A key for whoever is told it, of the name `default`, besides those under `keys`.
        key: Option<SecretRef>, env "SABIR_SERVE_KEY";
        /// The key of the administrator, who may ask for `/metrics` and `/admin/v1`.
        admin_key: Option<SecretRef>, env "SABIR_ADMIN_KEY";
        /// Administrators whom another service knows: by its tokens, beside the key or in its place. Off unless the
        /// section is there.
        oidc: Option<OidcConfig>;
        /// The file in which keys are kept that the administrator issues while it runs, by their hashes alone; the log of
        /// such changes stands beside it, with `.audit` behind its name. Without it nothing can be changed so.
        state: Option<PathBuf>;
        /// Who is let in, by name. Without keys, and without `state`, everybody on this machine is.
        keys: BTreeMap<String, GatewayKey>;
        /// What the keys of a team may do and spend together, by the team's name.
        teams: BTreeMap<String, GatewayTeam>;
        /// A line for every request. Off unless the section is there.
        access_log: Option<AccessLogConfig>;
        /// A row for every request in an SQLite file. Off unless the section is there.
        request_log: Option<RequestLogConfig>, also "log";
        /// Telling a collector of OpenTelemetry. Off unless it or the variables of OpenTelemetry say where that is.
        otlp: OtlpConfig;
        /// What becomes of answers whose client goes away.
        abandoned: AbandonedConfig;
        /// Whether what keys and teams may spend and ask refuses nothing: where it would, that is told in the log and
        /// counted. To try a configuration out.
        dry_run: bool = "false";
        /// HTTPS. Off unless the section is there.
        tls: Option<TlsConfig>;
    }

    /// Who is an administrator by a token (a JWT, RFC 7519) of a service that speaks OIDC.
    OidcConfig {
        /// Who issues the tokens: an address, letter for letter as it stands in them under `iss`.
        issuer: String;
        /// Whom the tokens are for: what must stand in them under `aud`.
        audience: String;
        /// The claim that tells an administrator, by its name, or by a path with points into objects
        /// (`realm_access.roles`).
        claim: String;
        /// What the claim must be, or have among its values.
        value: String;
        /// Where the issuer's keys are. Unless said, its `/.well-known/openid-configuration` tells.
        jwks_url: Option<Url>;
    }

    /// A key of a client of the gateway.
    GatewayKey {
        /// The SHA-256 of the key, as `sabir gateway-key new` writes it: `sha256:` and 64 hexadecimal digits. A list of
        /// several while one is put in the place of another, each perhaps with an end of its own.
        hash: Option<OneOrMore<Short<KeyHashConfig>>>, also "hashes";
        /// The key itself, kept elsewhere: in place of its hash.
        key: Option<SecretRef>;
        /// The models it may ask, as clients name them or as `provider/model`; `*` at the end stands for anything. All
        /// of its team's unless said.
        models: Vec<String>;
        /// The MCP servers of `mcp` that it may use, at `/mcp/NAME`: those of its team unless said, and none that its
        /// team may not where that says. None where neither says.
        mcp: Vec<String>;
        /// The team it belongs to.
        team: Option<String>;
        /// Who has it: a label of its calls.
        user: Option<String>;
        /// Labels of its calls.
        tags: BTreeMap<String, String>;
        /// From when on it opens nothing.
        expires: Option<Moment>;
        /// Whether it may ask a provider for anything it has, at `/raw/PROVIDER/…`.
        raw: bool = "false";
        /// Whether what a dialect cannot carry is an error for it, before anything is sent.
        strict: bool = "false";
        /// Whether it opens nothing for now.
        disabled: bool = "false";
        /// What it may spend.
        budgets: Vec<CallerBudget>;
        /// How much it may ask.
        limits: CallerLimits;
    }

    /// One of the hashes of a key.
    KeyHashConfig {
        /// The SHA-256 of the key.
        hash: KeyHash;
        /// From when on this one opens nothing.
        expires: Option<Moment>;
    }

    /// What the keys of a team have in common.
    GatewayTeam {
        /// The models its keys may ask at most; all unless said.
        models: Vec<String>;
        /// Whether its keys may ask a provider for anything it has, at `/raw/PROVIDER/…`.
        raw: bool = "false";
        /// Whether what a dialect cannot carry is an error for its keys, before anything is sent.
        strict: bool = "false";
        /// The MCP servers of `mcp` that its keys may use.
        mcp: Vec<String>;
        /// Labels of its calls.
        tags: BTreeMap<String, String>;
        /// What its keys may spend together.
        budgets: Vec<CallerBudget>;
        /// How much its keys may ask together.
        limits: CallerLimits;
    }

    /// What a key or a team may spend.
    CallerBudget {
        /// What may be spent within the period.
        limit: Option<Money>, also "max_budget";
        /// The period: a duration, which rolls, or `hour`, `day`, `week`, `month`, `year`, which begin by the calendar.
        period: Period = "month", also "budget_period";
        /// Where the calendar's days begin: `UTC`, an offset like `+02:00`, or a name of the IANA database like `Europe/Rome`,
        /// whose clocks may change.
        time_zone: Option<TimeZone>, also "timezone";
        /// What one request may cost at most.
        per_request: Option<Money>, also "max_cost_per_request";
        /// What happens at the limit; `alert` is for trying a budget out.
        mode: BudgetMode = "hard";
        /// At which shares of the limit somebody is told.
        thresholds: Vec<Share>, also "alert_at";
        /// What becomes of a request whose price is not known.
        on_unknown_price: UnknownPrice = "refuse";
    }

    /// How much a key or a team may ask.
    CallerLimits {
        /// Requests in any minute.
        requests_per_minute: Option<NonZeroU64>;
        /// Tokens in any minute, input and output together.
        tokens_per_minute: Option<NonZeroU64>;
        /// Tokens of input in any minute.
        input_tokens_per_minute: Option<NonZeroU64>;
        /// Tokens of output in any minute.
        output_tokens_per_minute: Option<NonZeroU64>;
        /// Calls at once.
        concurrent_calls: Option<NonZeroU64>, also "max_concurrent_calls";
        /// Requests in the time that `per` says.
        requests: Option<NonZeroU64>;
        /// Tokens in the time that `per` says.
        tokens: Option<NonZeroU64>;
        /// The time for `requests` and `tokens`.
        per: Option<Duration>;
        /// What happens at a limit.
        mode: LimitMode = "enforce";
    }

    /// A line of JSON for every request, without what was asked and answered.
    AccessLogConfig {
        /// Where it is written: a file, or standard error unless said.
        path: Option<PathBuf>, also "file";
    }

    /// A row for every request, or for a share of them, in an SQLite file that only its owner can read.
    RequestLogConfig {
        /// The file, which is made where it is missing.
        path: PathBuf, also "file";
        /// Which share of the requests is kept. Chosen by their ids: the same id is always in it, or never.
        sample: Share = "100%";
        /// How long rows are kept.
        keep: Duration = "30d", also "retention";
        /// Whether the bodies of requests and answers are kept, too: prompts, answers, whatever is in them.
        content: bool = "false";
    }

    /// Telling a collector of OpenTelemetry of every request and call: by OTLP over HTTP, in JSON. OpenTelemetry's own
    /// variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and others) go before what stands here.
    OtlpConfig {
        /// Where the collector listens, without a path.
        endpoint: Option<Url>;
        /// Headers of every export, by name.
        headers: BTreeMap<String, SecretRef>;
        /// Which share of the traces is told that begin here; those that a client is in the middle of go by the client.
        sample: Share = "100%";
        /// Whether figures are told, too.
        metrics: bool = "true";
    }

    /// What becomes of an answer whose client goes away before its end. The provider is paid for it anyway.
    AbandonedConfig {
        /// How long it is read on, so that the provider's own figures are settled. Beyond it, and at once with 0, the
        /// provider is left and what it cost is estimated.
        read_on: Duration = "30s";
        /// How much of it is read on, as it would have gone to the client.
        at_most: Size = "1MiB";
    }

    /// HTTPS.
    TlsConfig {
        /// The file with the certificate and those that vouch for it, in PEM.
        certificate: PathBuf, also "cert";
        /// The file with its private key, in PEM.
        key: PathBuf;
    }
}

choice! {
    /// What happens at a limit.
    LimitMode {
        /// What would pass it waits, or is refused.
        Enforce = "enforce";
        /// It is told in the log, and nothing is refused: to try a limit out.
        Watch = "watch";
    }
}

impl super::Settings {
    /// The names of the gateway's keys that are known here; that under `gateway.key` is `default`.
    pub(crate) fn gateway_keys(&self) -> Vec<&str> {
        let default = self.gateway.key.is_some().then_some("default");
        self.gateway.keys.keys().map(String::as_str).chain(default).collect()
    }
}

leaf!(
    SocketAddr, "an address and a port", "127.0.0.1:8911 or [::1]:8911", "", number: false, |text| text.parse().ok()
);

/// The SHA-256 of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 32]);

leaf!(
    KeyHash, "sha256: and 64 hexadecimal digits (`sabir gateway-key new` makes one)", "", "^sha256:[0-9a-fA-F]{64}$",
    number: false, KeyHash::of
);

impl KeyHash {
    /// `sha256:` and 64 hexadecimal digits.
    pub fn of(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?.as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(0)? << 4 | digit(1)?;
        }
        Some(Self(hash))
    }
}

/// `sha256:` and 64 hexadecimal digits.
impl std::fmt::Display for KeyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A moment, since 1970 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Duration);

leaf!(
    Moment, "a day or a moment", "2027-01-31 or 2027-01-31T12:00:00Z",
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2}))?$",
    number: false, Moment::of
);

impl Moment {
    /// The beginning of a day in UTC (`2027-01-31`), or a moment by RFC 3339 (`2027-01-31T12:00:00+01:00`), without
    /// fractions of a second and not before 1970.
    pub fn of(text: &str) -> Option<Self> {
        let (day, rest) = text.split_at_checked(10)?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
        let [year, month, day] = parts(day, '-')?;
        let (year, month, day) = (number(year).filter(|year| *year >= 1970)?, number(month)?, number(day)?);
        let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let longest = match month {
            2 => 28 + i64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=longest).contains(&day) {
            return None;
        }
        let mut seconds = days(year, month, day) * 86_400;
        if let Some(time) = rest.strip_prefix(['T', 't', ' ']) {
            let (time, zone) = time.split_at_checked(8)?;
            let [hour, minute, second] = parts(time, ':')?;
            let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
            if hour > 23 || minute > 59 || second > 59 {
                return None;
            }
            let zone = if matches!(zone, "Z" | "z") { "UTC" } else { zone };
            seconds += hour * 3_600 + minute * 60 + second - i64::from(super::words::offset(zone)?);
        } else if !rest.is_empty() {
            return None;
        }
        u64::try_from(seconds).ok().map(Duration::from_secs).map(Self)
    }
}

fn parts(text: &str, by: char) -> Option<[&str; 3]> {
    let parts: Vec<&str> = text.split(by).collect();
    <[&str; 3]>::try_from(parts).ok()
}

/// Days since 1970 (after Howard Hinnant, `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_days_or_by_rfc_3339() {
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400),
            ("2027-01-31", 1_801_353_600),
            ("2027-01-31T12:00:00Z", 1_801_396_800),
            ("2027-01-31T12:00:00+02:00", 1_801_389_600),
            ("2100-03-01", 4_107_542_400),
        ] {
            assert_eq!(Moment::of(text), Some(Moment(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "2027", "2027-02-29", "2027-13-01", "2027-01-31T12:00Z", "2027-01-31T24:00:00Z", "27-01-31"] {
            assert_eq!(Moment::of(text), None, "{text}");
        }
        for text in [
            "2027-01-31Z", "2027-01-31T12:00:00", "+027-01-31", "1969-12-31", "2027-01-3\u{e9}",
            "1970-01-01T00:00:00+01:00",
        ] {
            assert_eq!(Moment::of(text), None, "{text}");
        }
    }

    #[test]
    fn hashes_are_read_as_they_are_written() {
        let text = format!("sha256:{}", "0f".repeat(32));
        assert_eq!(KeyHash::of(&text).map(|hash| hash.to_string()), Some(text.clone()));
        for wrong in ["", "sha256:", &text[7..], &format!("{text}0"), &text.replace('f', "g")] {
            assert_eq!(KeyHash::of(wrong), None, "{wrong}");
        }
    }
}
