//! What is sealed opens where it was sealed and nowhere else.

use crate::runtime::{clock::Clock, random::Random};

use super::*;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const OTHER: &[u8] = b"another secret of thirty-two byte";
const ONE: TenantId = TenantId::from_bytes([1; 16]);
const TWO: TenantId = TenantId::from_bytes([2; 16]);

fn keyring(current: &[u8], previous: Option<&[u8]>) -> Keyring {
    Keyring::new(
        Root::parse(current).unwrap(),
        previous.map(|secret| Root::parse(secret).unwrap()),
        Random::new(Clock::manual(0)),
    )
}

fn field(tenant: TenantId, table: [u8; 2], record: u8, name: &str) -> Field<'_> {
    Field { tenant, table: Table(table), record: [record; 16], name }
}

#[test]
fn a_field_opens_in_its_own_place_only() {
    let keyring = keyring(SECRET, None);
    let home = field(ONE, *b"sk", 1, "private");
    let sealed = keyring.seal(&home, b"secret").unwrap();
    assert!(!sealed.bytes.windows(6).any(|window| window == b"secret"));
    assert_eq!(keyring.unseal(&home, &sealed).unwrap().as_slice(), b"secret");
    for elsewhere in [
        field(TWO, *b"sk", 1, "private"),
        field(ONE, *b"us", 1, "private"),
        field(ONE, *b"sk", 2, "private"),
        field(ONE, *b"sk", 1, "public"),
        field(ONE, *b"sk", 1, ""),
    ] {
        let opened = keyring.unseal(&elsewhere, &sealed).map(|_| ());
        assert_eq!(opened, Err(Unseal::NotGenuine), "{elsewhere:?}");
    }
}

#[test]
fn every_altered_byte_is_noticed() {
    let keyring = keyring(SECRET, None);
    let home = field(ONE, *b"sk", 1, "private");
    let sealed = keyring.seal(&home, b"secret").unwrap();
    for at in 0..sealed.bytes.len() {
        let mut altered = sealed.clone();
        altered.bytes[at] ^= 1;
        assert!(keyring.unseal(&home, &altered).is_err(), "byte {at}");
    }
    let mut altered = sealed.clone();
    altered.nonce[0] ^= 1;
    assert!(keyring.unseal(&home, &altered).is_err());
    for len in 0..sealed.bytes.len() {
        let cut = Sealed { bytes: sealed.bytes[..len].to_vec(), ..sealed.clone() };
        assert!(keyring.unseal(&home, &cut).is_err(), "length {len}");
    }
}

#[test]
fn the_same_plaintext_never_seals_to_the_same_bytes() {
    let keyring = keyring(SECRET, None);
    let home = field(ONE, *b"sk", 1, "private");
    let (first, second) = (keyring.seal(&home, b"x").unwrap(), keyring.seal(&home, b"x").unwrap());
    assert_ne!((first.nonce, first.bytes), (second.nonce, second.bytes));
}

#[test]
fn a_wrong_root_opens_nothing_and_says_so() {
    let home = field(ONE, *b"sk", 1, "private");
    let sealed = keyring(SECRET, None).seal(&home, b"secret").unwrap();
    let opened = keyring(OTHER, None).unseal(&home, &sealed).map(|_| ());
    assert_eq!(opened, Err(Unseal::UnknownRoot(sealed.key)));
    let renamed = Sealed { key: keyring(OTHER, None).key(), ..sealed };
    let opened = keyring(OTHER, None).unseal(&home, &renamed).map(|_| ());
    assert_eq!(opened, Err(Unseal::NotGenuine));
}

#[test]
fn with_two_roots_the_old_opens_and_the_new_rewraps() {
    let home = field(ONE, *b"sk", 1, "private");
    let sealed = keyring(SECRET, None).seal(&home, b"secret").unwrap();
    let rotating = keyring(OTHER, Some(SECRET));
    assert!(rotating.needs_rewrap(&sealed));
    let wrapped = rotating.rewrap(&home, &sealed).unwrap();
    assert!(!rotating.needs_rewrap(&wrapped));
    assert_eq!(keyring(OTHER, None).unseal(&home, &wrapped).unwrap().as_slice(), b"secret");
}

#[test]
fn a_successor_opens_only_with_its_predecessor_in_its_tenant() {
    let keyring = keyring(SECRET, None);
    let (old, new) = (Token::new("vlt_rt_old".into()), Token::new("vlt_rt_new".into()));
    let sealed = keyring.seal_successor(ONE, &old, &new).unwrap();
    let opened = keyring.unseal_successor(ONE, &old, &sealed).unwrap();
    assert_eq!(opened.expose(), "vlt_rt_new");
    assert!(keyring.unseal_successor(TWO, &old, &sealed).is_err());
    assert!(keyring.unseal_successor(ONE, &new, &sealed).is_err());
    assert!(self::keyring(OTHER, None).unseal_successor(ONE, &old, &sealed).is_err());
}

#[test]
fn a_cookie_opens_for_its_purpose_and_tenant_until_it_expires() {
    let keyring = keyring(SECRET, None);
    let cookie = keyring.seal_cookie(CookiePurpose::Login, ONE, 1_000, b"state").unwrap();
    let open = |purpose, tenant, now_ms, cookie: &str| {
        keyring.open_cookie(purpose, tenant, now_ms, cookie).map(|bytes| bytes.to_vec())
    };
    assert_eq!(open(CookiePurpose::Login, ONE, 999, &cookie), Ok(b"state".to_vec()));
    assert_eq!(open(CookiePurpose::Login, ONE, 1_000, &cookie), Err(CookieRefused::Expired));
    assert_eq!(open(CookiePurpose::Form, ONE, 999, &cookie), Err(CookieRefused::NotGenuine));
    assert_eq!(open(CookiePurpose::Login, TWO, 999, &cookie), Err(CookieRefused::NotGenuine));
    let later = self::keyring(OTHER, Some(SECRET));
    assert!(later.open_cookie(CookiePurpose::Login, ONE, 999, &cookie).is_ok());
}

#[test]
fn a_cookie_with_any_altered_byte_is_refused() {
    let keyring = keyring(SECRET, None);
    let cookie = keyring.seal_cookie(CookiePurpose::Login, ONE, 1_000, b"state").unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(&cookie).unwrap();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 0x80;
        let altered = URL_SAFE_NO_PAD.encode(altered);
        let opened = keyring.open_cookie(CookiePurpose::Login, ONE, 0, &altered).map(|_| ());
        assert_eq!(opened, Err(CookieRefused::NotGenuine), "byte {at}");
    }
    for text in ["", "A", "====", "not base64!", &"A".repeat(5_000), &format!("{cookie}=")] {
        assert!(keyring.open_cookie(CookiePurpose::Login, ONE, 0, text).is_err(), "{text}");
    }
}
