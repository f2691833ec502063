//! `internal_options.conf` and `local_internal_options.conf`: `module.name=number`, the second overriding the first.
//!
//! Only the keys below mean anything to hids; others are OSSEC's and are left alone (spec/config.md 12).

use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use std::sync::Arc;

/// The keys that hids honours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InternalOptions {
    /// Seconds of a correlated rule that names no `timeframe`.
    pub default_timeframe: u32,
    /// Keys compared for the likeness of IDS events.
    pub fts_list_size: u32,
    /// Length of the common prefix from which IDS keys are alike.
    pub fts_min_size_for_str: u32,
    /// Events kept for each watched rule.
    pub sid_prev_matched_max: u32,
    /// Firewall events are rewritten, incomplete ones left out.
    pub log_fw: bool,
    /// Most entries in a decoder's `order`.
    pub decoder_order_size: u32,
}

impl Default for InternalOptions {
    fn default() -> Self {
        Self {
            default_timeframe: 360,
            fts_list_size: 32,
            fts_min_size_for_str: 14,
            sid_prev_matched_max: 128,
            log_fw: true,
            decoder_order_size: 256,
        }
    }
}

impl InternalOptions {
    /// Reads one of the files over what stands already. A value out of range is an error and is left out.
    pub fn read(&mut self, source: &Arc<Source>) -> Diagnostics {
        let mut found = Diagnostics::default();
        let mut start = 0;
        for line in source.text.split_inclusive('\n') {
            let span = Span::new(start, start + line.trim_end().len());
            start += line.len();
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some((key, value)) = line.split_once('=')
                && let Err((least, most)) = self.set(key.trim(), value.trim())
            {
                let message = format!("{} says {:?}", key.trim(), value.trim());
                let help = format!("it takes a whole number from {least} to {most}");
                found.push(Diagnostic::error(source, span, message).help(help));
            }
        }
        found
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), (u32, u32)> {
        let number = |least: u32, most: u32| match value.parse::<u32>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err((least, most)),
        };
        match key {
            "analysisd.default_timeframe" => self.default_timeframe = number(60, 604_800)?,
            "analysisd.fts_list_size" => self.fts_list_size = number(12, 512)?,
            "analysisd.fts_min_size_for_str" => self.fts_min_size_for_str = number(6, 128)?,
            "analysisd.sid_prev_matched_max" => self.sid_prev_matched_max = number(16, 65_536)?,
            "analysisd.log_fw" => self.log_fw = number(0, 1)? == 1,
            "analysisd.decoder_order_size" => self.decoder_order_size = number(8, 1_024)?,
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_files_override_and_bad_values_are_cited() {
        let mut options = InternalOptions::default();
        assert!(options.read(&Source::new("a", "# x\nanalysisd.default_timeframe=600\nmaild.x=9\n")).is_empty());
        assert_eq!(options.default_timeframe, 600);
        let found = options.read(&Source::new("b", "analysisd.log_fw=0\nanalysisd.default_timeframe=5\n"));
        assert_eq!(
            found.iter().next().unwrap().to_string().lines().next(),
            Some("b:2:1: analysisd.default_timeframe says \"5\"")
        );
        assert_eq!((options.default_timeframe, options.log_fw), (600, false));
    }
}
