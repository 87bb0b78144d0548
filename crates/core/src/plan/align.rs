//! What a list gained, lost and changed, when it is known only whether two entries are equal.

/// An entry that differs; the index is of the new list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aligned {
    /// Another one was in its place.
    Changed(usize),
    /// Nothing was in its place.
    Added(usize),
    /// Nothing is in its place.
    Removed,
}

/// The differences between two lists, by their longest common subsequence: between two entries that are the same in both,
/// what was there before was changed into what is there now, one by one.
pub(super) fn align(then: &[&str], now: &[&str]) -> Vec<Aligned> {
    // What both begin and end with needs no table.
    let begin = then.iter().zip(now).take_while(|(a, b)| a == b).count();
    let end = then[begin..].iter().rev().zip(now[begin..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&then[begin..then.len() - end], &now[begin..now.len() - end]);

    // The length of the longest common subsequence from each pair of positions on.
    let width = new.len() + 1;
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            lengths[i * width + j] = if old[i] == new[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }

    let (mut i, mut j) = (0, 0);
    let mut differences = Vec::new();
    let (mut lost, mut gained) = (0_usize, Vec::new());
    loop {
        let same = i < old.len() && j < new.len() && old[i] == new[j];
        if same || (i == old.len() && j == new.len()) {
            let changed = lost.min(gained.len());
            differences.extend(
                gained
                    .iter()
                    .enumerate()
                    .map(|(at, index)| if at < changed { Aligned::Changed(*index) } else { Aligned::Added(*index) }),
            );
            differences.extend((changed..lost).map(|_| Aligned::Removed));
            (lost, gained) = (0, Vec::new());
            if !same {
                return differences;
            }
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) {
            lost += 1;
            i += 1;
        } else {
            gained.push(begin + j);
            j += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_aligned_by_what_they_share() {
        use Aligned::{Added, Changed, Removed};
        let cases: &[(&str, &str, &[Aligned])] = &[
            ("a b c", "a b c", &[]),
            ("a b c", "a x c", &[Changed(1)]),
            ("a b c", "a c", &[Removed]),
            ("a c", "a b c", &[Added(1)]),
            ("a b c", "x a b c", &[Added(0)]),
            ("a b c d", "b x d e", &[Removed, Changed(1), Added(3)]),
            ("", "a", &[Added(0)]),
            ("a", "", &[Removed]),
            ("a a a", "a a", &[Removed]),
        ];
        for (then, now, expected) in cases {
            let list = |text: &'static str| -> Vec<&str> { text.split_whitespace().collect() };
            assert_eq!(align(&list(then), &list(now)), *expected, "{then:?} {now:?}");
        }
    }
}
