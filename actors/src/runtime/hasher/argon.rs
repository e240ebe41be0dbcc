//! Argon2id (RFC 9106): parameters and their bounds, PHC strings, one computation in given memory.

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash as Phc, Version};
use subtle::ConstantTimeEq;

use crate::runtime::secret::Password;

use identity::secret::PasswordHash;

/// The least memory of a new hash, in KiB (19 MiB).
const MEMORY_KIB_MIN: u32 = 19_456;
/// The fewest passes of a new hash.
const PASSES_MIN: u32 = 2;
/// The most memory that any hash may ask for, in KiB (256 MiB).
const MEMORY_KIB_MAX: u32 = 262_144;
/// The most lanes; they are computed one after the other.
const LANES_MAX: u32 = 16;
/// The most work that any hash may ask for, in KiB times passes: about 16 times the floor.
const WORK_MAX: u64 = 16 * 19_456 * 2;
/// The least memory and work of an imported hash: the weakest of the equivalent settings that
/// OWASP lists (7 MiB, 5 passes).
const IMPORTED_MEMORY_KIB_MIN: u32 = 7_168;
const IMPORTED_WORK_MIN: u64 = 7_168 * 5;
/// The shortest salt and the shortest and longest tag of any hash, in bytes.
const SALT_LEN_MIN: usize = 8;
const TAG_LEN_MIN: usize = 16;
const TAG_LEN_MAX: usize = 64;
/// Of new hashes, in bytes.
const SALT_LEN: usize = 16;
const TAG_LEN: usize = 32;

/// The cost of one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Parameters below the floor or above what the server is willing to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "argon2 parameters must lie within m={MEMORY_KIB_MIN}..={MEMORY_KIB_MAX} KiB, t>={PASSES_MIN}, \
     p=1..={LANES_MAX}, m*t<={WORK_MAX}"
)]
pub struct CostRefused;

/// Why a stored or imported hash cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashRefused {
    /// Not a PHC string of Argon2id, version 19, with salt and tag.
    #[error("not an argon2id hash in phc form")]
    Form,
    /// Cheaper or dearer than what is accepted.
    #[error("argon2 parameters outside the bounds")]
    Bounds,
}

impl Cost {
    /// 19 MiB, two passes, one lane: the floor, and what is used unless configured higher.
    pub const DEFAULT: Self = Self { memory_kib: MEMORY_KIB_MIN, passes: PASSES_MIN, lanes: 1 };

    /// Checks configured parameters.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, CostRefused> {
        let cost = Self { memory_kib, passes, lanes };
        let floor = memory_kib >= MEMORY_KIB_MIN && passes >= PASSES_MIN;
        if floor && cost.affordable() { Ok(cost) } else { Err(CostRefused) }
    }

    /// For tests of this module: hashes that are not worth breaking.
    #[cfg(test)]
    pub(super) const fn tiny() -> Self {
        Self { memory_kib: 8, passes: 1, lanes: 1 }
    }

    fn affordable(self) -> bool {
        self.memory_kib <= MEMORY_KIB_MAX
            && (1..=LANES_MAX).contains(&self.lanes)
            && self.work() <= WORK_MAX
    }

    fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }

    /// Whether a hash of this cost is weaker than one of `current`.
    fn weaker_than(self, current: Self) -> bool {
        self.memory_kib < current.memory_kib || self.passes < current.passes
    }
}

/// Accepts a foreign hash for import, or says why not.
pub fn check_imported(hash: &PasswordHash) -> Result<(), HashRefused> {
    let cost = Stored::parse(hash)?.cost;
    let strong = cost.memory_kib >= IMPORTED_MEMORY_KIB_MIN && cost.work() >= IMPORTED_WORK_MIN;
    if strong && cost.affordable() { Ok(()) } else { Err(HashRefused::Bounds) }
}

