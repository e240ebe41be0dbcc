use proptest::prelude::*;

use super::*;

const SPACE: Space = Space { shard: 0, incarnation: 3 };

/// Short texts over few bytes, so that equal beginnings, zeros and 0xFF are common.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(
        prop_oneof![Just(0), Just(1), Just(0xFE), Just(0xFF), Just(b'a'), any::<u8>()],
        0..70,
    )
}

fn id() -> impl Strategy<Value = [u8; 16]> {
    prop_oneof![Just([0; 16]), Just([0xFF; 16]), any::<[u8; 16]>()]
}

fn table() -> impl Strategy<Value = Table> {
    prop_oneof![Just(Table(*b"us")), Just(Table(*b"ut")), Just(Table(*b"zz"))]
}

fn row() -> impl Strategy<Value = FoundRow> {
    prop_oneof![
        (table(), id()).prop_map(|(table, id)| FoundRow::Record { table, id }),
        (table(), any::<u8>(), text()).prop_map(|(table, index, text)| FoundRow::Unique {
            table,
            index,
            text
        }),
        (table(), any::<u8>(), text(), id())
            .prop_map(|(table, index, text, id)| FoundRow::Listed { table, index, text, id }),
        (table(), any::<[u8; 32]>()).prop_map(|(table, digest)| FoundRow::Flow { table, digest }),
        (table(), id(), any::<u64>()).prop_map(|(table, id, revision)| FoundRow::History {
            table,
            id,
            revision
        }),
        (any::<u8>(), any::<u64>()).prop_map(|(part, sequence)| FoundRow::Audit { part, sequence }),
        (any::<u64>(), table(), text()).prop_map(|(at_ms, table, key)| FoundRow::Expiry {
            at_ms,
            table,
            key
        }),
        (any::<u64>(), id()).prop_map(|(not_after_ms, id)| FoundRow::Request { not_after_ms, id }),
        (any::<u64>(), any::<u16>())
            .prop_map(|(index, ordinal)| FoundRow::Outbox { index, ordinal }),
    ]
}

fn tenant() -> impl Strategy<Value = TenantId> {
    prop_oneof![Just([0; 16]), Just([7; 16]), Just([0xFF; 16])].prop_map(TenantId::from_bytes)
}

fn borrowed(row: &FoundRow) -> Row<'_> {
    match row {
        FoundRow::Record { table, id } => Row::Record { table: *table, id: *id },
        FoundRow::Unique { table, index, text } => {
            Row::Unique { table: *table, index: *index, text }
        }
        FoundRow::Listed { table, index, text, id } => {
            Row::Listed { table: *table, index: *index, text, id: *id }
        }
        FoundRow::Flow { table, digest } => Row::Flow { table: *table, digest: *digest },
        FoundRow::History { table, id, revision } => {
            Row::History { table: *table, id: *id, revision: *revision }
        }
        FoundRow::Audit { part, sequence } => Row::Audit { part: *part, sequence: *sequence },
        FoundRow::Expiry { at_ms, table, key } => Row::Expiry { at_ms: *at_ms, table: *table, key },
        FoundRow::Request { not_after_ms, id } => {
            Row::Request { not_after_ms: *not_after_ms, id: *id }
        }
        FoundRow::Outbox { index, ordinal } => Row::Outbox { index: *index, ordinal: *ordinal },
    }
}

/// The order that the bytes of one tenant's rows must have, spelled in values.
fn order_of(row: &FoundRow) -> (Family, Vec<u64>, Vec<u8>, Vec<u8>) {
    let code = |table: &Table| u64::from(u16::from_be_bytes(table.0));
    match row {
        FoundRow::Record { table, id } => (Family::Records, vec![code(table)], id.to_vec(), vec![]),
        FoundRow::Unique { table, index, text } => {
            (Family::Index, vec![code(table), u64::from(*index)], text.clone(), vec![])
        }
        FoundRow::Listed { table, index, text, id } => {
            (Family::Index, vec![code(table), u64::from(*index)], text.clone(), id.to_vec())
        }
        FoundRow::Flow { table, digest } => {
            (Family::Flows, vec![code(table)], digest.to_vec(), vec![])
        }
        FoundRow::History { table, id, revision } => {
            (Family::History, vec![code(table)], id.to_vec(), revision.to_be_bytes().to_vec())
        }
        FoundRow::Audit { part, sequence } => {
            (Family::Audit, vec![u64::from(*part), *sequence], vec![], vec![])
        }
        FoundRow::Expiry { at_ms, table, key } => {
            (Family::Expiry, vec![*at_ms, code(table)], key.clone(), vec![])
        }
        FoundRow::Request { not_after_ms, id } => {
            (Family::Requests, vec![*not_after_ms], id.to_vec(), vec![])
        }
        FoundRow::Outbox { index, ordinal } => {
            (Family::Outbox, vec![*index, u64::from(*ordinal)], vec![], vec![])
        }
    }
}

fn inside(range: &Range, key: &Key) -> bool {
    *key >= range.lower && range.upper.as_ref().is_none_or(|upper| key < upper)
}

