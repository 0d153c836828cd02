//! How mail hosts are found: `-h`, `-M`, `-R`, `-f`, the resolver and whether to believe it.

use std::sync::Arc;

use tlsfinger_core::config::{DnssecTrust, HostLookup, Lookup, TrustStore};
use tlsfinger_core::resolve::{ResolvConf, ResolverTls, TrustAnchors};

use super::policy::{self, Engine};
use super::{SettingError, System};
use crate::line::Message;
use crate::options::Options;
use crate::parameters::Parameters;

/// Decides how mail hosts are found.
pub(super) fn decide(
    options: &Options,
    hosts: HostLookup,
    parameters: &Parameters,
    engine: &Engine,
    system: &System,
    notes: &mut Vec<Message>,
) -> Result<Lookup, SettingError> {
    let mut resolvers = ResolvConf::parse(&(system.resolv_conf)());
    if let Some(server) = &options.resolver {
        let remote = server.remote.clone();
        resolvers = match &server.tls {
            None => resolvers.with_server(remote),
            Some(name) => {
                let trust = resolver_roots(options, engine, system, notes)?;
                resolvers.with_tls_server(remote, ResolverTls { name: name.clone(), trust })
            }
        };
    }
    let by_name = if system.posttls_finger { DnssecTrust::Trust } else { DnssecTrust::Auto };
    let trust_anchors = match &options.trust_anchor {
        Some(path) => {
            let file = (system.read)(path).map_err(SettingError::File)?;
            TrustAnchors::parse(&file.text)
                .map_err(|error| SettingError::BadTrustAnchor(path.display().to_string(), error))?
        }
        None => TrustAnchors::default(),
    };
    Ok(Lookup {
        hosts,
        families: parameters.families,
        srv: options.srv,
        force_tlsa: options.force_tlsa,
        insecure_mx: options.insecure_mx.unwrap_or_default(),
        resolvers,
        dnssec: options.dnssec.unwrap_or(by_name),
        dnssec_probe: parameters.dnssec_probe.clone(),
        trust_anchors: Arc::new(trust_anchors),
        tell_questions: options.verbose > 0 || system.mail_verbose,
    })
}

/// The CAs that may vouch for a name server: those that were named, else those of Mozilla.
fn resolver_roots(
    options: &Options,
    engine: &Engine,
    system: &System,
    notes: &mut Vec<Message>,
) -> Result<TrustStore, SettingError> {
    if !engine.roots.is_empty() {
        return Ok(engine.roots.clone());
    }
    // At level none nobody has read them yet.
    let named = policy::roots(options, false, system, notes);
    let mut roots = named.map_err(|policy::NoTls| SettingError::NoResolverRoots)?;
    if roots.is_empty() {
        webpki_roots::TLS_SERVER_ROOTS.iter().for_each(|root| roots.add_anchor(root));
    }
    Ok(roots)
}

/// Reads `-h`: words in any order, separated by commas or blanks; none of them means no lookups.
pub(super) fn hosts(list: Option<&str>) -> Result<HostLookup, SettingError> {
    let Some(list) = list else { return Ok(HostLookup::default()) };
    let mut hosts = HostLookup { dns: false, native: false };
    for word in list.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
        match word {
            "dns" => hosts.dns = true,
            "native" => hosts.native = true,
            _ => return Err(SettingError::BadHostLookup(word.to_owned(), list.to_owned())),
        }
    }
    Ok(hosts)
}
