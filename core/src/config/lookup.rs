//! How mail hosts are found.

use std::fmt;
use std::sync::Arc;

use crate::destination::check_host;
use crate::machine::Remote;
use crate::resolve::{RecordType, ResolvConf, TrustAnchors};

/// Everything that decides how mail hosts, their addresses and TLSA records are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Where the addresses of hosts are looked up (`-h`).
    pub hosts: HostLookup,
    /// The address families that are used at all (`inet_protocols`).
    pub families: AddressFamilies,
    /// Look up SRV records instead of MX records (`-R`).
    pub srv: bool,
    /// Look up TLSA records also of hosts whose addresses are not secure (`-f`).
    pub force_tlsa: bool,
    /// What TLSA records are worth when the MX record was not secure (`-M`).
    pub insecure_mx: InsecureMx,
    /// The name servers.
    pub resolvers: ResolvConf,
    /// Who tells that an answer is secure (`--dnssec`).
    pub dnssec: DnssecTrust,
    /// Where trust begins when answers are validated here (`--trust-anchor`).
    pub trust_anchors: Arc<TrustAnchors>,
    /// What to ask once to learn whether there is any security to be had; `None` asks nothing.
    pub dnssec_probe: Option<DnssecProbe>,
    /// Tell each question with its end.
    pub tell_questions: bool,
}

impl Default for Lookup {
    /// The reference's defaults, for the resolver on this host.
    fn default() -> Self {
        Self {
            hosts: HostLookup::default(),
            families: AddressFamilies::default(),
            srv: false,
            force_tlsa: false,
            insecure_mx: InsecureMx::default(),
            resolvers: ResolvConf::default(),
            dnssec: DnssecTrust::default(),
            trust_anchors: Arc::default(),
            dnssec_probe: Some(DnssecProbe::default()),
            tell_questions: false,
        }
    }
}

/// Where the addresses of hosts are looked up. MX, SRV and TLSA records are always in DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostLookup {
    /// In DNS; comes first if both are wanted.
    pub dns: bool,
    /// By the system; after DNS only if that knows that there is no such host.
    pub native: bool,
}

impl Default for HostLookup {
    fn default() -> Self {
        Self { dns: true, native: false }
    }
}

/// The address families that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressFamilies {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

impl Default for AddressFamilies {
    fn default() -> Self {
        Self { v4: true, v6: true }
    }
}

/// What TLSA records are worth when the MX record was not secure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InsecureMx {
    /// Nothing: they are not even looked up.
    May,
    /// They show that the host does TLS.
    Encrypt,
    /// They are checked, but a match counts only as trusted.
    #[default]
    Dane,
}

impl Lookup {
    /// Tells whether the AD bit of a name server counts that is asked in plain text.
    pub fn believes(&self, server: &Remote) -> bool {
        match self.dnssec {
            DnssecTrust::Trust => true,
            DnssecTrust::Local => false,
            DnssecTrust::Auto => {
                self.resolvers.trust_ad || server.address.ip().to_canonical().is_loopback()
            }
        }
    }
}

/// Who tells that an answer is secure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnssecTrust {
    /// The name servers, by the AD bit. The way to them is the caller's business; but over TLS it
    /// counts only from those that are authenticated.
    #[default]
    Trust,
    /// This program, by validation. An answer that fails it is as good as none.
    Local,
    /// The name servers that are on this host, or authenticated over TLS, or all if resolv.conf says
    /// `trust-ad`, as long as they set the AD bit on anything; otherwise this program. Without DNSSEC records everything
    /// is insecure.
    Auto,
}

/// A question whose answer is known to be secure in the Internet's DNS (`dnssec_probe`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnssecProbe {
    /// The type that is asked for.
    pub record: RecordType,
    /// The name that is asked for; `.` is the root.
    pub name: String,
}

impl Default for DnssecProbe {
    /// The name servers of the root.
    fn default() -> Self {
        Self { record: RecordType::NS, name: ".".to_owned() }
    }
}

impl DnssecProbe {
    /// Reads `qtype:qname`; `None` for an empty text, which asks nothing.
    pub fn parse(text: &str) -> Result<Option<Self>, BadDnssecProbe> {
        if text.is_empty() {
            return Ok(None);
        }
        let (record, name) = text.split_once(':').ok_or(BadDnssecProbe)?;
        let record = RecordType::from_text(record.trim()).ok_or(BadDnssecProbe)?;
        let name = name.trim();
        if name != "." && check_host(name).is_err() {
            return Err(BadDnssecProbe);
        }
        Ok(Some(Self { record, name: name.to_owned() }))
    }
}

/// `qtype:qname`, as it is configured.
impl fmt::Display for DnssecProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.record.to_string().to_ascii_lowercase(), self.name)
    }
}

/// The text is not `qtype:qname`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadDnssecProbe;

impl fmt::Display for BadDnssecProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected qtype:qname")
    }
}

impl std::error::Error for BadDnssecProbe {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dnssec_probe_text() {
        assert_eq!(DnssecProbe::parse(""), Ok(None));
        assert_eq!(DnssecProbe::parse("ns:."), Ok(Some(DnssecProbe::default())));
        assert_eq!(DnssecProbe::default().to_string(), "ns:.");
        let probe = DnssecProbe::parse("MX:example.org").unwrap().unwrap();
        assert_eq!((probe.record, &probe.name[..]), (RecordType::MX, "example.org"));
        for bad in ["ns", "ns:", ":.", "x:.", "ns:a b", "ns:.."] {
            assert_eq!(DnssecProbe::parse(bad), Err(BadDnssecProbe), "{bad}");
        }
    }
}
