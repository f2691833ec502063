//! SonicWall: `id=firewall sn=… pri=6 c=262144 m=98 … src=2.2.2.2:36701:WAN dst=1.1.1.1:50000:WAN proto=tcp/50000`.
//!
//! Works as in ossec-logtest; in the 4.3.0 daemon the plug-in extracts nothing, by a defect.

use super::{find, set};
use crate::decode::{Category, Decoded};
use crate::event::{Event, Field, Value};
use crate::pattern::{Captures, Language, Pattern};

/// The plug-in's three searches. Each is like an unanchored `os_regex`, so that is what they are.
#[derive(Debug)]
pub struct SonicWall {
    head: Pattern,
    addresses: Pattern,
    request: Pattern,
}

impl SonicWall {
    /// Compiles the searches; `None` never happens (a test says so).
    pub fn new() -> Option<Self> {
        let compile = |text| Pattern::compile(Language::OsRegex, text).ok();
        Some(Self {
            head: compile(r"pri=(\d) c=(\d+) m=(\d+) ")?,
            addresses: compile(r"src=(\d+.\d+.\d+.\d+):(\d+):\S+ dst=(\d+.\d+.\d+.\d+):(\d+):")?,
            request: compile(r"result=(\d+) dstname=(\S+) arg=(\S+)$")?,
        })
    }

    pub(super) fn decode(&self, event: &Event<'_>, captures: &mut Captures, out: &mut Decoded) {
        let log = event.log();
        let subject = event.subject();
        out.category = Category::Syslog;

        let Some(head) = self.head.captures(subject, captures) else { return };
        let [priority, class, message] = captures.as_slice() else { return };
        let (class, message) = (&log[class.clone()], message.clone());
        set(event, out, Field::Status, priority.clone());
        set(event, out, Field::Id, message.clone());

        let Some(end) = self.addresses.captures(subject.from(head), captures) else { return };
        let fields = [Field::SrcIp, Field::SrcPort, Field::DstIp, Field::DstPort];
        for (field, span) in fields.into_iter().zip(captures.iter()) {
            set(event, out, field, head + span.start..head + span.end);
        }

        let space = find(log, head + end, b' ');
        if let Some(space) = space {
            protocol(event, out, space + 1);
        }
        if class == b"32" {
            out.category = Category::Ids;
            return;
        }
        let (category, action) = match &log[message] {
            b"98" | b"597" | b"598" => (Category::Firewall, "pass"),
            b"36" | b"37" | b"38" | b"173" | b"174" => (Category::Firewall, "drop"),
            b"537" => (Category::Firewall, "close"),
            b"97" => {
                out.category = Category::Squid;
                if let Some(space) = space {
                    self.request(event, captures, out, space + 1);
                }
                return;
            }
            _ => return,
        };
        out.category = category;
        out.fields.set(Field::Action, Value::Static(action));
    }

    fn request(&self, event: &Event<'_>, captures: &mut Captures, out: &mut Decoded, from: usize) {
        if self.request.captures(event.subject().from(from), captures).is_none() {
            return;
        }
        let [result, host, path] = captures.as_slice() else { return };
        set(event, out, Field::Id, from + result.start..from + result.end);
        let log = &event.log()[from..];
        let url = [&log[host.clone()], &log[path.clone()]].concat();
        out.fields.set(Field::Url, Value::Owned(url.into()));
    }
}

/// Up to six name characters before a `/`.
fn protocol(event: &Event<'_>, out: &mut Decoded, from: usize) {
    let Some(text) = event.log().get(from..).and_then(|rest| rest.strip_prefix(b"proto=")) else { return };
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'_' | b'-' | b'.' | b'(' | b')');
    let length = text.iter().take(6).take_while(|byte| name(byte)).count();
    set(event, out, Field::Protocol, from + 6..from + 6 + length);
}
