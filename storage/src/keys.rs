//! The order of bytes in every key; the only file that knows it.
//!
//! Rows come in as addresses ([`Row`], [`Span`]) and leave as a family and bytes, and back. What
//! the rows mean is none of its business. Integers are big-endian, fixed widths stand first, text
//! is escaped so that bytes compare as values do. Invariant: bytes sort exactly as the values they
//! hold, and nothing here may ever change: it is frozen by `docs/FORMATS.md` and the tests below.

mod buffer;
mod range;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use sha2::{Digest as _, Sha256};

use identity::{
    id::TenantId,
    table::{FoundRow, Row, Span, Table},
};

pub use buffer::{Family, Key};
pub use range::Range;

/// Where the mechanism's own rows stand: those without a tenant in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// The raft group; 0 until there are several.
    pub shard: u32,
    /// Raised when a cluster is recovered from lost quorum, so that outbox positions never repeat.
    pub incarnation: u32,
}

/// Bytes that are not a key of this layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key of family {0:?} does not have its family's layout")]
pub struct Malformed(pub Family);

thread_local! {
    // Hashing a tenant id costs more than the rest of a key; a few recent tenants are remembered.
    static SLOTS: [Cell<([u8; 16], u16)>; 64] = const { [const { Cell::new(([0; 16], 0)) }; 64] };
}

/// First two bytes of the SHA-256 of the tenant id, frozen for ever; the cluster's own is 0.
///
/// Tenant ids are time-ordered, so their own first bytes would not spread over shards.
pub fn slot(tenant: TenantId) -> u16 {
    let id = tenant.bytes();
    if tenant == TenantId::CLUSTER {
        return 0;
    }
    let compute = || {
        let hash: [u8; 32] = Sha256::digest(id).into();
        let [high, low, ..] = hash;
        u16::from_be_bytes([high, low])
    };
    SLOTS.with(|slots| {
        let [.., last] = id;
        let Some(place) = slots.get(usize::from(last & 63)) else { return compute() };
        let (known, slot) = place.get();
        if known == id {
            return slot;
        }
        let slot = compute();
        place.set((id, slot));
        slot
    })
}

fn tenant_key(family: Family, tenant: TenantId) -> Key {
    Key::join(family, [&slot(tenant).to_be_bytes(), &tenant.bytes()])
}

/// `slot | tenant | table`: the fixed prefix of a table's rows.
fn table_key(family: Family, tenant: TenantId, table: Table) -> Key {
    Key::join(family, [&slot(tenant).to_be_bytes(), &tenant.bytes(), &table.0])
}

fn index_key(tenant: TenantId, table: Table, index: u8) -> Key {
    let slot = slot(tenant).to_be_bytes();
    Key::join(Family::Index, [&slot, &tenant.bytes(), &table.0, &[index]])
}

/// Zero bytes become `00 FF`, so that the terminator `00 00` sorts before any longer text.
fn push_escaped(key: &mut Key, text: &[u8]) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == 0) {
        let (before, from) = rest.split_at(at);
        key.push(before);
        key.push(&[0, 0xFF]);
        rest = from.get(1..).unwrap_or_default();
    }
    key.push(rest);
}

fn push_text(key: &mut Key, text: &[u8]) {
    push_escaped(key, text);
    key.push(&[0, 0]);
}

