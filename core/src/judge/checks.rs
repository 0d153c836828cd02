//! The checks of a path, in OpenSSL's order; all are made, whatever they find.

use std::sync::Arc;

use super::constraints;
use super::error::VerifyError;
use super::links::Signatures;
use super::log::Log;
use super::names::Wanted;
use super::path::Path;
use crate::cert::{Authority, Curve, Examined, KeyKind, KeyUsage, Seconds, SignatureError};
use crate::limits;

/// What security level 1 asks of keys and digests, in bits; level 0 asks nothing.
const SECURITY_BITS: u32 = 80;

/// What a path is checked with.
#[derive(Debug)]
pub(super) struct Context<'a> {
    /// OpenSSL's security level 1 applies.
    pub(super) strict: bool,
    pub(super) wanted: &'a Wanted,
    pub(super) now: Seconds,
    pub(super) signatures: Signatures<'a>,
}

impl Context<'_> {
    /// Checks the path and tells the name that fits. `wants_anchor` says that only an anchor among
    /// TLSA records would do.
    pub(super) fn check(
        &mut self,
        path: &Path,
        wants_anchor: bool,
        log: &mut Log,
    ) -> Option<String> {
        end(path, wants_anchor, log);
        extensions(&path.chain, log);
        if self.strict {
            strengths(&path.chain, log);
        }
        let name = names(&path.chain, self.wanted, log);
        signatures(path, self, log);
        name_constraints(&path.chain, log);
        name
    }
}

/// Notes what a path lacks that reached nothing trusted.
fn end(path: &Path, wants_anchor: bool, log: &mut Log) {
    let Some(last) = path.chain.last().filter(|_| !path.trusted) else { return };
    let depth = path.chain.len() - 1;
    if path.is_too_long() {
        log.fail(&path.chain, depth, VerifyError::ChainTooLong);
    }
    if wants_anchor {
        log.fail(&path.chain, depth, VerifyError::NoDaneMatch);
    }
    let error = match (last.is_self_signed(), depth) {
        (true, 0) => VerifyError::SelfSigned,
        (true, _) => VerifyError::SelfSignedInChain,
        (false, _) if path.untrusted < path.chain.len() => VerifyError::UnableToGetIssuer,
        (false, _) => VerifyError::UnableToGetIssuerLocally,
    };
    log.fail(&path.chain, depth, error);
}

/// Checks what extensions say of each certificate's place in the path.
fn extensions(chain: &[Arc<Examined>], log: &mut Log) {
    let mut intermediates = 0;
    for (depth, one) in chain.iter().enumerate() {
        if one.extensions().unhandled.is_some() {
            log.fail(chain, depth, VerifyError::UnhandledCriticalExtension);
        }
        if one.extensions().proxy {
            log.fail(chain, depth, VerifyError::ProxyCertificate);
        }
        let authority = one.authority();
        let is_last = depth + 1 == chain.len();
        // Intermediates must say that they are CAs (RFC 5280 section 4.2.1.9), roots need not. The
        // server's own certificate may say so too.
        if depth > 0 && (authority == Authority::No || (!is_last && authority != Authority::Yes)) {
            log.fail(chain, depth, VerifyError::InvalidAuthority);
        }
        if chain.len() > 1
            && matches!(one.key(), KeyKind::Ec(Curve::Other(name)) if name.is_empty())
        {
            log.fail(chain, depth, VerifyError::ExplicitCurve);
        }
        let usage = match depth {
            0 => one.usage_allows(KeyUsage::TLS) && netscape_allows_server(one),
            _ => !matches!(authority, Authority::No | Authority::MaybeNotTls),
        };
        let suitable = usage && one.extended_usage_allows_server();
        if !(suitable || one.extensions().broken()) {
            log.fail(chain, depth, VerifyError::InvalidPurpose);
        }
        let limit = one.basic_constraints().and_then(|found| found.path_length);
        if depth > 0 && limit.is_some_and(|limit| intermediates > limit) {
            log.fail(chain, depth, VerifyError::PathLengthExceeded);
        }
        // Self-issued certificates do not count (RFC 5280 section 4.2.1.9).
        if depth > 0 && !one.is_self_issued() {
            intermediates += 1;
        }
    }
}

fn netscape_allows_server(certificate: &Examined) -> bool {
    const SSL_SERVER: u8 = 0x40;
    match certificate.extensions().netscape_type {
        Some(Ok(bits)) => bits & SSL_SERVER != 0,
        Some(Err(_)) | None => true,
    }
}

/// Tells whether a key is strong enough for security level 1.
pub(super) fn is_strong(key: &KeyKind) -> bool {
    key.security_bits().is_some_and(|bits| bits >= SECURITY_BITS)
}

