//! Source blocks: networks from which nobody may sign in to a tenant.
//!
//! They count at whatever a tenant lets strangers do, never at the administration API: whoever
//! blocked the wrong network takes that back there. Networks of the machine itself cannot be
//! blocked, so that its operator gets in from there, whatever else is blocked. Invariant: how many
//! there are makes no request slower; they are looked up by length ([`Blocked`]).

mod restore;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    codec::Persisted,
    fault::Fault,
    id::{TenantId, ids},
    name,
    network::Network,
    outcome::{Outcome, Rejection, Stop},
    table::{self, Record, Tables, TablesMut, record_by},
};

/// Unique index over networks, in their one spelling.
pub const BY_NETWORK: u8 = 1;

/// Reading source blocks.
pub const READ: Permission = Permission::read("source-blocks");
/// Changing source blocks.
pub const WRITE: Permission = Permission::write("source-blocks");

/// Most blocks of one tenant, those that ended too: every node keeps them in memory.
pub const BLOCKS_MAX: usize = 1_000;

ids! {
    /// A source block.
    SourceBlockId,
}

/// What an administrator gives of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Which addresses; unique in the tenant.
    pub network: Network,
    /// For administrators; whoever is blocked is not told.
    pub reason: String,
    /// When it ends, state time in milliseconds; none means never.
    pub ends_at_ms: Option<u64>,
}

impl Settings {
    /// The settings that a block has.
    pub fn of(block: &SourceBlock) -> Self {
        let SourceBlock { network, reason, ends_at_ms, .. } = block.clone();
        Self { network, reason, ends_at_ms }
    }

    /// Every rule about a block's fields.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        let no = |reason: &str| Err(Rejection::invalid("/network", reason));
        let of_machine = [
            Network::around(Ipv4Addr::LOCALHOST.into(), 8),
            Network::around(Ipv6Addr::LOCALHOST.into(), 128),
        ];
        if of_machine.iter().flatten().any(|own| own.overlaps(&self.network)) {
            return no("must not hold addresses of the machine itself (127.0.0.0/8, ::1)");
        }
        name::optional_text("/reason", &self.reason)
    }
}

/// Reads a network that an administrator gives: no bit of the address stands behind the length, so
/// that nobody blocks more than they see.
///
/// # Errors
/// [`Rejection::Invalid`] at `field`.
pub fn network(field: &str, text: &str) -> Result<Network, Rejection> {
    match Network::read(text) {
        Ok((network, given)) if network.address() == given => Ok(network),
        Ok((network, _)) => {
            Err(Rejection::invalid(field, format!("has bits behind its length; it is {network}")))
        }
        Err(malformed) => Err(Rejection::invalid(field, malformed.to_string())),
    }
}

/// A source block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceBlock {
    /// Its id.
    pub id: SourceBlockId,
    /// One more with every write.
    pub revision: u64,
    /// Which addresses.
    pub network: Network,
    /// For administrators.
    pub reason: String,
    /// When it ends, state time in milliseconds.
    pub ends_at_ms: Option<u64>,
    /// Soft deletion, state time in milliseconds.
    pub deleted_at_ms: Option<u64>,
    /// When it was made, state time in milliseconds.
    pub created_at_ms: u64,
    /// When it was last changed, state time in milliseconds.
    pub updated_at_ms: u64,
}

impl SourceBlock {
    /// One out of checked settings.
    pub fn new(id: SourceBlockId, settings: &Settings, now_ms: u64) -> Self {
        let Settings { network, reason, ends_at_ms } = settings.clone();
        Self {
            id,
            revision: 0,
            network,
            reason,
            ends_at_ms,
            deleted_at_ms: None,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
        }
    }
}

impl Persisted for SourceBlock {
    const KIND: [u8; 2] = *b"sb";
}

impl Record for SourceBlock {
    record_by!(id, deleted softly);
}

