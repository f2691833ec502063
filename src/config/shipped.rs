//! The decoders and rules that come with hids, compiled in, so that a lone binary is of use on a bare machine.

use crate::diag::Source;
use std::sync::Arc;

/// Where the shipped files show in diagnostics.
const NAME: &str = "/usr/share/hids/rules/";

const DECODERS: &str = include_str!("../../rules/decoder.xml");

/// The rule files in the order in which they are read: what others hang under comes first.
const RULES: &[(&str, &str)] = &[
    ("rules_config.xml", include_str!("../../rules/rules_config.xml")),
    ("pam_rules.xml", include_str!("../../rules/pam_rules.xml")),
    ("sshd_rules.xml", include_str!("../../rules/sshd_rules.xml")),
    ("syslog_rules.xml", include_str!("../../rules/syslog_rules.xml")),
    ("postfix_rules.xml", include_str!("../../rules/postfix_rules.xml")),
    ("web_rules.xml", include_str!("../../rules/web_rules.xml")),
    ("apache_rules.xml", include_str!("../../rules/apache_rules.xml")),
    ("nginx_rules.xml", include_str!("../../rules/nginx_rules.xml")),
    ("attack_rules.xml", include_str!("../../rules/attack_rules.xml")),
    ("ossec_rules.xml", include_str!("../../rules/ossec_rules.xml")),
];

/// The configuration in force where there is none: the usual log files of host and guests, blocking off.
pub const CONFIGURATION: &str = include_str!("../../deploy/ossec.conf.default");

/// The shipped decoders.
pub fn decoders() -> Arc<Source> {
    Source::new(format!("{NAME}decoder.xml"), DECODERS)
}

/// The shipped rule files, in order.
pub fn rules() -> impl Iterator<Item = Arc<Source>> {
    RULES.iter().map(|(name, text)| Source::new(format!("{NAME}{name}"), *text))
}

/// The shipped rule file of that name.
pub fn rule(name: &str) -> Option<Arc<Source>> {
    RULES.iter().find(|(known, _)| *known == name).map(|(name, text)| Source::new(format!("{NAME}{name}"), *text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_file_of_the_folder_is_shipped() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let own = name == "decoder.xml" || name == "local_rules.xml";
            assert!(own || rule(&name).is_some(), "rules/{name} is not compiled in");
        }
    }
}
