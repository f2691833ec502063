//! What OSSEC 4.3.0 answered for these lines: host, program, log.

use super::*;
use crate::event::Stamp;

type Row = (&'static str, Option<&'static str>, Option<&'static str>, &'static str);

const LENGTH: &[Row] = &[
    ("Dec 29 10:00:01", None, None, "Dec 29 10:00:01"),
    ("Dec 29 10:00:01 ", None, None, "Dec 29 10:00:01 "),
    ("Dec 29 10:00:01 x", None, None, "x"),
    ("Dec 29 10:00:01  x", None, None, "x"),
    ("Dec 29 10:00:01 h app: x", Some("h"), Some("app"), "x"),
    ("Dec 29 10:00:01  h app: x", Some("h"), Some("app"), "x"),
    ("2015-04-16 21:51:02,805", None, None, "2015-04-16 21:51:02,805"),
    ("2015-04-16 21:51:02,805 ", None, None, ""),
    ("2015-04-16 21:51:02,805 x", None, None, "x"),
    ("2015-04-16 21:51:02,805  x", Some(""), None, "x"),
    ("2015-04-16 21:51:02,805 h app: x", Some("h"), Some("app"), "x"),
    ("2015-04-16 21:51:02,805  h app: x", Some(""), None, "h app: x"),
    ("2015 Dec 29 10:00:01", None, None, "2015 Dec 29 10:00:01"),
    ("2015 Dec 29 10:00:01 ", None, None, ""),
    ("2015 Dec 29 10:00:01 x", None, None, "x"),
    ("2015 Dec 29 10:00:01  x", None, None, "x"),
    ("2015 Dec 29 10:00:01 h app: x", Some("h"), Some("app"), "x"),
    ("2015 Dec 29 10:00:01  h app: x", Some("h"), Some("app"), "x"),
    ("2019:11:06-00:08:03", None, None, "2019:11:06-00:08:03"),
    ("2019:11:06-00:08:03 ", None, None, ""),
    ("2019:11:06-00:08:03 x", None, None, "x"),
    ("2019:11:06-00:08:03  x", None, None, "x"),
    ("2019:11:06-00:08:03 h app: x", Some("h"), Some("app"), "x"),
    ("2019:11:06-00:08:03  h app: x", Some("h"), Some("app"), "x"),
    ("2007-06-14T15:48:55-04:00 h a: 3", None, None, "2007-06-14T15:48:55-04:00 h a: 3"),
    ("2007-06-14T15:48:55-04:00 h a: 34", Some("h"), Some("a"), "34"),
    ("2007-06-14T15:48:55-04:00 h app: x", Some("h"), Some("app"), "x"),
    ("2009-05-22T09:36:46.2-07:00 h app: x", Some("h"), Some("app"), "x"),
    ("2009-05-22T09:36:46.21-07:00 h app: x", Some("h"), Some("app"), "x"),
    ("2009-05-22T09:36:46.214-07:00 h app: x", Some("h"), Some("app"), "x"),
    ("2009-05-22T09:36:46.2149-07:00 h app: x", Some("h"), Some("app"), "x"),
    ("2009-05-22T09:36:46.21499-07:00 h app: x", Some("h"), Some("app"), "x"),
    ("2009-05-22T09:36:46.214994-07:00 h app: x", Some("h"), Some("app"), "x"),
    ("2009-05-22T09:36:46.2149941-07:00 h app: x", None, None, "2009-05-22T09:36:46.2149941-07:00 h app: x"),
    ("2009-05-22T09:36:46.21499412-07:00 h app: x", None, None, "2009-05-22T09:36:46.21499412-07:00 h app: x"),
    ("2009-05-22T09:36:46,214994-07:00 h app: x", Some("h"), Some("app"), "x"),
    ("2009-05-22T09:36:46.2-07:00 h a:", None, None, "2009-05-22T09:36:46.2-07:00 h a:"),
    ("2009-05-22T09:36:46.2-07:00 h app", Some("h"), None, "app"),
    ("2009-05-22T09:36:46.214994Z h app: x and more", None, None, "2009-05-22T09:36:46.214994Z h app: x and more"),
    ("2015-04-16 21:51:02.805 h app: x", None, None, "2015-04-16 21:51:02.805 h app: x"),
];

