//! Any text is read as a file of OSSEC's dialect: no panic, and every span lies in the file.
//!
//! Run in `tests/fuzz`: `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . xml`.
#![no_main]

use hids::diag::Source;
use hids::xml::{self, Element};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = Source::new("fuzz.xml", text);
    let (mut roots, diagnostics) = xml::parse(&source);
    for diagnostic in diagnostics.iter() {
        let _ = diagnostic.to_string();
    }
    roots.iter().for_each(|root| check(&source, root));
    let _ = xml::expand_variables(&mut roots, &source);
});

fn check(source: &Source, element: &Element) {
    for span in [element.span, element.text_span, element.tag_span(), element.place(source, 1)] {
        assert!(source.text.get(span.start..span.end).is_some(), "{span:?}");
    }
    for attribute in &element.attributes {
        let written = &source.text[attribute.span.start..attribute.span.end];
        assert!(written.starts_with(&attribute.name) && written.contains(&attribute.value));
    }
    element.children.iter().for_each(|child| check(source, child));
}