proptest! {
    #[test]
    fn a_key_reads_back_as_its_row(tenant in tenant(), row in row()) {
        let key = encode(SPACE, tenant, borrowed(&row));
        let (found_tenant, found) = decode(key.family(), key.bytes()).unwrap();
        prop_assert_eq!(&found, &row);
        let own = matches!(row, FoundRow::Request { .. } | FoundRow::Outbox { .. });
        prop_assert_eq!(found_tenant, (!own).then_some(tenant));
    }

    #[test]
    fn bytes_sort_as_the_values_they_hold(tenant in tenant(), left in row(), right in row()) {
        let (a, b) = (order_of(&left), order_of(&right));
        let bytes = encode(SPACE, tenant, borrowed(&left))
            .cmp(&encode(SPACE, tenant, borrowed(&right)));
        prop_assert_eq!(bytes, a.cmp(&b), "{:?} and {:?}", left, right);
    }

    #[test]
    fn a_key_of_random_bytes_is_refused_or_spells_itself(
        code in 0_u8..9, bytes in prop::collection::vec(any::<u8>(), 0..80)
    ) {
        let family = Family::from_code(code).unwrap();
        if let Ok((tenant, row)) = decode(family, &bytes) {
            let space = Space::default();
            let again = encode(space, tenant.unwrap_or(TenantId::CLUSTER), borrowed(&row));
            // Slot, shard and incarnation are computed, not read: everything behind them is equal.
            let computed = match family {
                Family::Outbox => 8,
                Family::Requests => 4,
                _ => 2,
            };
            prop_assert_eq!(&again.bytes()[computed..], &bytes[computed..]);
        }
    }

    #[test]
    fn a_prefix_scan_holds_exactly_the_texts_that_begin_so(
        tenant in tenant(), prefix in text(), other in text(), joined in any::<bool>()
    ) {
        let text = if joined { [prefix.clone(), other].concat() } else { other };
        let table = Table(*b"us");
        let span = Span::Index { table, index: 1, prefix: &prefix, after: None, unique: true };
        let range = super::span(tenant, span, false);
        let key = encode(SPACE, tenant, Row::Unique { table, index: 1, text: &text });
        prop_assert_eq!(inside(&range, &key), text.starts_with(&prefix));
        let foreign = encode(SPACE, tenant, Row::Unique { table, index: 2, text: &text });
        prop_assert!(!inside(&range, &foreign));
    }

    #[test]
    fn a_resumed_scan_leaves_out_what_it_has_passed(
        tenant in tenant(), prefix in prop_oneof![Just(vec![]), Just(vec![1])],
        at in text(), at_id in id(), text in text(), row_id in id(),
        same in any::<bool>(), backward in any::<bool>(), with_id in any::<bool>()
    ) {
        let text = if same { at.clone() } else { text };
        let table = Table(*b"us");
        let after = Some((at.as_slice(), with_id.then_some(at_id)));
        let follows = |place: std::cmp::Ordering| {
            text.starts_with(&prefix) && if backward { place.is_lt() } else { place.is_gt() }
        };
        let listed = Span::Index { table, index: 1, prefix: &prefix, after, unique: false };
        let range = span(tenant, listed, backward);
        let key = encode(SPACE, tenant, Row::Listed { table, index: 1, text: &text, id: row_id });
        let place = if with_id {
            (&text, Some(row_id)).cmp(&(&at, Some(at_id)))
        } else {
            text.cmp(&at)
        };
        prop_assert_eq!(inside(&range, &key), follows(place));
        let unique = Span::Index { table, index: 1, prefix: &prefix, after, unique: true };
        let range = span(tenant, unique, backward);
        let key = encode(SPACE, tenant, Row::Unique { table, index: 1, text: &text });
        prop_assert_eq!(inside(&range, &key), follows(text.cmp(&at)));
    }

    #[test]
    fn records_history_audit_and_expiry_spans_hold_their_rows(
        tenant in tenant(), id in id(), at in id(), number in any::<u64>(), bound in any::<u64>(),
        key in text(), backward in any::<bool>()
    ) {
        let table = Table(*b"us");
        let holds = |span, row| {
            inside(&super::span(tenant, span, backward), &encode(SPACE, tenant, row))
        };
        let record = Row::Record { table, id };
        let after = Span::Records { table, after: Some(at) };
        prop_assert_eq!(holds(after, record), if backward { id < at } else { id > at });
        let whole = Span::Records { table, after: None };
        prop_assert!(holds(whole, record));
        let revision = Row::History { table, id, revision: number };
        let before = Span::History { table, id, before: Some(bound) };
        prop_assert_eq!(holds(before, revision), number < bound);
        let whole = Span::History { table, id, before: None };
        prop_assert!(holds(whole, revision));
        let event = Row::Audit { part: 1, sequence: number };
        prop_assert_eq!(holds(Span::Audit { part: 1, from: bound }, event), number >= bound);
        let other_part = Span::Audit { part: 2, from: 0 };
        prop_assert!(!holds(other_part, event));
        let expiry = Row::Expiry { at_ms: number, table, key: &key };
        prop_assert_eq!(holds(Span::Expiry { until_ms: bound }, expiry), number <= bound);
        let whole = Span::Expiry { until_ms: u64::MAX };
        prop_assert!(holds(whole, expiry));
    }

    #[test]
    fn the_mechanisms_ranges_hold_their_rows(
        number in any::<u64>(), bound in any::<u64>(), ordinal in any::<u16>(), at in any::<u16>(),
        id in id()
    ) {
        let tenant = TenantId::CLUSTER;
        let request = encode(SPACE, tenant, Row::Request { not_after_ms: number, id });
        prop_assert_eq!(inside(&requests_before(SPACE, bound), &request), number < bound);
        let event = encode(SPACE, tenant, Row::Outbox { index: number, ordinal });
        let expected = (number, ordinal) >= (bound, at);
        prop_assert_eq!(inside(&outbox_from(SPACE, bound, at), &event), expected);
        prop_assert_eq!(inside(&outbox_before(SPACE, bound), &event), number < bound);
        let next = Space { incarnation: SPACE.incarnation + 1, ..SPACE };
        prop_assert!(!inside(&outbox_from(next, 0, 0), &event));
    }

    #[test]
    fn no_tenant_sees_another_ones_rows(
        left in any::<[u8; 16]>(),
        right in any::<[u8; 16]>(),
        row in row(),
    ) {
        prop_assume!(left != right);
        let (left, right) = (TenantId::from_bytes(left), TenantId::from_bytes(right));
        let key = encode(SPACE, right, borrowed(&row));
        if let Some(range) = of_tenant(key.family(), left) {
            prop_assert!(!inside(&range, &key));
        }
    }
}