const OTHER: &[Row] = &[
    ("Mon Apr 17 18:27:14 2006 1 6", None, None, " 1 6"),
    ("Mon Apr 17 18:27:14 2006 1 ", None, None, "Mon Apr 17 18:27:14 2006 1 "),
    ("Mon Apr 17 18:27:14 2006 1 64.160.42.130 x", None, None, " 1 64.160.42.130 x"),
    ("01/28-09:13:16.240702  x", None, None, "x"),
    ("01/28-09:13:16.240702  ", None, None, "01/28-09:13:16.240702  "),
    ("01/28-09:13:16.240702 xy", None, None, "y"),
    ("01/28/1979-09:13:16.240702  xyz", None, None, "xyz"),
    ("01/28/1979-09:13:16.24070 xyz1", None, None, "01/28/1979-09:13:16.24070 xyz1"),
    ("[Fri Feb 11 18:06:35 2004] [warn] x", None, None, "[warn] x"),
    ("[Fri Feb 11 18:06:35 2004] x", None, None, "x"),
    ("[Fri Feb 11 18:06:35 2004]", None, None, "[Fri Feb 11 18:06:35 2004]"),
    ("1140804070.368  11623 192.168.1.1 TCP_MISS/200 x", None, None, "11623 192.168.1.1 TCP_MISS/200 x"),
    ("1140804070.368      7 192.168.1.", None, None, "7 192.168.1."),
    ("1140804070.368      7 192.168.1.1", None, None, "7 192.168.1.1"),
    ("2140804070.368  11623 192.168.1.1 x", None, None, "2140804070.368  11623 192.168.1.1 x"),
    ("Mär  6 12:00:00 h app: x", Some("h"), Some("app"), "x"),
    ("Mär  6 12:00:00 h", None, None, "h"),
];

const HOST: &[Row] = &[
    ("Dec 29 10:00:01 sshd: [ID 800047 auth.info] x", None, Some("sshd"), "x"),
    ("Dec 29 10:00:01 h sshd[7]: [ID 800047 auth.info] x", Some("h"), Some("sshd"), "x"),
    ("Dec 29 10:00:01 h sshd[7]: [ID 800047 auth.info]x", Some("h"), Some("sshd"), "[ID 800047 auth.info]x"),
    ("Dec 29 10:00:01 h sshd[7]: [ID 800047 auth.info] a] x", Some("h"), Some("sshd"), "a] x"),
    ("Dec 29 10:00:01 h sshd: [id 1 a.b] x", Some("h"), Some("sshd"), "[id 1 a.b] x"),
    ("Dec 29 10:00:01 h sshd: [ID1] x", Some("h"), Some("sshd"), "[ID1] x"),
    ("Dec 29 10:00:01 h: x", None, Some("h"), "x"),
    ("Dec 29 10:00:01 h : x", Some("h"), Some(""), "x"),
    ("Dec 29 10:00:01 h app:x", Some("h"), None, "app:x"),
    ("Dec 29 10:00:01 h app[12] x", Some("h"), Some("app"), "x"),
    ("Dec 29 10:00:01 h app[12]:x", Some("h"), None, "app[12]:x"),
    ("Dec 29 10:00:01 h app[]: x", Some("h"), None, "app[]: x"),
    ("Dec 29 10:00:01 h app[1x]: x", Some("h"), None, "app[1x]: x"),
    ("Dec 29 10:00:01 h app [1]: x", Some("h"), None, "app [1]: x"),
    ("Dec 29 10:00:01 h auth|security:info su: x", Some("h"), Some("su"), "x"),
    ("Dec 29 10:00:01 h auth|security:info su[42]: x", Some("h"), Some("su"), "x"),
    ("Dec 29 10:00:01 h auth|security:info su[42] x", Some("h"), Some("su"), "auth|security:info su"),
    ("Dec 29 10:00:01 h auth|security:info su[42]:x", Some("h"), Some("su"), "auth|security:info su"),
    ("Dec 29 10:00:01 h auth|security:info su[x]: y", Some("h"), Some("su[x]: y"), "[x]: y"),
    ("Dec 29 10:00:01 h auth|security:info su from a to b", Some("h"), Some("su from a to b"), " from a to b"),
    ("Dec 29 10:00:01 h auth|security:info su: [ID 1 a.b] x", Some("h"), Some("su"), "x"),
    ("Dec 29 10:00:01 h auth|security:info  su: x", Some("h"), Some(" su: x"), " su: x"),
    ("Dec 29 10:00:01 h auth|Security:info su: x", Some("h"), None, "auth|Security:info su: x"),
    ("Dec 29 10:00:01 h auth|security su: x", Some("h"), None, "auth|security su: x"),
    ("Dec 29 10:00:01 h auth|security:info: x", Some("h"), None, "auth|security:info: x"),
    ("Dec 29 10:00:01 h auth|security:info su [ID 5 q] x", Some("h"), Some("su [ID 5 q] x"), " [ID 5 q] x"),
];

