//! The way to tlsproxy(8), which does the TLS if the caller wants that.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What there is to know of tlsproxy(8) before a session wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The daemon's socket.
    pub socket: PathBuf,
    /// The forms of its protocol to try, one connection each: a daemon that does not know a form
    /// hangs up before it has the server's socket.
    pub forms: Vec<ProxyForm>,
    /// What it sets TLS up with, by the names of the protocol; what is missing is empty.
    pub values: BTreeMap<String, String>,
}

/// A form of the daemon's protocol. Names, order and number of its attributes are binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyForm {
    /// Postfix 3.7.
    V3_7,
    /// Postfix 3.11, built without TLSRPT.
    V3_11,
}

impl ProxyForm {
    /// Tells the parameters that a form begins with, in its order.
    pub const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::V3_7 => &[
                "config_file",
                "config_name",
                "tls_high_cipherlist",
                "tls_medium_cipherlist",
                "tls_low_cipherlist",
                "tls_export_cipherlist",
                "tls_null_cipherlist",
                "tls_eecdh_auto_curves",
                "tls_eecdh_strong_curve",
                "tls_eecdh_ultra_curve",
                "tls_disable_workarounds",
                "tls_ssl_options",
                "tls_dane_digests",
                "tlsmgr_service_name",
                "tls_session_ticket_cipher",
                "tls_daemon_random_bytes",
                "tls_append_default_CA",
                "tls_legacy_public_key_fingerprints",
                "tls_preempt_cipherlist",
                "tls_wildcard_matches_multiple_labels",
            ],
            Self::V3_11 => &[
                "config_file",
                "config_name",
                "tls_high_cipherlist",
                "tls_medium_cipherlist",
                "tls_null_cipherlist",
                "tls_eecdh_auto_curves",
                "tls_eecdh_strong_curve",
                "tls_eecdh_ultra_curve",
                "tls_ffdhe_auto_groups",
                "tls_disable_workarounds",
                "tls_ssl_options",
                "tls_dane_digests",
                "tlsmgr_service_name",
                "tls_session_ticket_cipher",
                "tls_daemon_random_bytes",
                "tls_append_default_CA",
                "tls_preempt_cipherlist",
                "tls_wildcard_matches_multiple_labels",
                "tls_fast_shutdown_enable",
            ],
        }
    }
}
