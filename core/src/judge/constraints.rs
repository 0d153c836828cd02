//! Name constraints (RFC 5280 section 4.2.1.10), as OpenSSL applies them.

use super::error::VerifyError;
use crate::cert::{EMAIL_ADDRESS, Examined, GeneralName, IA5_STRING, NameConstraints};
use crate::limits;

/// Checks all names of a certificate against the constraints of one above it.
///
/// The common names of the server's own certificate count if it has no dNSName, because a host's
/// name may match them then.
pub(super) fn check(
    certificate: &Examined,
    constraints: &NameConstraints,
    is_server: bool,
    budget: &mut usize,
) -> Result<(), VerifyError> {
    let subject = certificate.certificate().subject();
    let others = certificate.extensions().names();
    let names = subject.attributes().count().saturating_add(others.len());
    let rules = constraints.permitted.len().saturating_add(constraints.excluded.len());
    let cost = names.saturating_mul(rules);
    if cost > limits::NAME_CHECKS {
        return Err(VerifyError::Unspecified);
    }
    *budget = budget.checked_sub(cost).ok_or(VerifyError::Unspecified)?;

    if !subject.is_empty() {
        check_one(&GeneralName::Directory(subject.clone()), constraints)?;
        for attribute in subject.attributes().filter(|found| found.oid == EMAIL_ADDRESS) {
            if attribute.tag != IA5_STRING {
                return Err(VerifyError::BadName);
            }
            let address = subject.der().slice_ref(attribute.value);
            check_one(&GeneralName::Email(address), constraints)?;
        }
    }
    for name in others {
        check_one(name, constraints)?;
    }
    let has_dns = others.iter().any(|name| matches!(name, GeneralName::Dns(_)));
    if is_server && !has_dns {
        for name in subject.common_names() {
            let name = name.trim_end_matches('\0');
            if name.contains('\0') {
                return Err(VerifyError::BadName);
            }
            if looks_like_host(name.as_bytes()) {
                check_one(&GeneralName::Dns(name.to_owned().into()), constraints)?;
            }
        }
    }
    Ok(())
}

/// Tells whether a common name could be a host's name: two labels at least.
fn looks_like_host(name: &[u8]) -> bool {
    let is_label = |label: &[u8]| {
        !label.is_empty()
            && label.iter().all(|o| o.is_ascii_alphanumeric() || matches!(o, b'-' | b'_'))
            && label.first() != Some(&b'-')
            && label.last() != Some(&b'-')
    };
    let mut labels = name.split(|&octet| octet == b'.');
    labels.clone().count() >= 2 && labels.all(is_label)
}

fn check_one(name: &GeneralName, constraints: &NameConstraints) -> Result<(), VerifyError> {
    let mut concerned = false;
    let mut permitted = false;
    for subtree in constraints.permitted.iter().filter(|tree| same_kind(name, &tree.base)) {
        if !subtree.whole {
            return Err(VerifyError::SubtreeMinimum);
        }
        concerned = true;
        permitted = permitted || lies_in(name, &subtree.base)?;
    }
    if concerned && !permitted {
        return Err(VerifyError::NotPermitted);
    }
    for subtree in constraints.excluded.iter().filter(|tree| same_kind(name, &tree.base)) {
        if !subtree.whole {
            return Err(VerifyError::SubtreeMinimum);
        }
        if lies_in(name, &subtree.base)? {
            return Err(VerifyError::Excluded);
        }
    }
    Ok(())
}

fn same_kind(name: &GeneralName, base: &GeneralName) -> bool {
    match (name, base) {
        (GeneralName::Other { oid: name, .. }, GeneralName::Other { oid: base, .. }) => {
            name == base
        }
        (GeneralName::Rare(name, _), GeneralName::Rare(base, _)) => name == base,
        (name, base) => std::mem::discriminant(name) == std::mem::discriminant(base),
    }
}

/// Tells whether a name lies in the subtree that begins with `base`, which is of the same kind.
fn lies_in(name: &GeneralName, base: &GeneralName) -> Result<bool, VerifyError> {
    Ok(match (name, base) {
        (GeneralName::Directory(name), GeneralName::Directory(base)) => {
            name.canonical().as_bytes().starts_with(base.canonical().as_bytes())
        }
        (GeneralName::Dns(name), GeneralName::Dns(base)) => {
            ends_with(name, base)
                && (name.len() == base.len()
                    || base.first().is_none_or(|&first| first == b'.')
                    || name.get(name.len() - base.len() - 1) == Some(&b'.'))
        }
        (GeneralName::Email(name), GeneralName::Email(base)) => email_lies_in(name, base)?,
        (GeneralName::Uri(name), GeneralName::Uri(base)) => {
            let host = host_of_uri(name).ok_or(VerifyError::BadName)?;
            match base.first() {
                Some(b'.') => host.len() > base.len() && ends_with(host, base),
                _ => host.eq_ignore_ascii_case(base),
            }
        }
        (GeneralName::Ip(name), GeneralName::Ip(base)) => {
            if !matches!(name.len(), 4 | 16) || !matches!(base.len(), 8 | 32) {
                return Err(VerifyError::BadName);
            }
            let (network, mask) = base.split_at(base.len() / 2);
            name.len() == network.len()
                && name.iter().zip(network).zip(mask).all(|((a, b), mask)| (a ^ b) & mask == 0)
        }
        _ => return Err(VerifyError::UnsupportedConstraint),
    })
}

