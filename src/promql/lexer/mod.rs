//! Text to tokens, in one pass and linear time. What a character means depends on where it stands: between braces
//! every word is a label name, between brackets a colon separates range and step. The lexer also counts what bounds
//! the parser's work: parentheses open at once, and operators.

pub mod literal;
pub mod token;

use token::{Keyword, Token, TokenKind};

use crate::promql::ast::{BinaryOp, Span};
use literal::Numeric;

/// Deepest nesting of parentheses: bounds the recursion of everything that walks the tree.
pub const NESTING_MAX: usize = 200;

/// Most operators in one text: bounds the depth of a chain `a + b + ...`, which is as deep as it is long.
pub const OPERATORS_MAX: usize = 1000;

/// Something the lexer does not accept, and the byte offset where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LexError {
    pub offset: usize,
    pub message: String,
    /// It is [`NESTING_MAX`] or [`OPERATORS_MAX`].
    pub over_limit: bool,
}

/// Tokens up to the end of the text, or up to the first thing that is none. The last one is
/// [`TokenKind::End`] or, exactly if there is an error, [`TokenKind::Invalid`].
#[derive(Debug)]
pub struct Lexed {
    pub tokens: Vec<Token>,
    pub error: Option<LexError>,
}

/// Splits `text`, whose length fits 32 bits.
pub fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer {
        text,
        offset: 0,
        tokens: Vec::with_capacity(text.len() / 4 + 1),
        parens_open: 0,
        operators: 0,
        place: Place::Expression,
        over_limit: false,
    };
    let error = lexer.run().err();
    let (offset, over_limit) = (lexer.offset, lexer.over_limit);
    let error = error.map(|message| LexError { offset, message, over_limit });
    let kind = if error.is_some() { TokenKind::Invalid } else { TokenKind::End };
    let end = lexer.offset as u32;
    lexer.tokens.push(Token { kind, span: Span { start: end, end } });
    Lexed { tokens: lexer.tokens, error }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Expression,
    Braces,
    Brackets,
}

struct Lexer<'a> {
    text: &'a str,
    /// Start of the token being read; of the offence when there is an error.
    offset: usize,
    tokens: Vec<Token>,
    parens_open: usize,
    operators: usize,
    place: Place,
    over_limit: bool,
}

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Result<(), String> {
        loop {
            self.skip_blank();
            let rest = &self.text[self.offset..];
            let Some(first) = rest.chars().next() else {
                return self.at_end();
            };
            let (kind, len) = match self.place {
                Place::Braces => self.in_braces(first, rest)?,
                _ => self.in_expression(first, rest)?,
            };
            self.count(kind)?;
            let span = Span { start: self.offset as u32, end: (self.offset + len) as u32 };
            self.tokens.push(Token { kind, span });
            self.offset += len;
        }
    }

    /// Skips spaces and comments.
    fn skip_blank(&mut self) {
        loop {
            let rest = &self.text[self.offset..];
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
            self.offset += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.offset += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
        }
    }

    fn at_end(&self) -> Result<(), String> {
        let message = match self.place {
            Place::Braces => "unexpected end of input inside braces",
            Place::Brackets => "unexpected end of input in duration expression",
            Place::Expression if self.parens_open > 0 => "unclosed left parenthesis",
            Place::Expression => return Ok(()),
        };
        Err(message.to_string())
    }

    fn in_expression(&self, first: char, rest: &str) -> Result<(TokenKind, usize), String> {
        let second = rest[first.len_utf8()..].chars().next();
        let single = match first {
            ',' => TokenKind::Comma,
            '(' => TokenKind::LeftParen,
            ')' => TokenKind::RightParen,
            '{' => TokenKind::LeftBrace,
            '[' => TokenKind::LeftBracket,
            ']' => TokenKind::RightBracket,
            '@' => TokenKind::At,
            ':' if self.place == Place::Brackets => TokenKind::Colon,
            '"' | '\'' | '`' => return Ok((TokenKind::String, literal::string_len(rest)?)),
            '0'..='9' => return numeric(rest),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => return numeric(rest),
            c if c.is_ascii_alphabetic() || c == '_' || c == ':' => return self.word(first, rest),
            _ => return operator(first, second),
        };
        Ok((single, 1))
    }

    fn in_braces(&self, first: char, rest: &str) -> Result<(TokenKind, usize), String> {
        let second = rest[first.len_utf8()..].chars().next();
        Ok(match (first, second) {
            (',', _) => (TokenKind::Comma, 1),
            ('}', _) => (TokenKind::RightBrace, 1),
            ('=', Some('~')) => (TokenKind::MatchRegex, 2),
            ('=', _) => (TokenKind::Assign, 1),
            ('!', Some('~')) => (TokenKind::MatchNotRegex, 2),
            ('!', Some('=')) => (TokenKind::Operator(BinaryOp::NotEqual), 2),
            ('!', _) => return Err(unexpected_after("'!' inside braces", second)),
            ('"' | '\'' | '`', _) => (TokenKind::String, literal::string_len(rest)?),
            ('{', _) => return Err("unexpected left brace '{'".to_string()),
            (c, _) if c.is_ascii_alphabetic() || c == '_' => {
                (TokenKind::Identifier, literal::name(rest, false).len())
            }
            (c, _) => return Err(format!("unexpected character inside braces: {c:?}")),
        })
    }

    fn word(&self, first: char, rest: &str) -> Result<(TokenKind, usize), String> {
        let in_brackets = self.place == Place::Brackets;
        let word = literal::name(rest, !in_brackets);
        let kind = match Keyword::of(word) {
            Some(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight)
                if !opens_paren(&rest[word.len()..]) =>
            {
                TokenKind::Identifier
            }
            Some(keyword) => TokenKind::Keyword(keyword),
            None if word.eq_ignore_ascii_case("inf") => TokenKind::Number(f64::INFINITY),
            None if word.eq_ignore_ascii_case("nan") => TokenKind::Number(f64::NAN),
            None if word.contains(':') => TokenKind::MetricIdentifier,
            None => TokenKind::Identifier,
        };
        if in_brackets && !is_duration_word(kind) {
            return Err(format!("unexpected character in duration expression: {first:?}"));
        }
        Ok((kind, word.len()))
    }

    /// Follows the brackets and keeps the limits.
    fn count(&mut self, kind: TokenKind) -> Result<(), String> {
        match kind {
            TokenKind::LeftBrace if self.place == Place::Brackets => {
                return Err("unexpected character in duration expression: '{'".to_string());
            }
            TokenKind::LeftBrace => self.place = Place::Braces,
            TokenKind::RightBrace | TokenKind::RightBracket if self.place == Place::Expression => {
                return Err("unexpected right bracket ']'".to_string());
            }
            TokenKind::RightBrace | TokenKind::RightBracket => self.place = Place::Expression,
            TokenKind::LeftBracket if self.place == Place::Brackets => {
                return Err("unexpected left bracket '['".to_string());
            }
            TokenKind::LeftBracket => self.place = Place::Brackets,
            TokenKind::LeftParen => self.parens_open += 1,
            TokenKind::RightParen if self.parens_open == 0 => {
                return Err("unexpected right parenthesis ')'".to_string());
            }
            TokenKind::RightParen => self.parens_open -= 1,
            kind if kind.binary_op().is_some() => self.operators += 1,
            _ => {}
        }
        self.over_limit = self.parens_open > NESTING_MAX || self.operators > OPERATORS_MAX;
        if self.parens_open > NESTING_MAX {
            return Err(format!("expression is nested deeper than {NESTING_MAX} parentheses"));
        }
        if self.operators > OPERATORS_MAX {
            return Err(format!("expression has more than {OPERATORS_MAX} operators"));
        }
        Ok(())
    }
}

