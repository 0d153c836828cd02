//! Where the records of a stream of TLS end.

use bytes::Bytes;

/// Octets of a record's header (RFC 8446 section 5.1).
const HEADER: usize = 5;

/// Finds the ends of records. What only claims to be a record is cut all the same; the library says
/// what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: [u8; HEADER],
    /// Octets of the header that were seen.
    seen: usize,
    /// Octets of the body that are missing.
    missing: usize,
}

impl Records {
    /// Cuts off what is left of the present record, or as much of it as there is; `None` if there is
    /// nothing.
    pub(super) fn cut(&mut self, bytes: &mut Bytes) -> Option<Bytes> {
        let mut octets = 0;
        for (place, octet) in self.header.iter_mut().skip(self.seen).zip(bytes.iter()) {
            *place = *octet;
            octets += 1;
        }
        if octets > 0 {
            self.seen += octets;
            let [.., high, low] = self.header;
            self.missing = usize::from(u16::from_be_bytes([high, low]));
        }
        if self.seen == HEADER {
            let body = self.missing.min(bytes.len() - octets);
            self.missing -= body;
            octets += body;
            if self.missing == 0 {
                self.seen = 0;
            }
        }
        (octets > 0).then(|| bytes.split_to(octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the stream comes, what is cut off ends where records do, and nothing is lost.
    #[test]
    fn cuts_are_at_the_ends_of_records() {
        let records: [&[u8]; 4] =
            [&[22, 3, 1, 0, 2, 7, 7], &[20, 3, 3, 0, 0], &[23, 3, 3, 1, 0], &[21, 3, 3, 0, 1, 9]];
        let records: Vec<Vec<u8>> = records
            .iter()
            .map(|it| [it, &vec![5; if it[3] == 1 { 256 } else { 0 }][..]].concat())
            .collect();
        let stream = records.concat();
        for size in 1..=stream.len() {
            let (mut cutter, mut found, mut record) = (Records::default(), vec![], vec![]);
            for read in stream.chunks(size) {
                let mut read = Bytes::copy_from_slice(read);
                while let Some(piece) = cutter.cut(&mut read) {
                    record.extend_from_slice(&piece);
                    if cutter.seen == 0 {
                        found.push(std::mem::take(&mut record));
                    } else {
                        assert!(read.is_empty());
                    }
                }
            }
            assert_eq!((&found, record.len()), (&records, 0), "{size}");
        }
    }
}
