//! The secrets of connections, for those who decrypt what they recorded.

use std::fmt;

use bytes::Bytes;
use rustls::KeyLog;

use super::loan;

/// A secret of a connection, as a line of the file that SSLKEYLOGFILE names has it (RFC 9850).
///
/// Its debug form keeps it, so that it never gets into a trace.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// What it is for, such as `CLIENT_TRAFFIC_SECRET_0`.
    pub label: String,
    /// The ClientHello's random value: it names the connection.
    pub client_random: Bytes,
    /// The secret itself.
    pub secret: Bytes,
}

/// The line of the file, without its end.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>, octets: &[u8]| {
            octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
        };
        write!(f, "{} ", self.label)?;
        hex(f, &self.client_random)?;
        f.write_str(" ")?;
        hex(f, &self.secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.label)
    }
}

/// The log that every rustls configuration holds: it works with the record on loan.
#[derive(Debug)]
pub(super) struct LentKeyLog;

impl KeyLog for LentKeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        loan::borrow(|loan| {
            if loan.record.watch.secrets {
                loan.record.untold().secrets.push(Secret {
                    label: label.to_owned(),
                    client_random: Bytes::copy_from_slice(client_random),
                    secret: Bytes::copy_from_slice(secret),
                });
            }
        });
    }

    fn will_log(&self, _label: &str) -> bool {
        loan::borrow(|loan| loan.record.watch.secrets).unwrap_or(false)
    }
}
