//! What is refused, what is warned of, and how.

use crate::correlate::fixture::compile;
use crate::diag::Severity;

/// Messages found in rules of one group, errors first.
fn found(rules: &str) -> (Vec<String>, Vec<String>) {
    let (_, diagnostics) = compile(&format!("<group name=\"t,\">\n{rules}\n</group>"));
    let of = |severity| {
        let of = diagnostics.iter().filter(move |d| d.severity == severity);
        of.map(|d| d.message.clone()).collect::<Vec<_>>()
    };
    (of(Severity::Error), of(Severity::Warning))
}

fn errors(rules: &str) -> Vec<String> {
    found(rules).0
}

/// The one error in rule 100 with these attributes and elements.
fn refused(attributes: &str, elements: &str) -> String {
    let errors = errors(&format!("<rule id=\"100\" {attributes}>{elements}</rule>"));
    assert_eq!(errors.len(), 1, "{attributes} {elements}: {errors:?}");
    errors[0].clone()
}

/// Loads, with as many warnings.
fn warned(attributes: &str, elements: &str) -> Vec<String> {
    let (errors, warnings) = found(&format!("<rule id=\"100\" {attributes}>{elements}</rule>"));
    assert!(errors.is_empty(), "{errors:?}");
    warnings
}

const D: &str = "<description>d</description>";

#[test]
fn attributes() {
    assert_eq!(refused("", D), "rule 100: it has no level");
    assert_eq!(refused("level=\"\"", D), "rule 100: it has no level");
    assert_eq!(refused("level=\"-1\"", D), "rule 100: level is `-1`, which is not a number");
    assert_eq!(refused("level=\"1\" colour=\"red\"", D), "rule 100: a rule has no attribute `colour`");
    assert_eq!(refused("level=\"1\" overwrite=\"true\"", D), "rule 100: overwrite is `true`");
    assert_eq!(refused("level=\"1\" frequency=\"2\"", D), "rule 100: frequency without anything to count");
    assert_eq!(errors("<rule level=\"1\"><match>a</match></rule>"), ["a rule: it has no id"]);
    assert_eq!(refused("level=\"1\"", ""), "rule 100: it has no element");
    assert!(warned("level=\"1\" frequency=\"0\" timeframe=\"60\"", D).is_empty());
    assert_eq!(
        warned("level=\"1\" timeframe=\"604800\"", D),
        ["rule 100: timeframe is cut to its first 5 digits: 60480"]
    );
    assert_eq!(warned("level=\"1\" noalert=\"0\"", D), ["rule 100: noalert is on"]);
}

/// The table of odd levels, spec/rules.md 2.
#[test]
fn odd_levels() {
    let level = |attributes: &str, parents: &str| {
        let rules = format!(
            "<group name=\"t,\"><rule id=\"90\" level=\"1\"><match>a</match></rule>
             <rule id=\"91\" level=\"1\"><match>b</match></rule>
             <rule id=\"100\" {attributes}><if_sid>{parents}</if_sid></rule></group>"
        );
        compile(&rules).0.rules.facts(100).unwrap().level
    };
    for (written, once, twice) in
        [(0, 0, 0), (1, 1, 1), (98, 98, 98), (99, 0, 0), (150, 150, 1), (1_000, 1_000, 10), (9_900, 9_900, 0)]
    {
        let attribute = format!("level=\"{written}\"");
        assert_eq!((level(&attribute, "90"), level(&attribute, "90,91")), (once, twice), "{written}");
    }
    assert_eq!(level("level=\"12345\"", "90"), 1_234);
    assert_eq!(level("level=\"0\" accuracy=\"0\"", "90"), 99);
}

