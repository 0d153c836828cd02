//! What the caller wishes to offer: versions, suites and groups.

use tlsfinger_core::config::{
    GroupLists, Groups, Level, OfferFlaw, Protocols, Versions, WiderOffer, cipher_list,
    whole_cipher_list,
};
use tlsfinger_core::tls::SUITES;

use crate::line::Message;
use crate::options::Options;
use crate::parameters::Parameters;

/// The offer as far as options and parameters decide it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) versions: Versions,
    pub(super) suites: Vec<u16>,
    pub(super) groups: Groups,
    /// What is wrong with it; the reference finds out when it connects.
    pub(super) flaw: Option<OfferFlaw>,
    /// The same if it did not matter what exists here.
    pub(super) wider: WiderOffer,
    pub(super) cipher_list: String,
    pub(super) odd_bounds: Vec<String>,
    unknown_groups: Vec<String>,
}

impl Wish {
    pub(super) fn new(options: &Options, parameters: &Parameters, level: Level) -> Self {
        let mut wish = Self {
            versions: Versions { tls12: false, tls13: false },
            suites: Vec::new(),
            groups: Groups::default(),
            flaw: None,
            wider: WiderOffer { versions: Vec::new(), suites: Vec::new(), groups: Vec::new() },
            cipher_list: String::new(),
            odd_bounds: Vec::new(),
            unknown_groups: Vec::new(),
        };
        // In the order of the reference: the first flaw counts.
        wish.flaw =
            wish.protocols(options).and_then(|()| wish.ciphers(options, parameters, level)).err();
        let GroupLists { groups, all, unknown } =
            GroupLists::parse(&parameters.curves, &parameters.ffdhe);
        wish.groups = groups;
        wish.wider.groups = all;
        wish.unknown_groups = unknown;
        wish
    }

    /// Tells of names that mean nothing.
    pub(super) fn warn(&self, notes: &mut Vec<Message>) {
        notes.extend(
            self.unknown_groups
                .iter()
                .map(|name| Message::warning(format!("ignoring unknown ECDHE curve \"{name}\""))),
        );
    }

    fn protocols(&mut self, options: &Options) -> Result<(), OfferFlaw> {
        let list = options.protocols.as_deref().unwrap_or(DEFAULT_PROTOCOLS);
        let protocols = Protocols::parse(list).map_err(|error| OfferFlaw::Protocols(error.0))?;
        self.versions = protocols.versions;
        self.wider.versions = protocols.all;
        let odd = [("minimum", protocols.odd_floor), ("maximum", protocols.odd_ceiling)];
        self.odd_bounds = odd
            .into_iter()
            .filter_map(|(which, bound)| {
                Some(format!("error setting {which} TLS version to: 0x{:04x}", bound?))
            })
            .collect();
        Ok(())
    }

    fn ciphers(
        &mut self,
        options: &Options,
        parameters: &Parameters,
        level: Level,
    ) -> Result<(), OfferFlaw> {
        let grade = options.grade.as_deref().unwrap_or(DEFAULT_GRADE);
        let list = match grade.to_ascii_lowercase().as_str() {
            "high" => &parameters.high_ciphers,
            "medium" | "low" | "export" => &parameters.medium_ciphers,
            "null" => &parameters.null_ciphers,
            _ => return Err(OfferFlaw::Grade(grade.to_owned())),
        };
        let excluded = if level >= Level::Fingerprint { "aNULL" } else { "eNULL" };
        self.cipher_list = format!("{list}:!{excluded}");
        let bad = |_| OfferFlaw::Ciphers(grade.to_owned());
        let selected = cipher_list(&self.cipher_list).map_err(bad)?;
        self.wider.suites = whole_cipher_list(&self.cipher_list).map_err(bad)?;
        // The suites of TLS 1.3 come first; no list has a say in them.
        let tls13 = SUITES.iter().map(|suite| suite.number).filter(|number| number >> 8 == 0x13);
        self.suites = tls13.chain(selected).collect();
        Ok(())
    }
}

pub(super) const DEFAULT_PROTOCOLS: &str = ">=TLSv1";

pub(super) const DEFAULT_GRADE: &str = "medium";

#[cfg(test)]
mod tests {
    use super::*;

    const TLS13: [u16; 3] = [0x1302, 0x1303, 0x1301];
    const TLS12: [u16; 6] = [0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc02b, 0xc02f];

    fn wish(options: Options, parameters: &[(&str, &str)], level: Level) -> Wish {
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let parameters =
            Parameters::evaluate(None, &parameters, "c.test", &mut Vec::new()).unwrap();
        Wish::new(&options, &parameters, level)
    }

    fn with_grade(grade: &str, level: Level) -> Wish {
        wish(Options { grade: Some(grade.into()), ..Options::default() }, &[], level)
    }

    fn with_protocols(protocols: &str) -> Wish {
        wish(Options { protocols: Some(protocols.into()), ..Options::default() }, &[], Level::May)
    }

    #[test]
    fn defaults_offer_everything() {
        let wish = wish(Options::default(), &[], Level::Dane);
        assert_eq!(wish.suites, [&TLS13[..], &TLS12].concat());
        assert_eq!(wish.versions, Versions { tls12: true, tls13: true });
        assert_eq!((wish.groups, wish.flaw), (Groups::default(), None));
        assert_eq!(
            wish.cipher_list,
            "aNULL:-aNULL:HIGH:MEDIUM:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:\
             +RC4:@STRENGTH:!aNULL"
        );
    }

    #[test]
    fn grades() {
        for grade in ["high", "Medium", "low", "EXPORT"] {
            let wish = with_grade(grade, Level::May);
            assert_eq!((wish.suites.len(), wish.flaw), (9, None), "{grade}");
        }
        let null = with_grade("null", Level::Secure);
        assert_eq!((null.suites, null.flaw), (TLS13.to_vec(), None));
        let null = with_grade("null", Level::May);
        assert_eq!(null.flaw, Some(OfferFlaw::Ciphers("null".into())));
        assert_eq!(with_grade("Best", Level::May).flaw, Some(OfferFlaw::Grade("Best".into())));
    }

    #[test]
    fn parameters_have_their_say() {
        let of = |name, value| wish(Options::default(), &[(name, value)], Level::May);
        let chosen = of("tls_medium_cipherlist", "ECDHE+CHACHA20+aRSA");
        assert_eq!(chosen.suites, [&TLS13[..], &[0xcca8]].concat());
        let odd = of("tls_medium_cipherlist", "@x");
        assert_eq!(odd.flaw, Some(OfferFlaw::Ciphers("medium".into())));
        let same = of("tls_medium_cipherlist", "$tls_high_cipherlist");
        assert_eq!((same.suites.len(), same.flaw), (9, None));
        let curves = of("tls_eecdh_auto_curves", "nosuch");
        let mut notes = Vec::new();
        curves.warn(&mut notes);
        assert_eq!(notes, [Message::warning("ignoring unknown ECDHE curve \"nosuch\"")]);
    }

    #[test]
    fn protocols() {
        let odd = with_protocols(">=9999");
        assert_eq!(odd.odd_bounds, ["error setting minimum TLS version to: 0x9999"]);
        let flaw = Some(OfferFlaw::Protocols("TLSv9".into()));
        assert_eq!(with_protocols("TLSv9").flaw, flaw);
        let only12 = with_protocols("TLSv1.2");
        assert_eq!(only12.versions, Versions { tls12: true, tls13: false });
    }
}
