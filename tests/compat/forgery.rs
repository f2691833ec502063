//! What a client sends must never make another's address, or another answer, out of our decoders.
//!
//! Each daemon's line has holes where text of its client stands. They are filled with pieces of what daemons write
//! themselves, in all pairs and in many longer rows; what comes out must be the address that the daemon wrote, or none.

use super::own;
use hids::correlate::{Firewall, Judge};

/// The client's address, as the daemon writes it; no piece holds it.
const REAL: &str = "203.0.113.7";

/// What clients write. 192.0.2.99 is whom they would like to see blocked.
const PIECES: &[&str] = &[
    "x",
    " ",
    "192.0.2.99",
    " from ",
    "from 192.0.2.99 port 22 ssh2",
    " 192.0.2.99 port 22",
    " port 22",
    " ssh2",
    ": RSA SHA256:abc",
    " ssh2: RSA-CERT SHA256:a ID k (serial 0) CA T F",
    " (serial 0) CA A B",
    " [preauth]",
    "]: ",
    "auth.info sshd[1]: ",
    "sshd[1]: ",
    " rhost=192.0.2.99",
    "  user=",
    "ruser=",
    "tty=ssh ruser= ",
    " logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.99",
    ", client: 192.0.2.99, server: y, request: \"",
    "\" failed (2: No such file or directory)",
    "[192.0.2.99]: ",
    "unknown[192.0.2.99]: SASL ",
    "\"",
    "\" 200 5",
    "\\",
    " - - [24/Nov/2025:10:00:01 +0000] \"GET / HTTP/1.1\" 200 5",
    "[client 192.0.2.99:1] ",
    " (192.0.2.99)",
    " for illegal user ",
    " via 192.0.2.99",
    " HTTP/1.1",
    "', client user \"x\", client host \"y\"",
    "pam_unix(sshd:auth): authentication failure;",
    "Connection closed by 192.0.2.99",
    "www.example.net:80 192.0.2.99",
];

/// Lines with a header of rsyslog and of busybox in front; `{}` is the client's.
const SYSLOG: &[&str] = &[
    "sshd[1]: Failed password for invalid user {} from ADDR port 40112 ssh2",
    "sshd[1]: Failed publickey for invalid user {} from ADDR port 40112 ssh2: ED25519 SHA256:abc",
    "sshd[1]: Failed publickey for invalid user {} from ADDR port 40112 ssh2: ED25519-CERT SHA256:a ID {} (serial 0) CA RSA SHA256:b",
    "sshd[1]: Failed publickey for root from ADDR port 40112 ssh2: ED25519-CERT SHA256:a ID {} (serial 0) CA RSA SHA256:b",
    "sshd[1]: Accepted publickey for root from ADDR port 40112 ssh2: ED25519-CERT SHA256:a ID {} (serial 0) CA RSA SHA256:b",
    "sshd[1]: Failed hostbased for invalid user {} from ADDR port 40112 ssh2: RSA SHA256:a, client user \"{}\", client host \"{}\"",
    "sshd[1]: Failed hostbased for root from ADDR port 40112 ssh2: RSA SHA256:a, client user \"{}\", client host \"{}\"",
    "sshd[1]: message repeated 2 times: [ Failed password for invalid user {} from ADDR port 40112 ssh2]",
    "sshd-session[1]: Invalid user {} from ADDR port 40112",
    "sshd[1]: Invalid user {} from ADDR",
    "sshd[1]: error: maximum authentication attempts exceeded for invalid user {} from ADDR port 40112 ssh2 [preauth]",
    "sshd[1]: Connection closed by invalid user {} ADDR port 40112 [preauth]",
    "sshd[1]: Disconnecting invalid user {} ADDR port 40112: Too many authentication failures [preauth]",
    "sshd[1]: Disconnecting invalid user {} ADDR port 40112: Change of username or service not allowed: ({},ssh-connection) -> ({},ssh-connection) [preauth]",
    "sshd[1]: ssh_dispatch_run_fatal: Connection from invalid user {} ADDR port 40112: Broken pipe [preauth]",
    "sshd[1]: Received disconnect from ADDR port 40112:11: {} [preauth]",
    "sshd[1]: Bad protocol version identification '{}' from ADDR port 40112",
    "sshd[1]: error: kex_exchange_identification: client sent invalid protocol identifier \"{}\"",
    "sshd[1]: error: PAM: Authentication failure for illegal user {} from ADDR",
    "sshd[1]: input_userauth_request: invalid user {} [preauth]",
    "sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=ADDR  user={}",
    "vsftpd[1]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser={} rhost=ADDR  user={}",
    "vsftpd[1]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser={} rhost=ADDR ",
    "login[1]: pam_unix(login:auth): bad username [{}]",
    "postfix/smtpd[1]: warning: unknown[ADDR]: SASL LOGIN authentication failed: x, sasl_username={}",
    "postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[ADDR]: 554 5.7.1 <{}>: Relay access denied; from=<{}> to=<{}> proto=ESMTP helo=<{}>",
    "postfix/smtpd[1]: warning: non-SMTP command from unknown[ADDR]: {}",
    "postfix/cleanup[1]: 4AB12: message-id=<{}>",
];