#[test]
fn elements() {
    let refused = |elements: &str| refused("level=\"1\"", elements);
    assert_eq!(refused("<mitre>T1</mitre>"), "rule 100: a rule has no element <mitre>");
    assert_eq!(refused("<protocol>tcp</protocol>"), "rule 100: a rule has no element <protocol>");
    assert_eq!(refused("<category>web</category>"), "rule 100: `web` is no category");
    assert_eq!(refused("<decoded_as>nobody</decoded_as>"), "rule 100: no decoder is called `nobody`");
    assert_eq!(refused("<options>no_log no_ar</options>"), "rule 100: `no_log no_ar` is no option");
    assert_eq!(refused("<info type=\"bid\">1</info>"), "rule 100: `bid` is no type of <info>");
    assert_eq!(refused("<field>a</field>"), "rule 100: <field> needs the attribute name");
    assert_eq!(refused("<ignore>everything</ignore>"), "rule 100: `everything` names no part of an event");
    assert_eq!(refused("<compiled_rule>none</compiled_rule>"), "rule 100: `none` is no built-in condition");
    assert_eq!(refused("<time>8</time>"), "rule 100: `8` is not a time span");
    assert_eq!(refused("<weekday>tues</weekday>"), "rule 100: `tues` is not a day of the week");
    assert_eq!(refused("<srcip>10.0.0.0/</srcip>"), "rule 100: `10.0.0.0/` has no usable prefix length");
    assert_eq!(
        refused("<list field=\"srcip\" lookup=\"match_key_value\">x</list><match>a</match>"),
        "rule 100: this kind of look-up needs the attribute check_value"
    );
    assert_eq!(refused("<if_matched_sid>1,2</if_matched_sid>"), "rule 100: `1,2` is no rule id");
    assert_eq!(refused("<if_matched_sid>0</if_matched_sid><if_sid>1</if_sid>"), "rule 100: `0` is no rule id");
    assert_eq!(
        refused("<same_source_ip/>"),
        "rule 100: same_*, different_* and global_frequency need something to count"
    );
    assert_eq!(
        refused("<if_matched_sid>1</if_matched_sid><Same_ID/>"),
        "rule 100: <Same_ID> must be written in lower case"
    );
    let long = "x".repeat(2_048);
    assert_eq!(refused(&format!("<match>{long}</match>")), "rule 100: <match> holds 2048 bytes, 2047 at most");
    assert!(refused("<regex>a\\b</regex>").starts_with("rule 100: <regex>: "));
    assert!(warned("level=\"1\"", "<SAME_SOURCE_IP/><if_matched_sid>1</if_matched_sid>").is_empty());
}

#[test]
fn oddities_are_warned_of() {
    let warned = |elements: &str| warned("level=\"1\"", elements);
    assert_eq!(warned("<match>a</match><match_pcre2>b</match_pcre2>").len(), 1);
    assert_eq!(warned("<match negate=\"yes\">a</match>").len(), 1);
    assert_eq!(warned("<regex type=\"pcre2\">a</regex>").len(), 1);
    assert_eq!(warned("<if_sid>1,</if_sid>").len(), 1);
    assert_eq!(warned("<if_level>3</if_level>").len(), 1);
    assert_eq!(warned("<if_matched_sid>1</if_matched_sid><not_same_user/>").len(), 1);
    assert_eq!(warned("<if_matched_sid>1</if_matched_sid><different_srcip/>").len(), 1);
    assert_eq!(warned("<if_matched_sid>1</if_matched_sid><if_matched_regex>a</if_matched_regex>").len(), 1);
    assert_eq!(warned("<time>!22:00 - 06:00</time>").len(), 1);
    assert_eq!(warned("<list field=\"srcip\">lists/none</list>").len(), 1);
    assert_eq!(
        warned("<if_sid>1</if_sid><if_matched_sid>5799</if_matched_sid>"),
        ["rule 100 waits for rule 5799, which no file defines before it: it never fires"]
    );
}

