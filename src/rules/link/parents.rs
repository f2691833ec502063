//! Where a rule hangs (spec/rules.md 4.2 to 4.5, 4.7).

use super::{Linker, Place};
use crate::diag::{Diagnostic, Diagnostics, Source, Span};
use crate::pattern::WordMatch;
use crate::rules::draft::Draft;
use std::sync::Arc;

/// What decides a rule's place.
enum Parent {
    Sid(String, Span),
    Group(String, Span),
    Level(String, Span),
    Category,
}

/// The one that decides: `if_sid` before `if_level` before `if_group`; a counting rule without one hangs under what it
/// counts.
fn deciding(draft: &Draft) -> Parent {
    let (parents, counted) = (&draft.parents, &draft.correlation);
    let derive = parents.sid.is_none() && parents.group.is_none();
    if let Some((text, span)) = &parents.sid {
        return Parent::Sid(text.clone(), *span);
    }
    if derive
        && counted.group.is_none()
        && let Some((id, span)) = counted.sid
    {
        return Parent::Sid(id.to_string(), span);
    }
    if let Some((text, span)) = &parents.level {
        return Parent::Level(text.clone(), *span);
    }
    if let Some((text, span)) = &parents.group {
        return Parent::Group(text.clone(), *span);
    }
    match &counted.group {
        Some((text, _, span)) => Parent::Group(text.clone(), *span),
        None => Parent::Category,
    }
}

impl Linker {
    /// The places where a rule hangs; none: it cannot be linked, and the diagnostics say why. With `if_sid` the rule
    /// takes over the category of its parent.
    pub(super) fn places(&self, draft: &mut Draft, source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Vec<Place> {
        let id = draft.id;
        let mut error = |span: Span, message: String| diagnostics.push(Diagnostic::error(source, span, message));
        match deciding(draft) {
            Parent::Category => match self.root_of(draft.category) {
                Some(root) => vec![Place::Under(root)],
                None => {
                    error(draft.head, format!("rule {id}: no root rule of its category was read before it"));
                    Vec::new()
                }
            },
            Parent::Sid(text, span) => self.places_by_id(&text, span, draft, source, diagnostics),
            Parent::Group(text, span) => {
                let wanted = WordMatch::new(&text);
                let fits = |rule: usize| wanted.is_match(self.rules[rule].draft.facts.groups.as_bytes());
                let places: Vec<Place> =
                    (0..self.nodes.len()).filter(|node| fits(self.nodes[*node].rule)).map(Place::Under).collect();
                if places.is_empty() {
                    error(span, format!("rule {id}: no rule of the group `{text}` was read before it"));
                }
                places
            }
            Parent::Level(text, span) => {
                let level = text.parse::<u64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
                let Some(level) = level.filter(|level| *level > 0) else {
                    error(span, format!("rule {id}: `{text}` is no level above 0"));
                    return Vec::new();
                };
                let message = format!("rule {id}: if_level hangs it under every rule of level 0 too, roots included");
                let help = "it is tested for every event of every category; if_sid and if_group are narrower";
                diagnostics.push(Diagnostic::warning(source, span, message).help(help));
                let high = |node: &usize| self.rules[self.nodes[*node].rule].draft.scaled >= level * 100;
                (0..self.nodes.len()).filter(high).map(Place::Under).collect()
            }
        }
    }

    fn places_by_id(
        &self,
        text: &str,
        span: Span,
        draft: &mut Draft,
        source: &Arc<Source>,
        diagnostics: &mut Diagnostics,
    ) -> Vec<Place> {
        let id = draft.id;
        let mut error = |message: String| diagnostics.push(Diagnostic::error(source, span, message));
        let Some(wanted) = ids(text) else {
            error(format!("rule {id}: `{text}` is no list of rule ids (separate them with commas or spaces)"));
            return Vec::new();
        };
        let mut places = Vec::new();
        let mut at_root = false;
        for parent in wanted {
            if parent == 0 {
                at_root = true;
                match self.root_of(draft.category) {
                    Some(root) => places.push(Place::Under(root)),
                    None => error(format!("rule {id}: no root rule of its category was read before it")),
                }
                continue;
            }
            let found = u32::try_from(parent).ok().and_then(|parent| self.by_id.get(&parent));
            match found {
                Some(rules) => {
                    for rule in rules {
                        places.extend(self.rules[*rule].nodes.iter().map(|node| Place::Under(*node)));
                        draft.category = self.rules[*rule].draft.category;
                    }
                }
                None => {
                    let left_out = u32::try_from(parent).is_ok_and(|parent| self.left_out.contains(&parent));
                    let why = if left_out { "which was left out" } else { "which no file defines before it" };
                    error(format!("rule {id} hangs under rule {parent}, {why}"));
                }
            }
        }
        if at_root && !places.is_empty() {
            let message = format!("rule {id} hangs directly under the root of its category as well");
            let help =
                "an empty if_sid, an id 0, and a comma or space at the end of the list all mean \"no parent named\"";
            diagnostics.push(Diagnostic::warning(source, span, message).help(help));
        }
        places
    }
}

/// The ids of an `if_sid`: digits separated by commas and spaces. A separator at the end counts as a further id 0.
fn ids(text: &str) -> Option<Vec<u64>> {
    let mut ids = Vec::new();
    let mut digits = String::new();
    for letter in text.chars() {
        match letter {
            '0'..='9' => digits.push(letter),
            ',' | ' ' if digits.is_empty() => {}
            ',' | ' ' => {
                ids.push(digits.parse().ok()?);
                digits.clear();
            }
            _ => return None,
        }
    }
    ids.push(if digits.is_empty() { 0 } else { digits.parse().ok()? });
    Some(ids)
}

#[cfg(test)]
mod tests {
    use super::ids;

    /// The statements of spec/rules.md 4.2.
    #[test]
    fn lists_of_ids() {
        assert_eq!(ids("100"), Some(vec![100]));
        assert_eq!(ids("100,"), Some(vec![100, 0]));
        assert_eq!(ids("100 "), Some(vec![100, 0]));
        assert_eq!(ids(" 100, 101"), Some(vec![100, 101]));
        assert_eq!(ids(""), Some(vec![0]));
        assert_eq!(ids("104,0"), Some(vec![104, 0]));
        assert_eq!(ids("100\n"), None);
        assert_eq!(ids("100;101"), None);
    }
}
