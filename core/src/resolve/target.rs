//! One server to try, with everything that is known of it before connecting.

use std::sync::Arc;

use super::tlsa::Tlsa;
use crate::config::Level;
use crate::machine::Endpoint;
use crate::report::Peer;

/// A server to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How it is named in messages.
    pub peer: Arc<Peer>,
    /// Where to connect to.
    pub endpoint: Endpoint,
    /// The host whose address it is, before aliases.
    pub host: Arc<str>,
    /// The destination's domain or host, as typed.
    pub nexthop: Arc<str>,
    /// The port; 0 for UNIX sockets.
    pub port: u16,
    /// The security of the record that led to the host.
    pub mx: MxSecurity,
    /// The address answer was secure.
    pub address_secure: bool,
    /// The level that holds for this server.
    pub level: Level,
    /// The TLSA records, if any were found. Whether they count is the level's matter.
    pub tlsa: Option<Arc<TlsaSet>>,
    /// The names that a certificate may carry if there are usable TLSA records: the TLSA base domain,
    /// which is also the name for SNI (RFC 7672 section 8.1), then those of the MX or SRV record.
    pub match_names: Vec<String>,
}

/// The security of the MX or SRV record that led to a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MxSecurity {
    /// There is no such record: the destination is the host.
    #[default]
    None,
    /// It was not secure.
    Insecure,
    /// It was secure.
    Secure,
}

/// The TLSA records of a service on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsaSet {
    /// The TLSA base domain (RFC 7672 section 2.2.3).
    pub base: String,
    /// The name that was asked for: port and protocol in front of the base domain.
    pub query: String,
    /// Whose records they are, after aliases.
    pub owner: String,
    /// The records in the answer's order; at most [`limits::RECORDS`](crate::limits::RECORDS).
    pub records: Vec<TlsaRecord>,
    /// There were more than that.
    pub excess: bool,
}

impl TlsaSet {
    /// Goes through the records that were not dropped.
    pub fn usable(&self) -> impl Iterator<Item = &Tlsa> {
        self.records.iter().filter_map(|record| match record {
            TlsaRecord::Usable(tlsa) => Some(tlsa),
            TlsaRecord::Usage(_) | TlsaRecord::PrivateMatching(_) | TlsaRecord::Short(_) => None,
        })
    }
}

/// A TLSA record, and why it was dropped if it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsaRecord {
    /// It may be used, if the judge can make sense of it.
    Usable(Tlsa),
    /// Its certificate usage is neither DANE-TA nor DANE-EE (RFC 7672 section 3.1.3).
    Usage(Tlsa),
    /// Its matching type is PrivMatch, which means nothing in public.
    PrivateMatching(Tlsa),
    /// It has no certificate association data; this is its length.
    Short(usize),
}

impl From<Tlsa> for TlsaRecord {
    fn from(tlsa: Tlsa) -> Self {
        match (tlsa.usage, tlsa.matching) {
            (2 | 3, 255) => Self::PrivateMatching(tlsa),
            (2 | 3, _) => Self::Usable(tlsa),
            (_, _) => Self::Usage(tlsa),
        }
    }
}
