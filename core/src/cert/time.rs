//! The validity period of a certificate.

use std::fmt;

use super::der::{Reader, Tlv, tag};
use crate::time::WallTime;

/// From when to when a certificate is valid (RFC 5280 section 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second; `None` if it is not written as RFC 5280 wants it.
    pub not_before: Option<Seconds>,
    /// The last second; `None` if it is not written as RFC 5280 wants it.
    pub not_after: Option<Seconds>,
}

/// Seconds since 1970-01-01T00:00:00Z; certificates reach back to 0000 and on to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub i64);

impl From<WallTime> for Seconds {
    fn from(time: WallTime) -> Self {
        Self(i64::try_from(time.0).unwrap_or(i64::MAX))
    }
}

impl Validity {
    /// Decodes the contents of a Validity.
    pub(crate) fn parse(contents: &[u8]) -> Self {
        let mut times = Reader::new(contents);
        let mut time = || Reader::next(&mut times).ok().and_then(Seconds::parse);
        Self { not_before: time(), not_after: time() }
    }
}

impl Seconds {
    /// Reads `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280 section 4.1.2.5), nothing else.
    fn parse(time: Tlv<'_>) -> Option<Self> {
        let (&zone, digits) = time.value.split_last()?;
        if zone != b'Z' || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let pairs: Vec<i64> = digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |n, digit| n * 10 + i64::from(digit - b'0')))
            .collect();
        let (year, rest) = match (time.tag, digits.len(), pairs.as_slice()) {
            // Two digits mean 1950 to 2049.
            (tag::UTC_TIME, 12, [year, rest @ ..]) => {
                (year + if *year < 50 { 2000 } else { 1900 }, rest)
            }
            (tag::GENERALIZED_TIME, 14, [century, year, rest @ ..]) => (century * 100 + year, rest),
            _ => return None,
        };
        let &[month, day, hour, minute, second] = rest else { return None };
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + i64::from(leap),
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=last).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_since_1970(year, month, day);
        Some(Self(days * 86_400 + hour * 3600 + minute * 60 + second))
    }
}

/// The form of RFC 3339 section 5.6: `2026-07-01T00:00:00Z`.
impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
    }
}

/// Turns days since 1970-01-01 into year, month and day: the inverse of [`days_since_1970`].
fn date(days: i64) -> (i64, i64, i64) {
    // 400 years, which begin in March, have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

/// Counts days in the proleptic Gregorian calendar; years begin in March, so that the leap day is
/// the last of its year.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_they_are_counted() {
        for days in (-719_528..2_932_897).step_by(17).chain([-1, 0, 11_016, 2_932_896]) {
            let (year, month, day) = date(days);
            assert_eq!(days_since_1970(year, month, day), days);
            assert!((1..=12).contains(&month) && (1..=31).contains(&day), "{year}-{month}-{day}");
        }
        assert_eq!(Seconds(951_868_799).to_string(), "2000-02-29T23:59:59Z");
        assert_eq!(Seconds(-1).to_string(), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn reads_the_two_forms_and_nothing_else() {
        let parse = |tag, value: &str| {
            Seconds::parse(Tlv { tag, value: value.as_bytes(), whole: &[] }).map(|time| time.0)
        };
        let utc = |value| parse(tag::UTC_TIME, value);
        let generalized = |value| parse(tag::GENERALIZED_TIME, value);
        assert_eq!(utc("700101000000Z"), Some(0));
        assert_eq!(utc("500101000000Z"), Some(-631_152_000));
        assert_eq!(utc("491231235959Z"), Some(2_524_607_999));
        assert_eq!(utc("000229000000Z"), Some(951_782_400));
        assert_eq!(generalized("99991231235959Z"), Some(253_402_300_799));
        assert_eq!(generalized("21000228235959Z"), Some(4_107_542_399));
        for bad in [
            "",
            "Z",
            "7001010000Z",
            "700101000000",
            "700101000000+0100",
            "701301000000Z",
            "700001000000Z",
            "010229000000Z",
            "700431000000Z",
            "700101240000Z",
            "700101006000Z",
            "700101000060Z",
            "19700101000000Z",
            "70010100000 Z",
        ] {
            assert_eq!(utc(bad), None, "{bad}");
        }
        assert_eq!(generalized("700101000000Z"), None);
        assert_eq!(generalized("21000229000000Z"), None);
        assert_eq!(generalized("20200101000000.5Z"), None);
    }
}
