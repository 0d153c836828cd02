//! Packet dumps: records as they crossed the wire, in the layout of OpenSSL.

use std::fmt::Write;

use tlsfinger_core::report::Direction;

use crate::line::Message;

/// Octets in a row.
const ROW: usize = 16;

/// Dumps one read or write.
///
/// The reference prints two addresses of its memory, which mean nothing here.
pub(super) fn packet(direction: Direction, bytes: &[u8], say: &mut dyn FnMut(Message)) {
    let verb = match direction {
        Direction::Sent => "write to",
        Direction::Received => "read from",
    };
    let length = bytes.len();
    say(Message::info(format!(
        "{verb} 00000000 [00000000] ({length} bytes => {length} (0x{length:X}))"
    )));
    let blanks = bytes.iter().rev().take_while(|byte| matches!(byte, 0 | b' ')).count();
    let shown = &bytes[..length - blanks];
    for (index, row) in shown.chunks(ROW).enumerate() {
        say(Message::info(self::row(index * ROW, row)));
    }
    if blanks > 0 {
        say(Message::info(format!("{:04x} - <SPACES/NULLS>", shown.len())));
    }
}

fn row(offset: usize, bytes: &[u8]) -> String {
    let mut row = format!("{offset:04x} ");
    for index in 0..ROW {
        match bytes.get(index) {
            Some(byte) => {
                let separator = if index == 7 { '|' } else { ' ' };
                let _ = write!(row, "{byte:02x}{separator}");
            }
            None => row.push_str("   "),
        }
    }
    row.push(' ');
    for (index, byte) in bytes.iter().enumerate() {
        let fit = byte.is_ascii_graphic() || *byte == b' ';
        row.push(if fit { char::from(*byte) } else { '.' });
        if index == 7 {
            row.push(' ');
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(direction: Direction, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        packet(direction, bytes, &mut |message| lines.push(message.text));
        lines
    }

    #[test]
    fn rows() {
        let expected = [
            "read from 00000000 [00000000] (20 bytes => 20 (0x14))",
            "0000 61 62 63 64 65 66 67 68|69 6a 6b 6c 6d 6e 6f 70  abcdefgh ijklmnop",
            "0010 71 7f 00 ff                                      q...",
        ];
        assert_eq!(dump(Direction::Received, b"abcdefghijklmnopq\x7f\x00\xff"), expected);
    }

    #[test]
    fn trailing_blanks_are_cut() {
        let expected = [
            "write to 00000000 [00000000] (19 bytes => 19 (0x13))",
            "0000 16 03 03 00 01 20 41                             ..... A",
            "0007 - <SPACES/NULLS>",
        ];
        let mut sent = b"\x16\x03\x03\x00\x01 A".to_vec();
        sent.extend([0; 11]);
        sent.push(b' ');
        assert_eq!(dump(Direction::Sent, &sent), expected);
        assert_eq!(dump(Direction::Sent, &[0, 0])[1..], ["0000 - <SPACES/NULLS>"]);
    }
}
