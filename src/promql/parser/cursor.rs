//! Walks the tokens and words the errors. Every other file of the parser reads tokens through it; it knows nothing
//! of the grammar.

use hashbrown::HashMap;

use super::{ParseError, ParseOptions};
use crate::model::regex::is_over_limit;
use crate::model::{MatchOp, Matcher};
use crate::promql::ast::{ExprKind, Span};
use crate::promql::check::not_utf8;
use crate::promql::lexer::Lexed;
use crate::promql::lexer::literal::{self, NotUtf8};
use crate::promql::lexer::token::{Keyword, Token, TokenKind};

/// Most memory that the compiled regular expressions of one text may take: two thousand small ones, or four of the
/// largest. Compiling as much takes some tenths of a second. Alternatives of plain text compile nothing.
pub const PROGRAMS_MAX_BYTES: usize = 8 << 20;

/// Longest list: of matchers, of arguments, of labels to group or match by. More than any series has labels; what is
/// done for each element of a list, of each series, stays bounded.
pub const LIST_MAX: usize = 1_000;

pub type Result<T> = std::result::Result<T, ParseError>;

pub struct Cursor<'a> {
    text: &'a str,
    lexed: &'a Lexed,
    position: usize,
    /// One matcher of each regular expression so far: a query often repeats them.
    regexes: HashMap<String, Matcher>,
    /// What their programs take.
    program_bytes: usize,
    pub options: &'a ParseOptions,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str, lexed: &'a Lexed, options: &'a ParseOptions) -> Cursor<'a> {
        Cursor { text, lexed, position: 0, regexes: HashMap::new(), program_bytes: 0, options }
    }

    /// The token `ahead` of the next one; behind the last one, the last one.
    fn token(&self, ahead: usize) -> Token {
        let end = Token { kind: TokenKind::End, span: Span::default() };
        let tokens = &self.lexed.tokens;
        tokens.get(self.position + ahead).or(tokens.last()).copied().unwrap_or(end)
    }

    pub fn peek(&self) -> Token {
        self.token(0)
    }

    pub fn kind(&self) -> TokenKind {
        self.token(0).kind
    }

    pub fn second_kind(&self) -> TokenKind {
        self.token(1).kind
    }

    pub fn keyword(&self) -> Option<Keyword> {
        self.kind().keyword()
    }

    /// Takes the next token.
    pub fn take(&mut self) -> Token {
        let token = self.peek();
        self.position += 1;
        token
    }

    /// Takes the next token if it is this one.
    pub fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.kind() == kind;
        self.position += usize::from(found);
        found
    }

    pub fn eat_keyword(&mut self, keyword: Keyword) -> bool {
        self.eat(TokenKind::Keyword(keyword))
    }

    /// Takes the next token, which must be this one; `context` and `expected` are for the error.
    pub fn expect(&mut self, kind: TokenKind, context: &str, expected: &str) -> Result<Token> {
        if self.kind() == kind { Ok(self.take()) } else { Err(self.unexpected(context, expected)) }
    }

    pub fn at_end(&self) -> bool {
        self.kind() == TokenKind::End
    }

    pub fn expect_end(&self) -> Result<()> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected("", "")) }
    }

    /// The text of a token.
    pub fn text_of(&self, token: Token) -> &'a str {
        self.text.get(token.span.start as usize..token.span.end as usize).unwrap_or("")
    }

    /// The expression that a string token is.
    pub fn string_literal(&self, token: Token) -> ExprKind {
        match literal::unquote(self.text_of(token)) {
            Ok(text) => ExprKind::String(text),
            Err(NotUtf8(shown)) => ExprKind::NotUtf8(shown),
        }
    }

    /// The value of a string token.
    pub fn string(&self, token: Token) -> Result<String> {
        literal::unquote(self.text_of(token))
            .map_err(|NotUtf8(shown)| self.error(token.span, not_utf8(&shown)))
    }

    /// The matcher `name op value`; `span` is where an error is.
    pub fn matcher(
        &mut self,
        name: String,
        op: MatchOp,
        value: String,
        span: Span,
    ) -> Result<Matcher> {
        let is_regex = matches!(op, MatchOp::Regex | MatchOp::NotRegex);
        if let Some(same) = self.regexes.get(&value).filter(|_| is_regex) {
            return Ok(same.again(name, op));
        }
        let matcher = Matcher::new(name, op, value.as_str()).map_err(|error| {
            let over_limit = is_over_limit(&value, &error);
            ParseError { over_limit, ..self.error(span, error.to_string()) }
        })?;
        self.program_bytes += matcher.program_bytes();
        if self.program_bytes > PROGRAMS_MAX_BYTES {
            let message = format!(
                "the regular expressions take more than {PROGRAMS_MAX_BYTES} bytes when compiled"
            );
            return Err(self.error(span, message).over_limit());
        }
        if is_regex {
            self.regexes.insert(matcher.value.clone(), matcher.clone());
        }
        Ok(matcher)
    }

    /// That a list of `length` elements, of which the next token begins one more, is not too long.
    pub fn check_list(&self, length: usize) -> Result<()> {
        if length < LIST_MAX {
            return Ok(());
        }
        let message = format!("list of more than {LIST_MAX} elements");
        Err(self.error(self.peek().span, message).over_limit())
    }

    /// From the start of `start` to the end of the token taken last.
    pub fn span_from(&self, start: u32) -> Span {
        let last = self.lexed.tokens.get(self.position.saturating_sub(1));
        Span { start, end: last.map_or(start, |token| token.span.end) }
    }

    pub fn error(&self, span: Span, message: impl Into<String>) -> ParseError {
        ParseError::at(self.text, span.start as usize, message.into())
    }

    /// That the next token does not belong here: where it stands, and what would. Both may be empty.
    pub fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        if let (TokenKind::Invalid, Some(error)) = (self.kind(), &self.lexed.error) {
            return ParseError::at(self.text, error.offset, error.message.clone());
        }
        let token = self.peek();
        let mut message = format!("unexpected {}", token.kind.describe(self.text_of(token)));
        if !context.is_empty() {
            message.push_str(&format!(" in {context}"));
        }
        if !expected.is_empty() {
            message.push_str(&format!(", expected {expected}"));
        }
        self.error(token.span, message)
    }
}
