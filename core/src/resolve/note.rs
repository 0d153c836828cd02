//! What is told while mail hosts are looked for.

use std::net::IpAddr;
use std::sync::Arc;

use super::dnssec::Proof;
use super::{LookupError, RecordType, ServerReport, Target, TlsaRecord};
use crate::config::{DnssecProbe, InsecureMx};
use crate::destination::HostError;
use crate::judge::VerifyError;
use crate::machine::Remote;
use crate::report::TlsVersion;

/// Something worth telling about lookups. What concerns one host is told when that host is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupNote {
    /// The domain was converted to A-labels.
    Converted {
        /// The domain as given.
        domain: String,
        /// The domain as it is looked up.
        ascii: String,
    },
    /// The answer has more records than [`limits::RECORDS`](crate::limits::RECORDS).
    ExcessRecords {
        /// The name that was asked for.
        name: String,
        /// What was asked for.
        record: RecordType,
    },
    /// A record names an address where a host name belongs; it is used.
    NumericTarget {
        /// The kind of record.
        record: RecordType,
        /// The name that was asked for.
        name: String,
        /// What is in its place.
        address: IpAddr,
    },
    /// A record names something that cannot be a host; it is not used.
    MalformedTarget {
        /// The kind of record.
        record: RecordType,
        /// The name that was asked for.
        name: String,
        /// What is in its place.
        target: String,
        /// What is wrong with it.
        problem: HostError,
    },
    /// The aliases of a name never end.
    AliasLoop {
        /// Where the chain was left.
        name: String,
    },
    /// There are MX or SRV records, but none of their hosts has an address.
    NoHostAddress {
        /// The kind of record.
        record: RecordType,
        /// The name that was asked for.
        name: String,
    },
    /// No answer is secure, not even the one to a question that should be.
    DnssecUnavailable {
        /// What was asked.
        probe: DnssecProbe,
        /// Why there was no answer, if there was none.
        error: Option<LookupError>,
    },
    /// The name server leaves out DNSSEC records, so nothing can be validated and there is no DANE.
    ResolverStrips(Remote),
    /// TLS came about with a name server (RFC 7858); told again only if it turns out otherwise.
    ResolverSecured {
        /// The name server.
        server: Remote,
        /// The name that its certificate should have.
        name: String,
        /// The protocol version.
        version: TlsVersion,
        /// Why it is not known to be the one that was asked for: its AD bit does not count then.
        found: Result<(), VerifyError>,
    },
    /// An answer was validated here.
    Validated(Arc<Proof>),
    /// The TLSA records of the host could not be looked up.
    TlsaFailed(LookupError),
    /// Whether the host's alias is secure could not be found out.
    AliasStatusFailed {
        /// The host.
        host: String,
        /// Why; none if it is no alias any more.
        error: Option<LookupError>,
    },
    /// The host is not connected to, because of the failure told just before.
    HostSkipped {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A TLSA record of the host, usable or not.
    Tlsa {
        /// The name that was asked for.
        query: String,
        /// Whose record it is, after aliases.
        owner: String,
        /// The record.
        record: TlsaRecord,
    },
    /// The host has no TLSA records, or only unusable ones: it is judged at level `secure`.
    NoTlsa {
        /// There are records.
        unusable: bool,
    },
    /// The host's MX record was not secure; the policy says what that means.
    MxInsecure(InsecureMx),
    /// A question of a lookup was answered, or will never be; told only if
    /// [`tell_questions`](crate::config::Lookup::tell_questions) wants it.
    Answered {
        /// The name that was asked for.
        name: String,
        /// What was asked for.
        record: RecordType,
        /// Whose records were found, after aliases; or why there are none.
        result: Result<String, LookupError>,
        /// The answer was there already.
        cached: bool,
    },
    /// A question is asked once more; told only if
    /// [`tell_questions`](crate::config::Lookup::tell_questions) wants it.
    AskedAgain {
        /// The name that is asked for.
        name: String,
        /// What is asked for.
        record: RecordType,
        /// The name server.
        server: Remote,
        /// The question goes over TCP.
        tcp: bool,
    },
    /// A server that mail for the destination goes to; told by [`RouteFinder`](super::RouteFinder).
    Target(Arc<Target>),
    /// What a name server can do; told by [`ResolverTest`](super::ResolverTest).
    ServerTested(Box<ServerReport>),
}
