//! Every difference between Go's syntax and that of the regex crate, by example, and the promises of prefixes and values.

use proptest::prelude::*;

use super::*;
use crate::model::{MatchOp, Matcher};

fn matches(pattern: &str, text: &str) -> bool {
    let regex = compile_anchored(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    let matches = regex.is_match(text);
    assert_eq!(Pattern::new(pattern).unwrap().is_match(text), matches, "{pattern} {text:?}");
    matches
}

#[test]
fn re2_syntax_means_what_it_means_in_go() {
    let cases = [
        // pattern, matches, does not match
        ("a.c", "a\nc", "ac"),
        ("foo", "foo", "foobar"),
        ("a|b", "b", "ab"),
        ("", "", "a"),
        ("\\d+", "123", "١٢٣"),
        ("\\D", "٣", "3"),
        ("\\w+", "aZ_9", "é"),
        ("\\W", "é", "e"),
        ("a\\sb", "a\tb", "a\u{b}b"),
        ("\\S", "\u{a0}", " "),
        ("[\\d.]+", "1.2", "a"),
        ("[\\D]", "x", "1"),
        ("[^\\W]", "x", "-"),
        ("[\\w-]+", "a-b", "a b"),
        ("é\\b.", "éa", "é-"),
        ("a\\Bb", "ab", "a"),
        ("é\\B.", "éé", "éa"),
        ("[[]", "[", "]"),
        ("[]a]+", "]a", "["),
        ("[^]a]", "b", "]"),
        ("[a&&b]+", "a&b", "c"),
        ("[!--]", "#", "a"),
        ("[~~]", "~", "-"),
        ("[a-]+", "a-", "b"),
        ("[+--]+", "+,-", "."),
        ("[[:alpha:]_]+", "ab_", "1"),
        ("[[:^digit:]]", "a", "1"),
        ("[\\x41-\\x{43}]", "B", "D"),
        ("\\Qa.b*\\E+", "a.b***", "a.b"),
        ("\\Qa.b", "a.b", "axb"),
        ("\\x41\\x{42}\\103", "ABC", "abc"),
        ("\\012", "\n", "12"),
        ("\\<\\>\\-\\_", "<>-_", "-_"),
        ("a{,2}", "a{,2}", "aa"),
        ("a{2}", "aa", "a{2}"),
        ("a{02}", "a{02}", "aa"),
        ("a{1,2}?", "aa", "aaa"),
        ("{", "{", ""),
        ("a{b}", "a{b}", "ab"),
        ("\\{\\{.+\\}\\}", "{{x}}", "x"),
        ("(?P<n>a)(?<m>b)", "ab", "a"),
        ("(?i)abc", "aBC", "abd"),
        ("(?i:a)b", "Ab", "AB"),
        ("(?-s).", "a", "\n"),
        ("(?)a", "a", ""),
        ("\\pL\\p{Greek}\\PN", "aβx", "aax"),
        ("\\p{^L}", "1", "a"),
        ("^a$", "a", "b"),
        ("\\Aa\\z", "a", "b"),
        ("(?U)a+", "aaa", ""),
        ("a #b", "a #b", "a"),
        ("日本.", "日本語", "日本"),
        ("日.*", "日\n", "本"),
        ("a.+", "ab", "a"),
        (".+", "\n", ""),
        ("(?-s)a.*", "ab", "a\n"),
        ("a.{2,}", "abc", "ab"),
    ];
    for (pattern, good, bad) in cases {
        assert!(matches(pattern, good), "{pattern} should match {good:?}");
        assert!(!matches(pattern, bad), "{pattern} should not match {bad:?}");
    }
}

#[test]
fn what_go_refuses_is_refused() {
    for pattern in [
        "(",
        ")",
        "a)|(b",
        "[",
        "[a",
        "[]",
        "[z-a]",
        "*",
        "a**",
        "a+*",
        "|*",
        "(*)",
        "a{1001}",
        "a{2,1}",
        "a{1}{2}",
        "\\C",
        "\\E",
        "\\Z",
        "\\1",
        "\\8",
        "\\u0041",
        "\\h",
        "\\é",
        "\\",
        "[\\",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?x)a",
        "(?u)a",
        "(?R)a",
        "(?-)a",
        "(?i",
        "(?P=n)",
        "(?P<>a)",
        "(?P<a-b>a)",
        "(?P<n>a)(?P<n>b)",
        "[[:foo:]]",
        "\\pX",
        "\\p{Nope}",
        "\\x{110000}",
        "\\xg0",
        "[a-\\d]",
        "\\x{}",
        "\\p{",
        "\\p",
    ] {
        assert!(compile_anchored(pattern).is_err(), "{pattern} compiles");
        assert!(Pattern::new(pattern).is_err(), "{pattern} is accepted");
    }
}

