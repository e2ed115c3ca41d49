//! The same target for the same caller.

use sabir_core::{Call, Request};

use super::Target;
use crate::random::mix;

/// By what calls stay together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sticky {
    /// By the request's `user`.
    User,
    /// By one of the call's tags: its name.
    Tag(String),
    /// By the tenant.
    Tenant,
}

impl Sticky {
    /// What a call stays together with others by; `None` where it says nothing of it.
    pub(super) fn key<'a>(&self, call: &'a Call, request: &'a Request) -> Option<&'a str> {
        let key = match self {
            Self::User => match request {
                Request::Chat(chat) => chat.user.as_deref(),
                Request::Count(count) => count.chat.user.as_deref(),
                _ => None,
            },
            Self::Tag(name) => call.tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.as_str()),
            Self::Tenant => Some(call.tenant.as_str()),
        };
        key.filter(|key| !key.is_empty())
    }
}

/// How well a target and a key go together: rendezvous hashing (Thaler, Ravishankar 1998), weighted by the
/// logarithmic method (Schindelhauer, Schomaker 2005). The highest is chosen. A target that goes leaves all keys of the
/// others where they are. The same in every process, so that replicas agree.
pub(super) fn score(target: &Target, key: &str) -> f64 {
    if target.weight == 0 {
        return 0.0;
    }
    let hash = [key, &target.provider, &target.model].iter().fold(0, |hash, text| mix(hash ^ fnv1a(text)));
    // A fraction above 0 and at most 1, of the 53 bits that a float can hold.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let fraction = ((hash >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    // Of 1 the logarithm is 0, and nothing is better.
    f64::from(target.weight) / -fraction.ln()
}

/// FNV-1a, 64 bits.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