const ASL: &[Row] = &[
    (
        "[Time 2006.12.28 15:53:55 UTC] [Facility auth] [Sender sshd] [PID 483] [Message x] [Level 3] [Host mac]",
        Some("mac"),
        Some("sshd"),
        "x",
    ),
    (
        "[Time 2006.12.28 15:53:55 UTC] [Facility auth] [Sender sshd] [PID 483] [Level 3] [Host mac] tail",
        Some("mac"),
        Some("sshd"),
        " UTC] [Facility auth] [Sender sshd",
    ),
    (
        "[Time 2006.12.28 15:53:55 UTC] [Facility auth] [Sender sshd] tail",
        None,
        Some("sshd"),
        " UTC] [Facility auth] [Sender sshd",
    ),
    (
        "[Time 2006.12.28 15:53:55 UTC] [Facility auth] [Host mac] [Sender sshd] [Message x]",
        Some("mac"),
        None,
        " UTC] [Facility auth] [Host mac",
    ),
    ("[Time 2006.12.28 15:53:55 UTC] [Facility auth] tail", None, None, " UTC] [Facility auth] tail"),
    ("[Time 2006.12.28 15:53:55 UTC] [Message x] [Sender sshd]", None, Some("sshd"), "x"),
    ("[Time 2006.12.28 15:53:55 UTC] [Message x] [Message y] [Sender a] [Sender b]", None, Some("a"), "x"),
    ("[Time 2006.12.28 15:53:55 UTC] [Sender sshd] [Message x", None, Some("sshd"), "x"),
    ("[Time 2006.12.28 15:53:55 UTC] [Sender sshd", None, None, " UTC] [Sender sshd"),
    ("[Time 2006.12.28 15:53:55 UTC] [Sender sshd] [Host mac", None, Some("sshd"), " UTC] [Sender sshd"),
    ("[Time 2006.12.28 15:53:55 UTC] [Message a [Host evil] x] [Sender app]", None, Some("app"), "a [Host evil"),
    ("[Time 2006.12.28 15:53:55 UTC] [Sender ] [Message x]", None, Some(""), "x"),
    ("[Time 2006.12.28 15:53:55 UTC] [Message ] [Sender app]", None, Some("app"), ""),
    ("[Time 2006.12.28 15:53:55 UTC] plain text only", None, None, " UTC] plain text only"),
    ("[Time 2006.12.28 15:53:55]", None, None, "]"),
    ("[Time 2006.12.28 15:53:5", None, None, "[Time 2006.12.28 15:53:5"),
];

