//! Numbers that look random and are the same in every run, and damage done by them.

/// Marsaglia's xorshift: enough to choose places, no more.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or_default()
    }
}

/// Calls `check` with `count` damaged copies of the bytes: bits flipped, bytes dropped, replaced and doubled, runs
/// taken out or repeated. The same in every run.
pub fn mutations(bytes: &[u8], count: usize, mut check: impl FnMut(&[u8])) {
    let mut random = Random::new(bytes.len() as u64);
    for _ in 0..count {
        let mut damaged = bytes.to_vec();
        for _ in 0..=random.below(3) {
            damage(&mut damaged, &mut random);
        }
        check(&damaged);
    }
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    // What stands between the tokens of the wire formats does the most harm.
    const TELLING: &[u8] = b"\"{}[]:,\n\r\\0-9enul \x00\xff\xc3";
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    let end = (at + 1 + random.below(24)).min(bytes.len());
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, bytes[at]),
        3 => bytes[at] = TELLING[random.below(TELLING.len())],
        4 => drop(bytes.drain(at..end)),
        _ => {
            let run = bytes[at..end].to_vec();
            bytes.splice(at..at, run);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mutations;

    #[test]
    fn damage_is_the_same_in_every_run_and_mostly_real() {
        let run = || {
            let mut all = Vec::new();
            mutations(b"{\"text\": \"hello\"}\n", 200, |bytes| all.push(bytes.to_vec()));
            all
        };
        let all = run();
        assert_eq!(all, run());
        assert!(all.iter().filter(|bytes| *bytes != b"{\"text\": \"hello\"}\n").count() > 150);
        mutations(b"", 3, |bytes| assert!(bytes.is_empty()));
    }
}
