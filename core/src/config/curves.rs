//! Lists of key exchange groups, as `tls_eecdh_auto_curves` and `tls_ffdhe_auto_groups` have them.

use crate::report::Group;
use crate::tls::scout::group_number;

use super::Groups;

/// The groups of two lists, and the names in them that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLists {
    /// What can be offered here, in order of preference. If both lists are empty these are the
    /// defaults; otherwise there may be none.
    pub groups: Groups,
    /// The IANA numbers of all groups named, those too that do not exist here, in order; the
    /// defaults if there are none.
    pub all: Vec<u16>,
    /// Names that are no group of OpenSSL's either.
    pub unknown: Vec<String>,
}

impl GroupLists {
    /// Reads lists of names in any spelling that OpenSSL knows, separated by commas, colons,
    /// slashes or white space.
    ///
    /// Groups that exist elsewhere and not here are left out silently. OpenSSL 3.5 lets a name
    /// begin with `?` (may be missing) and `*` (send a key share), and has the name `DEFAULT`.
    pub fn parse(curves: &str, ffdhe: &str) -> Self {
        let separator = |c: char| matches!(c, ',' | ':' | '/') || c.is_ascii_whitespace();
        let names = curves.split(separator).chain(ffdhe.split(separator));
        let mut groups: Vec<Group> = Vec::new();
        let (mut all, mut unknown) = (Vec::new(), Vec::new());
        let mut nothing_was_named = true;
        let mut add = |more: &[Group]| {
            for group in more {
                if !groups.contains(group) {
                    groups.push(*group);
                }
            }
        };
        for name in names.filter(|name| !name.is_empty()) {
            nothing_was_named = false;
            let plain = name.trim_start_matches(['?', '*']);
            let find = |table: &[(&str, Group)]| {
                table.iter().find(|(known, _)| known.eq_ignore_ascii_case(plain)).map(|row| row.1)
            };
            if let Some(number) = group_number(plain)
                && !all.contains(&number)
            {
                all.push(number);
            }
            if let Some(group) = find(HERE) {
                add(&[group]);
            } else if plain == "DEFAULT" {
                add(&Group::ALL);
            } else if !is_elsewhere(plain) && !name.starts_with('?') {
                unknown.push(name.to_owned());
            }
        }
        if nothing_was_named {
            groups = Group::ALL.to_vec();
        }
        if all.is_empty() {
            all = DEFAULTS.to_vec();
        }
        Self { groups: Groups(groups), all, unknown }
    }
}

/// The groups that exist here, in all spellings.
const HERE: &[(&str, Group)] = &[
    ("X25519MLKEM768", Group::X25519MlKem768),
    ("X25519", Group::X25519),
    ("prime256v1", Group::Secp256r1),
    ("secp256r1", Group::Secp256r1),
    ("P-256", Group::Secp256r1),
    ("secp384r1", Group::Secp384r1),
    ("P-384", Group::Secp384r1),
    ("secp521r1", Group::Secp521r1),
    ("P-521", Group::Secp521r1),
];

/// The groups that OpenSSL offers if nobody asks for others, by number, the hybrid of 3.5 in front.
const DEFAULTS: &[u16] = &[0x11ec, 29, 23, 30, 25, 24, 256, 257];

/// Tells whether OpenSSL knows a group that does not exist here.
fn is_elsewhere(name: &str) -> bool {
    let known = [
        "X448",
        "secp224r1",
        "P-224",
        "prime192v1",
        "secp192r1",
        "P-192",
        "secp160k1",
        "secp160r1",
        "secp160r2",
        "secp192k1",
        "secp224k1",
        "secp256k1",
        "sect163k1",
        "sect163r1",
        "sect163r2",
        "sect193r1",
        "sect193r2",
        "sect233k1",
        "sect233r1",
        "sect239k1",
        "sect283k1",
        "sect283r1",
        "sect409k1",
        "sect409r1",
        "sect571k1",
        "sect571r1",
        "brainpoolP256r1",
        "brainpoolP384r1",
        "brainpoolP512r1",
        "brainpoolP256r1tls13",
        "brainpoolP384r1tls13",
        "brainpoolP512r1tls13",
        "ffdhe2048",
        "ffdhe3072",
        "ffdhe4096",
        "ffdhe6144",
        "ffdhe8192",
        "MLKEM512",
        "MLKEM768",
        "MLKEM1024",
        "SecP256r1MLKEM768",
        "SecP384r1MLKEM1024",
        "X448MLKEM1024",
    ];
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Group::{Secp256r1, Secp384r1, Secp521r1, X25519, X25519MlKem768};

    #[test]
    fn lists() {
        let postfix = "X25519 X448 prime256v1 secp521r1 secp384r1";
        let table: &[(&str, &str, &[Group], &[&str])] = &[
            ("", "", &Group::ALL, &[]),
            (postfix, "ffdhe2048 ffdhe3072", &[X25519, Secp256r1, Secp521r1, Secp384r1], &[]),
            ("secp384r1", "", &[Secp384r1], &[]),
            ("P-256,x25519:SECP256R1", "", &[Secp256r1, X25519], &[]),
            ("nosuch X25519 worse", "", &[X25519], &["nosuch", "worse"]),
            ("nosuch", "", &[], &["nosuch"]),
            ("X448", "", &[], &[]),
            ("", "ffdhe2048", &[], &[]),
            (
                "?X25519MLKEM768:DEFAULT:?nosuch",
                "",
                &[X25519MlKem768, X25519, Secp256r1, Secp384r1, Secp521r1],
                &[],
            ),
        ];
        for (curves, ffdhe, groups, unknown) in table {
            let lists = GroupLists::parse(curves, ffdhe);
            assert_eq!(lists.groups, Groups(groups.to_vec()), "{curves}");
            assert_eq!(lists.unknown, *unknown, "{curves}");
        }
    }
}
