//! Every bound on what a peer can make this program hold or do, with the reason for its size.

use std::time::Duration;

/// Octets kept of one reply line; the rest of the line is read and dropped. RFC 5321 section
/// 4.5.3.1.5 asks for 512; the reference's `line_length_limit` is 2048.
pub const REPLY_LINE: usize = 2048;

/// Octets of joined reply text kept for a report; the text stops growing once it is this long.
pub const REPLY_TEXT: usize = 2048;

/// Lines of one reply. Real EHLO replies have fewer than 40; the deadline alone would let a fast
/// server print millions.
pub const REPLY_LINES: usize = 10_000;

/// Lines of an EHLO reply kept as data.
pub const EHLO_LINES: usize = 128;

/// Octets of dialogue kept for a report. Real sessions say less than 4 KiB.
pub const DIALOGUE: usize = 64 * 1024;

/// Addresses of one destination that a survey probes. The largest mail providers have some twenty;
/// a hundred MX records may lead to ten thousand addresses.
pub const SURVEYED: usize = 64;

/// Connections of a survey at once.
pub const SURVEYS: usize = 32;

/// Connections of a survey to one address at once; servers count them (RFC 5321 section 4.5.4.1 asks
/// for care).
pub const SURVEYS_OF_ONE: usize = 2;

/// Observations that a scan keeps to share; the oldest go first. A chain takes some 5 KiB.
pub const SHARED: usize = 8192;

/// Refusals for now, one after the other, of an address; then whatever waits for it is not tested.
/// Servers that greylist accept within minutes, and those that do not want this client never do.
pub const REFUSALS: u32 = 8;

/// DNS questions of a scan that are under way at once. A resolver's socket buffer, as Linux makes it,
/// holds some 160 if they come in one burst, and what it loses costs seconds; a resolver far away
/// answers ten a second to each.
pub const SCAN_QUESTIONS: usize = 128;

/// Configurations of the TLS library that a run keeps: a few levels, with and without server name,
/// make a few.
pub const CLIENT_CONFIGS: usize = 16;

/// Connections of one enumeration. A server that accepts everything that anybody ever had takes some
/// 300, an ordinary one 40.
pub const ENUMERATION: usize = 400;

/// Chains of certificates that an enumeration keeps of a server: one for each kind of key, and for
/// clients without a server name. Each may have [`HANDSHAKE`] octets.
pub const ENUMERATED_CHAINS: usize = 8;

/// Connections of one enumeration that may come to nothing before it gives up: the server has had
/// enough.
pub const ENUMERATION_FAILURES: usize = 8;

/// Octets of the TLS input buffer. The largest handshake message that rustls accepts is 64 KiB,
/// which takes five full records with their headers, and one more record may be under way.
pub const TLS_INPUT: usize = 128 * 1024;

/// Octets of a peer's TLS handshake. Certificate chains of 60 kB exist; a peer that sends more
/// than this before the handshake ends wants something else.
pub const HANDSHAKE: usize = 512 * 1024;

/// Octets received over one transport and held, of all layers: text, TLS and its handshake, and the
/// same handshake once more if it is watched, each with a record under way.
pub const BUFFERED: usize =
    (EHLO_LINES + 4) * REPLY_LINE + REPLY_TEXT + TLS_INPUT + 2 * HANDSHAKE + 2 * 64 * 1024;

/// Certificates kept of the chain that a peer sends. The reference builds at most 10 deep.
pub const CHAIN: usize = 100;

/// Octets of a group of attributes from tlsproxy(8). Names of peer and issuer are 255 octets at
/// most, fingerprints less; all else is small.
pub const PROXY_GROUP: usize = 8 * 1024;

/// TLS 1.3 session tickets kept for one server; the reference keeps one per connection.
pub const TICKETS: usize = 4;

/// Octets of one input that a driver should read at once; bounds the outputs per input.
pub const READ: usize = 16 * 1024;

/// How long after its last `Close` a machine waits for the last words of its transports.
pub const LINGER: Duration = Duration::from_secs(2);

/// Addresses taken of one native host lookup; as many as records of one DNS answer.
pub const ADDRESSES: usize = 100;

/// Octets of a DNS answer that is asked for over UDP. What fits into every path's packets without
/// fragments (the agreement of the DNS flag day 2020).
pub const DNS_PAYLOAD: u16 = 1232;

/// Extended DNS errors kept of one answer. Resolvers give one or two (RFC 8914 section 2 sets no
/// bound).
pub const EXTENDED_ERRORS: usize = 4;

