//! Regular expressions as Prometheus means them: RE2 syntax as Go reads it, anchored at both ends, `.` matches
//! newlines. Matchers make a [`Pattern`], `label_replace` compiles. Matching takes time linear in the text, whatever the pattern.

mod pattern;
mod translate;

pub use pattern::Pattern;

/// Longest pattern, in bytes: what a dashboard variable of some hundred values makes.
pub const PATTERN_MAX_BYTES: usize = 4 << 10;

/// Largest compiled program of one expression, in bytes: a query cannot buy more memory with a pattern.
pub const REGEX_SIZE_MAX_BYTES: usize = 1 << 20;

/// Most memory that the lazy automaton of one expression may cache.
const DFA_SIZE_MAX_BYTES: usize = 1 << 20;

/// Deepest nesting of groups, repetitions and alternations in one pattern.
const NESTING_MAX: u32 = 50;

/// Compiles `pattern` so that it must match the whole text. Its groups keep their numbers and names, and their
/// replacement templates (`$1`, `${name}`, `$$`) are those of Go.
///
/// # Errors
/// The pattern is not RE2, longer than [`PATTERN_MAX_BYTES`], or its program would be larger than
/// [`REGEX_SIZE_MAX_BYTES`].
pub fn compile_anchored(pattern: &str) -> Result<regex::Regex, regex::Error> {
    compile_translated(&translated(pattern)?)
}

fn translated(pattern: &str) -> Result<String, regex::Error> {
    if pattern.len() > PATTERN_MAX_BYTES {
        let len = pattern.len();
        let message = format!(
            "regular expression of {len} bytes is longer than the limit of {PATTERN_MAX_BYTES}"
        );
        return Err(regex::Error::Syntax(message));
    }
    translate::translate(pattern)
        .map_err(|problem| regex::Error::Syntax(format!("error parsing regexp: {problem}")))
}

fn compile_translated(translated: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(&format!("^(?s:{translated})$"))
        .size_limit(REGEX_SIZE_MAX_BYTES)
        .dfa_size_limit(DFA_SIZE_MAX_BYTES)
        .nest_limit(NESTING_MAX)
        .build()
}

#[cfg(test)]
mod tests;
