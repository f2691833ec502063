//! What was typed. Help, man page and completions come from these definitions.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::IpAddr;
use std::path::PathBuf;

/// Watches a fleet of LXC guests from the host, with OSSEC's rules, and has the gateway drop attackers.
#[derive(Debug, Parser)]
#[command(name = "hids", version, max_term_width = 100, after_help = EXITS)]
pub struct Cli {
    /// Where things lie.
    #[command(flatten)]
    pub places: PlacesArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXITS: &str = "Exit codes: 0 done · 1 the answer is no · 2 wrong usage · 69 the daemon is not running · 71 the \
system lacks something · 74 input or output failed · 75 another monitor works here · 77 no permission · 78 the configuration is wrong";

/// Options that every command takes.
#[derive(Debug, Clone, Default, Args)]
pub struct PlacesArgs {
    /// Use OSSEC's own layout below this folder (such as /var/ossec)
    #[arg(short = 'D', long = "directory", value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// Use this configuration file
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground
    Run,
    /// Check configuration, decoders and rules: all that is wrong, at once
    Check {
        /// Print one JSON array of findings
        #[arg(long)]
        json: bool,
    },
    /// Show how the daemon is doing, on one screen
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Who is there
    #[command(subcommand)]
    Guests(GuestsCommand),
    /// What is read
    #[command(subcommand)]
    Sources(SourcesCommand),
    /// What was found
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Who is shut out
    #[command(subcommand)]
    Blocks(BlocksCommand),
    /// Judge log lines and show each step
    Logtest(LogtestArgs),
    /// Judge whole files as fast as the machine can: alerts as JSON lines, a summary on stderr
    Replay(ReplayArgs),
    /// Try one pattern on the lines of a file or of standard input
    Pattern(PatternArgs),
    /// Print a completion script for a shell
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

/// `hids guests …`
#[derive(Debug, Subcommand)]
pub enum GuestsCommand {
    /// List all guests
    List {
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Show one guest with its sources
    Show {
        /// The guest's name, or `host`
        name: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// `hids sources …`
#[derive(Debug, Subcommand)]
pub enum SourcesCommand {
    /// List every followed file
    List {
        /// Only this guest's (`host` for the host's own)
        #[arg(long, value_name = "NAME")]
        guest: Option<String>,
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
}

/// `hids alerts …`
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// List alerts, oldest first
    List {
        /// Which alerts
        #[command(flatten)]
        filter: AlertFilter,
        /// How many of the newest at most
        #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Print alerts as they happen
    Follow {
        /// Which alerts
        #[command(flatten)]
        filter: AlertFilter,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// Which alerts to show.
#[derive(Debug, Clone, Default, Args)]
pub struct AlertFilter {
    /// Only of this guest (`host` for the host's own)
    #[arg(long, value_name = "NAME")]
    pub guest: Option<String>,
    /// Only of this level and above
    #[arg(long, value_name = "N")]
    pub level: Option<u32>,
    /// Only of this rule
    #[arg(long, value_name = "ID")]
    pub rule: Option<u32>,
    /// Only of rules in this group
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Only from this source: the guest's own path, or the location on the host
    #[arg(long, value_name = "PATH")]
    pub source: Option<String>,
    /// Only from this source address
    #[arg(long, value_name = "ADDRESS")]
    pub srcip: Option<String>,
    /// Only at or after this time: RFC 3339, or `10m`, `2h`, `3d` ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only before this time, written likewise
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// `hids blocks …`
#[derive(Debug, Subcommand)]
pub enum BlocksCommand {
    /// List what is blocked
    List {
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Block an address by hand
    Add {
        /// An address, or a network as ADDRESS/PREFIX
        address: String,
        /// For how long: `90` (seconds), `30m`, `2h`, `1d`; `0` is for ever
        #[arg(short, long, value_name = "TIME", default_value = "30m")]
        timeout: String,
        /// Why, for the list
        #[arg(short, long, value_name = "TEXT", default_value = "by hand")]
        reason: String,
        /// Block although the white list names it (own addresses stay spared)
        #[arg(long)]
        force: bool,
        /// Print the block as JSON
        #[arg(long)]
        json: bool,
    },
    /// End a block
    Remove {
        /// The address or network blocked
        address: String,
        /// Print what came of it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Say why an address is blocked, or why it is not
    Why {
        /// The address
        address: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Compare the gateway with the ledger now
    Sync {
        /// Print what came of it as JSON
        #[arg(long)]
        json: bool,
    },
}

/// `hids logtest`
#[derive(Debug, Args)]
pub struct LogtestArgs {
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Judge every line alone, without history
    #[arg(long)]
    pub fresh: bool,
    /// Each line is a JSON object with `log` and optionally `t`, `seq`, `guest`, `source`
    #[arg(long)]
    pub records: bool,
    /// Judge as lines of this guest
    #[arg(long, value_name = "NAME")]
    pub guest: Option<String>,
    /// Judge as the daemon does: with the firewall step
    #[arg(long)]
    pub daemon: bool,
    /// Lines to judge; standard input where absent
    pub file: Option<PathBuf>,
}

/// `hids replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Log files, plain or gzip-compressed; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Judge as lines of this guest
    #[arg(long, value_name = "NAME")]
    pub guest: Option<String>,
    /// Judge only, write no alerts
    #[arg(long)]
    pub quiet: bool,
}

/// `hids pattern`
#[derive(Debug, Args)]
pub struct PatternArgs {
    /// The pattern's language
    pub language: PatternLanguage,
    /// The pattern
    #[arg(allow_hyphen_values = true)]
    pub pattern: String,
    /// Lines to try; standard input where absent
    pub file: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// OSSEC's pattern languages by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum PatternLanguage {
    /// Literals, `|`, `^`, `$`
    OsMatch,
    /// OSSEC's own small expressions
    OsRegex,
    /// Perl-compatible expressions
    Pcre2,
}

/// An address, or a network.
pub fn address(text: &str) -> Option<(IpAddr, Option<u8>)> {
    match text.split_once('/') {
        None => text.parse().ok().map(|address| (address, None)),
        Some((address, prefix)) => {
            let address: IpAddr = address.parse().ok()?;
            let prefix: u8 = prefix.parse().ok()?;
            (prefix <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, Some(prefix)))
        }
    }
}

/// A span of time as typed: seconds, or a number with `s`, `m`, `h` or `d`.
pub fn duration(text: &str) -> Option<std::time::Duration> {
    let (digits, factor) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1),
        b'm' => (&text[..text.len() - 1], 60),
        b'h' => (&text[..text.len() - 1], 3_600),
        b'd' => (&text[..text.len() - 1], 86_400),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor).map(std::time::Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_and_addresses_as_typed() {
        assert_eq!(duration("90").map(|d| d.as_secs()), Some(90));
        assert_eq!(duration("2h").map(|d| d.as_secs()), Some(7_200));
        assert_eq!(duration("h"), None);
        assert_eq!(duration("-1"), None);
        assert_eq!(duration("é"), None);
        assert!(address("2001:db8::/32").is_some());
        assert!(address("10.0.0.0/33").is_none());
    }
}
