//! The words of OpenSSL for alerts, errors and states, which scripts look for.

use tlsfinger_core::report::{Alert, Direction, Disclosure, TlsError, TlsMessage};

use crate::line::Message;

/// OpenSSL's number of its TLS library, as error codes begin with it.
const LIBRARY: u32 = 0x0A00_0000;

/// The reason codes of received alerts are this plus the number of the alert.
const ALERT_REASON: u32 = 1000;

/// Tells an error of TLS itself the way OpenSSL's error queue is printed, without source file and
/// line. What OpenSSL has no code for is told in the words of the library that is used here.
pub(super) fn library_problem(error: &TlsError) -> Message {
    match error {
        TlsError::AlertReceived(alert) => {
            let Alert(number) = *alert;
            let code = ALERT_REASON + u32::from(number);
            let reason = alert_words(*alert)
                .map_or_else(|| format!("reason({code})"), |words| words.reason.to_owned());
            queued(code, &reason, &format!("SSL alert number {number}:"))
        }
        TlsError::NotTls => queued(0x10b, "wrong version number", ""),
        TlsError::BadSignature => queued(0x7b, "bad signature", ""),
        TlsError::UnsupportedKey => queued(0xf7, "unknown certificate type", ""),
        TlsError::Limit => queued(0x98, "excessive message size", ""),
        TlsError::Misbehaved(detail) | TlsError::Incompatible(detail) | TlsError::Other(detail) => {
            Message::warning(format!("TLS library problem: {detail}"))
        }
    }
}

/// Tells that no protocol version is left to offer.
pub(super) fn no_version() -> Message {
    queued(0xbf, "no protocols available", "")
}

/// Tells that no cipher suite is left to offer.
pub(super) fn no_suite() -> Message {
    let data = "No ciphers enabled for max supported SSL/TLS version:";
    queued(0xb5, "no ciphers available", data)
}

/// Tells that no key exchange group is left to offer.
pub(super) fn no_group() -> Message {
    queued(0x127, "no suitable groups", "")
}

fn queued(code: u32, reason: &str, data: &str) -> Message {
    let code = LIBRARY + code;
    Message::warning(format!("TLS library problem: error:{code:08X}:SSL routines::{reason}:{data}"))
}

/// Tells that an alert crossed the wire; nothing is said of close_notify.
pub(super) fn alert_state(direction: Direction, alert: Alert) -> Option<String> {
    let Alert(number) = alert;
    if number == CLOSE_NOTIFY {
        return None;
    }
    let verb = match direction {
        Direction::Sent => "write",
        Direction::Received => "read",
    };
    let level = if WARNINGS.contains(&number) { "warning" } else { "fatal" };
    let words = alert_words(alert).map_or("unknown", |words| words.description);
    Some(format!("SSL3 alert {verb}:{level}:{words}"))
}

const CLOSE_NOTIFY: u8 = 0;

/// user_canceled and no_renegotiation do not end a connection (RFC 8446 section 6.1, RFC 5246
/// section 7.2.2).
const WARNINGS: [u8; 2] = [90, 100];

/// What OpenSSL says of an alert.
struct AlertWords {
    number: u8,
    /// When it is received, as an error.
    reason: &'static str,
    /// When it crosses the wire, as a state.
    description: &'static str,
}

fn alert_words(alert: Alert) -> Option<&'static AlertWords> {
    ALERTS.iter().find(|words| words.number == alert.0)
}

macro_rules! alerts {
    ($($number:literal $reason:literal $description:literal)*) => {
        const ALERTS: &[AlertWords] =
            &[$(AlertWords { number: $number, reason: $reason, description: $description },)*];
    };
}

alerts! {
    10 "sslv3 alert unexpected message" "unexpected_message"
    20 "sslv3 alert bad record mac" "bad record mac"
    21 "tlsv1 alert decryption failed" "decryption failed"
    22 "tlsv1 alert record overflow" "record overflow"
    30 "sslv3 alert decompression failure" "decompression failure"
    40 "sslv3 alert handshake failure" "handshake failure"
    41 "sslv3 alert no certificate" "no certificate"
    42 "sslv3 alert bad certificate" "bad certificate"
    43 "sslv3 alert unsupported certificate" "unsupported certificate"
    44 "sslv3 alert certificate revoked" "certificate revoked"
    45 "sslv3 alert certificate expired" "certificate expired"
    46 "sslv3 alert certificate unknown" "certificate unknown"
    47 "sslv3 alert illegal parameter" "illegal parameter"
    48 "tlsv1 alert unknown ca" "unknown CA"
    49 "tlsv1 alert access denied" "access denied"
    50 "tlsv1 alert decode error" "decode error"
    51 "tlsv1 alert decrypt error" "decrypt error"
    60 "tlsv1 alert export restriction" "export restriction"
    70 "tlsv1 alert protocol version" "protocol version"
    71 "tlsv1 alert insufficient security" "insufficient security"
    80 "tlsv1 alert internal error" "internal error"
    86 "tlsv1 alert inappropriate fallback" "inappropriate fallback"
    90 "tlsv1 alert user cancelled" "user canceled"
    100 "tlsv1 alert no renegotiation" "no renegotiation"
    109 "tlsv13 alert missing extension" "missing extension"
    110 "tlsv1 unsupported extension" "unsupported extension"
    111 "tlsv1 certificate unobtainable" "certificate unobtainable"
    112 "tlsv1 unrecognized name" "unrecognized name"
    113 "tlsv1 bad certificate status response" "bad certificate status response"
    114 "tlsv1 bad certificate hash value" "bad certificate hash value"
    115 "tlsv1 alert unknown psk identity" "unknown PSK identity"
    116 "tlsv13 alert certificate required" "certificate required"
    120 "tlsv1 alert no application protocol" "no application protocol"
}

