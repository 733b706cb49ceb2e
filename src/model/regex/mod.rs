//! Regular expressions as Prometheus means them: RE2 syntax as Go reads it, anchored at both ends, `.` matches
//! newlines. Matchers make a [`Pattern`], `label_replace` compiles. Matching takes time linear in the text, whatever the pattern.

mod pattern;
mod translate;

pub use pattern::Pattern;

/// Longest pattern, in bytes, that is more than alternatives of plain text: its syntax tree takes about a hundred times
/// as much memory, and a list of a thousand values with an unescaped dot each still fits.
pub const PATTERN_MAX_BYTES: usize = 64 << 10;

/// Largest compiled program of one expression, in bytes. Whoever compiles many adds up [`Pattern::program_bytes`].
pub const REGEX_SIZE_MAX_BYTES: usize = 2 << 20;

/// What programs may take, tried in turn: the crate does not tell the size of a program, only whether it is larger.
/// Trying less first costs little, as compiling stops at the limit.
const PROGRAM_SIZES_BYTES: [usize; 4] = [4 << 10, 32 << 10, 256 << 10, REGEX_SIZE_MAX_BYTES];

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
    compile_translated(&translated(pattern)?, REGEX_SIZE_MAX_BYTES)
}

/// Is a pattern refused for its size, not for what it says?
pub fn is_over_limit(pattern: &str, error: &regex::Error) -> bool {
    pattern.len() > PATTERN_MAX_BYTES || matches!(error, regex::Error::CompiledTooBig(_))
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

/// The program, and what it takes at most.
fn compile_measured(translated: &str) -> Result<(regex::Regex, usize), regex::Error> {
    for size in PROGRAM_SIZES_BYTES {
        match compile_translated(translated, size) {
            Ok(regex) => return Ok((regex, size)),
            Err(regex::Error::CompiledTooBig(_)) if size < REGEX_SIZE_MAX_BYTES => {}
            Err(error) => return Err(error),
        }
    }
    Err(regex::Error::CompiledTooBig(REGEX_SIZE_MAX_BYTES))
}

fn compile_translated(translated: &str, size_max: usize) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(&format!("^(?s:{translated})$"))
        .size_limit(size_max)
        .dfa_size_limit(DFA_SIZE_MAX_BYTES)
        .nest_limit(NESTING_MAX)
        .build()
}

#[cfg(test)]
mod tests;
