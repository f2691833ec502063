//! Where things lie (design 2.1): the packaged layout, or OSSEC's own below a folder named with `-D`.

use std::path::{Path, PathBuf};

/// Which layout is in force, and the paths that follow from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    base: Option<PathBuf>,
    file: Option<PathBuf>,
}

impl Places {
    /// `base` is the folder of `-D` (none: packaged layout), `file` the configuration of `-c`.
    pub fn new(base: Option<PathBuf>, file: Option<PathBuf>) -> Self {
        Self { base, file }
    }

    /// The folder of `-D`.
    pub fn base(&self) -> Option<&Path> {
        self.base.as_deref()
    }

    fn at(&self, below: &str, packaged: &str) -> PathBuf {
        self.base.as_ref().map_or_else(|| PathBuf::from(packaged), |base| base.join(below))
    }

    /// The configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| self.at("etc/ossec.conf", "/etc/hids/ossec.conf"))
    }

    /// Whether the user named the configuration file, so that its absence is an error.
    pub fn configuration_named(&self) -> bool {
        self.file.is_some()
    }

    /// Where a rule file of that name may lie, in order of precedence.
    pub fn rule_file(&self, name: &str) -> Vec<PathBuf> {
        match &self.base {
            _ if name.starts_with('/') => vec![PathBuf::from(name)],
            Some(base) if name.contains('/') => vec![base.join(name)],
            Some(base) => vec![base.join("rules").join(name)],
            None => {
                ["/etc/hids/rules", "/usr/share/hids/rules"].iter().map(|folder| Path::new(folder).join(name)).collect()
            }
        }
    }

    /// Where a decoder file or a list may lie: relative to the base directory.
    pub fn relative_file(&self, name: &str) -> Vec<PathBuf> {
        match &self.base {
            Some(base) if !name.starts_with('/') => vec![base.join(name)],
            _ => self.rule_file(name),
        }
    }

    /// Where the decoder file may lie that is read where the configuration names none, in order of precedence, and the
    /// user's own beside it.
    pub fn decoder_files(&self) -> (Vec<PathBuf>, PathBuf) {
        let main = match &self.base {
            Some(base) => vec![base.join("etc/decoder.xml")],
            None => self.rule_file("decoder.xml"),
        };
        (main, self.at("etc/local_decoder.xml", "/etc/hids/rules/local_decoder.xml"))
    }

    /// Where a file of the shipped rule set may lie instead of the one that is compiled in, in order of precedence.
    /// OSSEC's own layout has no such place: its rule files are those that its configuration names.
    pub fn shipped_file(&self, name: &str) -> Vec<PathBuf> {
        if self.base.is_some() { Vec::new() } else { self.rule_file(name) }
    }

    /// `internal_options.conf` and the file that overrides it.
    pub fn internal_options(&self) -> [PathBuf; 2] {
        [
            self.at("etc/internal_options.conf", "/etc/hids/internal_options.conf"),
            self.at("etc/local_internal_options.conf", "/etc/hids/local_internal_options.conf"),
        ]
    }

    /// The alerts as JSON lines.
    pub fn alerts_json(&self) -> PathBuf {
        self.at("logs/alerts/alerts.json", "/var/log/hids/alerts.json")
    }

    /// The alerts in OSSEC's layout.
    pub fn alerts_log(&self) -> PathBuf {
        self.at("logs/alerts/alerts.log", "/var/log/hids/alerts.log")
    }

    /// The log of what responses did, in OSSEC's layout.
    pub fn responses_log(&self) -> PathBuf {
        self.at("logs/active-responses.log", "/var/log/hids/active-responses.log")
    }

    /// Positions, blocks, baselines.
    pub fn state(&self) -> PathBuf {
        self.at("queue/hids", "/var/lib/hids")
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.at("run/hids.sock", "/run/hids/hids.sock")
    }

    /// Response scripts.
    pub fn scripts(&self) -> PathBuf {
        self.at("active-response/bin", "/usr/lib/hids/response")
    }

    /// Where OSSEC's own daemons leave their pid files; `None` outside OSSEC's layout.
    pub fn ossec_pids(&self) -> Option<PathBuf> {
        self.base.as_ref().map(|base| base.join("var/run"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_files_lie_where_packages_put_them() {
        let packaged = Places::new(None, None);
        let both = |name: &str| ["/etc/hids/rules", "/usr/share/hids/rules"].map(|folder| Path::new(folder).join(name));
        assert_eq!(packaged.shipped_file("sshd_rules.xml"), both("sshd_rules.xml"));
        assert_eq!(packaged.decoder_files().0, both("decoder.xml"));
        let ossec = Places::new(Some("/var/ossec".into()), None);
        assert!(ossec.shipped_file("sshd_rules.xml").is_empty());
        assert_eq!(ossec.decoder_files().0, [PathBuf::from("/var/ossec/etc/decoder.xml")]);
    }
}
