//! Postfix's attribute protocol: `name NUL value NUL`, any number of times, and a NUL.

use base64ct::{Base64, Encoding as _};
use bytes::{Buf as _, BytesMut};

use crate::limits;

/// A group of attributes to be sent.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Adds an attribute. What stands behind a NUL in it cannot be said.
    pub(super) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        for part in [name, value] {
            self.0.extend(part.bytes().take_while(|octet| *octet != 0));
            self.0.push(0);
        }
        self
    }

    pub(super) fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.text(name, &value.to_string())
    }

    pub(super) fn data(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.text(name, &Base64::encode_string(value))
    }

    /// Ends the group.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push(0);
        self.0
    }
}

/// A group of attributes that was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group(Vec<(String, String)>);

impl Group {
    /// Takes a complete group from the front of `input`; `None` if more must come.
    ///
    /// # Errors
    ///
    /// What came is no group, or larger than any should be.
    pub(super) fn take(input: &mut BytesMut) -> Result<Option<Self>, NoGroup> {
        let (mut group, mut rest) = (Vec::new(), &input[..]);
        while let Some((name, behind)) = split(rest) {
            if name.is_empty() {
                let taken = input.len() - behind.len();
                input.advance(taken);
                return Ok(Some(Self(group)));
            }
            if !name.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'_') {
                return Err(NoGroup);
            }
            let Some((value, behind)) = split(behind) else { break };
            let text = |octets| String::from_utf8_lossy(octets).into_owned();
            group.push((text(name), text(value)));
            rest = behind;
        }
        if input.len() > limits::PROXY_GROUP { Err(NoGroup) } else { Ok(None) }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.text(name)?.parse().ok()
    }
}

/// What came is not of the attribute protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoGroup;

fn split(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = octets.iter().position(|octet| *octet == 0)?;
    let (part, rest) = octets.split_at(end);
    Some((part, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_round_trip_whatever_the_pieces() {
        let mut writer = Writer::default();
        writer.text("name", "value").text("empty", "").number("n", 7).data("data", b"\0\xff");
        writer.text("cut", "be\0fore");
        let written = writer.finish();
        assert_eq!(written, b"name\0value\0empty\0\0n\x007\0data\0AP8=\0cut\0be\0\0");
        let mut input = BytesMut::new();
        for (at, octet) in written.iter().enumerate() {
            input.extend_from_slice(&[*octet]);
            let taken = Group::take(&mut input).unwrap();
            assert_eq!(taken.is_some(), at + 1 == written.len());
            if let Some(group) = taken {
                assert_eq!((group.text("name"), group.text("empty")), (Some("value"), Some("")));
                assert_eq!((group.number("n"), group.number("name")), (Some(7), None));
                assert!(input.is_empty());
            }
        }
    }

    #[test]
    fn what_follows_a_group_stays() {
        let mut input = BytesMut::from(&b"status\x001\0\x00220 hello\r\n"[..]);
        assert_eq!(Group::take(&mut input).unwrap().unwrap().number("status"), Some(1));
        assert_eq!(&input[..], b"220 hello\r\n");
    }

    #[test]
    fn garbage_and_endless_groups() {
        let mut garbage = BytesMut::from(&b"HTTP/1.1 400\r\n\0"[..]);
        assert_eq!(Group::take(&mut garbage), Err(NoGroup));
        let mut endless = BytesMut::zeroed(0);
        endless.extend_from_slice(&vec![b'a'; limits::PROXY_GROUP]);
        assert_eq!(Group::take(&mut endless), Ok(None));
        endless.extend_from_slice(b"a");
        assert_eq!(Group::take(&mut endless), Err(NoGroup));
    }
}
