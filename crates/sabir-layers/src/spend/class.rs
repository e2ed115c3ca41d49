//! Calls that are alike in all that budgets tell apart. What is known of them is found once, and used by each.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sabir_core::{Call, Request, Result};
use sabir_store::Opened;

use super::purse::{Fund, Purse};
use super::tariff::Tariff;
use super::{Spend, scope};

/// What is known of calls of one client, key, provider and model with the same labels.
#[derive(Debug)]
pub(super) struct Class {
    /// Their row in the ledger, without what each has of its own.
    pub(super) row: Opened,
    pub(super) tariff: Arc<Tariff>,
    /// The budgets that concern them.
    pub(super) claims: Box<[Claim]>,
    pub(super) purses: Arc<[Arc<Purse>]>,
    /// Whether any budget lets through what passes it, and says so.
    pub(super) warns: bool,
    /// Whether the window of any purse slides.
    pub(super) slides: bool,
    /// When the windows of all purses are open.
    open: Range<Duration>,
}

/// A budget that concerns a call.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) fund: Arc<Fund>,
    /// The place of its purse; `None` where it is a budget of one call.
    pub(super) purse: Option<usize>,
}

/// Classes that were met. There are few where labels are few; where each call has its own, each is found anew.
#[derive(Debug, Default)]
pub(super) struct Classes(Mutex<Met>);

#[derive(Debug, Default)]
struct Met {
    /// The one that was asked for last: most programs make the same calls again and again.
    last: Option<Arc<Class>>,
    all: HashMap<u64, Arc<Class>>,
    seed: RandomState,
}

/// More than are in use at once; beyond it all are forgotten, and found again when they are asked for.
const MOST: usize = 1_000;

impl Classes {
    /// The class of a call, as it is now.
    pub(super) fn of(&self, spend: &Spend, call: &Call, request: &Request, now: Duration) -> Result<Arc<Class>> {
        let holds = |class: &&Arc<Class>| {
            let holds = class.is_of(call, request) && class.holds(spend, now);
            if holds {
                class.purses.iter().for_each(|purse| purse.touch(now));
            }
            holds
        };
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(class) = met.last.as_ref().filter(holds) {
            return Ok(class.clone());
        }
        let id = id(&met.seed, call, request);
        if let Some(class) = met.all.get(&id).filter(holds).cloned() {
            met.last = Some(class.clone());
            return Ok(class);
        }
        drop(met);
        let class = Arc::new(Class::find(spend, call, request, now)?);
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if met.all.len() >= MOST {
            met.all.clear();
        }
        met.all.insert(id, class.clone());
        met.last = Some(class.clone());
        Ok(class)
    }
}

fn id(seed: &RandomState, call: &Call, request: &Request) -> u64 {
    seed.hash_one((&call.tenant, scope::key(call), &call.provider, request.model(), &call.tags))
}

impl Class {
    fn find(spend: &Spend, call: &Call, request: &Request, now: Duration) -> Result<Self> {
        let (mut claims, mut purses) = (Vec::new(), Vec::new());
        let mut open = Duration::ZERO..Duration::MAX;
        for fund in spend.concerned(call, request) {
            let purse: Option<Arc<Purse>> = fund.purse(call, request, now)?;
            let at = purse.map(|purse| {
                if let Some(until) = purse.until {
                    open = open.start.max(purse.from)..open.end.min(until);
                }
                purses.push(purse);
                purses.len() - 1
            });
            claims.push(Claim { fund: fund.clone(), purse: at });
        }
        let mut row = Opened::default();
        (row.tenant, row.key) = (call.tenant.as_str().into(), scope::key(call).into());
        (row.provider, row.model) = (call.provider.as_str().into(), request.model().into());
        row.tags = call.tags.as_slice().into();
        Ok(Self {
            row,
            tariff: spend.tariff(call, request),
            warns: claims.iter().any(|claim: &Claim| !claim.fund.budget.is_hard()),
            slides: purses.iter().any(|purse: &Arc<Purse>| purse.until.is_none()),
            claims: claims.into(),
            purses: purses.into(),
            open,
        })
    }

    fn is_of(&self, call: &Call, request: &Request) -> bool {
        *self.row.model == *request.model()
            && *self.row.provider == *call.provider
            && *self.row.tenant == *call.tenant
            && *self.row.key == *scope::key(call)
            && *self.row.tags == *call.tags
    }

    /// Whether its windows are open and its prices are those that hold.
    fn holds(&self, spend: &Spend, now: Duration) -> bool {
        self.open.contains(&now) && spend.receipts.look(|prices| self.tariff.is_of(prices))
    }
}

#[cfg(test)]
mod tests {
    use sabir_core::chat::ChatRequest;

    use super::*;
    use crate::{Budget, Window};
    use sabir_prices::{Prices, Usd};

    #[test]
    fn one_is_found_anew_only_when_something_of_it_is_over() {
        let spend = Spend::default().budget(Budget::per(Window::hour(), Usd(9)).each_client());
        let classes = Classes::default();
        let of = |tenant: &str, second: u64| {
            let mut call = Call::to("p");
            call.tenant = tenant.into();
            let request = Request::Chat(ChatRequest::new("m"));
            classes.of(&spend, &call, &request, Duration::from_secs(second)).expect("room")
        };
        let (first, other) = (of("a", 0), of("b", 1));
        assert_eq!((&*first.row.tenant, &*other.purses[0].name), ("a", "client \"b\""));
        assert!(Arc::ptr_eq(&first, &of("a", 3_599)) && Arc::ptr_eq(&other, &of("b", 9)));
        let next = of("a", 3_600);
        assert!(!Arc::ptr_eq(&first.purses[0], &next.purses[0]), "another window");
        spend.receipts.refresh(Prices::default());
        let priced = of("a", 3_601);
        assert!(!Arc::ptr_eq(&next, &priced) && Arc::ptr_eq(&next.purses[0], &priced.purses[0]), "other prices");
        for number in 0..2 * MOST {
            of(&number.to_string(), 4_000);
        }
        assert!(classes.0.lock().expect("free").all.len() <= MOST);
    }
}
