//! OpenSSL's cipher lists (openssl-ciphers(1)), which main.cf and `-g` speak in.

use std::fmt;

use crate::tls::{Authentication, Encryption, Exchange, Mac, OPENSSL, SUITES, Since, Suite};

/// The suites of TLS 1.2 that a cipher list leaves, by IANA number, in its order.
///
/// The suites of TLS 1.3 are not its business. What a list selects may exist in OpenSSL and not
/// here: then the result is empty.
///
/// # Errors
///
/// As OpenSSL: a list that is malformed, or that selects nothing that OpenSSL knows.
pub fn cipher_list(list: &str) -> Result<Vec<u16>, CipherListError> {
    let selection = select(list)?;
    let here = |known: &&Suite| SUITES.contains(known);
    Ok(selection.active().filter(here).map(|suite| suite.number).collect())
}

/// All suites below TLS 1.3 that a cipher list selects, by IANA number, in its order: those too
/// that do not exist here.
///
/// # Errors
///
/// Those of [`cipher_list`].
pub fn whole_cipher_list(list: &str) -> Result<Vec<u16>, CipherListError> {
    Ok(select(list)?.active().map(|suite| suite.number).collect())
}

fn select(list: &str) -> Result<Selection, CipherListError> {
    let mut selection = Selection::all();
    let list = match list {
        suite_b if suite_b.starts_with("SUITEB128ONLY") => "ECDHE-ECDSA-AES128-GCM-SHA256",
        suite_b if suite_b.starts_with("SUITEB128C2") || suite_b.starts_with("SUITEB192") => {
            "ECDHE-ECDSA-AES256-GCM-SHA384"
        }
        suite_b if suite_b.starts_with("SUITEB128") => {
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
        }
        list => match list.strip_prefix("DEFAULT") {
            Some(rest) => {
                selection.obey("ALL:!COMPLEMENTOFDEFAULT:!eNULL")?;
                rest
            }
            None => list,
        },
    };
    selection.obey(list)?;
    if selection.active().next().is_none() {
        return Err(CipherListError::Empty);
    }
    Ok(selection)
}

/// Why there is no result for a cipher list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CipherListError {
    /// A command that does not exist, or one that is cut short.
    Malformed,
    /// The list selects nothing.
    Empty,
}

impl fmt::Display for CipherListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed cipher list",
            Self::Empty => "cipher list selects nothing",
        })
    }
}

impl std::error::Error for CipherListError {}

/// The suites that were not killed, in order; the active ones among them are selected.
struct Selection(Vec<(&'static Suite, bool)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Add,
    Delete,
    Kill,
    MoveToEnd,
    Special,
}

impl Selection {
    fn all() -> Self {
        let below_tls13 = OPENSSL.iter().filter(|suite| suite.since < Since::Tls13);
        Self(below_tls13.map(|suite| (suite, false)).collect())
    }

    fn active(&self) -> impl Iterator<Item = &'static Suite> {
        self.0.iter().filter(|(_, active)| *active).map(|(known, _)| *known)
    }

    /// Carries out the commands of a list, in order.
    fn obey(&mut self, list: &str) -> Result<(), CipherListError> {
        let separators = [':', ' ', ';', ','];
        for item in list.split(separators).filter(|item| !item.is_empty()) {
            let (command, names) = match item.split_at_checked(1).unwrap_or_default() {
                ("-", names) => (Command::Delete, names),
                ("+", names) => (Command::MoveToEnd, names),
                ("!", names) => (Command::Kill, names),
                ("@", names) => (Command::Special, names),
                _ => (Command::Add, item),
            };
            if command == Command::Special {
                self.special(names)?;
            } else if let Some(names) = known_names(names)? {
                self.apply(command, |known| names.iter().all(|name| name.matches(known)));
            }
        }
        Ok(())
    }

    fn special(&mut self, text: &str) -> Result<(), CipherListError> {
        let (name, _) = split_name(text)?;
        match (name, name.strip_prefix("SECLEVEL=")) {
            ("STRENGTH", _) => self.sort_by_strength(),
            // The reference sets the security level itself.
            (_, Some("0" | "1" | "2" | "3" | "4" | "5")) => {}
            _ => return Err(CipherListError::Malformed),
        }
        Ok(())
    }

    fn apply(&mut self, command: Command, matches: impl Fn(&Suite) -> bool) {
        let suites = std::mem::take(&mut self.0);
        let is_affected = |(known, active): &(&'static Suite, bool)| {
            matches(known) && (command == Command::Kill || *active == (command != Command::Add))
        };
        let (affected, others): (Vec<_>, Vec<_>) = suites.into_iter().partition(is_affected);
        let set = |active| affected.into_iter().map(move |(known, _)| (known, active));
        self.0 = match command {
            Command::Add | Command::MoveToEnd => others.into_iter().chain(set(true)).collect(),
            // What was deleted last comes first when it is added again.
            Command::Delete => set(false).chain(others).collect(),
            Command::Kill | Command::Special => others,
        };
    }

    /// Sorts the active suites by the size of their keys, the largest first.
    fn sort_by_strength(&mut self) {
        let mut sizes: Vec<_> = self.active().map(|known| known.bits).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes.dedup();
        for bits in sizes {
            self.apply(Command::MoveToEnd, |known| known.bits == bits);
        }
    }
}

