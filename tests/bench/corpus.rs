//! A corpus of our own, always the same for one seed: what a home server with web, mail and ssh writes, attacks included.
//!
//! The mix is that of the corpus OSSEC's throughput was measured with: 40 lines a second of log time, a third web, a
//! quarter mail, a quarter system, a tenth attacks, and some that no decoder knows. 80 of 100 addresses are random, the
//! others are of five busy attackers.

/// Lines of the corpus that figures are told for.
pub const LINES: usize = 200_000;

/// Its seed.
pub const SEED: u64 = 20_240_306;

/// So many lines of the corpus.
pub fn lines(count: usize, seed: u64) -> Vec<u8> {
    let mut writer = Writer { chance: Chance(seed), number: 0, text: String::with_capacity(count * 120) };
    (0..count).for_each(|_| writer.line());
    writer.text.into_bytes()
}

/// So many bytes of it at least, whole lines.
pub fn bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut writer = Writer { chance: Chance(seed), number: 0, text: String::with_capacity(size + 1000) };
    while writer.text.len() < size {
        writer.line();
    }
    writer.text.into_bytes()
}

/// Numbers that look random (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }

    fn address(&mut self) -> String {
        if self.below(100) < 80 {
            let [a, b, c, d] = [0; 4].map(|_| self.below(254) + 1);
            return format!("{a}.{b}.{c}.{d}");
        }
        self.of(&["203.0.113.7", "203.0.113.70", "198.51.100.23", "192.0.2.200", "2001:db8::bad"]).to_owned()
    }
}

/// How often a kind of line comes, of 100.
type Kind = (u64, fn(&mut Writer));

const KINDS: [Kind; 16] = [
    (26, Writer::page),
    (4, Writer::missing_page),
    (2, Writer::missing_image),
    (1, Writer::web_attack),
    (22, Writer::mail),
    (5, Writer::refused_mail),
    (22, Writer::system),
    (2, Writer::failing_system),
    (4, Writer::invalid_user),
    (4, Writer::failed_password),
    (3, Writer::ssh_scan),
    (1, Writer::accepted),
    (1, Writer::root),
    (1, Writer::web_server_error),
    (1, Writer::structured),
    (1, Writer::unknown),
];

const USERS: &[&str] = &["admin", "test", "oracle", "git", "pi", "ubuntu", "postgres", "deploy", "guest", "www"];
const PEOPLE: &[&str] = &["alice", "bob", "carol", "dave"];
const DOMAINS: &[&str] = &["example.org", "example.net", "mail.example.com", "lists.example.org"];
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

struct Writer {
    chance: Chance,
    number: u64,
    text: String,
}