fn numeric(rest: &str) -> Result<(TokenKind, usize), String> {
    let (value, len) = literal::numeric(rest)?;
    let kind = match value {
        Numeric::Number(value) => TokenKind::Number(value),
        Numeric::Duration(seconds) => TokenKind::Duration(seconds),
    };
    Ok((kind, len))
}

fn operator(first: char, second: Option<char>) -> Result<(TokenKind, usize), String> {
    use BinaryOp::*;
    let (op, len) = match (first, second) {
        ('+', _) => (Add, 1),
        ('-', _) => (Sub, 1),
        ('*', _) => (Mul, 1),
        ('/', _) => (Div, 1),
        ('%', _) => (Mod, 1),
        ('^', _) => (Pow, 1),
        ('=', Some('=')) => (Equal, 2),
        ('=', Some('~')) => return Err(unexpected_after("'='", second)),
        ('=', _) => return Ok((TokenKind::Assign, 1)),
        ('!', Some('=')) => (NotEqual, 2),
        ('!', _) => return Err(unexpected_after("'!'", second)),
        ('<', Some('=')) => (LessOrEqual, 2),
        ('<', Some('/')) => (TrimUpper, 2),
        ('<', _) => (Less, 1),
        ('>', Some('=')) => (GreaterOrEqual, 2),
        ('>', Some('/')) => (TrimLower, 2),
        ('>', _) => (Greater, 1),
        (c, _) => return Err(format!("unexpected character: {c:?}")),
    };
    Ok((TokenKind::Operator(op), len))
}

fn unexpected_after(what: &str, second: Option<char>) -> String {
    match second {
        Some(c) => format!("unexpected character after {what}: {c:?}"),
        None => format!("unexpected end of input after {what}"),
    }
}

fn is_duration_word(kind: TokenKind) -> bool {
    use Keyword::*;
    matches!(kind.keyword(), Some(Step | Range | MaxOf | MinOf))
}

/// `fill` and its sisters are keywords only where a parenthesis follows, so that metrics may be called that.
fn opens_paren(rest: &str) -> bool {
    rest.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('(')
}
