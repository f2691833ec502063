//! The names that travel to a gateway, checked so strictly that no shell and no program can read them as anything else.

use super::config::Backend;
use std::fmt;

/// Where addresses are kept on a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetName {
    /// An ipset.
    Ipset(String),
    /// A named set of nftables.
    Nft {
        /// `ip`, `ip6`, `inet`, …
        family: String,
        /// The table.
        table: String,
        /// The set.
        set: String,
    },
}

impl SetName {
    /// Reads a name as configured: an ipset's name, or `FAMILY TABLE SET`.
    ///
    /// # Errors
    ///
    /// Why the name is refused, for people.
    pub fn parse(backend: Backend, text: &str) -> Result<Self, String> {
        match backend {
            Backend::Ipset => {
                // ipset(8): at most 31 characters.
                if text.is_empty() || text.len() > 31 || !is_word(text, b"-_.:@+") {
                    return Err(format!("{text:?}: is no name of an ipset (1 to 31 of A-Z a-z 0-9 _ . : @ + -)"));
                }
                Ok(Self::Ipset(text.to_owned()))
            }
            Backend::Nftables => {
                let parts: Vec<&str> = text.split_ascii_whitespace().collect();
                match parts[..] {
                    [family, table, set]
                        if ["ip", "ip6", "inet", "bridge", "netdev"].contains(&family)
                            && [table, set].iter().all(|w| w.len() <= 255 && is_word(w, b"-_.")) =>
                    {
                        Ok(Self::Nft { family: family.into(), table: table.into(), set: set.into() })
                    }
                    _ => Err(format!("{text:?}: is not FAMILY TABLE SET, such as \"inet filter blocked4\"")),
                }
            }
        }
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipset(name) => f.write_str(name),
            Self::Nft { family, table, set } => write!(f, "{family} {table} {set}"),
        }
    }
}

fn is_word(text: &str, also: &[u8]) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || also.contains(b))
}

/// Whether a text is `[USER@]HOST` and can be nothing else on ssh's command line.
pub fn is_ssh_address(text: &str) -> bool {
    let (user, host) = text.split_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    let host_fits = host.parse::<std::net::IpAddr>().is_ok() || is_word(host, b"-_.");
    host.len() <= 253 && host_fits && user.is_none_or(|user| user.len() <= 64 && is_word(user, b"-_."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_shell_would_understand_are_refused() {
        for good in ["global-blk4", "a", "f2b_sshd.v4", "x:y@z+1"] {
            assert!(SetName::parse(Backend::Ipset, good).is_ok(), "{good}");
        }
        for bad in ["", "-x", "a b", "a;b", "a|b", "$(id)", "a\nb", "ä", "'", &"a".repeat(32)] {
            assert!(SetName::parse(Backend::Ipset, bad).is_err(), "{bad}");
        }
        assert_eq!(SetName::parse(Backend::Nftables, "inet  filter blk4").unwrap().to_string(), "inet filter blk4");
        for bad in ["blk4", "inet filter", "tcp filter blk4", "inet filter blk4 x", "inet fil{ter blk4", "inet -a b"] {
            assert!(SetName::parse(Backend::Nftables, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ssh_addresses_cannot_become_options() {
        for good in ["hids@10.126.160.1", "gw", "root@gw.example.org", "hids@fd00::1", "fd00::1"] {
            assert!(is_ssh_address(good), "{good}");
        }
        for bad in ["", "-oProxyCommand=x", "a@-x", "a b", "@gw", "gw;id", "a@b@c", "-l@gw", "gw:22"] {
            assert!(!is_ssh_address(bad), "{bad}");
        }
    }
}
