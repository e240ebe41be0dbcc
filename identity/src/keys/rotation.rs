//! What the commands do to keys.

use super::{
    KEYS, KEYS_MAX, OVERLAP_MS, PUBLISHED_S_MIN, RETIRED_KEPT, Replacement, SigningKey, State,
};
use crate::{
    applying::Applying,
    id::SigningKeyId,
    outcome::{Outcome, Rejection, Stop},
    secret::Sealed,
    table::{Row, TablesMut},
    tenants::KeySeed,
};

/// Writes the first keys of an algorithm, unless somebody was first.
pub(super) fn introduce<T: TablesMut>(
    at: &mut Applying<'_, T>,
    keys: &[SigningKey],
    seeds: &[KeySeed],
) -> Result<Outcome, Stop> {
    let Some(first) = seeds.first() else {
        return Err(Rejection::invalid("", "names no key").into());
    };
    let known = |key: &SigningKey| key.algorithm == first.algorithm && key.state == State::Active;
    if keys.iter().any(known) {
        return Ok(Outcome::Done);
    }
    for seed in seeds {
        at.create(SigningKey::from_seed(seed, at.now_ms))?;
    }
    Ok(Outcome::Done)
}

/// The pending key signs, the named one retires slowly.
pub(super) fn replace<T: TablesMut>(
    at: &mut Applying<'_, T>,
    keys: &[SigningKey],
    replacement: &Replacement,
) -> Result<Outcome, Stop> {
    let active = find(at, keys, replacement)?;
    if active.state != State::Active {
        return Err(Rejection::Stale.into());
    }
    let pending = pending_of(keys, active).ok_or(Rejection::NotFound)?;
    // A cache that fetched the key set just before it was published must have asked again.
    let published_ms = at.now_ms.saturating_sub(pending.changed_at_ms);
    if published_ms < u64::from(PUBLISHED_S_MIN).saturating_mul(1000) {
        let name = active.algorithm.name();
        let reason =
            format!("the next {name} key has been published for less than {PUBLISHED_S_MIN} s");
        return Err(Rejection::Protected(reason).into());
    }
    if keys.iter().filter(|key| key.published()).count() >= KEYS_MAX {
        let reason = "too many keys are still retiring; try again when some have retired";
        return Err(Rejection::Protected(reason.into()).into());
    }
    set(at, active, State::Retiring);
    set(at, pending, State::Active);
    publish(at, replacement, State::Pending)
}

/// The named key leaves the key set at once; what signed goes on with the pending key.
pub(super) fn revoke<T: TablesMut>(
    at: &mut Applying<'_, T>,
    keys: &[SigningKey],
    replacement: &Replacement,
) -> Result<Outcome, Stop> {
    let key = find(at, keys, replacement)?;
    if key.state == State::Retired {
        return Ok(Outcome::Done);
    }
    set(at, key, State::Retired);
    match (key.state, pending_of(keys, key)) {
        (State::Active, Some(pending)) => {
            set(at, pending, State::Active);
            publish(at, replacement, State::Pending)?;
        }
        (State::Active, None) => {
            publish(at, replacement, State::Active)?;
        }
        (State::Pending, _) => {
            publish(at, replacement, State::Pending)?;
        }
        (State::Retiring | State::Retired, _) => {}
    }
    forget(at, keys);
    Ok(Outcome::Done)
}

/// A retiring key leaves the key set when nothing it signed can live any more.
pub(super) fn retire<T: TablesMut>(
    at: &mut Applying<'_, T>,
    keys: &[SigningKey],
    id: SigningKeyId,
) -> Result<Outcome, Stop> {
    at.target(KEYS, id.bytes());
    let key = keys.iter().find(|key| key.id == id).ok_or(Rejection::NotFound)?;
    if key.state == State::Retiring {
        if at.now_ms.saturating_sub(key.changed_at_ms) < OVERLAP_MS {
            let reason = "a token that the key signed may still live";
            return Err(Rejection::Protected(reason.into()).into());
        }
        set(at, key, State::Retired);
        forget(at, keys);
    }
    Ok(Outcome::Done)
}

/// The key that a replacement names, if the next one is of its kind.
fn find<'a, T: TablesMut>(
    at: &mut Applying<'_, T>,
    keys: &'a [SigningKey],
    replacement: &Replacement,
) -> Result<&'a SigningKey, Stop> {
    at.target(KEYS, replacement.key.bytes());
    let key = keys.iter().find(|key| key.id == replacement.key).ok_or(Rejection::NotFound)?;
    if key.algorithm == replacement.next.algorithm {
        Ok(key)
    } else {
        Err(Rejection::invalid("/algorithm", "is not the key's").into())
    }
}

fn pending_of<'a>(keys: &'a [SigningKey], key: &SigningKey) -> Option<&'a SigningKey> {
    keys.iter().find(|other| other.algorithm == key.algorithm && other.state == State::Pending)
}

fn publish<T: TablesMut>(
    at: &mut Applying<'_, T>,
    replacement: &Replacement,
    state: State,
) -> Result<Outcome, Stop> {
    at.create(SigningKey { state, ..SigningKey::from_seed(&replacement.next, at.now_ms) })
}

fn set<T: TablesMut>(at: &mut Applying<'_, T>, key: &SigningKey, state: State) {
    let private = match state {
        // Nothing needs it any more, and nothing must be able to.
        State::Retired => Sealed { key: 0, nonce: [0; 12], bytes: Vec::new() },
        State::Pending | State::Active | State::Retiring => key.private.clone(),
    };
    let after = SigningKey { state, private, changed_at_ms: at.now_ms, ..key.clone() };
    at.update(key, after);
}

/// Removes the oldest retired keys; one is about to join those in `keys`.
fn forget<T: TablesMut>(at: &mut Applying<'_, T>, keys: &[SigningKey]) {
    let mut retired: Vec<&SigningKey> = keys.iter().filter(|key| !key.published()).collect();
    retired.sort_by_key(|key| (key.changed_at_ms, key.id));
    let surplus = (retired.len() + 1).saturating_sub(RETIRED_KEPT);
    for key in retired.into_iter().take(surplus) {
        at.remove(Row::Record { table: KEYS, id: key.id.bytes() });
    }
}

/// All keys leave the key set at once, and these take their place.
pub(crate) fn renew<T: TablesMut>(at: &mut Applying<'_, T>, seeds: &[KeySeed]) -> Result<(), Stop> {
    let mut keys = super::all(at.tables, at.tenant)?;
    keys.sort_by_key(|key| (key.published(), key.changed_at_ms, key.id));
    let surplus = keys.len().saturating_sub(RETIRED_KEPT);
    for (place, key) in keys.iter().enumerate() {
        if key.published() {
            set(at, key, State::Retired);
        } else if place < surplus {
            at.remove(Row::Record { table: KEYS, id: key.id.bytes() });
        }
    }
    for seed in seeds {
        at.create(SigningKey::from_seed(seed, at.now_ms))?;
    }
    Ok(())
}