/// Splits names joined by `+`; `None` if one of them is unknown, which makes the item mean nothing.
fn known_names(text: &str) -> Result<Option<Vec<Selector>>, CipherListError> {
    let mut names = Vec::new();
    let mut text = text;
    loop {
        let (name, rest) = split_name(text)?;
        match Selector::find(name) {
            Some(selector) => names.push(selector),
            None => return Ok(None),
        }
        match rest.strip_prefix('+') {
            Some(more) => text = more,
            None if rest.is_empty() => return Ok(Some(names)),
            None => return Err(CipherListError::Malformed),
        }
    }
}

/// Splits the name off that a text begins with.
fn split_name(text: &str) -> Result<(&str, &str), CipherListError> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.=_".contains(byte);
    let size = text.bytes().take_while(|byte| is_name(byte)).count();
    if size == 0 {
        return Err(CipherListError::Malformed);
    }
    Ok(text.split_at(size))
}

type Matcher = fn(&Suite) -> bool;

/// What a name in a list stands for.
#[derive(Clone, Copy)]
enum Selector {
    One(&'static Suite),
    Class(Matcher),
}

impl Selector {
    fn find(name: &str) -> Option<Self> {
        let class = CLASSES.iter().find(|(class, _)| *class == name);
        class
            .map(|(_, matches)| Self::Class(*matches))
            .or_else(|| Suite::by_openssl_name(name).map(Self::One))
    }