/// The key of a row; `tenant` is ignored for the mechanism's own rows (requests, outbox).
pub fn encode(space: Space, tenant: TenantId, row: Row<'_>) -> Key {
    // In one go: this is the hottest function of the crate.
    let whole = |family, parts: [&[u8]; 4]| {
        let [first, second, third, fourth] = parts;
        let slot = slot(tenant).to_be_bytes();
        Key::join(family, [&slot, &tenant.bytes(), first, second, third, fourth])
    };
    match row {
        Row::Record { table, id } => whole(Family::Records, [&table.0, &id, &[], &[]]),
        Row::Unique { table, index, text } => {
            let mut key = index_key(tenant, table, index);
            push_text(&mut key, text);
            key
        }
        Row::Listed { table, index, text, id } => {
            let mut key = index_key(tenant, table, index);
            push_text(&mut key, text);
            key.push(&id);
            key
        }
        Row::Flow { table, digest } => whole(Family::Flows, [&table.0, &digest, &[], &[]]),
        Row::History { table, id, revision } => {
            whole(Family::History, [&table.0, &id, &revision.to_be_bytes(), &[]])
        }
        Row::Audit { part, sequence } => {
            whole(Family::Audit, [&[part], &sequence.to_be_bytes(), &[], &[]])
        }
        Row::Expiry { at_ms, table, key } => {
            whole(Family::Expiry, [&at_ms.to_be_bytes(), &table.0, key, &[]])
        }
        Row::Request { not_after_ms, id } => {
            let (shard, at) = (space.shard.to_be_bytes(), not_after_ms.to_be_bytes());
            Key::join(Family::Requests, [&shard, &at, &id])
        }
        Row::Outbox { index, ordinal } => {
            let (incarnation, shard) = (space.incarnation.to_be_bytes(), space.shard.to_be_bytes());
            let (index, ordinal) = (index.to_be_bytes(), ordinal.to_be_bytes());
            Key::join(Family::Outbox, [&incarnation, &shard, &index, &ordinal])
        }
    }
}

fn request_key(space: Space, not_after_ms: u64) -> Key {
    Key::new(Family::Requests).with(&space.shard.to_be_bytes()).with(&not_after_ms.to_be_bytes())
}

fn outbox_key(space: Space, index: u64) -> Key {
    Key::new(Family::Outbox)
        .with(&space.incarnation.to_be_bytes())
        .with(&space.shard.to_be_bytes())
        .with(&index.to_be_bytes())
}

/// The key of one of the state's own values.
pub fn meta(shard: u32, item: [u8; 2]) -> Key {
    Key::new(Family::Meta).with(&shard.to_be_bytes()).with(&item)
}

/// The keys of a span; `after` in it is excluded and means "already passed" in either direction.
pub fn span(tenant: TenantId, span: Span<'_>, backward: bool) -> Range {
    match span {
        Span::Records { table, after } => {
            let prefix = table_key(Family::Records, tenant, table);
            let passed = after.map(|id| prefix.clone().with(&id));
            let range = Range::of_prefix(prefix);
            match passed {
                Some(key) => range.resume(key, false, backward),
                None => range,
            }
        }
        Span::Index { table, index, prefix, after, unique } => {
            let mut start = index_key(tenant, table, index);
            push_escaped(&mut start, prefix);
            let range = Range::of_prefix(start);
            let Some((text, id)) = after else { return range };
            let mut passed = index_key(tenant, table, index);
            push_text(&mut passed, text);
            match id.filter(|_| !unique) {
                Some(id) => range.resume(passed.with(&id), false, backward),
                // Without an id the whole text is passed, however many ids are listed under it.
                None => range.resume(passed, !unique, backward),
            }
        }
        Span::History { table, id, before } => {
            let prefix = table_key(Family::History, tenant, table).with(&id);
            let upper = match before {
                Some(revision) => Some(prefix.clone().with(&revision.to_be_bytes())),
                None => prefix.after_prefix(),
            };
            Range { lower: prefix, upper }
        }
        Span::Audit { part, from } => {
            let prefix = tenant_key(Family::Audit, tenant).with(&[part]);
            let upper = prefix.after_prefix();
            Range { lower: prefix.with(&from.to_be_bytes()), upper }
        }
        Span::Expiry { until_ms } => {
            let prefix = tenant_key(Family::Expiry, tenant);
            let upper = match until_ms.checked_add(1) {
                Some(end) => Some(prefix.clone().with(&end.to_be_bytes())),
                None => prefix.after_prefix(),
            };
            Range { lower: prefix, upper }
        }
    }
}