#[test]
fn errors_name_the_place() {
    let text = |pattern| compile_anchored(pattern).map(|_| ()).unwrap_err().to_string();
    assert_eq!(text("a(b"), "error parsing regexp: missing closing ): `a(b`");
    assert_eq!(text("a**b"), "error parsing regexp: invalid nested repetition operator: `*b`");
    assert_eq!(text("\\C"), "error parsing regexp: invalid escape sequence: `\\C`");
}

#[test]
fn limits() {
    let of_length = |length: usize| format!("{}a*", "a".repeat(length - 2));
    assert!(Pattern::new(&of_length(10_000)).is_ok());
    let error = Pattern::new(&of_length(PATTERN_MAX_BYTES + 1)).err().unwrap().to_string();
    assert_eq!(error, "regular expression of 65537 bytes is longer than the limit of 65536");
    assert!(compile_anchored(&format!("{}a{}", "(".repeat(1000), ")".repeat(1000))).is_err());
    assert!(compile_anchored("(((a{100}){100}){100}){100}").is_err());
    assert!(compile_anchored("\\pL{1000}").is_err());
}

#[test]
fn alternatives_of_plain_text_compile_nothing_and_have_no_limit() {
    let many: Vec<String> = (0..50_000).map(|index| format!("web\\.{index}:9100")).collect();
    for pattern in
        [many.join("|"), format!("({})", many.join("|")), format!("(?:{})", many.join("|"))]
    {
        let pattern = Pattern::new(&pattern).unwrap();
        assert_eq!((pattern.program_bytes(), pattern.prefix()), (0, "web."));
        assert_eq!(pattern.values().unwrap().len(), 50_000);
        assert!(pattern.is_match("web.49999:9100") && !pattern.is_match("webx49999:9100"));
    }
    // With the dot as it is, a program is needed, and a thousand values still fit.
    let dotted = many[..1_000].join("|").replace('\\', "");
    let pattern = Pattern::new(&dotted).unwrap();
    assert!(pattern.program_bytes() > 0);
    assert!(pattern.is_match("web.999:9100") && pattern.is_match("webx999:9100"));
}

#[test]
fn programs_are_measured() {
    let bytes = |pattern: &str| Pattern::new(pattern).unwrap().program_bytes();
    assert_eq!((bytes("a.*"), bytes("x|y"), bytes("")), (0, 0, 0));
    assert!(bytes(".*a") <= 32 << 10);
    assert_eq!(bytes("(a.{500}){3}"), REGEX_SIZE_MAX_BYTES);
}

#[test]
fn groups_keep_their_numbers() {
    let regex = compile_anchored("(?:x)(.*)-(?P<last>.*)").unwrap();
    let captures = regex.captures("xa-b").unwrap();
    let mut out = String::new();
    captures.expand("$last$1_${1}_$$", &mut out);
    assert_eq!(out, "ba_$", "$1_ is the group called 1_, which is not there");
}