#[test]
fn what_hangs_under_a_broken_rule_is_told_and_the_rest_works() {
    let rules = "<group name=\"t,\"><rule id=\"100\" level=\"5\"><mitre/></rule>
        <rule id=\"101\" level=\"5\"><if_sid>100</if_sid></rule>
        <rule id=\"102\" level=\"5\"><if_sid>101</if_sid></rule>
        <rule id=\"103\" level=\"5\"><if_matched_sid>100</if_matched_sid></rule>
        <rule id=\"104\" level=\"5\"><if_group>none</if_group></rule>
        <rule id=\"105\" level=\"5\"><match>fine</match></rule>
        <rule id=\"105\" level=\"6\"><match>again</match></rule>
        <rule id=\"106\" level=\"6\" overwrite=\"yes\"><match>new</match></rule>
        <rule id=\"107\" level=\"6\"><if_sid>105,100</if_sid></rule></group>";
    let (book, diagnostics) = compile(rules);
    let said: Vec<&str> = diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "rule 100: a rule has no element <mitre>",
            "rule 101 hangs under rule 100, which was left out",
            "rule 102 hangs under rule 101, which was left out",
            "rule 103 hangs under rule 100, which was left out",
            "rule 104: no rule of the group `none` was read before it",
            "rule 105 is defined a second time",
            "rule 106 overwrites a rule of that id, which no file defines before it",
            "rule 107 hangs under rule 100, which was left out",
        ]
    );
    let loaded: Vec<u32> = book.rules.iter().map(|rule| rule.facts.id).filter(|id| *id >= 10).collect();
    assert_eq!(loaded, [105, 107]);
    assert_eq!(book.rules.parents(107), [105]);
    let shown = diagnostics.iter().next().unwrap().to_string();
    assert!(shown.starts_with("test.xml:1:43: rule 100"), "{shown}");
}

#[test]
fn files_of_no_use() {
    let messages =
        |file: &str| -> Vec<String> { compile(file).1.iter().map(|diagnostic| diagnostic.message.clone()).collect() };
    assert_eq!(messages(""), ["a rule file without any element"]);
    assert_eq!(messages("<rules></rules>"), ["<rules> cannot stand here: a rule file holds <group> and <var> only"]);
    assert_eq!(messages("<group><rule id=\"1\" level=\"1\"/></group>"), ["a group without a name"]);
    assert_eq!(messages("<group name=\"a\" x=\"b\"><rule/></group>"), ["a group has no attribute `x`"]);
    assert_eq!(messages("<group name=\"a\"></group>"), ["group `a` has no rule"]);
}

#[test]
fn what_a_rule_requires() {
    let (book, _) = compile(
        "<group name=\"t,\"><rule id=\"5710\" level=\"5\"><match>illegal user</match></rule>
         <rule id=\"5712\" level=\"10\" frequency=\"2\" timeframe=\"600\" ignore=\"60\">
         <if_matched_sid>5710</if_matched_sid><same_source_ip/></rule></group>",
    );
    assert_eq!(book.rules.requirements(5_710), ["asks that the log matches `illegal user` (os_match)"]);
    assert_eq!(
        book.rules.requirements(5_712),
        ["fires on the 4th event of rule 5710 within 600 s, with the same srcip", "is silent for 60 s after an alert",]
    );
    assert_eq!(book.rules.parents(5_712), [5_710]);
}

#[test]
fn the_tree_is_bounded() {
    let chain: String = (100..300)
        .map(|id| format!("<rule id=\"{id}\" level=\"1\"><if_sid>{}</if_sid></rule>", (id - 1).max(1)))
        .collect();
    let chain = chain.replacen("<if_sid>99<", "<if_sid>1<", 1);
    let errors = errors(&chain);
    assert_eq!(errors.len(), 100, "{errors:?}");
    assert_eq!(errors[0], "rule 200 stands more than 100 rules below its root");
    assert_eq!(errors[1], "rule 201 hangs under rule 200, which was left out");
    let doubling: String =
        (100..130).map(|id| format!("<rule id=\"{id}\" level=\"9\"><if_level>1</if_level></rule>")).collect();
    let (errors, warnings) = found(&doubling);
    assert!(errors[0].ends_with("would give the rules more than 500000 places in all"), "{errors:?}");
    assert_eq!(warnings.len(), 30);
}
