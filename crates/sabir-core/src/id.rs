//! What a call is known by, wherever it is told of.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// An id for a call that has none: 32 hexadecimal digits, of when it began, in milliseconds since 1970, and of 80 bits that
/// nobody else has. So ids sort by time, which is kind to an index. `now` is the time since 1970.
#[expect(clippy::missing_panics_doc, reason = "hexadecimal digits are text")]
pub fn call_id(now: Duration) -> Arc<str> {
    static RANDOM: LazyLock<[u64; 2]> = LazyLock::new(|| [0, 1].map(|number| RandomState::new().hash_one(number)));
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let [seed, process] = *RANDOM;
    let time = now.as_secs().wrapping_mul(1_000).wrapping_add(now.subsec_millis().into());
    let mut name = [0; 32];
    // 64 bits that come once in a process, and 16 of the process.
    name[..16].copy_from_slice(&hexadecimal(time << 16 | process & 0xffff));
    name[16..].copy_from_slice(&hexadecimal(scattered(seed.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)))));
    std::str::from_utf8(&name).expect("hexadecimal digits").into()
}

/// Another number for each number, without a pattern (Steele, Lea and Flood, `SplitMix64`).
fn scattered(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// By hand, eight digits at a time: to format numbers would be most of what an id costs.
fn hexadecimal(number: u64) -> [u8; 16] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut digits = [0; 16];
    for (eight, half) in digits.chunks_exact_mut(8).zip([number >> 32, number & 0xffff_ffff]) {
        // Each nibble into a byte of its own.
        let half = (half | half << 16) & 0x0000_ffff_0000_ffff;
        let half = (half | half << 8) & 0x00ff_00ff_00ff_00ff;
        let half = (half | half << 4) & 0x0f0f_0f0f_0f0f_0f0f;
        // From ten on `a` and what follows, which are 39 further than the digits.
        let letters = (half + 6 * EACH) >> 4 & EACH;
        eight.copy_from_slice(&(half + 0x30 * EACH + 39 * letters).to_be_bytes());
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_that_formatting_gives() {
        let shifted =
            (0..64).flat_map(|bits| [1_u64 << bits, u64::MAX >> bits, 0x0123_4567_89ab_cdef_u64.rotate_left(bits)]);
        for number in shifted.chain([0, u64::MAX]) {
            assert_eq!(std::str::from_utf8(&hexadecimal(number)), Ok(&*format!("{number:016x}")));
        }
    }

    #[test]
    fn ids_are_told_apart_and_sort_by_time() {
        let at = |second: u64| call_id(Duration::from_secs(second));
        let ids = [at(1_000_000_000), at(1_000_000_001), at(2_000_000_000)];
        assert!(ids.is_sorted() && ids.iter().all(|id| id.len() == 32), "{ids:?}");
        assert_ne!(at(7), at(7));
    }
}
