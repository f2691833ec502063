//! The lines that travel over the control socket.

use super::api::Question;
use super::fault::Fault;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Connects to a unix socket, but waits only so long: a daemon that hangs stops accepting, and connecting to a full
/// queue would wait for ever (unix(7), `SO_SNDTIMEO` in socket(7)).
pub(super) fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    net::sockopt::set_socket_timeout(&socket, net::sockopt::Timeout::Send, Some(patience))?;
    net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

/// What the asking end sends, as one line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// [`VERSION`](super::api::VERSION) of the asking end.
    pub version: u32,
    /// The question.
    pub question: Question,
}

/// The version alone, so that a question that this end does not know is told apart from nonsense.
#[derive(Debug, Deserialize)]
pub(super) struct Versioned {
    pub version: u32,
}

/// Every line of an answer but `{"item":…}`, which is cut out as text: an alert's line passes through unchanged.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    /// So many items passed while the asking end was too slow.
    Missed(u64),
    /// There is no more.
    End {
        /// `false`: a bound cut the answer short.
        complete: bool,
    },
    /// There is no answer.
    Fault(Fault),
}

const ITEM: &str = "{\"item\":";

/// Wraps one item, given as JSON text, into its line.
pub(super) fn item(json: &str) -> String {
    let mut line = String::with_capacity(json.len() + ITEM.len() + 2);
    line.push_str(ITEM);
    line.push_str(json);
    line.push_str("}\n");
    line
}

/// The item's JSON text, if the line is one.
pub(super) fn unwrapped(line: &str) -> Option<&str> {
    line.trim_end_matches('\n').strip_prefix(ITEM)?.strip_suffix('}')
}

/// Any other line.
pub(super) fn reply(reply: &Reply) -> String {
    // Nothing in a reply can fail to serialise: numbers, text, no maps.
    let mut line = serde_json::to_string(reply).unwrap_or_default();
    line.push('\n');
    line
}