impl Writer {
    fn line(&mut self) {
        let mut at = self.chance.below(100);
        let kind = KINDS.iter().find(|(weight, _)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        (kind.map_or(Self::unknown as fn(&mut Self), |(_, kind)| *kind))(self);
        self.text.push('\n');
        self.number += 1;
    }

    /// Hour, minute and second of the line; the log begins on 6 March 2024 at 12:00:01.
    fn clock(&self) -> String {
        let seconds = 43_201 + self.number / 40;
        format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
    }

    fn syslog(&mut self, program: &str, message: &str) {
        let pid = self.chance.below(30_000) + 300;
        let tag = if program == "kernel" { "kernel".to_owned() } else { format!("{program}[{pid}]") };
        let line = format!("Mar  6 {} homsrv {tag}: {message}", self.clock());
        self.text.push_str(&line);
    }

    fn access(&mut self, request: &str, status: u64, agent: &str) {
        let (address, size) = (self.chance.address(), self.chance.below(40_000));
        let line = format!(
            "{address} - - [06/Mar/2024:{} +0000] \"{request} HTTP/1.1\" {status} {size} \"-\" \"{agent}\"",
            self.clock()
        );
        self.text.push_str(&line);
    }

    fn page(&mut self) {
        let id = self.chance.below(100_000);
        let news = format!("GET /news?id={id}");
        let request = self.chance.of(&["GET /", "GET /index.html", "GET /style.css", "POST /search", &news]).to_owned();
        self.access(&request, 200, BROWSER);
    }

    fn missing_page(&mut self) {
        let id = self.chance.below(10_000);
        let page = self.chance.of(&["/old", "/backup", "/blog/wp-login.php", "/.git/config", "/api/v1/users"]);
        let status = [404, 403, 400][self.chance.below(3) as usize];
        self.access(&format!("GET {page}?{id}"), status, "curl/8.5.0");
    }

    fn missing_image(&mut self) {
        let id = self.chance.below(10_000);
        self.access(&format!("GET /images/photo{id}.jpg"), 404, BROWSER);
    }

    fn web_attack(&mut self) {
        let request = self.chance.of(&[
            "GET /index.php?id=1%20union%20select%20password%20from%20users",
            "GET /cgi-bin/../../../../etc/passwd",
            "GET /search?q=<script>alert(1)</script>",
            "GET /scripts/cmd.exe?/c+dir",
        ]);
        let status = [200, 404, 500][self.chance.below(3) as usize];
        self.access(request, status, "sqlmap/1.8");
    }

    fn mail(&mut self) {
        let (address, size, id) = (self.chance.address(), self.chance.below(90_000), self.chance.below(1 << 32));
        let (who, domain) = (self.chance.of(PEOPLE), self.chance.of(DOMAINS));
        let (program, message) = match self.chance.below(6) {
            0 => ("postfix/smtpd", format!("connect from {domain}[{address}]")),
            1 => (
                "postfix/smtpd",
                format!("disconnect from {domain}[{address}] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"),
            ),
            2 => ("postfix/qmgr", format!("{id:08X}: from=<{who}@{domain}>, size={size}, nrcpt=1 (queue active)")),
            3 => ("postfix/cleanup", format!("{id:08X}: message-id=<{id}.{size}@{domain}>")),
            4 => ("postfix/qmgr", format!("{id:08X}: removed")),
            _ => {
                let delay = self.chance.below(300);
                (
                    "postfix/smtp",
                    format!(
                        "{id:08X}: to=<{who}@{domain}>, relay={domain}[{address}]:25, delay={}.{}, delays=0.1/0/0.2/0.3, dsn=2.0.0, status=sent (250 ok)",
                        delay / 10,
                        delay % 10
                    ),
                )
            }
        };
        self.syslog(program, &message);
    }

    fn refused_mail(&mut self) {
        let (address, user, domain) = (self.chance.address(), self.chance.of(USERS), self.chance.of(DOMAINS));
        let (program, message) = match self.chance.below(3) {
            0 => (
                "postfix/smtpd",
                format!("warning: unknown[{address}]: SASL LOGIN authentication failed: authentication failure"),
            ),
            1 => (
                "postfix/smtpd",
                format!(
                    "NOQUEUE: reject: RCPT from unknown[{address}]: 554 5.7.1 <{user}@{domain}>: Relay access denied; from=<a@{domain}> to=<{user}@{domain}> proto=ESMTP helo=<x>"
                ),
            ),
            _ => (
                "dovecot",
                format!(
                    "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{user}>, method=PLAIN, rip={address}, lip=192.0.2.1, TLS"
                ),
            ),
        };
        self.syslog(program, &message);
    }

    fn system(&mut self) {
        let (address, who, n) = (self.chance.address(), self.chance.of(PEOPLE), self.chance.below(60_000) + 1024);
        let (program, message) = match self.chance.below(9) {
            0 => ("CRON", format!("pam_unix(cron:session): session opened for user {who}(uid={n}) by (uid=0)")),
            1 => ("CRON", format!("({who}) CMD (test -x /usr/local/bin/job{n} && /usr/local/bin/job{n})")),
            2 => ("systemd", format!("Started session-{n}.scope - Session {n} of User {who}.")),
            3 => ("kernel", format!("[{n}.{n}] eth0: link becomes ready")),
            4 => ("dhclient", format!("DHCPACK of 192.0.2.{} from 192.0.2.1", n % 250 + 1)),
            5 => (
                "named",
                format!(
                    "client @0x7f{n:x} {address}#{n} (www.example.org): query: www.example.org IN A +E(0)K (192.0.2.53)"
                ),
            ),
            6 => ("sshd", format!("Connection from {address} port {n} on 192.0.2.1 port 22 rdomain \"\"")),
            7 => ("sshd", format!("Received disconnect from {address} port {n}:11: disconnected by user")),
            _ => ("dovecot", format!("imap({who})<{n}><x>: Logged out in={n} out={n} deleted=0 expunged=0 trashed=0")),
        };
        self.syslog(program, &message);
    }

    fn failing_system(&mut self) {
        let n = self.chance.below(60_000);
        let (program, message) = match self.chance.below(3) {
            0 => ("kernel", format!("[{n}.{n}] sd 0:0:0:0: [sda] I/O error, sector {n}")),
            1 => ("backup", format!("error: job {n} failed: no space left on device")),
            _ => ("systemd", format!("job{n}.service: Main process exited, code=exited, status=1/FAILURE")),
        };
        self.syslog(program, &message);
    }

    fn invalid_user(&mut self) {
        let (address, user, port) = (self.chance.address(), self.chance.of(USERS), self.chance.below(60_000) + 1024);
        let message = match self.chance.below(2) {
            0 => format!("Invalid user {user} from {address} port {port}"),
            _ => format!("Failed password for invalid user {user} from {address} port {port} ssh2"),
        };
        self.syslog("sshd", &message);
    }

    fn failed_password(&mut self) {
        let (address, port) = (self.chance.address(), self.chance.below(60_000) + 1024);
        self.syslog("sshd", &format!("Failed password for root from {address} port {port} ssh2"));
    }

    fn ssh_scan(&mut self) {
        let (address, port) = (self.chance.address(), self.chance.below(60_000) + 1024);
        let message = match self.chance.below(4) {
            0 => format!("Did not receive identification string from {address} port {port}"),
            1 => format!("Bad protocol version identification 'GET / HTTP/1.1' from {address} port {port}"),
            2 => format!(
                "Unable to negotiate with {address} port {port}: no matching key exchange method found. Their offer: diffie-hellman-group1-sha1 [preauth]"
            ),
            _ => format!(
                "error: maximum authentication attempts exceeded for root from {address} port {port} ssh2 [preauth]"
            ),
        };
        self.syslog("sshd", &message);
    }

    fn accepted(&mut self) {
        let (address, who, port) = (self.chance.address(), self.chance.of(PEOPLE), self.chance.below(60_000) + 1024);
        self.syslog(
            "sshd",
            &format!("Accepted publickey for {who} from {address} port {port} ssh2: ED25519 SHA256:x{port}y"),
        );
    }

    fn root(&mut self) {
        let (who, n) = (self.chance.of(PEOPLE), self.chance.below(60_000));
        let (program, message) = match self.chance.below(3) {
            0 => ("su", format!("(to root) {who} on pts/{}", n % 10)),
            1 => (
                "sudo",
                format!(
                    "{who} : TTY=pts/{} ; PWD=/home/{who} ; USER=root ; COMMAND=/usr/bin/tail /var/log/job{n}",
                    n % 10
                ),
            ),
            _ => ("useradd", format!("new user: name=job{n}, UID={n}, GID={n}, home=/home/job{n}, shell=/bin/sh")),
        };
        self.syslog(program, &message);
    }

    fn web_server_error(&mut self) {
        let (address, n) = (self.chance.address(), self.chance.below(60_000));
        let line = format!(
            "2024/03/06 {} [error] {n}#{n}: *{n} open() \"/srv/www/page{n}\" failed (2: No such file or directory), client: {address}, server: www.example.org, request: \"GET /page{n} HTTP/1.1\", host: \"www.example.org\"",
            self.clock()
        );
        self.text.push_str(&line);
    }

    /// Long lines of programs that write JSON.
    fn structured(&mut self) {
        let (address, n) = (self.chance.address(), self.chance.below(1 << 40));
        let padding = "value ".repeat((n % 60) as usize);
        let message = format!(
            "{{\"level\":\"info\",\"request\":\"{n:x}\",\"client\":\"{address}\",\"took_ms\":{},\"note\":\"{padding}\"}}",
            n % 977
        );
        self.syslog("service", &message);
    }

    /// Text without any header.
    fn unknown(&mut self) {
        let n = self.chance.below(1 << 40);
        let word = self.chance.of(&["worker", "cache", "index", "replica"]);
        self.text.push_str(&format!("   {word} {n:x}: checkpoint complete, {} buffers written", n % 9973));
    }
}

#[test]
fn the_corpus_is_always_the_same() {
    let text = String::from_utf8(lines(2000, SEED)).unwrap();
    assert_eq!(text.as_bytes(), lines(2000, SEED));
    assert_eq!(text.lines().count(), 2000);
    // FNV-1a: figures of different days are comparable only over the same lines.
    let sum =
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum: u64, b| (sum ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(format!("{sum:016x}"), "681bb59481083a6c");
}

#[test]
#[ignore = "for people who want the corpus as a file: tests/bench/run corpus"]
fn the_corpus_as_a_file() {
    let path = super::figures::folder().join("corpus.log");
    std::fs::write(&path, lines(LINES, SEED)).unwrap();
    eprintln!("{} lines in {}", LINES, path.display());
}
