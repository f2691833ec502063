//! `log_format`: how bytes of a file become events (spec/collect.md 5).

use std::fmt;

/// A log format, by the words of `<log_format>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `syslog`, `generic`, `syslog-pipe`, `apache`, `iis`, `squid`, `snort-fast`: one line is one event.
    Lines,
    /// `multi-line:N`: N lines, joined with a blank, are one event; 0 counts as 1.
    MultiLine(u16),
    /// `multi-line_indented`: lines that begin with a blank or tab continue the event before them.
    Indented,
    /// `mysql_log`.
    Mysql,
    /// `postgresql_log`.
    Postgresql,
    /// `mssql_log`.
    Mssql,
    /// `snort-full`.
    SnortFull,
    /// `audit`.
    Audit,
    /// A format that is known by name and not read from files here.
    Foreign(Foreign),
}

/// Formats that OSSEC knows and that no file reader here serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Foreign {
    /// `nmapg`.
    Nmapg,
    /// `ossecalert`.
    OssecAlert,
    /// `djb-multilog`.
    DjbMultilog,
    /// `modsec-audit`.
    ModsecAudit,
    /// `command`.
    Command,
    /// `full_command`.
    FullCommand,
    /// `journald`.
    Journald,
    /// `eventlog`, `eventchannel`: Windows; OSSEC too ignores them on Unix.
    Windows,
}

impl Format {
    /// Reads a format's name as it stands in the configuration; blanks around it are ignored. `None`: OSSEC has no such
    /// format.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(count) = text.strip_prefix("multi-line:") {
            let count = count.trim();
            return if count.is_empty() {
                Some(Format::MultiLine(0))
            } else {
                count.parse().ok().map(Format::MultiLine)
            };
        }
        Some(match text {
            "syslog" | "generic" | "syslog-pipe" | "apache" | "iis" | "squid" | "snort-fast" => Format::Lines,
            "multi-line_indented" => Format::Indented,
            "mysql_log" => Format::Mysql,
            "postgresql_log" => Format::Postgresql,
            "mssql_log" => Format::Mssql,
            "snort-full" => Format::SnortFull,
            "audit" => Format::Audit,
            "nmapg" => Format::Foreign(Foreign::Nmapg),
            "ossecalert" => Format::Foreign(Foreign::OssecAlert),
            "djb-multilog" => Format::Foreign(Foreign::DjbMultilog),
            "modsec-audit" => Format::Foreign(Foreign::ModsecAudit),
            "command" => Format::Foreign(Foreign::Command),
            "full_command" => Format::Foreign(Foreign::FullCommand),
            "journald" => Format::Foreign(Foreign::Journald),
            "eventlog" | "eventchannel" => Format::Foreign(Foreign::Windows),
            _ => return None,
        })
    }

    /// Tells whether files of this format are read. What is not belongs into the loud list of `hids check`.
    pub fn supported(self) -> bool {
        !matches!(self, Format::Foreign(_))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Lines => "syslog",
            Format::MultiLine(count) => return write!(f, "multi-line:{count}"),
            Format::Indented => "multi-line_indented",
            Format::Mysql => "mysql_log",
            Format::Postgresql => "postgresql_log",
            Format::Mssql => "mssql_log",
            Format::SnortFull => "snort-full",
            Format::Audit => "audit",
            Format::Foreign(Foreign::Nmapg) => "nmapg",
            Format::Foreign(Foreign::OssecAlert) => "ossecalert",
            Format::Foreign(Foreign::DjbMultilog) => "djb-multilog",
            Format::Foreign(Foreign::ModsecAudit) => "modsec-audit",
            Format::Foreign(Foreign::Command) => "command",
            Format::Foreign(Foreign::FullCommand) => "full_command",
            Format::Foreign(Foreign::Journald) => "journald",
            Format::Foreign(Foreign::Windows) => "eventlog",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_specification_is_known() {
        let names = "syslog generic syslog-pipe apache iis squid snort-fast snort-full nmapg mysql_log mssql_log \
                     postgresql_log ossecalert djb-multilog command full_command audit modsec-audit journald \
                     multi-line:3 multi-line_indented eventlog eventchannel";
        for name in names.split_whitespace() {
            assert!(Format::parse(name).is_some(), "{name}");
        }
        assert_eq!(Format::parse(" multi-line: 12 "), Some(Format::MultiLine(12)));
        assert_eq!(Format::parse("multi-line:"), Some(Format::MultiLine(0)));
        for name in ["json", "multi-line:x", "multi-line:-1", "SYSLOG", ""] {
            assert_eq!(Format::parse(name), None, "{name}");
        }
    }
}
