//! Numbers, times and strings as bytes, without a formatter's cost.

use crate::event::{Stamp, time::MONTHS};

/// Appends a number in decimal.
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a number that may be negative.
pub(super) fn signed(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    number(out, value.unsigned_abs());
}

/// Appends a number with leading zeros up to `width`.
fn padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let start = out.len();
    number(out, value);
    let written = out.len() - start;
    if written < width {
        out.splice(start..start, std::iter::repeat_n(b'0', width - written));
    }
}

fn two(out: &mut Vec<u8>, value: u8) {
    out.extend_from_slice(&[b'0' + value / 10 % 10, b'0' + value % 10]);
}

/// Appends `2026 Nov 24 20:37:20`: local time, English month, day with leading zero (spec/logtest.md 2.1).
pub(super) fn date(out: &mut Vec<u8>, stamp: Stamp) {
    let (year, month, day, hour, minute, second) = stamp.civil();
    signed(out, year);
    out.push(b' ');
    let month = usize::from(month.saturating_sub(1)) % MONTHS.len();
    out.extend_from_slice(MONTHS[month].as_bytes());
    out.push(b' ');
    two(out, day);
    for (separator, part) in [(b' ', hour), (b':', minute), (b':', second)] {
        out.push(separator);
        two(out, part);
    }
}

/// Appends `2026-11-24T20:37:20.123456+01:00` (RFC 3339); without nanoseconds no fraction.
pub(super) fn rfc3339(out: &mut Vec<u8>, stamp: Stamp, nanos: Option<u32>) {
    let (year, month, day, hour, minute, second) = stamp.civil();
    // RFC 3339 knows years of four digits only.
    padded(out, year.clamp(0, 9999) as u64, 4);
    for (separator, part) in [(b'-', month), (b'-', day), (b'T', hour), (b':', minute), (b':', second)] {
        out.push(separator);
        two(out, part);
    }
    if let Some(nanos) = nanos {
        out.push(b'.');
        padded(out, u64::from(nanos.min(999_999_999) / 1_000), 6);
    }
    if stamp.offset == 0 {
        out.push(b'Z');
    } else {
        out.push(if stamp.offset < 0 { b'-' } else { b'+' });
        let minutes = stamp.offset.unsigned_abs() / 60;
        two(out, (minutes / 60) as u8);
        out.push(b':');
        two(out, (minutes % 60) as u8);
    }
}

/// Appends a JSON string: quoted, escaped, valid UTF-8 whatever the bytes are (invalid sequences become U+FFFD).
pub(super) fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    if bytes.is_ascii() {
        escaped(out, bytes);
    } else {
        for chunk in bytes.utf8_chunks() {
            escaped(out, chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{FFFD}".as_bytes());
            }
        }
    }
    out.push(b'"');
}

/// Escapes as OSSEC's JSON writer does: quote, backslash and bytes below 0x20; everything else is copied
/// (spec/logtest.md 3.4).
fn escaped(out: &mut Vec<u8>, valid: &[u8]) {
    let mut done = 0;
    for (at, &byte) in valid.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&valid[done..at]);
        done = at + 1;
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            0x0C => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.extend_from_slice(&valid[done..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        assert_eq!(written(|o| number(o, 0)), "0");
        assert_eq!(written(|o| number(o, u64::MAX)), "18446744073709551615");
        assert_eq!(written(|o| signed(o, i64::MIN)), "-9223372036854775808");
        assert_eq!(written(|o| padded(o, 45, 6)), "000045");
    }

    #[test]
    fn times_carry_the_zone() {
        let stamp = Stamp { seconds: 1_795_552_640, offset: -(5 * 3_600 + 1_800) };
        assert_eq!(written(|o| rfc3339(o, stamp, Some(45_000))), "2026-11-24T15:07:20.000045-05:30");
        assert_eq!(written(|o| rfc3339(o, Stamp::utc(1_795_552_640), None)), "2026-11-24T20:37:20Z");
        assert_eq!(written(|o| date(o, Stamp { seconds: 1_795_552_640, offset: 3_600 })), "2026 Nov 24 21:37:20");
        for seconds in [i64::MIN, -1, i64::MAX] {
            written(|o| rfc3339(o, Stamp { seconds, offset: i32::MAX }, Some(u32::MAX)));
            written(|o| date(o, Stamp { seconds, offset: i32::MIN }));
        }
    }

    #[test]
    fn strings_read_back_as_the_lossy_text() {
        let nasty =
            b"q\" b\\ t\t n\n \x00\x01\x1b[31m\x7f \xc3\xa9 \xe2\x80\xa8 \xff\xfe \xe2\x80 \xed\xa0\x80 end\xc3";
        let json = written(|o| string(o, nasty));
        let back: String = serde_json::from_str(&json).unwrap();
        assert_eq!(back, String::from_utf8_lossy(nasty));
        assert!(json.contains(r#"q\" b\\ t\t n\n \u0000\u0001\u001b[31m"#), "{json}");
    }
}
