//! Mutations without coverage, for the ordinary tests: seeded, so that findings can be reproduced.

use fastrand::Rng;

/// Maximum length of an input in bytes.
const LIMIT: usize = 64 << 10;

/// One of the entries with a few changes.
pub fn mutate(entries: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut input = rng.choice(entries).cloned().unwrap_or_default();
    for _ in 0..=rng.usize(..4) {
        change(&mut input, entries, rng);
    }
    input.truncate(LIMIT);
    input
}

fn change(input: &mut Vec<u8>, entries: &[Vec<u8>], rng: &mut Rng) {
    let at = rng.usize(..=input.len());
    match rng.u8(..8) {
        // A byte that has a meaning in most formats, or any byte.
        0 if at < input.len() => input[at] = rng.u8(..),
        1 => input.insert(at, *rng.choice(b"{}[]()\"'\\$%`<>|&*!?:;,.=-+/\n\t\0\xff0").unwrap_or(&0)),
        2 => drop(input.drain(piece(input, rng))),
        // Nesting and repetition.
        3 => {
            let part = input[piece(input, rng)].to_vec();
            let times = (LIMIT / part.len().max(1)).min(1 << rng.u32(..14));
            input.splice(at..at, part.repeat(rng.usize(..=times)));
        }
        4 => {
            let (line, other) = (a_line(input, rng), a_line(input, rng));
            let copy = input[other].to_vec();
            input.splice(line, copy);
        }
        5 => {
            if let Some(other) = rng.choice(entries) {
                let part = other[piece(other, rng)].to_vec();
                input.splice(at..at, part);
            }
        }
        6 => {
            let number = rng.choice(["0", "-1", "1e999", "9223372036854775808", "18446744073709551615", "0x", ".inf"]);
            input.splice(at..at, number.unwrap_or_default().bytes());
        }
        _ => input.truncate(at),
    }
}

/// A range of up to 64 bytes, or any range.
fn piece(input: &[u8], rng: &mut Rng) -> std::ops::Range<usize> {
    let begin = rng.usize(..=input.len());
    let longest = input.len() - begin;
    let length = if rng.u8(..4) == 0 { longest } else { longest.min(64) };
    begin..begin + rng.usize(..=length)
}

fn a_line(input: &[u8], rng: &mut Rng) -> std::ops::Range<usize> {
    let at = rng.usize(..=input.len());
    let begin = input[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
    let end = input[at..].iter().position(|byte| *byte == b'\n').map_or(input.len(), |after| at + after + 1);
    begin..end
}