/// The networks of a tenant that are blocked, and until when, for one question: is this address in
/// one of them? That is as many look-ups as there are lengths of networks, not networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocked {
    lengths: BTreeSet<u8>,
    networks: BTreeMap<Network, Option<u64>>,
}

impl Blocked {
    /// Of these blocks, each of another network.
    pub fn of(blocks: impl IntoIterator<Item = SourceBlock>) -> Self {
        let networks: BTreeMap<_, _> =
            blocks.into_iter().map(|block| (block.network, block.ends_at_ms)).collect();
        Self { lengths: networks.keys().map(Network::length).collect(), networks }
    }

    /// The widest network that an address is blocked with at a state time.
    pub fn holds(&self, address: IpAddr, now_ms: u64) -> Option<Network> {
        let address = address.to_canonical();
        self.lengths.iter().find_map(|length| {
            let network = Network::around(address, *length)?;
            let ends_at_ms = self.networks.get(&network)?;
            ends_at_ms.is_none_or(|ends| now_ms < ends).then_some(network)
        })
    }
}

/// What a tenant blocks; bounded by [`BLOCKS_MAX`].
///
/// # Errors
/// Faults only.
pub fn blocked(tables: &impl Tables, tenant: TenantId) -> Result<Blocked, Fault> {
    Ok(Blocked::of(table::along::<SourceBlock>(tables, tenant, BY_NETWORK, BLOCKS_MAX)?))
}

/// Changes of source blocks. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Makes one.
    Create {
        /// Its id.
        id: SourceBlockId,
        /// Its fields.
        settings: Settings,
    },
    /// Changes one.
    Update {
        /// Which.
        id: SourceBlockId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// Its fields.
        settings: Settings,
    },
    /// Deletes one, softly.
    Delete {
        /// Which.
        id: SourceBlockId,
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
    },
}

impl Command {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "source_blocks.create",
            Self::Update { .. } => "source_blocks.update",
            Self::Delete { .. } => "source_blocks.delete",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        let (table, index) = (SourceBlock::TABLE, BY_NETWORK);
        match self {
            Self::Create { id, settings } => {
                at.require_for(table, id.bytes(), WRITE)?;
                settings.check()?;
                require_room(at)?;
                at.claim(table, index, &settings.network.to_string(), id.bytes(), "network")?;
                at.create(SourceBlock::new(*id, settings, at.now_ms))
            }
            Self::Update { id, expected, settings } => {
                let before = at.find::<SourceBlock>(WRITE, id.bytes(), *expected)?;
                settings.check()?;
                if settings.network != before.network {
                    at.claim(table, index, &settings.network.to_string(), id.bytes(), "network")?;
                    at.release(table, index, &before.network.to_string());
                }
                let after = SourceBlock {
                    created_at_ms: before.created_at_ms,
                    updated_at_ms: before.updated_at_ms,
                    ..SourceBlock::new(*id, settings, at.now_ms)
                };
                Ok(at.update(&before, after))
            }
            Self::Delete { id, expected } => {
                let before = at.find::<SourceBlock>(WRITE, id.bytes(), *expected)?;
                at.release(table, index, &before.network.to_string());
                let after = SourceBlock { deleted_at_ms: Some(at.now_ms), ..before.clone() };
                Ok(at.update(&before, after))
            }
        }
    }
}

