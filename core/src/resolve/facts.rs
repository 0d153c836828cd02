//! What was found on the way to the servers, as data for reports.

use std::net::IpAddr;
use std::sync::Arc;

use super::dnssec::Proof;
use super::host::{Association, Host};
use super::note::LookupNote;
use super::order::Candidate;
use super::target::{MxSecurity, TlsaSet};
use super::{LookupError, RecordType};

/// Where mail for a destination goes, as far as it was looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteFacts {
    /// The records that name the hosts; none if the destination is the host.
    pub record: Option<RecordType>,
    /// Their security.
    pub security: MxSecurity,
    /// The hosts in order of preference.
    pub hosts: Vec<HostFacts>,
    /// What the answers are worth that were validated here, in the order in which they were asked
    /// for; empty if the name servers are believed.
    pub proofs: Vec<Arc<Proof>>,
}

/// A mail host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// Its name before aliases, or an address.
    pub name: Arc<str>,
    /// The port.
    pub port: u16,
    /// MX preference or SRV priority; 0 if there is none.
    pub preference: u16,
    /// The addresses that were found.
    pub addresses: Vec<AddressFacts>,
    /// Why there are none.
    pub error: Option<Box<LookupError>>,
    /// All answers came. Hosts that were not needed any more are left where they were.
    pub complete: bool,
}

/// An address of a mail host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFacts {
    /// The address.
    pub ip: IpAddr,
    /// The answer with it was secure.
    pub secure: bool,
    /// The TLSA records that go with it.
    pub tlsa: TlsaFacts,
}

/// The TLSA records that go with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsaFacts {
    /// They were not looked up, or not to the end.
    Unknown,
    /// There are none that count for a host like this.
    None,
    /// These were found.
    Found(Arc<TlsaSet>),
    /// They could not be looked up; the note tells why.
    Failed(Box<LookupNote>),
}

impl HostFacts {
    pub(crate) fn of(candidate: &Candidate, host: &Host) -> Self {
        let count = host.groups().iter().map(|group| group.addresses.len()).sum();
        let mut addresses = Vec::with_capacity(count);
        for group in host.groups() {
            let tlsa = match &group.association {
                None | Some(Association::NotWanted) => TlsaFacts::Unknown,
                Some(Association::None) => TlsaFacts::None,
                Some(Association::Usable(set) | Association::Unusable(set)) => {
                    TlsaFacts::Found(Arc::clone(set))
                }
                Some(Association::Failed(note)) => TlsaFacts::Failed(Box::new(note.clone())),
            };
            addresses.extend(group.addresses.iter().map(|remote| AddressFacts {
                ip: remote.address.ip(),
                secure: group.secure,
                tlsa: tlsa.clone(),
            }));
        }
        Self {
            name: candidate.host.clone(),
            port: candidate.port,
            preference: candidate.preference,
            addresses,
            error: host.failure().cloned().map(Box::new),
            complete: host.is_done(),
        }
    }
}