/// A PHC string taken apart.
pub(super) struct Stored {
    cost: Cost,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

impl Stored {
    /// Reads a hash and refuses what would cost more than this server computes for anybody.
    pub(super) fn parse(hash: &PasswordHash) -> Result<Self, HashRefused> {
        let phc = Phc::new(hash.phc()).map_err(|_| HashRefused::Form)?;
        if phc.algorithm != Algorithm::Argon2id.ident()
            || phc.version != Some(Version::V0x13.into())
        {
            return Err(HashRefused::Form);
        }
        let (salt, tag) = phc.salt.zip(phc.hash).ok_or(HashRefused::Form)?;
        let params = Params::try_from(&phc).map_err(|_| HashRefused::Form)?;
        if !params.keyid().is_empty() || !params.data().is_empty() {
            return Err(HashRefused::Form);
        }
        let cost =
            Cost { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() };
        let sized = salt.len() >= SALT_LEN_MIN && (TAG_LEN_MIN..=TAG_LEN_MAX).contains(&tag.len());
        if !sized || !cost.affordable() {
            return Err(HashRefused::Bounds);
        }
        Ok(Self { cost, salt: salt.to_vec(), tag: tag.as_bytes().to_vec() })
    }

    /// What an unknown user is compared with: the current cost, a tag that nothing produces.
    pub(super) fn nobody(cost: Cost, salt: [u8; SALT_LEN], tag: [u8; TAG_LEN]) -> Self {
        Self { cost, salt: salt.to_vec(), tag: tag.to_vec() }
    }

    /// Whether a hash of today would be stronger.
    pub(super) fn outdated(&self, current: Cost) -> bool {
        self.cost.weaker_than(current) || self.salt.len() < SALT_LEN || self.tag.len() < TAG_LEN
    }
}

/// The memory of one hash at a time, reused so that a hash does not fault in 19 MiB of fresh pages.
/// After a hash it holds mixed blocks, from which only the tag (stored anyway) follows.
pub(super) struct Memory {
    current: Cost,
    blocks: Vec<Block>,
}

impl Memory {
    pub(super) const fn new(current: Cost) -> Self {
        Self { current, blocks: Vec::new() }
    }

    /// Gives the memory back.
    pub(super) fn release(&mut self) {
        self.blocks = Vec::new();
    }

    /// A new hash of the current cost.
    pub(super) fn hash(
        &mut self,
        password: &Password,
        salt: [u8; SALT_LEN],
    ) -> Result<PasswordHash, HashRefused> {
        let mut tag = [0; TAG_LEN];
        self.compute(self.current, password, &salt, &mut tag)?;
        let (cost, tag) = (self.current, base64_unpadded(&tag));
        Ok(PasswordHash::from_phc(format!(
            "$argon2id$v=19$m={},t={},p={}${}${tag}",
            cost.memory_kib,
            cost.passes,
            cost.lanes,
            base64_unpadded(&salt),
        )))
    }

    /// Whether the password gives the stored tag, compared in constant time.
    pub(super) fn matches(
        &mut self,
        password: &Password,
        stored: &Stored,
    ) -> Result<bool, HashRefused> {
        let mut tag = vec![0; stored.tag.len()];
        self.compute(stored.cost, password, &stored.salt, &mut tag)?;
        Ok(tag.ct_eq(&stored.tag).into())
    }

    fn compute(
        &mut self,
        cost: Cost,
        password: &Password,
        salt: &[u8],
        tag: &mut [u8],
    ) -> Result<(), HashRefused> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(tag.len()))
            .map_err(|_| HashRefused::Bounds)?;
        let needed = params.block_count();
        if self.blocks.len() < needed {
            self.blocks.resize(needed, Block::default());
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let computed = argon2.hash_password_into_with_memory(
            password.expose().as_bytes(),
            salt,
            tag,
            &mut self.blocks,
        );
        if cost.memory_kib > self.current.memory_kib {
            // A dear foreign hash must not keep its memory for good.
            self.release();
        }
        computed.map_err(|_| HashRefused::Bounds)
    }
}

