//! Networks of addresses (CIDR, RFC 4632 §3.1, RFC 4291 §2.3), in one spelling each.
//!
//! Which addresses are trusted as proxies, called although they are private, or let in nowhere, is
//! said in the same words. An IPv4 address that is written as IPv6 counts as IPv4.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// A text that names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a network such as 192.0.2.0/24 or 2001:db8::/32")]
pub struct Malformed;

/// How many bits stand before an IPv4 address that is written as IPv6 (RFC 4291 §2.5.5.2).
const MAPPED: u8 = 96;

/// A block of addresses, such as `192.0.2.0/24`. Invariant: no bit behind its length is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    /// The network of that many bits that an address is in; none if it has fewer bits.
    pub fn around(address: IpAddr, length: u8) -> Option<Self> {
        let length_max: u8 = if address.is_ipv4() { 32 } else { 128 };
        let spare = u32::from(length_max).checked_sub(u32::from(length))?;
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(spare).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(address) & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(spare).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
            }
        };
        Some(Self { address, length })
    }

    /// Reads `address/length` or a single address, and the address as it was written (as IPv4 if it
    /// is one), which may have bits behind the length.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(text: &str) -> Result<(Self, IpAddr), Malformed> {
        let (address, length) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| Malformed)?;
        let length: u8 = match length {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| Malformed)?
            }
            Some(_) => return Err(Malformed),
            None if address.is_ipv4() => 32,
            None => 128,
        };
        let (address, length) = match address.to_canonical() {
            canonical if canonical == address => (address, length),
            canonical => (canonical, length.checked_sub(MAPPED).ok_or(Malformed)?),
        };
        Ok((Self::around(address, length).ok_or(Malformed)?, address))
    }

    /// Whether the address lies in this block.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && Self::around(address, self.length) == Some(*self)
    }

    /// Whether the two have addresses in common: one lies in the other then.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// Its first address.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits its addresses share.
    pub const fn length(&self) -> u8 {
        self.length
    }
}

impl fmt::Display for Network {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.address, self.length)
    }
}

impl FromStr for Network {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::read(text).map(|(network, _)| network)
    }
}

impl TryFrom<String> for Network {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_addresses_only() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.6/31", "192.0.2.7", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{network} {address}");
        }
    }

    #[test]
    fn a_network_has_one_spelling() {
        for (text, expected) in [
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("2001:DB8:0:0::/32", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), expected, "{text}");
            assert_eq!(expected.parse(), Ok(network));
            let json = serde_json::to_string(&network).unwrap();
            assert_eq!(json, format!("\"{expected}\""));
            assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), network);
        }
        for text in [
            "",
            "/",
            "10.0.0.0/33",
            "fd00::/129",
            "10.0.0/8",
            "host",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0.0/256",
            "010.0.0.0/8",
            "fe80::1%eth0/64",
            "::ffff:10.0.0.0/95",
        ] {
            assert_eq!(text.parse::<Network>(), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn two_networks_overlap_where_one_lies_in_the_other() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        for (one, other, expected) in [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.0.0.0/8", "11.0.0.0/8", false),
            ("0.0.0.0/0", "::/0", false),
            ("::/0", "2001:db8::/32", true),
        ] {
            assert_eq!(network(one).overlaps(&network(other)), expected, "{one} {other}");
            assert_eq!(network(other).overlaps(&network(one)), expected, "{other} {one}");
        }
    }
}
