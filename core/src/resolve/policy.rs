//! The level that holds for a host, as a function of what is known of it.

use super::target::MxSecurity;
use crate::config::{InsecureMx, Level};

/// Tells the level that holds for a server at the levels `dane` and `dane-only` (`wanted`); others
/// stay what they are. `usable` tells whether there are TLSA records that were not dropped.
pub fn reached_level(
    wanted: Level,
    mx: MxSecurity,
    usable: bool,
    insecure_mx: InsecureMx,
) -> Level {
    if !matches!(wanted, Level::Dane | Level::DaneOnly) {
        return wanted;
    }
    match (mx, usable, insecure_mx) {
        (MxSecurity::Insecure, _, InsecureMx::May) => Level::May,
        (MxSecurity::Insecure, true, InsecureMx::Encrypt) => Level::Encrypt,
        (MxSecurity::Insecure, true, InsecureMx::Dane) => Level::HalfDane,
        (MxSecurity::None | MxSecurity::Secure, true, _) => wanted,
        (_, false, _) => Level::Secure,
    }
}

/// Tells whether TLSA records are looked up at all.
pub(crate) fn wants_tlsa(wanted: Level, mx: MxSecurity, insecure_mx: InsecureMx) -> bool {
    matches!(wanted, Level::Dane | Level::DaneOnly)
        && (mx != MxSecurity::Insecure || insecure_mx != InsecureMx::May)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the reference: MX, TLSA, then the level under `-M dane`, `encrypt` and `may`.
    #[test]
    fn level_table() {
        use Level::{Dane, DaneOnly, Encrypt, HalfDane, May, Secure};
        for (mx, usable, levels) in [
            (MxSecurity::None, true, [Dane, Dane, Dane]),
            (MxSecurity::Secure, true, [Dane, Dane, Dane]),
            (MxSecurity::None, false, [Secure, Secure, Secure]),
            (MxSecurity::Secure, false, [Secure, Secure, Secure]),
            (MxSecurity::Insecure, true, [HalfDane, Encrypt, May]),
            (MxSecurity::Insecure, false, [Secure, Secure, May]),
        ] {
            let policies = [InsecureMx::Dane, InsecureMx::Encrypt, InsecureMx::May];
            for (policy, level) in policies.into_iter().zip(levels) {
                assert_eq!(reached_level(Dane, mx, usable, policy), level, "{mx:?} {usable}");
                let only = if level == Dane { DaneOnly } else { level };
                assert_eq!(reached_level(DaneOnly, mx, usable, policy), only, "{mx:?} {usable}");
                for other in [Level::None, May, Encrypt, Level::Fingerprint, Level::Verify, Secure]
                {
                    assert_eq!(reached_level(other, mx, usable, policy), other);
                    assert!(!wants_tlsa(other, mx, policy));
                }
                let asked = mx != MxSecurity::Insecure || policy != InsecureMx::May;
                assert_eq!(wants_tlsa(Dane, mx, policy), asked);
            }
        }
    }
}