#[test]
fn the_layout_is_frozen() {
    let tenant = TenantId::from_bytes([0x11; 16]);
    let table = Table(*b"us");
    let show = |row| format!("{:?}", encode(SPACE, tenant, row));
    let t = "11".repeat(16);
    let id = [0x22; 16];
    let i = "22".repeat(16);
    let s = format!("{:04x}", slot(tenant));
    assert_eq!(s, "b8f1");
    assert_eq!(show(Row::Record { table, id }), format!("records/{s}{t}7573{i}"));
    assert_eq!(
        show(Row::Unique { table, index: 4, text: b"a\0b" }),
        format!("index/{s}{t}7573046100ff620000")
    );
    assert_eq!(
        show(Row::Listed { table, index: 4, text: b"a", id }),
        format!("index/{s}{t}757304610000{i}")
    );
    assert_eq!(
        show(Row::Flow { table, digest: [0x33; 32] }),
        format!("flows/{s}{t}7573{}", "33".repeat(32))
    );
    assert_eq!(
        show(Row::History { table, id, revision: 5 }),
        format!("history/{s}{t}7573{i}0000000000000005")
    );
    assert_eq!(
        show(Row::Audit { part: 1, sequence: 6 }),
        format!("audit/{s}{t}010000000000000006")
    );
    assert_eq!(
        show(Row::Expiry { at_ms: 7, table, key: b"k" }),
        format!("expiry/{s}{t}000000000000000775736b")
    );
    assert_eq!(
        show(Row::Request { not_after_ms: 8, id }),
        format!("requests/000000000000000000000008{i}")
    );
    assert_eq!(
        show(Row::Outbox { index: 9, ordinal: 10 }),
        "outbox/00000003000000000000000000000009000a"
    );
    assert_eq!(format!("{:?}", meta(0, *b"_A")), "meta/000000005f41");
}

#[test]
fn the_clusters_own_rows_stand_in_slot_zero() {
    assert_eq!(slot(TenantId::CLUSTER), 0);
    // A tenant whose id ends alike shares the place in the memory of slots, not the slot.
    let mut other = [0; 16];
    other[0] = 1;
    let other = TenantId::from_bytes(other);
    let first = slot(other);
    assert_ne!(first, 0);
    assert_eq!(slot(TenantId::CLUSTER), 0);
    assert_eq!(slot(other), first);
}

#[test]
fn nothing_stands_behind_a_prefix_of_ff() {
    let key = Key::from_slice(Family::Records, &[0xFF; 4]);
    assert_eq!(key.after_prefix(), None);
    let key = Key::from_slice(Family::Records, &[1, 0xFF]);
    assert_eq!(key.after_prefix(), Some(Key::from_slice(Family::Records, &[2])));
}

#[test]
fn a_long_key_equals_its_short_form_byte_for_byte() {
    let bytes: Vec<u8> = (0..200).collect();
    let whole = Key::from_slice(Family::Index, &bytes);
    let mut pieces = Key::new(Family::Index);
    for piece in bytes.chunks(7) {
        pieces.push(piece);
    }
    assert_eq!(whole, pieces);
    assert_eq!(whole.bytes(), bytes);
    assert_ne!(whole, Key::from_slice(Family::Flows, &bytes));
}