/// Request rows that ended before a time: what may be range-deleted.
pub fn requests_before(space: Space, not_after_ms: u64) -> Range {
    Range {
        lower: Key::new(Family::Requests).with(&space.shard.to_be_bytes()),
        upper: Some(request_key(space, not_after_ms)),
    }
}

/// Outbox rows from a position (included) to the end of this incarnation and shard.
pub fn outbox_from(space: Space, index: u64, ordinal: u16) -> Range {
    let prefix = Key::new(Family::Outbox)
        .with(&space.incarnation.to_be_bytes())
        .with(&space.shard.to_be_bytes());
    let upper = prefix.after_prefix();
    Range { lower: outbox_key(space, index).with(&ordinal.to_be_bytes()), upper }
}

/// Outbox rows of entries before `index`: what may be trimmed.
pub fn outbox_before(space: Space, index: u64) -> Range {
    Range { lower: outbox_key(space, 0), upper: Some(outbox_key(space, index)) }
}

/// Everything a tenant has in a family; for families without a tenant in the key, nothing.
pub fn of_tenant(family: Family, tenant: TenantId) -> Option<Range> {
    match family {
        Family::Requests | Family::Outbox | Family::Meta => None,
        _ => Some(Range::of_prefix(tenant_key(family, tenant))),
    }
}

/// Reads a key from its front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::with_capacity(self.0.len());
        loop {
            let [byte] = self.take::<1>()?;
            if byte != 0 {
                text.push(byte);
                continue;
            }
            match self.take::<1>()? {
                [0xFF] => text.push(0),
                [0] => return Some(text),
                _ => return None,
            }
        }
    }
}

/// Reads a key back: the tenant (`None` for the mechanism's own rows) and the row.
///
/// # Errors
/// [`Malformed`] for bytes that [`encode`] cannot have made; meta keys have no row.
pub fn decode(family: Family, bytes: &[u8]) -> Result<(Option<TenantId>, FoundRow), Malformed> {
    let mut reader = Reader(bytes);
    let read = parse(family, &mut reader).filter(|_| reader.0.is_empty());
    read.ok_or(Malformed(family))
}

fn parse(family: Family, from: &mut Reader<'_>) -> Option<(Option<TenantId>, FoundRow)> {
    match family {
        Family::Requests => {
            from.take::<4>()?;
            let not_after_ms = u64::from_be_bytes(from.take()?);
            return Some((None, FoundRow::Request { not_after_ms, id: from.take()? }));
        }
        Family::Outbox => {
            from.take::<8>()?;
            let index = u64::from_be_bytes(from.take()?);
            let ordinal = u16::from_be_bytes(from.take()?);
            return Some((None, FoundRow::Outbox { index, ordinal }));
        }
        _ => {}
    }
    from.take::<2>()?;
    let tenant = TenantId::from_bytes(from.take()?);
    let row = match family {
        Family::Records => FoundRow::Record { table: Table(from.take()?), id: from.take()? },
        Family::Index => parse_index(from)?,
        Family::Flows => FoundRow::Flow { table: Table(from.take()?), digest: from.take()? },
        Family::History => FoundRow::History {
            table: Table(from.take()?),
            id: from.take()?,
            revision: u64::from_be_bytes(from.take()?),
        },
        Family::Audit => {
            let [part] = from.take()?;
            FoundRow::Audit { part, sequence: u64::from_be_bytes(from.take()?) }
        }
        Family::Expiry => {
            let at_ms = u64::from_be_bytes(from.take()?);
            let table = Table(from.take()?);
            let key = std::mem::take(&mut from.0).to_vec();
            FoundRow::Expiry { at_ms, table, key }
        }
        Family::Requests | Family::Outbox | Family::Meta => return None,
    };
    Some((Some(tenant), row))
}

fn parse_index(from: &mut Reader<'_>) -> Option<FoundRow> {
    let table = Table(from.take()?);
    let [index] = from.take()?;
    let text = from.text()?;
    if from.0.is_empty() {
        return Some(FoundRow::Unique { table, index, text });
    }
    Some(FoundRow::Listed { table, index, text, id: from.take()? })
}