    fn matches(self, known: &Suite) -> bool {
        match self {
            Self::One(one) => one == known,
            Self::Class(matches) => matches(known),
        }
    }
}

/// The names of classes, in any of their spellings.
#[rustfmt::skip]
const CLASSES: &[(&str, Matcher)] = &[
    ("ALL", |k| k.encryption != Encryption::Null),
    ("COMPLEMENTOFALL", |k| k.encryption == Encryption::Null),
    ("COMPLEMENTOFDEFAULT", |k| !is_default(k)),
    ("HIGH", |k| k.encryption != Encryption::Null),
    ("MEDIUM", |_| false),
    ("LOW", |_| false),
    ("FIPS", |k| matches!(k.encryption, Encryption::AesCbc | Encryption::AesGcm) && k.exchange != Exchange::Srp),
    ("eNULL", |k| k.encryption == Encryption::Null),
    ("NULL", |k| k.encryption == Encryption::Null),
    ("aNULL", |k| k.authentication == Authentication::None),
    ("kRSA", |k| k.exchange == Exchange::Rsa),
    ("RSA", |k| k.exchange == Exchange::Rsa),
    ("aRSA", |k| k.authentication == Authentication::Rsa),
    ("kDHE", |k| k.exchange == Exchange::Dhe),
    ("kEDH", |k| k.exchange == Exchange::Dhe),
    ("DH", |k| k.exchange == Exchange::Dhe),
    ("DHE", |k| k.exchange == Exchange::Dhe && k.authentication != Authentication::None),
    ("EDH", |k| k.exchange == Exchange::Dhe && k.authentication != Authentication::None),
    ("ADH", |k| k.exchange == Exchange::Dhe && k.authentication == Authentication::None),
    ("kECDHE", |k| k.exchange == Exchange::Ecdhe),
    ("kEECDH", |k| k.exchange == Exchange::Ecdhe),
    ("ECDH", |k| k.exchange == Exchange::Ecdhe),
    ("ECDHE", |k| k.exchange == Exchange::Ecdhe && k.authentication != Authentication::None),
    ("EECDH", |k| k.exchange == Exchange::Ecdhe && k.authentication != Authentication::None),
    ("AECDH", |k| k.exchange == Exchange::Ecdhe && k.authentication == Authentication::None),
    ("kPSK", |k| k.exchange == Exchange::Psk),
    ("kRSAPSK", |k| k.exchange == Exchange::RsaPsk),
    ("kDHEPSK", |k| k.exchange == Exchange::DhePsk),
    ("kECDHEPSK", |k| k.exchange == Exchange::EcdhePsk),
    ("PSK", |k| matches!(k.exchange, Exchange::Psk | Exchange::RsaPsk | Exchange::DhePsk | Exchange::EcdhePsk)),
    ("aPSK", |k| k.authentication == Authentication::Psk),
    ("kSRP", |k| k.exchange == Exchange::Srp),
    ("SRP", |k| k.exchange == Exchange::Srp),
    ("aSRP", |k| k.authentication == Authentication::Srp),
    ("aDSS", |k| k.authentication == Authentication::Dss),
    ("DSS", |k| k.authentication == Authentication::Dss),
    ("aECDSA", |k| k.authentication == Authentication::Ecdsa),
    ("ECDSA", |k| k.authentication == Authentication::Ecdsa),
    ("AES", is_aes),
    ("AES128", |k| is_aes(k) && k.bits == 128),
    ("AES256", |k| is_aes(k) && k.bits == 256),
    ("AESGCM", |k| k.encryption == Encryption::AesGcm),
    ("AESCCM", |k| matches!(k.encryption, Encryption::AesCcm | Encryption::AesCcm8)),
    ("AESCCM8", |k| k.encryption == Encryption::AesCcm8),
    ("ARIA", |k| k.encryption == Encryption::AriaGcm),
    ("ARIAGCM", |k| k.encryption == Encryption::AriaGcm),
    ("ARIA128", |k| k.encryption == Encryption::AriaGcm && k.bits == 128),
    ("ARIA256", |k| k.encryption == Encryption::AriaGcm && k.bits == 256),
    ("CAMELLIA", |k| k.encryption == Encryption::CamelliaCbc),
    ("CAMELLIA128", |k| k.encryption == Encryption::CamelliaCbc && k.bits == 128),
    ("CAMELLIA256", |k| k.encryption == Encryption::CamelliaCbc && k.bits == 256),
    ("CHACHA20", |k| k.encryption == Encryption::ChaCha20),
    ("CBC", |k| matches!(k.encryption, Encryption::AesCbc | Encryption::CamelliaCbc)),
    ("MD5", |k| k.mac == Mac::Md5),
    ("SHA", |k| k.mac == Mac::Sha1),
    ("SHA1", |k| k.mac == Mac::Sha1),
    ("SHA256", |k| k.mac == Mac::Sha256),
    ("SHA384", |k| k.mac == Mac::Sha384),
    ("SSLv3", |k| k.since == Since::Ssl3),
    ("TLSv1", |k| k.since == Since::Tls10),
    ("TLSv1.0", |k| k.since == Since::Tls10),
    ("TLSv1.2", |k| k.since == Since::Tls12),
];

fn is_aes(known: &Suite) -> bool {
    use Encryption::{AesCbc, AesCcm, AesCcm8, AesGcm};
    matches!(known.encryption, AesCbc | AesGcm | AesCcm | AesCcm8)
}

/// Tells whether OpenSSL offers a suite that nobody asked for or ruled out.
fn is_default(known: &Suite) -> bool {
    use Encryption::{AesCcm, AesCcm8, AriaGcm, CamelliaCbc, Null};
    let rare = matches!(known.encryption, AesCcm | AesCcm8 | AriaGcm | CamelliaCbc);
    let unusual = matches!(known.authentication, Authentication::None | Authentication::Dss);
    known.encryption == Null || !(rare || unusual)
}

#[cfg(test)]
mod tests {
    use super::*;

    const E256: u16 = 0xc02c;
    const R256: u16 = 0xc030;
    const ECHA: u16 = 0xcca9;
    const RCHA: u16 = 0xcca8;
    const E128: u16 = 0xc02b;
    const R128: u16 = 0xc02f;

