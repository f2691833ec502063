//! Address lists: `srcip` and `dstip` (spec/rules.md 6.2).

use core::net::Ipv6Addr;

/// One entry of an address list, or the address that an event names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    negated: bool,
    /// IPv4 stands as an IPv4-mapped address.
    address: u128,
    /// Number of leading bits that count, 0 to 128; 0 covers everything.
    bits: u32,
}

impl Entry {
    fn covers(&self, address: u128) -> bool {
        self.bits == 0 || (self.address ^ address) >> (128 - self.bits) == 0
    }
}

/// The entries of one kind of one rule, in the order written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(Vec<Entry>);

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Neither `any` nor a numeric address.
    NoAddress,
    /// The part behind `/` is empty, not a number, or longer than the address.
    Prefix,
    /// `any` takes no prefix.
    AnyWithPrefix,
}

impl Fault {
    /// Says what is wrong with the text.
    pub fn message(self, text: &str) -> String {
        match self {
            Fault::NoAddress => format!("`{text}` is not an address"),
            Fault::Prefix => format!("`{text}` has no usable prefix length"),
            Fault::AnyWithPrefix => format!("`{text}`: any takes no prefix length"),
        }
    }
}

impl Addresses {
    /// Adds one entry: `[!]any`, `[!]ADDRESS`, `[!]ADDRESS/BITS`.
    ///
    /// # Errors
    /// The text is none of these. OSSEC takes an unreadable prefix for 0, which covers everything; that is refused.
    pub fn add(&mut self, text: &str) -> Result<(), Fault> {
        self.0.push(entry(text.as_bytes(), false)?);
        Ok(())
    }

    /// Tells whether no entry was added.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether the list answers yes for the text of an event: the first entry that covers it decides, without
    /// one the last entry's negation does; text that is no address is never covered, not even by a negation.
    pub fn covers(&self, text: &[u8]) -> bool {
        let Ok(event) = entry(text, true) else { return false };
        for entry in &self.0 {
            if entry.covers(event.address) {
                return !entry.negated;
            }
        }
        self.0.last().is_some_and(|last| last.negated)
    }
}

/// Reads an entry, or with `lenient` the text of an event, whose prefix may be empty or no number (then 0), as in OSSEC.
fn entry(text: &[u8], lenient: bool) -> Result<Entry, Fault> {
    let (negated, text) = match text.strip_prefix(b"!") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (address, prefix) = match text.iter().position(|&b| b == b'/') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    if address.eq_ignore_ascii_case(b"any") {
        return match prefix {
            None => Ok(Entry { negated, address: 0, bits: 0 }),
            Some(_) => Err(Fault::AnyWithPrefix),
        };
    }
    let (value, width) = if address.contains(&b':') {
        (u128::from(ipv6(address).ok_or(Fault::NoAddress)?), 128)
    } else {
        let ipv4 = inet_aton(address).ok_or(Fault::NoAddress)?;
        (u128::from(core::net::Ipv4Addr::from(ipv4).to_ipv6_mapped()), 32)
    };
    let bits = match prefix {
        None => 128,
        Some(digits) => {
            let numeric = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            if digits.len() > 3 || !(numeric || lenient) {
                return Err(Fault::Prefix);
            }
            let value = |digits: &[u8]| digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
            match if numeric { value(digits) } else { 0 } {
                0 => 0,
                bits if bits > width => return Err(Fault::Prefix),
                bits => bits + 128 - width,
            }
        }
    };
    Ok(Entry { negated, address: value, bits })
}

fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// An IPv4 address in any of the forms of inet_aton(3): one to four parts, the last one filling what is left; decimal,
/// octal (leading 0) or hexadecimal (leading 0x).
fn inet_aton(text: &[u8]) -> Option<u32> {
    let mut parts = [0u64; 4];
    let mut count = 0;
    for part in text.split(|&b| b == b'.') {
        *parts.get_mut(count)? = number(part)?;
        count += 1;
    }
    let (last, leading) = parts[..count].split_last()?;
    let left = 8 * (4 - leading.len() as u32);
    if *last >= 1 << left || leading.iter().any(|part| *part > 255) {
        return None;
    }
    let head = leading.iter().fold(0u64, |sum, part| sum << 8 | part);
    u32::try_from(if left == 32 { *last } else { head << left | last }).ok()
}

fn number(text: &[u8]) -> Option<u64> {
    let (digits, radix) = match text {
        [b'0', b'x' | b'X', hex @ ..] => (hex, 16),
        [b'0', octal @ ..] if !octal.is_empty() => (octal, 8),
        decimal => (decimal, 10),
    };
    if digits.is_empty() || digits.len() > 12 {
        return None;
    }
    digits
        .iter()
        .try_fold(0u64, |sum, &digit| Some(sum * u64::from(radix) + u64::from(char::from(digit).to_digit(radix)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> Addresses {
        let mut list = Addresses::default();
        for entry in entries {
            list.add(entry).unwrap_or_else(|fault| panic!("{}", fault.message(entry)));
        }
        list
    }

    /// The table of spec/rules.md 6.2.
    #[test]
    fn the_first_entry_that_covers_decides_and_the_last_one_stands_for_the_rest() {
        let texts: [&[u8]; 4] = [b"10.0.0.1", b"10.0.0.2", b"11.0.0.1", b"host"];
        let table: [(&[&str], [bool; 4]); 6] = [
            (&["10.0.0.0/8"], [true, true, false, false]),
            (&["!10.0.0.0/8"], [false, false, true, false]),
            (&["!10.0.0.1", "10.0.0.0/8"], [false, true, false, false]),
            (&["10.0.0.0/8", "!10.0.0.1"], [true, true, true, false]),
            (&["any"], [true, true, true, false]),
            (&["!any"], [false, false, false, false]),
        ];
        for (entries, answers) in table {
            let list = list(entries);
            assert_eq!(texts.map(|text| list.covers(text)), answers, "{entries:?}");
        }
    }

    #[test]
    fn forms_of_addresses() {
        assert!(list(&["0.0.0.0/0"]).covers(b"2001:db8::1"));
        assert!(list(&["10.1.2.3"]).covers(b"::ffff:10.1.2.3"));
        assert!(list(&["10.1"]).covers(b"10.0.0.1"));
        assert!(!list(&["10.1"]).covers(b"10.1.0.0"));
        assert!(list(&["2001:db8::/32"]).covers(b"2001:db8:1::1"));
        assert!(!list(&["2001:db8::/32"]).covers(b"2001:db9::1"));
        assert!(!list(&["10.0.0.0/8"]).covers(b""));
        assert!(list(&["::/0"]).covers(b"10.0.0.1"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, fault) in [
            ("10.0.0.0/", Fault::Prefix),
            ("10.0.0.0/x", Fault::Prefix),
            ("10.0.0.0/33", Fault::Prefix),
            ("10.0.0.0/255.0.0.0", Fault::Prefix),
            ("any/8", Fault::AnyWithPrefix),
            ("10.0.0.1,10.0.0.2", Fault::NoAddress),
            (" 10.0.0.1", Fault::NoAddress),
            ("host", Fault::NoAddress),
            ("10.0.0.256", Fault::NoAddress),
            ("", Fault::NoAddress),
        ] {
            assert_eq!(Addresses::default().add(text), Err(fault), "{text}");
        }
    }
}