/// Checks the keys of issuers and the digests of all but the last certificate.
fn strengths(chain: &[Arc<Examined>], log: &mut Log) {
    for (depth, one) in chain.iter().enumerate() {
        if depth > 0 && !is_strong(one.key()) {
            log.fail(chain, depth, VerifyError::AuthorityKeyTooSmall);
        }
        let digest = one.algorithm().security_bits();
        if depth + 1 < chain.len() && digest.is_none_or(|bits| bits < SECURITY_BITS) {
            log.fail(chain, depth, VerifyError::DigestTooWeak);
        }
    }
}

/// Checks the server's names; the one that fits is told.
pub(super) fn names(chain: &[Arc<Examined>], wanted: &Wanted, log: &mut Log) -> Option<String> {
    let server = chain.first()?;
    let name = wanted.find_name(server);
    if !wanted.names.is_empty() && name.is_none() {
        log.fail(chain, 0, VerifyError::HostnameMismatch);
    }
    if wanted.address.is_some_and(|address| !wanted.has_address(server, address)) {
        log.fail(chain, 0, VerifyError::AddressMismatch);
    }
    name
}

/// Verifies signatures and validity periods from the last certificate down to the server's.
fn signatures(path: &Path, context: &mut Context<'_>, log: &mut Log) {
    let chain = &path.chain;
    let Some(mut depth) = chain.len().checked_sub(1) else { return };
    let mut issuer: Option<&Arc<Examined>> = None;
    // Of a last certificate that is not self-signed nothing but its key is looked at, unless a bare
    // key signed it.
    if !path.bare_key && chain.last().is_some_and(|last| !last.is_self_signed()) {
        if depth == 0 {
            log.fail(chain, 0, VerifyError::UnableToVerifyLeaf);
        } else {
            issuer = chain.last();
            depth -= 1;
        }
    }
    for depth in (0..=depth).rev() {
        let Some(subject) = chain.get(depth) else { return };
        if let Some(issuer) = issuer {
            signature(chain, depth, issuer, subject, context, log);
        }
        validity(chain, depth, subject, context.now, log);
        log.pass(depth, subject);
        issuer = Some(subject);
    }
}

fn signature(
    chain: &[Arc<Examined>],
    depth: usize,
    issuer: &Examined,
    subject: &Examined,
    context: &mut Context<'_>,
    log: &mut Log,
) {
    if !issuer.usage_allows(KeyUsage::SIGN_CERTIFICATES) {
        log.fail(chain, depth + 1, VerifyError::NotForSigning);
    }
    if !issuer.public_key().is_known() {
        log.fail(chain, depth + 1, VerifyError::UndecodableIssuerKey);
        return;
    }
    let spki = issuer.certificate().spki();
    let error = match context.signatures.verify(spki, subject.certificate()) {
        Some(Ok(())) => return,
        Some(Err(SignatureError::BadSignature | SignatureError::WrongKeyType)) => {
            VerifyError::SignatureFailure
        }
        Some(Err(SignatureError::UnsupportedKey | SignatureError::UnsupportedScheme)) => {
            VerifyError::UnsupportedSignature
        }
        None => VerifyError::Unspecified,
    };
    log.fail(chain, depth, error);
}

fn validity(
    chain: &[Arc<Examined>],
    depth: usize,
    certificate: &Examined,
    now: Seconds,
    log: &mut Log,
) {
    match certificate.validity().not_before {
        None => log.fail(chain, depth, VerifyError::BadNotBefore),
        Some(first) if first > now => log.fail(chain, depth, VerifyError::NotYetValid),
        Some(_) => {}
    }
    match certificate.validity().not_after {
        None => log.fail(chain, depth, VerifyError::BadNotAfter),
        Some(last) if last <= now => log.fail(chain, depth, VerifyError::Expired),
        Some(_) => {}
    }
}

/// Checks each certificate's names against the constraints of all above it.
fn name_constraints(chain: &[Arc<Examined>], log: &mut Log) {
    let mut budget = limits::NAME_CHECKS * 4;
    for (depth, one) in chain.iter().enumerate().rev() {
        // Self-issued certificates do not count, except the server's (RFC 5280 section 6.1.3).
        if depth > 0 && one.is_self_issued() {
            continue;
        }
        for above in chain.iter().skip(depth + 1).rev() {
            if let Some(Ok(constraints)) = &above.extensions().name_constraints
                && let Err(error) = constraints::check(one, constraints, depth == 0, &mut budget)
            {
                log.fail(chain, depth, error);
            }
        }
    }
}
