//! The test of `if_group`: one of several words in a string of groups.

/// Alternatives separated by `|`, each a text that occurs in the subject, or begins it when it starts with `^`. ASCII
/// case is ignored; nothing else has a meaning (spec/patterns.md 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordMatch {
    text: Box<str>,
}

impl WordMatch {
    /// Takes the alternatives as written.
    pub fn new(text: &str) -> Self {
        Self { text: text.into() }
    }

    /// Tells whether one of the alternatives fits. None fits if the whole text is empty; an empty alternative always
    /// does.
    pub fn is_match(&self, subject: &[u8]) -> bool {
        !self.text.is_empty()
            && self.text.split('|').any(|word| match word.strip_prefix('^') {
                Some(start) => begins(subject, start.as_bytes()),
                None => (0..=subject.len()).any(|at| begins(&subject[at..], word.as_bytes())),
            })
    }

    /// The alternatives as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn begins(subject: &[u8], word: &[u8]) -> bool {
    subject.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::WordMatch;

    #[test]
    fn words() {
        for (words, subject, fits) in [
            ("web", "webscan,", true),
            ("web", "a,WEB,", true),
            ("^web", "webscan,", true),
            ("^web", "a,web,", false),
            ("x|web", "webscan,", true),
            ("x|y", "webscan,", false),
            ("", "webscan,", false),
            ("", "", false),
            ("a|", "webscan,", true),
            ("a|", "", true),
            ("web$", "web", false),
            ("w.b", "web", false),
            ("w.b", "aw.b", true),
            ("webscan,more", "webscan,", false),
        ] {
            assert_eq!(WordMatch::new(words).is_match(subject.as_bytes()), fits, "{words:?} in {subject:?}");
        }
    }
}
