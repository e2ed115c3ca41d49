//! Which key of a pool is next.

use super::slot::Slot;

/// How a pool chooses a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rotation {
    /// Each in its turn.
    #[default]
    RoundRobin,
    /// Each as often as its weight says, spread evenly: of weights 3 and 1, every fourth call goes to the second. What
    /// nginx calls smooth weighted round robin.
    Weighted,
    /// The one with the fewest calls in flight for its weight; between several, each in its turn.
    LeastBusy,
}

impl Rotation {
    /// The next one of those that can be used.
    pub(super) fn choose(self, mut usable: Vec<&mut Slot>) -> Option<&mut Slot> {
        if self != Self::RoundRobin && usable.iter().any(|slot| slot.weight > 0) {
            usable.retain(|slot| slot.weight > 0);
        }
        if self == Self::LeastBusy {
            // Read once: calls end while we choose.
            let load = |slot: &Slot| ((slot.in_flight() as u128) << 32) / u128::from(slot.weight.max(1));
            let loads: Vec<u128> = usable.iter().map(|slot| load(slot)).collect();
            let least = loads.iter().min().copied()?;
            let mut loads = loads.into_iter();
            usable.retain(|_| loads.next() == Some(least));
        }
        owed_most(usable, self == Self::Weighted)
    }
}

/// The one that is owed the most, when each has been owed its share of this call. After as many calls as the weights
/// are together, each was chosen as often as its weight.
fn owed_most(mut usable: Vec<&mut Slot>, weighted: bool) -> Option<&mut Slot> {
    let mut sum = 0;
    for slot in &mut usable {
        let share = if weighted { i64::from(slot.weight) } else { 1 };
        slot.credit = slot.credit.saturating_add(share);
        sum += share;
    }
    // The first of equals: the order in which they were given.
    let chosen = usable.into_iter().rev().max_by_key(|slot| slot.credit)?;
    chosen.credit = chosen.credit.saturating_sub(sum);
    Some(chosen)
}
