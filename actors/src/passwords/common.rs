//! What guessers try first: common passwords, alone, twice over or dressed up with digits and
//! signs, and runs along the keyboard or the alphabet.
//!
//! A whole password is compared, never a part of a longer one (NIST SP 800-63B-4 §3.1.1.2): a
//! phrase may well hold a common word.

use std::{collections::BTreeSet, sync::LazyLock};

/// The most common passwords as they appear in published leaks, and their building blocks.
static COMMON: LazyLock<BTreeSet<&'static str>> =
    LazyLock::new(|| include_str!("common.txt").split_whitespace().collect());

/// Orders of keys that fingers follow; read round and round, in both directions.
const CHAINS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "1234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "!@#$%^&*()",
    "!\"§$%&/()=",
];
/// A part shorter than this, repeated, is no secret at all, characters.
const PATTERN_LEN_MAX: usize = 4;

/// Whether a password in lower case is among the first that others would guess.
pub(super) fn guessed_first(lower: &str) -> bool {
    let bare = |c: char| !c.is_alphanumeric();
    let squeezed: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    let stem = lower.trim_matches(|c: char| bare(c) || c.is_numeric());
    let squeezed_stem = squeezed.trim_matches(char::is_numeric);
    // A word in front of many digits is not the word any more.
    let most = |form: &&str| !form.is_empty() && form.len().saturating_mul(2) >= lower.len();
    [lower, lower.trim_matches(bare), &squeezed, stem, squeezed_stem]
        .into_iter()
        .filter(most)
        .any(|form| known(form) || known(&plain(form)))
}

/// The letters behind the signs that stand for them.
fn plain(text: &str) -> String {
    let letter = |c: char| match c {
        '@' | '4' => 'a',
        '3' => 'e',
        '1' | '!' => 'i',
        '0' => 'o',
        '$' | '5' => 's',
        '7' => 't',
        other => other,
    };
    text.chars().map(letter).collect()
}

fn known(text: &str) -> bool {
    let part = repeated_part(text);
    has_short_period(text) || COMMON.contains(part) || two_common(part) || follows_a_chain(part)
}

/// Whether the text goes round in a part of a few characters, at least twice.
fn has_short_period(text: &str) -> bool {
    let count = text.chars().count();
    (1..=PATTERN_LEN_MAX).any(|period| {
        let rest = text.chars().skip(period);
        count >= period.saturating_mul(2) && rest.zip(text.chars()).all(|(one, other)| one == other)
    })
}

/// The shortest part that the text is made of.
fn repeated_part(text: &str) -> &str {
    for (at, _) in text.char_indices().skip(1) {
        if text.len().is_multiple_of(at) {
            let (part, _) = text.split_at(at);
            if part.repeat(text.len() / at) == text {
                return part;
            }
        }
    }
    text
}

fn two_common(text: &str) -> bool {
    text.char_indices().any(|(at, _)| {
        let (one, other) = text.split_at(at);
        COMMON.contains(one) && COMMON.contains(other)
    })
}

fn follows_a_chain(text: &str) -> bool {
    CHAINS.iter().any(|chain| {
        let round = chain.repeat(2 + text.len() / chain.len());
        let back: String = round.chars().rev().collect();
        round.contains(text) || back.contains(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_tries_is_recognized_in_its_usual_clothes() {
        for text in [
            "password",
            "password1234567",
            "!!password2026!!",
            "p@ssw0rdp@ssw0rd",
            "passwordpassword",
            "iloveyouiloveyou",
            "administratorpassword",
            "welcomewelcome2026",
            "this is my password",
            "correct-horse-battery-staple",
            "aaaaaaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "123412341234123412",
            "123456789012345",
            "098765432109876",
            "abcdefghijklmnopqrs",
            "zyxwvutsrqponml",
            "qwertyuiopasdfgh",
            "1q2w3e4r5t6y7u8i",
            "1qaz2wsx3edc4rfv",
            "!@#$%^&*()!@#$%^",
            "sunshineprincess",
            "dragon",
        ] {
            assert!(guessed_first(text), "{text}");
        }
    }

    #[test]
    fn a_phrase_may_hold_common_words() {
        for text in [
            "my dragon likes the sunshine of may",
            "passwords are a nuisance to all",
            "seven wet badgers under the bridge",
            "582736019845372610",
            "dragon582736019845",
            "x9!kq2-vv7#m1zp",
            "",
        ] {
            assert!(!guessed_first(text), "{text}");
        }
    }

    #[test]
    fn the_list_is_large_enough_to_matter_and_in_lower_case() {
        assert!(COMMON.len() > 1_000, "{}", COMMON.len());
        for word in COMMON.iter() {
            assert_eq!(word.to_lowercase(), **word);
        }
    }
}