#[test]
fn literals_of_matchers() {
    let cases: &[(&str, Option<&[&str]>, &str)] = &[
        ("a|b|c", Some(&["a", "b", "c"]), ""),
        ("", Some(&[""]), ""),
        ("a|", Some(&["", "a"]), ""),
        ("10\\.0\\.0\\.1|10\\.0\\.0\\.2", Some(&["10.0.0.1", "10.0.0.2"]), "10.0.0."),
        ("(foo|foobar)", Some(&["foo", "foobar"]), "foo"),
        ("(?:b|a\\-1|b)", Some(&["a-1", "b"]), ""),
        ("(a)|(b)", Some(&["a", "b"]), ""),
        ("éa|èa", Some(&["èa", "éa"]), ""),
        ("x(a|b)y", Some(&["xay", "xby"]), "x"),
        ("ab?", Some(&["a", "ab"]), "a"),
        ("[ab]1", Some(&["a1", "b1"]), ""),
        ("ab+", None, "ab"),
        ("ab*", None, "a"),
        ("abc.*", None, "abc"),
        ("(?i)a", Some(&["A", "a"]), ""),
        ("(?i)abc.*", None, ""),
        ("a.*|ab", None, "a"),
        ("(ab|ac)d.*", None, "a"),
        (".*a", None, ""),
        ("(é|è)x.*", None, ""),
        ("^a$", None, "a"),
        ("a\\Qb.c\\E.*", None, "ab.c"),
        ("a{3}b.*", None, "aaab"),
    ];
    for (pattern, values, prefix) in cases {
        let matcher = Matcher::new("l", MatchOp::Regex, *pattern).unwrap();
        assert_eq!(matcher.literal_values().as_deref(), *values, "{pattern}");
        assert_eq!(matcher.literal_prefix(), *prefix, "{pattern}");
    }
    for op in [MatchOp::NotRegex, MatchOp::NotEqual] {
        let matcher = Matcher::new("l", op, "a").unwrap();
        assert_eq!((matcher.literal_values(), matcher.literal_prefix()), (None, ""));
    }
}

/// Patterns that compile more often than not, over a small alphabet.
fn pattern() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        "[abA1é.\\-]{1,3}",
        proptest::sample::select(
            &[
                "\\.", "\\d", "\\w", "[ab]", "[^a]", "^", "$", "\\b", "(?i)", "(?-s)", "\\Qa.\\E",
                ""
            ][..]
        )
        .prop_map(str::to_string),
    ];
    atom.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}{b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}|{b}")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("(?i:{a})")),
            (inner, proptest::sample::select(&["*", "+", "?", "{2}", "{1,2}", "??"][..]))
                .prop_map(|(a, op)| format!("(?:{a}){op}")),
        ]
    })
}

proptest! {
    #[test]
    fn any_pattern_compiles_or_errs(pattern in any::<String>()) {
        let _ = Pattern::new(&pattern);
    }

    #[test]
    fn any_ascii_pattern_compiles_or_errs(pattern in "[a-z0\\[\\](){}|*+?\\\\^$.,:<>P&~-]{0,24}") {
        let _ = Pattern::new(&pattern);
    }

    /// The crate must accept what the translation lets through, but for its limits.
    #[test]
    fn escaped_text_matches_itself(text in any::<String>()) {
        prop_assume!(!text.contains("\\E") && text.len() < 1000);
        let pattern = format!("\\Q{text}\\E");
        let matcher = Matcher::new("l", MatchOp::Regex, pattern).unwrap();
        prop_assert!(matcher.matches(&text));
        prop_assert_eq!(matcher.literal_values(), Some(vec![text.as_str()]));
    }

    /// What a matcher knows of its pattern agrees with the compiled program.
    #[test]
    fn matchers_agree_with_plain_matching(
        pattern in pattern(),
        texts in proptest::collection::vec("[abA1é.\\-]{0,4}", 16),
    ) {
        let (plain, matcher) =
            match (compile_anchored(&pattern), Matcher::new("l", MatchOp::Regex, pattern)) {
                (Ok(plain), Ok(matcher)) => (plain, matcher),
                (Err(_), Err(_)) => return Ok(()),
                (plain, matcher) => panic!("{plain:?} but {matcher:?}"),
            };
        let values = matcher.literal_values();
        for value in values.iter().flatten() {
            prop_assert!(plain.is_match(value), "{:?} lists {:?}", matcher, value);
        }
        for text in &texts {
            let matches = plain.is_match(text);
            prop_assert_eq!(matcher.matches(text), matches, "{:?} {:?}", matcher, text);
            if !matches {
                continue;
            }
            prop_assert!(text.starts_with(matcher.literal_prefix()), "{:?} {:?}", matcher, text);
            if let Some(values) = &values {
                prop_assert!(values.contains(&text.as_str()), "{:?} {:?}", matcher, text);
            }
        }
    }
}