    /// Lists, and what openssl-ciphers(1) of OpenSSL 3.0.19 prints for them: the number of suites
    /// below TLS 1.3, and those that exist here.
    #[rustfmt::skip]
    const RECORDED: &[(&str, usize, &[u16])] = &[
        ("aNULL:-aNULL:HIGH:@STRENGTH", 137, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH:!aNULL", 125, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("aNULL:-aNULL:HIGH:MEDIUM:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:+RC4:@STRENGTH:!eNULL", 123, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("ALL", 137, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("DEFAULT", 57, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("DEFAULT:!AES128", 32, &[E256, R256, ECHA, RCHA]),
        ("DEFAULTx", 57, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("HIGH:!aNULL:!MD5", 125, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("EECDH+AESGCM:EDH+AESGCM", 8, &[E256, R256, E128, R128]),
        ("EECDH+CHACHA20:EECDH+AES128:EECDH+AES256:!MD5", 18, &[ECHA, RCHA, E128, R128, E256, R256]),
        ("ECDHE+AESGCM:ECDHE+CHACHA20:!aRSA", 3, &[E256, E128, ECHA]),
        ("ECDHE-RSA-AES128-GCM-SHA256", 1, &[R128]),
        ("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384", 2, &[R128, E256]),
        ("ECDHE-RSA-AES128-GCM-SHA256:HIGH:+ECDHE-RSA-AES128-GCM-SHA256", 137, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("AES128:AES256", 86, &[E128, R128, E256, R256]),
        ("AES128:AES256:@STRENGTH", 86, &[E256, R256, E128, R128]),
        ("AES256:-AES256:AES128:AES256", 86, &[E128, R128, E256, R256]),
        ("CHACHA20:AESGCM", 25, &[ECHA, RCHA, E256, R256, E128, R128]),
        ("ALL:+CHACHA20", 137, &[E256, R256, E128, R128, ECHA, RCHA]),
        ("ALL:+AES256:+aRSA", 137, &[ECHA, E128, E256, RCHA, R128, R256]),
        ("ALL:-aECDSA:ALL", 137, &[R256, RCHA, R128, E256, ECHA, E128]),
        ("HIGH:-AES128:+aECDSA:AES128", 137, &[R256, RCHA, E256, ECHA, E128, R128]),
        ("kECDHE+aRSA", 12, &[R256, RCHA, R128]),
        ("kEECDH+aECDSA+AESGCM", 2, &[E256, E128]),
        ("ECDHE+AES128+aECDSA:ECDHE", 28, &[E128, E256, R256, ECHA, RCHA, R128]),
        ("TLSv1.2", 86, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("TLSv1.2:!AESGCM", 68, &[ECHA, RCHA]),
        ("SHA256", 33, &[]),
        ("SHA384:ECDHE+AES256", 22, &[E256, R256]),
        ("FIPS", 60, &[E256, R256, E128, R128]),
        ("SUITEB128", 2, &[E128, E256]),
        ("SUITEB192:AES128", 1, &[E256]),
        ("SUITEB128ONLY", 1, &[E128]),
        ("SUITEB128C2", 1, &[E256]),
        ("kRSA", 19, &[]),
        ("AES128-SHA", 1, &[]),
        ("ADH:AECDH", 13, &[]),
        ("eNULL", 18, &[]),
        ("nosuch:ECDHE+CHACHA20", 2, &[ECHA, RCHA]),
        ("ECDHE+nosuch:CHACHA20", 7, &[ECHA, RCHA]),
        ("ECDHE CHACHA20,aRSA;AES128", 104, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("!aNULL:ECDHE", 28, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("ECDHE:-ECDHE:ECDHE+aRSA", 12, &[R256, RCHA, R128]),
        ("ALL:@STRENGTH:@SECLEVEL=1", 137, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("ALL::ECDHE", 139, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("ECDHE:@STRENGTH+x:!aECDSA", 12, &[R256, RCHA, R128]),
        ("RSA+ECDHE:aRSA", 64, &[R256, RCHA, R128]),
        ("ALL:!CBC:!COMPLEMENTOFDEFAULT", 21, &[E256, R256, ECHA, RCHA, E128, R128]),
        ("HIGH:!ECDSA:!CAMELLIA:!AESCCM", 80, &[R256, RCHA, R128]),
        ("COMPLEMENTOFALL", 18, &[]),
        ("COMPLEMENTOFDEFAULT:ECDHE+AESGCM", 84, &[E256, R256, E128, R128]),
        ("aPSK:kPSK:SRP", 52, &[]),
        ("AES:!SHA1:!SHA256:!SHA384", 38, &[E256, R256, E128, R128]),
        ("AESCCM", 20, &[]),
        ("ARIA:CAMELLIA", 44, &[]),
    ];

    #[test]
    fn selections_are_those_of_openssl() {
        for (list, count, suites) in RECORDED {
            assert_eq!(cipher_list(list).as_deref(), Ok(*suites), "{list}");
            let mut selection = Selection::all();
            let is_plain = !list.starts_with("DEFAULT") && !list.starts_with("SUITEB");
            if is_plain && selection.obey(list).is_ok() {
                assert_eq!(selection.active().count(), *count, "{list}");
            }
        }
    }

    #[test]
    fn lists_that_openssl_refuses() {
        let malformed =
            ["ALL:@SECLEVEL=9", "ALL:@NOSUCH", "ECDHE+", "ALL:*", "ALL:!", "ALL:+", "@", "é"];
        for list in malformed {
            assert_eq!(cipher_list(list), Err(CipherListError::Malformed), "{list}");
        }
        let empty = [
            "eNULL:!aNULL:!eNULL",
            "MEDIUM",
            "nosuch",
            "ECDHE:!ECDHE:ECDHE",
            "@STRENGTH",
            "+ECDHE",
            "-ECDHE",
            "PROFILE=SYSTEM",
            "",
            "ecdhe",
        ];
        for list in empty {
            assert_eq!(cipher_list(list), Err(CipherListError::Empty), "{list}");
        }
    }
}
