use super::*;
use crate::control::Time;
use crate::control::api::{Block, Brief, Guest, GuestDetail, Status};

const NASTY: &str = "a\x1b[2J\u{9b}31m\x07\x7f\n\u{202e}b\u{2066}\u{200b}é漢 \\";

#[test]
fn nothing_of_a_guest_reaches_the_terminal_raw() {
    let shown = escape(NASTY);
    assert_eq!(shown, "a\\x1b[2J\\u{9b}31m\\x07\\x7f\\n\\u{202e}b\\u{2066}\\u{200b}é漢 \\");
    assert_eq!(escape_bytes(b"\xff\x1b"), "\u{FFFD}\\x1b");
    for c in ('\0'..='\u{ffff}').filter(|c| c.is_control()) {
        assert!(!escape(&c.to_string()).contains(c), "{c:?}");
    }
}

#[test]
fn every_list_is_escaped() {
    let nasty = || NASTY.to_owned();
    let now = Time(1_000);
    let guest = Guest { name: nasty(), root: Some(nasty()), health: nasty(), ..Guest::default() };
    let block = Block { reason: Some(nasty()), state: nasty(), guest: Some(nasty()), ..Block::default() };
    let brief =
        Brief { description: nasty(), srcip: Some(nasty()), guest: Some(nasty()), level: 12, ..Brief::default() };
    let detail =
        GuestDetail { guest: guest.clone(), notes: vec![nasty()], addresses: vec![nasty()], ..GuestDetail::default() };
    let state = Status {
        warnings: vec![nasty()],
        reload_failed: Some(nasty()),
        last_alerts: vec![brief.clone()],
        ..Status::default()
    };
    for text in [
        guests(&[guest], now).draw(false),
        blocks(&[block], now).draw(false),
        alerts(std::slice::from_ref(&brief)).draw(false),
        alert_line(&brief, false),
        super::guest(&detail, now, false),
        status(&state, now, false),
    ] {
        assert!(text.contains("\\x1b[2J"), "{text}");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}

#[test]
fn tables_are_aligned_and_coloured_only_where_wanted() {
    let mut table = Table::new([("NAME", Side::Left), ("EVENTS", Side::Right), ("HEALTH", Side::Left)]);
    table.row(Tone::Plain, ["web1".into(), "7".into(), "ok".into()]);
    table.row(Tone::Bad, ["漢字".into(), "1234567".into(), "stuck".into()]);
    table.row(Tone::Dim, ["a very long name of a guest".into(), "0".into(), String::new()]);
    assert_eq!(
        table.draw(false),
        "NAME                          EVENTS  HEALTH\n\
         web1                               7  ok\n\
         漢字                         1234567  stuck\n\
         a very long name of a guest        0  -\n"
    );
    let coloured = table.draw(true);
    assert!(coloured.starts_with("\x1b[1mNAME "));
    assert!(coloured.contains("\n\x1b[31m漢字 ") && coloured.contains("stuck\x1b[0m\n"));
    assert_eq!(Table::new([("A", Side::Left)]).draw(false), "A\n");
}

#[test]
fn json_is_one_array() {
    let read = |text: &str| serde_json::from_str::<Vec<serde_json::Value>>(text).unwrap().len();
    assert_eq!(json_array(&[] as &[&str]), "[]\n");
    assert_eq!(read(&json_array(&["{\"a\":1}", "2"])), 2);
    assert_eq!(read(&json_items(&[Guest::default(), Guest::default()]).unwrap()), 2);
}

#[test]
fn without_a_terminal_there_are_no_colours() {
    // The test's standard output is captured, so it is no terminal.
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        assert!(!colour());
    }
}

#[test]
fn the_status_fits_one_screen() {
    let alerts = vec![Brief { description: "x".into(), ..Brief::default() }; 5];
    let state = Status { version: "0.1.0".into(), pid: 7, last_alerts: alerts, started: Time(0), ..Status::default() };
    let text = status(&state, Time(90_061), false);
    assert!(text.starts_with("hids            0.1.0, pid 7, up 1d 01h\n"), "{text}");
    assert!(text.lines().count() < 24);
}
