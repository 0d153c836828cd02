//! What tlsproxy(8) is told before it gets the server's socket.

use std::path::Path;
use std::time::Duration;

use super::attributes::Writer;
use crate::config::{Level, MatchRule, Proxy, ProxyForm};
use crate::report::{Peer, PeerAddress};
use crate::resolve::Tlsa;

/// What the daemon is asked to do, save for what only the session knows.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) proxy: Proxy,
    /// The limit for the handshake, and for later reads and writes.
    pub(crate) timeout: Duration,
    pub(crate) level: Level,
    pub(crate) nexthop: String,
    pub(crate) host: String,
    pub(crate) server_name: String,
    pub(crate) raw_public_keys: bool,
    pub(crate) matches: Vec<MatchRule>,
    /// The TLSA base domain.
    pub(crate) base: String,
    /// TLSA records, or what stands for pins and anchors.
    pub(crate) tlsa: Vec<Tlsa>,
}

/// The client's role, and that the result of TLS is wanted.
const FLAGS: u64 = 2 | 4;

/// What a client sets TLS up with, in the daemon's order.
const SETUP: [&str; 14] = [
    "log_param",
    "log_level",
    "verifydepth",
    "cache_type",
    "chain_files",
    "cert_file",
    "key_file",
    "dcert_file",
    "dkey_file",
    "eccert_file",
    "eckey_file",
    "CAfile",
    "CApath",
    "mdalg",
];

impl Request {
    pub(super) fn socket(&self) -> &Path {
        &self.proxy.socket
    }

    /// Tells how many forms of the protocol there are to try.
    pub(super) fn forms(&self) -> usize {
        self.proxy.forms.len()
    }

    /// Writes both groups of attributes in one of the forms.
    pub(super) fn write(&self, form: usize, peer: &Peer, helo: &[u8]) -> Vec<u8> {
        let form = self.proxy.forms.get(form).copied().unwrap_or(ProxyForm::V3_11);
        let endpoint = match &peer.address {
            PeerAddress::Inet(ip, port) => format!("[{ip}]:{port}"),
            PeerAddress::Unix(path) => path.display().to_string(),
        };
        let timeout = self.timeout.as_secs();
        let mut call = Writer::default();
        call.text("remote_endpoint", &endpoint).number("flags", FLAGS);
        call.number("timeout", timeout).number("timeout", timeout).text("serverid", &endpoint);
        let mut bytes = call.finish();

        let mut terms = Writer::default();
        for name in form.parameters().iter().chain(&SETUP) {
            terms.text(name, self.value(name));
        }
        terms.number("timeout", timeout);
        if form == ProxyForm::V3_11 {
            terms.number("enable_rpk", self.raw_public_keys.into());
        }
        terms.number("tls_level", level(self.level)).text("nexthop", &self.nexthop);
        terms.text("host", &self.host).text("namaddr", &peer.to_string());
        terms.text("sni", &self.server_name).text("serverid", &endpoint);
        terms.text("helo", &String::from_utf8_lossy(helo));
        for name in ["protocols", "cipher_grade", "cipher_exclusions"] {
            terms.text(name, self.value(name));
        }
        terms.number("argv_size", self.matches.len() as u64);
        for rule in &self.matches {
            terms.text("argv_value", &rule.to_string());
        }
        terms.text("mdalg", self.value("mdalg"));
        terms.number("dane", (!self.tlsa.is_empty()).into());
        if !self.tlsa.is_empty() {
            terms.text("domain", &self.base).number("count", self.tlsa.len() as u64);
        }
        for tlsa in &self.tlsa {
            terms.number("usage", tlsa.usage.into()).number("selector", tlsa.selector.into());
            terms.number("mtype", tlsa.matching.into()).data("data", &tlsa.data);
        }
        if form == ProxyForm::V3_11 {
            terms.text("forced_failure_type", "");
        }
        bytes.extend(terms.finish());
        bytes
    }

    fn value(&self, name: &str) -> &str {
        self.proxy.values.get(name).map_or("", String::as_str)
    }
}

/// The daemon's number of a level.
const fn level(level: Level) -> u64 {
    match level {
        Level::None => 0,
        Level::May => 1,
        Level::Encrypt => 2,
        Level::Fingerprint => 3,
        Level::HalfDane => 4,
        Level::Dane => 5,
        Level::DaneOnly => 6,
        Level::Verify => 7,
        Level::Secure => 8,
    }
}