/// The alphabet of PHC strings: standard base64 without padding.
fn base64_unpadded(bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    STANDARD_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    fn phc(text: &str) -> PasswordHash {
        PasswordHash::from_phc(text.into())
    }

    #[test]
    fn our_strings_are_those_of_the_library_and_read_back() {
        let cost = Cost { memory_kib: 64, passes: 3, lanes: 2 };
        let password = Password::new("correct horse".into());
        let ours = Memory::new(cost).hash(&password, [7; 16]).unwrap();
        let library = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(64, 3, 2, Some(32)).unwrap(),
        );
        let theirs = library.hash_password_with_salt(b"correct horse", &[7; 16]).unwrap();
        assert_eq!(ours.phc(), theirs.to_string());
        library.verify_password(b"correct horse", ours.phc()).unwrap();
        let stored = Stored::parse(&ours).unwrap();
        assert!(Memory::new(cost).matches(&password, &stored).unwrap());
        assert!(!Memory::new(cost).matches(&Password::new("x".into()), &stored).unwrap());
    }

    #[test]
    fn reused_memory_changes_no_result() {
        let (small, large) = (Cost::tiny(), Cost { memory_kib: 256, passes: 2, lanes: 1 });
        let password = Password::new("p".into());
        let mut memory = Memory::new(large);
        let fresh = memory.hash(&password, [1; 16]).unwrap();
        let foreign = Stored::parse(&Memory::new(small).hash(&password, [2; 16]).unwrap()).unwrap();
        assert!(memory.matches(&password, &foreign).unwrap());
        assert_eq!(memory.hash(&password, [1; 16]).unwrap(), fresh);
        let mut narrow = Memory::new(small);
        assert!(narrow.matches(&password, &Stored::parse(&fresh).unwrap()).unwrap());
        assert!(narrow.blocks.is_empty(), "the larger memory is given back");
    }

    #[test]
    fn configured_parameters_have_a_floor_and_a_ceiling() {
        assert_eq!(Cost::new(19_456, 2, 1), Ok(Cost::DEFAULT));
        assert!(Cost::new(65_536, 3, 4).is_ok());
        for (memory_kib, passes, lanes) in [
            (19_455, 2, 1),
            (19_456, 1, 1),
            (19_456, 2, 0),
            (19_456, 2, 17),
            (262_145, 2, 1),
            (262_144, 3, 1),
            (19_456, 33, 1),
            (u32::MAX, u32::MAX, 1),
        ] {
            assert_eq!(Cost::new(memory_kib, passes, lanes), Err(CostRefused));
        }
    }

    #[test]
    fn imported_hashes_outside_the_bounds_are_refused() {
        let tail = "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for (head, expected) in [
            ("$argon2id$v=19$m=19456,t=2,p=1", Ok(())),
            ("$argon2id$v=19$m=47104,t=1,p=1", Ok(())),
            ("$argon2id$v=19$m=7168,t=5,p=1", Ok(())),
            ("$argon2id$v=19$m=7168,t=4,p=1", Err(HashRefused::Bounds)),
            ("$argon2id$v=19$m=4096,t=12,p=1", Err(HashRefused::Bounds)),
            ("$argon2id$v=19$m=262144,t=3,p=1", Err(HashRefused::Bounds)),
            ("$argon2id$v=19$m=4194304,t=1,p=1", Err(HashRefused::Bounds)),
            ("$argon2id$v=19$m=19456,t=4294967295,p=1", Err(HashRefused::Bounds)),
            ("$argon2id$v=19$m=19456,t=2,p=64", Err(HashRefused::Bounds)),
            ("$argon2id$v=16$m=19456,t=2,p=1", Err(HashRefused::Form)),
            ("$argon2id$m=19456,t=2,p=1", Err(HashRefused::Form)),
            ("$argon2i$v=19$m=19456,t=2,p=1", Err(HashRefused::Form)),
            ("$argon2d$v=19$m=19456,t=2,p=1", Err(HashRefused::Form)),
            ("$argon2id$v=19$m=19456,t=2,p=1,keyid=AAAA", Err(HashRefused::Form)),
            ("$2b$12", Err(HashRefused::Form)),
        ] {
            assert_eq!(check_imported(&phc(&format!("{head}{tail}"))), expected, "{head}");
        }
    }

    #[test]
    fn incomplete_hashes_are_refused() {
        for text in [
            "",
            "password",
            "$argon2id",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(check_imported(&phc(text)).is_err(), "{text}");
        }
        let short_tag = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAA";
        assert_eq!(check_imported(&phc(short_tag)), Err(HashRefused::Bounds));
    }

    #[test]
    fn only_weaker_hashes_are_outdated() {
        let current = Cost { memory_kib: 32, passes: 2, lanes: 1 };
        let stored = |memory_kib, passes, salt_len, tag_len| Stored {
            cost: Cost { memory_kib, passes, lanes: 1 },
            salt: vec![0; salt_len],
            tag: vec![0; tag_len],
        };
        for (stored, outdated) in [
            (stored(32, 2, 16, 32), false),
            (stored(64, 3, 32, 64), false),
            (stored(31, 2, 16, 32), true),
            (stored(64, 1, 16, 32), true),
            (stored(32, 2, 8, 32), true),
            (stored(32, 2, 16, 16), true),
        ] {
            assert_eq!(stored.outdated(current), outdated);
        }
    }
}
