//! Which trace a span belongs to (<https://www.w3.org/TR/trace-context/>), and whether it is told.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The span that others are below of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) trace: u128,
    pub(super) span: u64,
    pub(super) is_sampled: bool,
}

impl Context {
    /// Reads a header `traceparent`: version, trace, span, flags. `None` where it is none.
    pub(super) fn of(header: &str) -> Option<Self> {
        let are_digits = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let (head, rest) = header.trim().split_at_checked(55)?;
        let parts: Vec<&str> = head.split('-').collect();
        let [version, trace, span, flags] = parts[..] else { return None };
        let lengths = [version, trace, span, flags].map(str::len);
        if lengths != [2, 32, 16, 2] || ![version, trace, span, flags].into_iter().all(are_digits) {
            return None;
        }
        // Later versions may have more behind it; this one may not.
        if version == "ff" || (version == "00" && !rest.is_empty()) || !(rest.is_empty() || rest.starts_with('-')) {
            return None;
        }
        let (trace, span) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
        let is_sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        (trace != 0 && span != 0).then_some(Self { trace, span, is_sampled })
    }
}

/// Which traces are told (`OTEL_TRACES_SAMPLER`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampler {
    /// The share of traces, from 0 to 1.
    share: f64,
    /// Whether a trace that began elsewhere is told where it is there.
    follows: bool,
}

impl Sampler {
    /// As it is named; what is not known is as nothing said: a share of what begins here, and of what began elsewhere what
    /// is told there.
    pub(super) fn of(name: Option<&str>, argument: Option<&str>, share: f64) -> Self {
        let given = argument.and_then(|text| text.parse().ok()).filter(|share| (0.0..=1.0).contains(share));
        let (share, follows) = match name {
            Some("always_on") => (1.0, false),
            Some("always_off") => (0.0, false),
            Some("traceidratio") => (given.unwrap_or(1.0), false),
            Some("parentbased_always_on") => (1.0, true),
            Some("parentbased_always_off") => (0.0, true),
            Some("parentbased_traceidratio") => (given.unwrap_or(1.0), true),
            _ => (share, true),
        };
        Self { share, follows }
    }

    /// A new span below this one.
    pub(super) fn below(self, parent: Option<Context>) -> Context {
        let trace = parent.map_or_else(|| u128::from(random()) << 64 | u128::from(random()), |parent| parent.trace);
        let is_sampled = match parent.filter(|_| self.follows) {
            Some(parent) => parent.is_sampled,
            None => self.takes(trace),
        };
        Context { trace, span: random(), is_sampled }
    }

    /// By the last 56 bits of a trace's id, which are random (W3C Trace Context, level 2).
    #[expect(clippy::cast_precision_loss, reason = "53 bits of it are enough for a share")]
    fn takes(self, trace: u128) -> bool {
        let random = u64::try_from(trace & ((1 << 56) - 1)).unwrap_or(0);
        (random as f64) < self.share * (1_u64 << 56) as f64
    }
}

/// A number that nobody can foresee and that is never nothing: ids are no secrets, and a keyed hash of a counter will do.
fn random() -> u64 {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    SEED.hash_one(NEXT.fetch_add(1, Ordering::Relaxed)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_as_w3c_has_it() {
        let whole = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = Context::of(whole).expect("a context");
        assert_eq!((context.trace, context.span), (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7));
        assert!(context.is_sampled && !Context::of(&whole.replace("-01", "-00")).expect("one").is_sampled);
        assert!(Context::of(&format!("{}-what-comes", whole.replacen("00", "cc", 1))).is_some(), "a later version");
        for wrong in [
            "",
            "00",
            &whole[..54],
            &whole.to_uppercase(),
            &format!("{whole}-x"),
            &whole.replacen("00", "ff", 1),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b\u{e9}-01",
        ] {
            assert_eq!(Context::of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_share_of_traces_is_told_and_what_is_below_goes_with_it() {
        let half = Sampler::of(None, None, 0.5);
        let begun: Vec<Context> = (0..2_000).map(|_| half.below(None)).collect();
        let told = begun.iter().filter(|context| context.is_sampled).count();
        assert!((850..1_150).contains(&told), "{told}");
        for parent in begun {
            let below = half.below(Some(parent));
            assert_eq!((below.trace, below.is_sampled), (parent.trace, parent.is_sampled));
            assert_ne!(below.span, parent.span);
        }
        let unseen = Context { is_sampled: false, ..half.below(None) };
        for (name, argument, from_here, below) in [
            (None, None, true, false),
            (Some("always_on"), None, true, true),
            (Some("always_off"), None, false, false),
            (Some("traceidratio"), Some("0"), false, false),
            (Some("parentbased_always_off"), None, false, false),
            (Some("parentbased_traceidratio"), Some("1"), true, false),
            (Some("traceidratio"), Some("7"), true, true),
        ] {
            let sampler = Sampler::of(name, argument, 1.0);
            assert_eq!(sampler.below(None).is_sampled, from_here, "{name:?}");
            assert_eq!(sampler.below(Some(unseen)).is_sampled, below, "{name:?}");
        }
    }
}
