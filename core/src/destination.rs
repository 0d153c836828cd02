//! What was asked: `[inet:]host[:service]`, `[host][:service]`, `unix:path`.

/// A destination as a person writes it, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// As typed, without `inet:`; lookup failures name it so.
    pub text: String,
    /// Where that is.
    pub place: Place,
}

/// Where a destination is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A domain or host on the Internet.
    Inet {
        /// Domain, host name or address literal, without brackets; a U-label stays one.
        host: String,
        /// The brackets were there: no MX lookup.
        literal: bool,
        /// The service as typed, if any; SRV lookups want the word.
        service: Option<String>,
        /// The port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(std::path::PathBuf),
}