/// Tells the state of OpenSSL that goes with a handshake message. Encrypted messages of TLS 1.3
/// cannot be told apart from outside, so their records have states of our own.
pub(super) fn state(direction: Direction, message: &TlsMessage) -> &'static str {
    use Direction::{Received, Sent};
    match (direction, message) {
        (_, TlsMessage::Complete) => "SSL negotiation finished successfully",
        (Sent, TlsMessage::ChangeCipherSpec) => "SSLv3/TLS write change cipher spec",
        (Received, TlsMessage::ChangeCipherSpec) => "SSLv3/TLS read change cipher spec",
        (Sent, TlsMessage::Encrypted) => "SSLv3/TLS write encrypted handshake record",
        (Received, TlsMessage::Encrypted) => "SSLv3/TLS read encrypted handshake record",
        (_, TlsMessage::Disclosed(disclosure)) => match disclosure {
            Disclosure::Certificate(_) => "SSLv3/TLS read server certificate",
            Disclosure::Signature(_) => "TLSv1.3 read server certificate verify",
            Disclosure::CertificateRequest(_) => "SSLv3/TLS read server certificate request",
            Disclosure::Ticket(_) => "SSLv3/TLS read server session ticket",
            Disclosure::Protocol(_) => "TLSv1.3 read encrypted extensions",
        },
        (Sent, TlsMessage::Plain(message)) => match message.kind {
            1 => "SSLv3/TLS write client hello",
            11 => "SSLv3/TLS write client certificate",
            15 => "SSLv3/TLS write certificate verify",
            16 => "SSLv3/TLS write client key exchange",
            20 => "SSLv3/TLS write finished",
            _ => "SSLv3/TLS write unknown message",
        },
        (Received, TlsMessage::Plain(message)) => match message.kind {
            0 => "SSLv3/TLS read hello request",
            2 => "SSLv3/TLS read server hello",
            4 => "SSLv3/TLS read server session ticket",
            8 => "TLSv1.3 read encrypted extensions",
            11 => "SSLv3/TLS read server certificate",
            12 => "SSLv3/TLS read server key exchange",
            13 => "SSLv3/TLS read server certificate request",
            14 => "SSLv3/TLS read server done",
            15 => "TLSv1.3 read server certificate verify",
            20 => "SSLv3/TLS read finished",
            22 => "SSLv3/TLS read certificate status",
            _ => "SSLv3/TLS read unknown message",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_problems() {
        let table = [
            (TlsError::NotTls, "error:0A00010B:SSL routines::wrong version number:"),
            (
                TlsError::AlertReceived(Alert(40)),
                "error:0A000410:SSL routines::sslv3 alert handshake failure:SSL alert number 40:",
            ),
            (
                TlsError::AlertReceived(Alert(116)),
                "error:0A00045C:SSL routines::tlsv13 alert certificate required:SSL alert number \
                 116:",
            ),
            (
                TlsError::AlertReceived(Alert(255)),
                "error:0A0004E7:SSL routines::reason(1255):SSL alert number 255:",
            ),
            (TlsError::Misbehaved("peer sent nonsense".into()), "peer sent nonsense"),
        ];
        for (error, expected) in table {
            let expected = Message::warning(format!("TLS library problem: {expected}"));
            assert_eq!(library_problem(&error), expected);
        }
    }

    #[test]
    fn alerts_as_states() {
        let table = [
            (Direction::Received, 40, Some("SSL3 alert read:fatal:handshake failure")),
            (Direction::Sent, 48, Some("SSL3 alert write:fatal:unknown CA")),
            (Direction::Received, 90, Some("SSL3 alert read:warning:user canceled")),
            (Direction::Received, 200, Some("SSL3 alert read:fatal:unknown")),
            (Direction::Received, 0, None),
        ];
        for (direction, number, expected) in table {
            assert_eq!(alert_state(direction, Alert(number)).as_deref(), expected);
        }
    }
}
