//! What settings can be wrong, in the words of the reference.

use std::fmt;
use std::path::PathBuf;

use tlsfinger_core::destination::DestinationError;
use tlsfinger_core::resolve::{BadTrustAnchors, NotAResolver};

use crate::flags::Refusal;
use crate::parameters::ParameterError;
use crate::system::FileError;

/// Why the program cannot do what it is told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingError {
    /// An option of one letter has a value that it cannot have.
    BadValue(char, String),
    /// An option of our own has a value that it cannot have.
    BadLong(&'static str, String),
    BadResolver(String),
    /// `--resolver tls://` with `-F` or `-P` that cannot be read; what is wrong stands among the notes.
    NoResolverRoots,
    /// A word of `-h`, and the whole list.
    BadHostLookup(String, String),
    BadLevel(String),
    WrapperWithoutTls,
    /// `-X` with `-r`.
    ProxyAndReconnect,
    /// `--all` with `-r`.
    AllAndReconnect,
    /// `--all` with `--record`.
    AllAndRecord,
    /// `--enumerate` with an option that means another kind of run.
    EnumerateAnd(&'static str),
    /// `--json` with `--nagios`.
    JsonAndNagios,
    /// `-H` with `-k` or `-K`.
    ChainAndCertificate,
    /// A file that must be read cannot be.
    File(FileError),
    /// A parameter of main.cf.
    Parameter(ParameterError),
    Destination(DestinationError),
    /// A file of trust anchors that holds none.
    TrustAnchors(String),
    /// `--trust-anchor`
    BadTrustAnchor(String, BadTrustAnchors),
    /// The file of `--record` cannot be made; what the system says.
    Record(PathBuf, String),
    /// A trace that cannot be played; why.
    Trace(String, String),
    /// `--csv` with `--resume`, and columns that do not tell what is done.
    CsvAndResume,
    /// `--columns` without `--csv`.
    ColumnsWithoutCsv,
    /// A list or a file of records that cannot be used; what the system says.
    List(String, String),
    /// A line of a blocklist, with its place.
    Blocklist(String, String),
    /// The system lacks what a run needs; the text is the system's.
    Driver(String),
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadValue(letter, value) => write!(f, "bad '-{letter}' option value: {value}"),
            Self::BadLong(name, value) => write!(f, "bad '--{name}' option value: {value}"),
            Self::BadResolver(value) => {
                write!(f, "bad '--resolver' option value: {value}: {NotAResolver}")
            }
            Self::NoResolverRoots => f.write_str("no DNS over TLS without the CAs that were named"),
            Self::BadHostLookup(word, list) => {
                write!(f, "unknown -h option value \"{word}\" in \"{list}\"")
            }
            Self::BadLevel(word) => write!(f, "Invalid TLS level \"{word}\""),
            Self::WrapperWithoutTls => {
                f.write_str("SSL wrapper mode requires that TLS not be disabled")
            }
            Self::ProxyAndReconnect => f.write_str("The -X and -r options are mutually exclusive"),
            Self::AllAndReconnect => f.write_str("The --all and -r options are mutually exclusive"),
            Self::AllAndRecord => {
                f.write_str("The --all and --record options are mutually exclusive")
            }
            Self::EnumerateAnd(option) => {
                write!(f, "The --enumerate and {option} options are mutually exclusive")
            }
            Self::JsonAndNagios => {
                f.write_str("The --json and --nagios options are mutually exclusive")
            }
            Self::ChainAndCertificate => f.write_str(
                "When the '-H' option is used, neither the '-k', nor the '-K' options may be used",
            ),
            Self::File(error) => error.fmt(f),
            Self::Parameter(error) => error.fmt(f),
            Self::Destination(error) => error.fmt(f),
            Self::Record(file, error) => write!(f, "cannot record to {}: {error}", file.display()),
            Self::Trace(file, error) => write!(f, "{file}: {error}"),
            Self::CsvAndResume => f.write_str(
                "The --csv and --resume options together need the columns line and destination",
            ),
            Self::ColumnsWithoutCsv => f.write_str("The --columns option needs --csv"),
            Self::List(file, error) | Self::Blocklist(file, error) => write!(f, "{file}: {error}"),
            Self::Driver(error) => write!(f, "cannot begin: {error}"),
            Self::BadTrustAnchor(file, error) => {
                write!(f, "bad '--trust-anchor' option value: {file}: {error}")
            }
            Self::TrustAnchors(file) => write!(f, "Failed to load trust anchor file: {file}"),
        }
    }
}

impl std::error::Error for SettingError {}

impl From<SettingError> for Refusal {
    fn from(error: SettingError) -> Self {
        Self::Fatal(error)
    }
}

impl From<ParameterError> for Refusal {
    fn from(error: ParameterError) -> Self {
        Self::Fatal(SettingError::Parameter(error))
    }
}