/// Lines as they are.
const BARE: &[&str] = &[
    "[Mon Nov 24 10:00:01 2025] [error] [client ADDR] File does not exist: /srv/{}, referer: {}",
    "[Mon Nov 24 10:00:01.123456 2025] [auth_basic:error] [pid 1:tid 2] [client ADDR:40112] AH01618: user {} not found: {}",
    "[Mon Nov 24 10:00:01.123456 2025] [core:error] [pid 1:tid 2] (36)File name too long: [client ADDR:40112] AH00036: access to {} failed",
    "2025/11/24 10:00:01 [error] 7#7: *1 user \"{}\": password mismatch, client: ADDR, server: s, request: \"GET / HTTP/1.1\", host: \"{}\"",
];

/// Access logs: the client's name, its request, its referer.
const ACCESS: &[&str] = &[
    "ADDR - {} [24/Nov/2025:10:00:01 +0000] \"GET /{} HTTP/1.1\" 404 153 \"{}\" \"{}\"",
    "ADDR - {} [24/Nov/2025:10:00:01 +0000] \"{}\" 404 153",
    "www.example.com:80 ADDR - {} [24/Nov/2025:10:00:01 +0000] \"{}\" 404 153 \"-\" \"{}\"",
];

fn apache(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn nginx(text: &str) -> String {
    text.replace('\\', "\\x5C").replace('"', "\\x22")
}

/// Fills the holes of a line, one text after the other.
fn fill(line: &str, texts: &[String]) -> String {
    let mut filled = String::new();
    for (at, part) in line.split("{}").enumerate() {
        if at > 0 {
            filled.push_str(&texts[(at - 1) % texts.len()]);
        }
        filled.push_str(part);
    }
    filled.replace("ADDR", REAL)
}

/// All pairs of pieces, and many longer rows of them: a row for each hole.
fn fillings() -> Vec<Vec<String>> {
    let mut fillings = Vec::new();
    for first in PIECES {
        fillings.push(vec![(*first).to_owned()]);
        for second in PIECES {
            fillings.push(vec![format!("{first}{second}")]);
        }
    }
    let mut seed = 20_251_124u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..400 {
        let rows = 1 + next(4);
        let row = |_| (0..1 + next(5)).map(|_| PIECES[next(PIECES.len())]).collect();
        fillings.push((0..rows).map(row).collect());
    }
    fillings
}

#[test]
fn no_text_of_a_client_stands_for_an_address() {
    let (book, _) = own::book(&[]);
    let mut judge = Judge::new(book, Firewall::Daemon);
    let (mut lines, mut read, mut forged) = (0, 0, Vec::new());
    let mut check = |line: &str, answer: Option<&str>| {
        judge.forget();
        let got = own::judge(&mut judge, line.as_bytes(), 1_700_000_000);
        lines += 1;
        let srcip = got.fields.get("srcip").map(String::as_str);
        read += usize::from(srcip == Some(REAL));
        let answered = answer.is_none() || got.fields.get("id").map(String::as_str) == answer;
        if srcip.is_some_and(|srcip| srcip != REAL) || !answered {
            forged.push(format!("{:?} {line}", got.fields));
        }
    };
    for (number, texts) in fillings().iter().enumerate() {
        for (at, line) in SYSLOG.iter().enumerate() {
            // rsyslog's form and busybox's in turn.
            let severity = ["", "auth.info "][(number + at) % 2];
            check(&format!("Nov 24 10:00:01 web1 {severity}{}", fill(line, texts)), None);
        }
        for line in BARE {
            check(&fill(line, texts), None);
        }
        for escape in [apache, nginx] {
            let texts: Vec<String> = texts.iter().map(|text| escape(text)).collect();
            for line in ACCESS {
                check(&fill(line, &texts), Some("404"));
            }
        }
        // nginx writes path and request as they came.
        let (path, request) = (&texts[0], texts.last().unwrap());
        let line = format!(
            "2025/11/24 10:00:01 [error] 7#7: *1 open() \"/srv/{path}\" failed (2: No such file or directory), client: {REAL}, server: s, request: \"GET /{request} HTTP/1.1\", host: \"s\""
        );
        check(&line, None);
    }
    println!("{lines} lines, the address was read from {read}");
    assert!(forged.is_empty(), "{} forged, such as\n{}", forged.len(), forged[..forged.len().min(12)].join("\n"));
    assert!(read * 10 > lines * 7, "the address was read from {read} of {lines} lines only");
}
