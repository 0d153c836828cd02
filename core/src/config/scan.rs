//! How a scan goes about many destinations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::Config;
use crate::destination::{check_host, host_to_ascii};

/// Everything that decides a scan besides seed, time, destinations and what the world does.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ScanConfig {
    /// How each destination is probed. Its own destination does not count, sessions are not
    /// resumed, and the reply to QUIT is not waited for.
    pub probe: Config,
    /// How much at once, how fast, how often.
    pub limits: ScanLimits,
    /// Who is left alone.
    pub blocklist: Blocklist,
}

/// How much a scan does at once, how fast and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanLimits {
    /// Destinations that were given and are not finished. Memory grows with it.
    pub destinations: usize,
    /// Transports at once, those to name servers included; each takes a descriptor. Whatever it says, one
    /// connection to a mail server and the attempts of one question with a stream to each name server
    /// are allowed.
    pub transports: usize,
    /// Connections to mail servers at once.
    pub connections: usize,
    /// Connections to mail servers begun in a second. When the driver was late, one hundredth of
    /// that may be made up for.
    pub rate: Option<u32>,
    /// Connections to one address at once, whatever the port.
    pub per_address: usize,
    /// Connections to one mail host at once, whatever the address.
    pub per_host: usize,
    /// How long an address is left alone after a connection there has ended.
    pub pause: Duration,
    /// How long there may be connections for one destination. Time in which there are none, because of
    /// the other limits or because a server that refused is left alone, does not count.
    pub total: Duration,
    /// How long an observation also counts for other destinations that lead to the same server with
    /// the same offer; `None` makes a connection for each.
    pub share: Option<Duration>,
    /// Only the first server that can be reached, not every address of every mail host.
    pub first_only: bool,
    /// A server that shows an RSA key is asked once more for an ECDSA key, and the other way round.
    pub both_keys: bool,
    /// How often a server is visited again that refused for now (reply code 421 or another 4yz).
    pub retries: u32,
    /// How long its address is left alone before; each time twice as long as before, so many times.
    /// One that goes on refusing is [given up](crate::limits::REFUSALS).
    pub retry_after: Duration,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self {
            destinations: 1000,
            transports: 1000,
            connections: 500,
            rate: None,
            per_address: 2,
            per_host: 8,
            pause: Duration::from_secs(1),
            total: Duration::from_secs(600),
            share: Some(Duration::from_secs(3600)),
            first_only: false,
            both_keys: false,
            retries: 2,
            retry_after: Duration::from_secs(30),
        }
    }
}

/// Domains and addresses that are never contacted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Blocklist {
    domains: BTreeSet<String>,
    /// The prefixes of each length, by family: those of IPv4 are bits of IPv4-mapped addresses.
    prefixes: BTreeMap<u8, BTreeSet<u128>>,
}

impl Blocklist {
    /// Adds a domain, which stands for everything below it too, an address, or a prefix such as
    /// `192.0.2.0/24`.
    ///
    /// # Errors
    ///
    /// The text is none of these, or the prefix has bits behind its end.
    pub fn add(&mut self, text: &str) -> Result<(), BadBlock> {
        if let Some((address, length)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| BadBlock::Address)?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let length: u8 = length.parse().map_err(|_| BadBlock::Length)?;
            if length > most {
                return Err(BadBlock::Length);
            }
            return self.add_prefix(address, 128 - most + length);
        }
        if let Ok(address) = text.parse() {
            return self.add_prefix(address, 128);
        }
        let name = text.trim_start_matches('.').trim_end_matches('.');
        let ascii = host_to_ascii(name).map_err(|_| BadBlock::Domain)?;
        check_host(&ascii).map_err(|_| BadBlock::Domain)?;
        self.domains.insert(ascii.to_ascii_lowercase());
        Ok(())
    }

    fn add_prefix(&mut self, address: IpAddr, length: u8) -> Result<(), BadBlock> {
        let bits = bits(address);
        if masked(bits, length) != bits {
            return Err(BadBlock::HostBits);
        }
        self.prefixes.entry(length).or_default().insert(bits);
        Ok(())
    }

    /// Tells whether a domain or host is on the list, or one above it.
    pub fn blocks_name(&self, name: &str) -> bool {
        if self.domains.is_empty() {
            return false;
        }
        let name = match host_to_ascii(name) {
            Ok(ascii) => ascii.to_ascii_lowercase(),
            Err(_) => name.to_ascii_lowercase(),
        };
        let mut rest = name.trim_end_matches('.');
        loop {
            if self.domains.contains(rest) {
                return true;
            }
            match rest.split_once('.') {
                Some((_, above)) => rest = above,
                None => return false,
            }
        }
    }

    /// Tells whether an address is on the list, or in a prefix that is.
    pub fn blocks_address(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        // What is wider than all of IPv4 means IPv6.
        let least = if address.to_canonical().is_ipv4() { 96 } else { 0 };
        let mut fitting = self.prefixes.range(least..);
        fitting.any(|(length, known)| known.contains(&masked(bits, *length)))
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn masked(bits: u128, length: u8) -> u128 {
    bits & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

/// Why a text is no entry of a [`Blocklist`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadBlock {
    /// What stands before the slash is no address.
    Address,
    /// What stands behind the slash is no length of a prefix.
    Length,
    /// The address has bits behind the end of the prefix.
    HostBits,
    /// It is no domain.
    Domain,
}

impl fmt::Display for BadBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "malformed address before the slash",
            Self::Length => "bad prefix length",
            Self::HostBits => "address has bits behind the prefix",
            Self::Domain => "neither domain, address nor prefix",
        })
    }
}

impl std::error::Error for BadBlock {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocklist() {
        let mut list = Blocklist::default();
        for entry in
            ["Example.org", "bücher.test", "192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "::1"]
        {
            assert_eq!(list.add(entry), Ok(()), "{entry}");
        }
        let names = [
            ("example.org", true),
            ("mx.EXAMPLE.org.", true),
            ("notexample.org", false),
            ("org", false),
            ("xn--bcher-kva.test", true),
            ("www.bücher.test", true),
        ];
        for (name, blocked) in names {
            assert_eq!(list.blocks_name(name), blocked, "{name}");
        }
        let addresses = [
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("::ffff:192.0.2.1", true),
            ("198.51.100.7", true),
            ("198.51.100.6", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
            ("::1", true),
            ("::2", false),
        ];
        for (address, blocked) in addresses {
            assert_eq!(list.blocks_address(address.parse().unwrap()), blocked, "{address}");
        }
        let bad = [
            ("x/24", BadBlock::Address),
            ("192.0.2.0/33", BadBlock::Length),
            ("192.0.2.0/", BadBlock::Length),
            ("192.0.2.1/24", BadBlock::HostBits),
            ("::1/127", BadBlock::HostBits),
            ("", BadBlock::Domain),
            ("a b", BadBlock::Domain),
        ];
        for (entry, error) in bad {
            assert_eq!(list.add(entry), Err(error), "{entry}");
        }
        let mut all = Blocklist::default();
        assert_eq!(all.add("0.0.0.0/0"), Ok(()));
        assert!(all.blocks_address("192.0.2.1".parse().unwrap()));
        assert!(!all.blocks_address("2001:db8::1".parse().unwrap()));
        assert_eq!(all.add("::/0"), Ok(()));
        assert!(all.blocks_address("2001:db8::1".parse().unwrap()));
        let mut six = Blocklist::default();
        assert_eq!(six.add("::/0"), Ok(()));
        assert!(six.blocks_address("2001:db8::1".parse().unwrap()));
        assert!(!six.blocks_address("192.0.2.1".parse().unwrap()));
    }
}