/// Rows of spec/decoders.md 2.2, 2.3 and 16 that the sets above lack.
const FURTHER: &[Row] = &[
    ("xxx xx xx:xx:xx h p: y", Some("h"), Some("p"), "y"),
    ("Dec 29 10:00:01 fe80::1 sshd: x", None, None, "fe80::1 sshd: x"),
    ("Dec 29 10:00:01 sshd: x", None, Some("sshd"), "x"),
    ("Dec 29 10:00:01 h sshd(pam_unix)[12]: x", Some("h"), Some("sshd(pam_unix)"), "x"),
    ("Dec 29 10:00:01 h postfix/smtpd[5]: x", Some("h"), Some("postfix/smtpd"), "x"),
    ("Dec 29 10:00:01 h  x: y", Some("h"), None, " x: y"),
    ("Dec 29 10:00:01 h last message repeated 3 times", Some("h"), None, "last message repeated 3 times"),
    ("Dec 29 10:00:01 h -- MARK --", Some("h"), None, "-- MARK --"),
    ("Dec 29 10:00:01 h p:", Some("h"), None, "p:"),
    ("Dec 29 10:00:01 h p[1", Some("h"), None, "p[1"),
    ("Dec 29 10:00:01 h p[x]: y", Some("h"), None, "p[x]: y"),
    ("Dec 29 10:00:01 h sshd[123]: msg", Some("h"), Some("sshd"), "msg"),
    ("Dec 29 10:00:01 h sshd[12]:msg", Some("h"), None, "sshd[12]:msg"),
    ("Dec 29 10:00:01 h foo bar: msg", Some("h"), None, "foo bar: msg"),
    ("Dec 29 10:00:01 h kernel: [123.456] x", Some("h"), Some("kernel"), "[123.456] x"),
    ("Dec 29 10:00:01 h 123: *Mar 1 ...", Some("h"), Some("123"), "*Mar 1 ..."),
    ("2009-05-22T09:36:46.214994-07:00 h a[5]: m", Some("h"), Some("a"), "m"),
    ("2009-05-22T09:36:46.214994Z h a[5]: m......", None, None, "2009-05-22T09:36:46.214994Z h a[5]: m......"),
    ("2009-05-22T09:36:46Z h a[5]: m and some more", None, None, "2009-05-22T09:36:46Z h a[5]: m and some more"),
    ("<13>Dec 29 10:00:01 h p: m", None, None, "<13>Dec 29 10:00:01 h p: m"),
    ("[Fri Feb 11 18:06:35.123456 2004] [warn] x", None, None, "[Fri Feb 11 18:06:35.123456 2004] [warn] x"),
    // Of 27 bytes OSSEC cuts 28; here nothing is left.
    ("01/28/1979-09:13:16.240702 ", None, None, ""),
    // No row at all behind the umlaut: the line stays as it is.
    ("Märchen aus alten Zeiten", None, None, "Märchen aus alten Zeiten"),
    ("", None, None, ""),
];

#[test]
fn headers_are_recognised_as_ossec_does() {
    for (line, host, program, log) in [LENGTH, OTHER, HOST, ASL, FURTHER].into_iter().flatten() {
        let header = parse(line.as_bytes());
        let text = |span: &Range<usize>| &line.as_bytes()[span.clone()];
        assert_eq!(header.host.as_ref().map(text), host.map(str::as_bytes), "host of {line:?}");
        assert_eq!(header.program.as_ref().map(text), program.map(str::as_bytes), "program of {line:?}");
        assert_eq!(text(&header.log), log.as_bytes(), "log of {line:?}");
    }
}

#[test]
fn control_bytes_are_deleted_and_nothing_else() {
    let mut buffer = Vec::new();
    assert_eq!(clean(b"id=5\tx\x7f\r", &mut buffer), b"id=5x");
    assert_eq!(clean("Mär \u{85}\u{2028}".as_bytes(), &mut buffer), "Mär \u{85}\u{2028}".as_bytes());
    let long: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let expected: Vec<u8> = long.iter().copied().filter(|b| (0x20..0x7F).contains(b) || *b >= 0x80).collect();
    assert_eq!(clean(&long, &mut buffer), expected);
    let untouched = b"nothing to delete".repeat(20);
    let mut empty = Vec::new();
    assert_eq!(clean(&untouched, &mut empty).as_ptr(), untouched.as_ptr(), "a clean line is not copied");
}

