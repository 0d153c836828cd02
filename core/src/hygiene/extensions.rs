//! What a server offers, outside TLS and inside, as one table.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::session::Capabilities;

/// A service extension (RFC 5321 section 4.1.1.1) that a server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The keyword in upper case; the server's, as far as it is text.
    pub keyword: String,
    /// What stands behind it outside TLS, if it is offered there.
    pub outside: Option<Bytes>,
    /// What stands behind it inside TLS, if it is offered there.
    pub inside: Option<Bytes>,
}

/// Where well-known extensions are defined (IANA's registry of SMTP service extensions).
const REGISTRY: &[(&str, &str)] = &[
    ("8BITMIME", "RFC 6152"),
    ("ATRN", "RFC 2645"),
    ("AUTH", "RFC 4954"),
    ("BINARYMIME", "RFC 3030"),
    ("BURL", "RFC 4468"),
    ("CHUNKING", "RFC 3030"),
    ("DELIVERBY", "RFC 2852"),
    ("DSN", "RFC 3461"),
    ("ENHANCEDSTATUSCODES", "RFC 2034"),
    ("ETRN", "RFC 1985"),
    ("EXPN", "RFC 5321"),
    ("FUTURERELEASE", "RFC 4865"),
    ("HELP", "RFC 5321"),
    ("LIMITS", "RFC 9422"),
    ("MT-PRIORITY", "RFC 6710"),
    ("PIPELINING", "RFC 2920"),
    ("REQUIRETLS", "RFC 8689"),
    ("RRVS", "RFC 7293"),
    ("SIZE", "RFC 1870"),
    ("SMTPUTF8", "RFC 6531"),
    ("STARTTLS", "RFC 3207"),
    ("VRFY", "RFC 5321"),
];

impl Extension {
    /// Tells where it is defined, if it is a well-known one.
    pub fn source(&self) -> Option<&'static str> {
        let found = REGISTRY.iter().find(|(keyword, _)| *keyword == self.keyword);
        found.map(|(_, source)| *source)
    }

    /// Puts what is offered outside TLS and inside together, by keyword.
    pub(super) fn all(outside: Option<&Capabilities>, inside: Option<&Capabilities>) -> Vec<Self> {
        let mut found = BTreeMap::new();
        let keywords = |hello: Option<&Capabilities>| {
            hello.into_iter().flat_map(|hello| hello.keywords.clone()).collect::<Vec<_>>()
        };
        for line in keywords(outside) {
            let (keyword, rest) = apart(&line);
            let entry: &mut (Option<Bytes>, Option<Bytes>) = found.entry(keyword).or_default();
            entry.0.get_or_insert(rest);
        }
        for line in keywords(inside) {
            let (keyword, rest) = apart(&line);
            found.entry(keyword).or_default().1.get_or_insert(rest);
        }
        let extension = |(keyword, (outside, inside))| Self { keyword, outside, inside };
        found.into_iter().map(extension).collect()
    }
}

/// Parts the keyword from what follows. `AUTH=LOGIN`, from before RFC 4954, is AUTH too.
fn apart(line: &Bytes) -> (String, Bytes) {
    let end = line.iter().position(|byte| b" \t=".contains(byte)).unwrap_or(line.len());
    let keyword = String::from_utf8_lossy(&line[..end]).to_ascii_uppercase();
    (keyword, line.slice((end + 1).min(line.len())..))
}
