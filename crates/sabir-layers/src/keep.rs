use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

/// Values by key, within a size and for a time: what was used longest ago goes first.
#[derive(Debug)]
pub(crate) struct Keep<K, V> {
    by_key: HashMap<K, Entry<V>>,
    /// The keys by when they were last used.
    by_use: BTreeMap<u64, K>,
    uses: u64,
    size: usize,
    most: usize,
    time: Duration,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    size: usize,
    since: Duration,
    used: u64,
}

/// What an entry takes besides its value, about.
const ENTRY: usize = 200;

impl<K: Clone + Eq + Hash, V: Clone> Keep<K, V> {
    /// Keeps values of so many bytes together, each for so long.
    pub(crate) fn new(most: usize, time: Duration) -> Self {
        Self { by_key: HashMap::new(), by_use: BTreeMap::new(), uses: 0, size: 0, most, time }
    }

    /// The value of a key, and how long it has been here.
    pub(crate) fn get(&mut self, key: &K, now: Duration) -> Option<(V, Duration)> {
        let entry = self.by_key.get_mut(key)?;
        let age = now.saturating_sub(entry.since);
        if age >= self.time {
            self.remove(key);
            return None;
        }
        self.by_use.remove(&entry.used);
        self.uses += 1;
        entry.used = self.uses;
        self.by_use.insert(self.uses, key.clone());
        Some((entry.value.clone(), age))
    }

    /// Keeps a value of so many bytes, unless that is more than all may have.
    pub(crate) fn put(&mut self, key: K, value: V, size: usize, now: Duration) {
        self.remove(&key);
        let size = size.saturating_add(ENTRY);
        if size > self.most {
            return;
        }
        while self.size > self.most - size
            && let Some((_, oldest)) = self.by_use.first_key_value()
        {
            let oldest = oldest.clone();
            self.remove(&oldest);
        }
        self.uses += 1;
        self.size += size;
        self.by_use.insert(self.uses, key.clone());
        self.by_key.insert(key, Entry { value, size, since: now, used: self.uses });
    }

    fn remove(&mut self, key: &K) {
        if let Some(entry) = self.by_key.remove(key) {
            self.by_use.remove(&entry.used);
            self.size -= entry.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut keep = Keep::new(3 * (ENTRY + 10), SECOND);
        for n in 0..3 {
            keep.put([n; 32], n, 10, Duration::ZERO);
        }
        assert!(keep.get(&[0; 32], Duration::ZERO).is_some());
        keep.put([3; 32], 3, 11, Duration::ZERO);
        let kept: Vec<u8> = (0..4).filter(|n| keep.get(&[*n; 32], Duration::ZERO).is_some()).collect();
        assert_eq!(kept, [0, 3], "one byte more than the place of one");
        keep.put([3; 32], 4, 10, Duration::ZERO);
        assert_eq!(keep.get(&[3; 32], Duration::ZERO), Some((4, Duration::ZERO)));
        keep.put([4; 32], 4, usize::MAX, Duration::ZERO);
        assert_eq!((keep.get(&[4; 32], Duration::ZERO), keep.by_key.len()), (None, 2), "it never fits");
    }

    #[test]
    fn nothing_is_kept_beyond_its_time_and_the_books_are_right() {
        let mut keep = Keep::new(100_000, SECOND);
        for n in 0..100_u8 {
            keep.put([n % 10; 32], n, usize::from(n), Duration::from_millis(u64::from(n)));
        }
        assert_eq!(keep.get(&[9; 32], SECOND), Some((99, Duration::from_millis(901))));
        assert_eq!(keep.get(&[9; 32], Duration::from_millis(1_099)), None);
        let sizes: usize = keep.by_key.values().map(|entry| entry.size).sum();
        assert_eq!((keep.by_key.len(), keep.by_use.len(), keep.size), (9, 9, sizes));
    }
}
