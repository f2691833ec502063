//! Overwriting a rule in place (spec/rules.md 4.8).

use super::{Linker, Search};
use crate::diag::{Diagnostic, Diagnostics, Source};
use crate::rules::draft::Draft;
use crate::rules::predicate::{Conditions, Pair};
use std::sync::Arc;

impl Linker {
    /// Changes the first rule of that id. No node is added, moved or removed; what OSSEC keeps of the old rule is kept
    /// and told.
    pub(super) fn overwrite(&mut self, old: usize, new: Draft, source: &Arc<Source>, diagnostics: &mut Diagnostics) {
        if let Some((id, span)) = new.correlation.sid {
            self.watch_id(old, id, span, source, diagnostics);
        }
        let head = new.head;
        for message in self.survivors(old, &new) {
            diagnostics.push(Diagnostic::warning(source, head, format!("rule {}: {message}", new.id)));
        }
        let rule = &mut self.rules[old];
        rule.counts = new.correlation.counts() && !new.conditions.check_diff;
        rule.source = Arc::clone(source);
        let mut kept = std::mem::take(&mut rule.draft);
        new.conditions.overwrite(&mut kept.conditions);
        rule.draft = Draft {
            conditions: kept.conditions,
            category: kept.category,
            silences: kept.silences,
            silenced_by: kept.silenced_by,
            ..new
        };
        rule.draft.facts.references = kept.facts.references;
    }

    /// What of the old rule goes on, and what of the new one is lost.
    fn survivors(&self, old: usize, new: &Draft) -> Vec<String> {
        let old = &self.rules[old];
        let mut told = Vec::new();
        let (before, after) = (&old.draft.conditions, &new.conditions);
        for (pair, _) in Pair::ALL {
            let at = pair as usize;
            if after.pcre2[at].is_some() {
                told.push(format!("its <{}> is lost: an overwrite keeps the old rule's", pair.name(true)));
            }
            let tested = after.os[at].is_none() || pair == Pair::Url;
            let looked_at = (!pair.is_extra() || after.extra) && (!pair.is_packet() || after.packet);
            if before.pcre2[at].is_some() && tested && looked_at {
                told.push(format!("the old rule's <{}> stays in force", pair.name(true)));
            }
        }
        let lists = |conditions: &Conditions| (conditions.fields.len(), conditions.lists.len());
        if lists(after) != (0, 0) {
            told.push("its <field> and <list> elements are lost: an overwrite keeps the old rule's".to_owned());
        }
        if lists(before) != (0, 0) {
            told.push("the old rule's <field> and <list> elements stay in force".to_owned());
        }
        let counts = new.correlation.counts() && !after.check_diff;
        let watched = |search| match search {
            Search::Sid(rule) => Some(self.rules[rule].draft.id),
            _ => None,
        };
        let written = new.correlation.sid.map(|(id, _)| id);
        match (counts, old.search) {
            (true, Search::Nothing) => {
                told.push("the old rule counts nothing, so this one fires every time".to_owned());
            }
            (true, search) if watched(search).is_some() && watched(search) != written => {
                told.push(format!("it goes on counting rule {}", watched(search).unwrap_or_default()));
            }
            _ => {}
        }
        told
    }
}