fn email_lies_in(name: &[u8], base: &[u8]) -> Result<bool, VerifyError> {
    let split = |text: &[u8]| text.iter().rposition(|&octet| octet == b'@');
    let at = split(name).ok_or(VerifyError::BadName)?;
    let (local, host) = (name.get(..at).unwrap_or(&[]), name.get(at + 1..).unwrap_or(&[]));
    Ok(match (split(base), base.first()) {
        (None, Some(b'.')) => name.len() > base.len() && ends_with(name, base),
        (None, _) => host.eq_ignore_ascii_case(base),
        (Some(at), _) => {
            let (base_local, base_host) = base.split_at(at);
            // An empty local part in the base stands for all (OpenSSL); others compare exactly.
            (base_local.is_empty() || base_local == local)
                && base_host.get(1..).is_some_and(|base| host.eq_ignore_ascii_case(base))
        }
    })
}

/// Finds the host between `//` and a port, a path or the end.
fn host_of_uri(uri: &[u8]) -> Option<&[u8]> {
    let colon = uri.iter().position(|&octet| octet == b':')?;
    let rest = uri.get(colon + 1..)?.strip_prefix(b"//")?;
    let end = rest.iter().position(|octet| matches!(octet, b':' | b'/')).unwrap_or(rest.len());
    rest.get(..end).filter(|host| !host.is_empty())
}

fn ends_with(name: &[u8], end: &[u8]) -> bool {
    let start = name.len().checked_sub(end.len());
    start.and_then(|start| name.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::Subtree;

    #[test]
    fn subtrees_are_openssls() {
        use VerifyError::BadName;
        type Kind = fn(bytes::Bytes) -> GeneralName;
        type Case = (Kind, &'static [u8], &'static [u8], Result<bool, VerifyError>);
        let (dns, ip, email, uri): (Kind, Kind, Kind, Kind) =
            (GeneralName::Dns, GeneralName::Ip, GeneralName::Email, GeneralName::Uri);
        let cases: &[Case] = &[
            (dns, b"mx.example.org", b"example.org", Ok(true)),
            (dns, b"Example.org", b"eXample.org", Ok(true)),
            (dns, b"xexample.org", b"example.org", Ok(false)),
            (dns, b"mx.example.org", b".example.org", Ok(true)),
            (dns, b"example.org", b".example.org", Ok(false)),
            (dns, b"anything", b"", Ok(true)),
            (ip, &[192, 0, 2, 9], &[192, 0, 2, 0, 255, 255, 255, 0], Ok(true)),
            (ip, &[192, 0, 3, 9], &[192, 0, 2, 0, 255, 255, 255, 0], Ok(false)),
            (ip, &[1; 16], &[192, 0, 2, 0, 255, 255, 255, 0], Ok(false)),
            (ip, &[1; 3], &[192, 0, 2, 0, 255, 255, 255, 0], Err(BadName)),
            (ip, &[1; 4], &[1; 4], Err(BadName)),
            (email, b"a@mx.example.org", b".example.org", Ok(true)),
            (email, b"a@example.org", b"example.org", Ok(true)),
            (email, b"a@mx.example.org", b"example.org", Ok(false)),
            (email, b"a@Example.org", b"a@example.org", Ok(true)),
            (email, b"A@example.org", b"a@example.org", Ok(false)),
            (email, b"a", b"example.org", Err(BadName)),
            (uri, b"https://mx.example.org:1/x", b".example.org", Ok(true)),
            (uri, b"https://example.org", b"example.org", Ok(true)),
            (uri, b"https://example.org", b".example.org", Ok(false)),
            (uri, b"mailto:a@example.org", b"example.org", Err(BadName)),
        ];
        for (kind, name, base, expected) in cases {
            let [name, base] = [*name, *base].map(|text| kind(text.to_vec().into()));
            assert_eq!(lies_in(&name, &base), *expected, "{name:?} {base:?}");
        }
    }

    #[test]
    fn excluded_wins_and_kinds_do_not_mix() {
        let tree = |name: &'static str| Subtree {
            base: GeneralName::Dns(name.as_bytes().into()),
            whole: true,
        };
        let dns = |name: &'static str| GeneralName::Dns(name.as_bytes().into());
        let constraints = NameConstraints {
            permitted: vec![tree("example.org"), tree("example.net")],
            excluded: vec![tree("bad.example.org")],
        };
        let found = |name| check_one(&name, &constraints);
        assert_eq!(found(dns("mx.example.net")), Ok(()));
        assert_eq!(found(dns("mx.example.com")), Err(VerifyError::NotPermitted));
        assert_eq!(found(dns("mx.bad.example.org")), Err(VerifyError::Excluded));
        assert_eq!(found(GeneralName::Ip(vec![1; 4].into())), Ok(()));
    }
}