/// Refuses one more than a tenant may have.
fn require_room<T: TablesMut>(at: &Applying<'_, T>) -> Result<(), Stop> {
    let span = table::whole(SourceBlock::TABLE, BY_NETWORK);
    if at.scan(span, BLOCKS_MAX)?.len() >= BLOCKS_MAX {
        let reason = format!("a tenant has at most {BLOCKS_MAX} source blocks");
        return Err(Rejection::invalid("/network", reason).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, Rejection> {
        let network = network("/network", text)?;
        Ok(Settings { network, reason: "guesses passwords".into(), ends_at_ms: None })
    }

    #[test]
    fn a_broken_rule_is_named_by_its_field() {
        for (text, expected) in [
            ("192.0.2.0/24", None),
            ("192.0.2.7", None),
            ("128.0.0.0/1", None),
            ("2001:db8::/32", None),
            ("8000::/1", None),
            ("", Some("/network")),
            ("example.org", Some("/network")),
            ("192.0.2.0/33", Some("/network")),
            ("192.0.2.1/24", Some("/network")),
            ("2001:db8::1/32", Some("/network")),
            ("127.0.0.1", Some("/network")),
            ("127.8.0.0/16", Some("/network")),
            ("0.0.0.0/0", Some("/network")),
            ("::1", Some("/network")),
            ("::/0", Some("/network")),
            ("::ffff:192.0.2.0/120", None),
            ("::ffff:0:0/96", Some("/network")),
        ] {
            let found = match settings(text).and_then(|settings| settings.check()) {
                Ok(()) => None,
                Err(Rejection::Invalid { field, .. }) => Some(field),
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        let fine = settings("192.0.2.0/24").unwrap();
        for (reason, expected) in
            [(String::new(), true), ("x".repeat(257), false), ("one\ntwo".into(), false)]
        {
            let checked = Settings { reason, ..fine.clone() }.check();
            let named =
                matches!(&checked, Err(Rejection::Invalid { field, .. }) if field == "/reason");
            assert_eq!((checked.is_ok(), named), (expected, !expected), "{checked:?}");
        }
    }

    #[test]
    fn an_address_is_blocked_where_any_block_that_has_not_ended_holds_it() {
        let block = |text: &str, ends_at_ms| {
            let settings = Settings { ends_at_ms, ..settings(text).unwrap() };
            SourceBlock::new(SourceBlockId::default(), &settings, 0)
        };
        let blocked = Blocked::of([
            block("192.0.2.0/24", Some(20)),
            block("192.0.2.128/25", Some(10)),
            block("192.0.2.7", None),
            block("2001:db8::/32", None),
            block("198.51.100.0/24", Some(10)),
        ]);
        for (address, now_ms, expected) in [
            ("192.0.2.1", 19, true),
            ("192.0.2.1", 20, false),
            ("192.0.2.200", 10, true),
            ("192.0.2.200", 20, false),
            ("192.0.2.7", 1_000, true),
            ("::ffff:192.0.2.7", 1_000, true),
            ("192.0.3.7", 0, false),
            ("198.51.100.1", 9, true),
            ("198.51.100.1", 10, false),
            ("2001:db8:1::1", 1_000, true),
            ("2001:db9::1", 0, false),
            ("127.0.0.1", 0, false),
        ] {
            assert_eq!(
                blocked.holds(address.parse().unwrap(), now_ms).is_some(),
                expected,
                "{address} {now_ms}"
            );
        }
        assert_eq!(Blocked::default().holds(Ipv4Addr::LOCALHOST.into(), 0), None);
    }

    #[test]
    fn looking_one_up_agrees_with_asking_every_network() {
        let blocks: Vec<SourceBlock> = (0..BLOCKS_MAX)
            .map(|number| {
                let number = u32::try_from(number).unwrap();
                // Scattered over all lengths from 9 on, beside the machine's own addresses.
                let address = Ipv4Addr::from(number.wrapping_mul(2_654_435_761) | 0x8000_0000);
                let length = u8::try_from(9 + number % 24).unwrap();
                let network = Network::around(address.into(), length).unwrap();
                let settings = Settings { network, reason: String::new(), ends_at_ms: None };
                SourceBlock::new(SourceBlockId::default(), &settings, 0)
            })
            .collect();
        let blocked = Blocked::of(blocks.clone());
        let mut held = 0;
        for number in 0..20_000_u32 {
            let address = IpAddr::V4(Ipv4Addr::from(number.wrapping_mul(3_266_489_917)));
            let expected = blocks.iter().any(|block| block.network.contains(address));
            assert_eq!(blocked.holds(address, 0).is_some(), expected, "{address}");
            held += u32::from(expected);
        }
        assert!(held > 100 && held < 19_900, "{held}");
    }
}