/// Octets kept of the text of an extended DNS error, which RFC 8914 section 2 wants concise. unbound's
/// longest are about 200.
pub const EXTENDED_TEXT: usize = 400;

/// Records taken of one DNS answer; the reference's own bound.
pub const RECORDS: usize = 100;

/// Names of an address that are looked up in turn. Mail servers have one, shared hosts hundreds.
pub const REVERSE_NAMES: usize = 4;

/// Aliases taken of one DNS answer. Resolvers give up after 8 to 20.
pub const ALIASES: usize = 100;

/// Times that the end of an alias chain is asked for again because the answer ended in an alias.
pub const ALIAS_QUERIES: usize = 10;

/// DNS questions that are under way at once; later ones queue. A domain with many mail hosts asks
/// three for each, and each may hold as many sockets as it has attempts.
pub const QUESTIONS: usize = 64;

/// Answers kept in the cache; a scan of many domains evicts those that expire first.
pub const CACHE: usize = 4096;

/// How long an answer is kept at most, whatever its TTL says. A run that lasts longer wants to
/// see changes.
pub const CACHE_TTL: Duration = Duration::from_secs(3600);

/// How long a failed question is not asked again (RFC 9520 section 3.2: at least a second).
pub const CACHE_FAILURE: Duration = Duration::from_secs(5);

/// How long an unused TCP connection to a name server stays open (RFC 7766 section 6.2.3: a few
/// seconds).
pub const DNS_IDLE: Duration = Duration::from_secs(5);

/// How long a mail host that has its answers waits for others of the same preference. RFC 8305
/// section 3 gives a late address family the same time.
pub const STRAGGLERS: Duration = Duration::from_millis(50);

/// Signatures kept over one RRset. A zone that changes its keys has two or three.
pub const RRSIGS: usize = 8;

/// Signatures verified for one answer or one zone's keys. An honest answer takes one for each of
/// its RRsets, seldom two; KeyTrap (CVE-2023-50387) wants hundreds.
pub const DNSSEC_SIGNATURES: usize = 32;

/// Digests of keys computed for one zone: as many as a zone has DS records, which is seldom over
/// four.
pub const DNSSEC_DIGESTS: usize = 16;

/// Keys with the same tag and algorithm that are tried for one signature. One in 65,536 keys of
/// honest zones collides; unbound tries four.
pub const SAME_TAG: usize = 4;

/// RRsets with denials that are verified in one answer. A proof takes three at most.
pub const DENIALS: usize = 8;

/// NSEC3 hashes of names computed for one answer (CVE-2023-50868): one for each label between a
/// name and its zone, and two.
pub const NSEC3_HASHES: usize = 48;

/// Extra iterations of an NSEC3 hash; zones with more count as insecure (RFC 9276 section 3.2).
/// BIND's and Knot Resolver's number.
pub const NSEC3_ITERATIONS: u16 = 50;

/// Aliases in one answer that are validated; resolvers themselves follow about that many.
pub const VALIDATED_ALIASES: usize = 12;

/// Questions asked to validate one answer: two for each label of a long name or a few short ones.
pub const CHAIN_QUESTIONS: usize = 160;

/// Questions for keys that are under way at once, of all answers that are validated. What several of
/// them need is asked once.
pub const CHAINS: usize = 64;

/// Name servers taken of resolv.conf; the C library's own bound (MAXNS).
pub const NAME_SERVERS: usize = 3;

/// Intermediates between a server's certificate and a root; the reference's fixed depth.
pub const INTERMEDIATES: usize = 10;

/// Signatures verified for one verdict. A chain takes 11; each TLSA record with a bare key may take
/// one more, and there are at most 100 of those.
pub const SIGNATURES: usize = 128;

/// Comparisons of names with name constraints for one pair of certificates; OpenSSL's number. All
/// pairs of one verdict together get four times as many, which takes well under a second.
pub const NAME_CHECKS: usize = 1 << 20;

/// Links between certificates that are remembered as verified: some for each of the web's few
/// thousand intermediates, at 100 octets each.
pub const LINKS: usize = 8192;

/// Decoded certificates that are remembered, at some 4 KiB each: the few hundred of issuers that most
/// servers have, and those of the latest servers.
pub const CERTIFICATES: usize = 1024;

/// Octets of a certificate that is remembered decoded; nearly all have fewer than half as many.
pub const CERTIFICATE: usize = 4096;
