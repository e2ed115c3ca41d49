//! "Did you mean": the known name nearest to one that is not known.

/// Longer names are no slip of the fingers, and the distance costs their square.
const LONGEST: usize = 40;

/// The candidate that was probably meant: at most two slips away (one, for words of up to four letters), else the first
/// that shares a beginning. For error messages only.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let word = word.trim().to_lowercase();
    let letters = word.chars().count();
    if word.is_empty() || letters > LONGEST {
        return None;
    }
    let allowed = if letters <= 4 { 1 } else { 2 };
    let close = candidates.clone().map(|known| (distance(&word, known), known)).min_by_key(|(slips, _)| *slips);
    if let Some((slips, known)) = close
        && slips <= allowed
    {
        return Some(known);
    }
    let mut candidates = candidates;
    candidates.find(|known| letters >= 2 && (known.starts_with(&word) || word.starts_with(known)))
}

/// How many letters must be put in, left out, changed or swapped with their neighbour (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (row, letter) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let changed = last[column] + usize::from(letter != *other);
            let mut cost = changed.min(last[column + 1] + 1).min(current[column] + 1);
            if column > 0 && previous == Some(*other) && right[column - 1] == letter {
                cost = cost.min(before_last[column - 1] + 1);
            }
            current.push(cost);
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(letter);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (left, right, slips) in [
            ("groq", "groq", 0),
            ("gorq", "groq", 1),
            ("gro", "groq", 1),
            ("", "ab", 2),
            ("xai", "zai", 1),
            ("ca", "abc", 3),
        ] {
            assert_eq!(distance(left, right), slips, "{left} {right}");
            assert_eq!(distance(right, left), slips, "{right} {left}");
        }
    }
}