#[test]
fn lines_tell_when_they_were_written() {
    // 2026-11-24 04:22:12 in a zone one hour east.
    let now = Stamp { seconds: 1_795_490_532, offset: 3_600 };
    for (line, expected) in [
        ("Nov 24 04:22:11 h p: x", Some(1_795_490_531)),
        ("Nov  4 04:22:12 h p: x", Some(1_795_490_532 - 20 * 86_400)),
        ("<13>Nov 24 04:22:11 h p: x", Some(1_795_490_531)),
        ("Nov 24 23:00:00 h p: x", Some(1_795_557_600)),
        ("Dec 31 23:59:59 h p: x", Some(1_767_221_999)),
        ("Feb 29 00:00:00 h p: x", Some(1_709_161_200)),
        ("Mär  6 12:00:00 h p: x", Some(1_772_794_800)),
        ("2026 Nov 24 04:22:11 h p: x", Some(1_795_490_531)),
        ("2026-11-24T04:22:11-04:00 h p: x", Some(1_795_508_531)),
        ("2026-11-24T04:22:11.214994+01:00 h p: x", Some(1_795_490_531)),
        ("2026-11-24T03:22:11Z h p: x", Some(1_795_490_531)),
        ("2026-11-24T03:22:11.123456789Z h p: x", Some(1_795_490_531)),
        ("2026-11-24 04:22:11,805 h p: x", Some(1_795_490_531)),
        ("2026-11-24 04:22:11.805 x", Some(1_795_490_531)),
        ("2026/11/24 04:22:11 [error] 1#1: x", Some(1_795_490_531)),
        ("2026:11:24-04:22:11 h p: x", Some(1_795_490_531)),
        ("Tue Nov 24 04:22:11 2026 1 192.0.2.1", Some(1_795_490_531)),
        ("[Tue Nov 24 04:22:11 2026] [warn] x", Some(1_795_490_531)),
        ("[Tue Nov 24 04:22:11.123456 2026] [warn] x", Some(1_795_490_531)),
        ("11/24-04:22:11.240702  [**] x", Some(1_795_490_531)),
        ("11/24/2026-04:22:11.240702  [**] x", Some(1_795_490_531)),
        ("11/24/26-04:22:11.240702  [**] x", Some(1_795_490_531)),
        ("[Time 2026.11.24 03:22:11 UTC] [Facility auth] x", Some(1_795_490_531)),
        ("1795490531.368  11623 192.168.1.1 TCP_MISS/200", Some(1_795_490_531)),
        ("type=SYSCALL msg=audit(1795490531.368:7): x", Some(1_795_490_531)),
        ("192.0.2.1 - - [24/Nov/2026:03:22:11 +0000] \"GET / HTTP/1.1\" 200 5", Some(1_795_490_531)),
        ("[::1] a [24/Nov/2026:05:22:11 +0200] \"GET /", Some(1_795_490_531)),
        ("Feb 30 00:00:00 h p: x", None),
        ("xxx xx xx:xx:xx h p: x", None),
        ("no time in here", None),
        ("", None),
    ] {
        assert_eq!(stamp(line.as_bytes(), now), expected.map(|seconds| Stamp { seconds, offset: 3_600 }), "{line:?}");
    }
}

#[test]
fn a_date_without_a_year_never_lies_far_ahead() {
    // 2027-01-01 00:00:05 UTC.
    let now = Stamp::utc(1_798_761_605);
    assert_eq!(stamp(b"Dec 31 23:59:58 h p: x", now), Some(Stamp::utc(1_798_761_598)));
    assert_eq!(stamp(b"Jan  1 00:00:10 h p: x", now), Some(Stamp::utc(1_798_761_610)));
    // Five seconds earlier it is still December, and the other clock is already in the new year.
    let now = Stamp::utc(1_798_761_595);
    assert_eq!(stamp(b"Jan  1 00:00:10 h p: x", now), Some(Stamp::utc(1_798_761_610)));
}

#[test]
fn no_bytes_make_it_panic() {
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let rows: Vec<&Row> = [LENGTH, OTHER, HOST, ASL, FURTHER].into_iter().flatten().collect();
    let alphabet = b" :[]|-/.,1TMa\xC3\xA4";
    let now = Stamp::utc(1_795_490_532);
    for _ in 0..40_000 {
        let mut line = rows[random(rows.len())].0.as_bytes().to_vec();
        for _ in 0..random(4) {
            if line.is_empty() {
                break;
            }
            let at = random(line.len());
            match random(4) {
                0 => line[at] = alphabet[random(alphabet.len())],
                1 => line.truncate(at),
                2 => drop(line.remove(at)),
                _ => line.insert(at, random(256) as u8),
            }
        }
        let header = parse(&line);
        for span in [header.host, header.program, Some(header.log)].into_iter().flatten() {
            assert!(span.start <= span.end && span.end <= line.len(), "{:?}", String::from_utf8_lossy(&line));
        }
        let _ = stamp(&line, now);
    }
}
