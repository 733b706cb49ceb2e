//! Regular expressions as Prometheus means them: RE2 syntax, anchored at both ends, `.` matches newlines.

/// Largest compiled program of one expression, in bytes: a query cannot buy more memory with a pattern.
pub const REGEX_SIZE_MAX_BYTES: usize = 1 << 20;

/// Compiles `pattern` so that it must match the whole text.
///
/// # Errors
/// The pattern is not valid or its program would be larger than [`REGEX_SIZE_MAX_BYTES`].
pub fn compile_anchored(pattern: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(&format!("^(?s:{pattern})$")).size_limit(REGEX_SIZE_MAX_BYTES).build()
}
