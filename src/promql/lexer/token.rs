//! What the text of a query consists of. A token is a kind and a place; its text stays in the query.

use crate::promql::ast::{AggregateOp, BinaryOp, Span};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Token {
    pub kind: TokenKind,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TokenKind {
    /// Decimal, hexadecimal or octal, `inf`, `nan`.
    Number(f64),
    /// `1h30m`, in seconds.
    Duration(f64),
    /// With its quotes: [`super::literal::unquote`] gives the value.
    String,
    /// A name without colons that is no keyword; inside braces any name.
    Identifier,
    /// A name with colons.
    MetricIdentifier,
    Keyword(Keyword),
    /// The operators written with symbols; the others are keywords.
    Operator(BinaryOp),
    /// `=`
    Assign,
    /// `=~`
    MatchRegex,
    /// `!~`
    MatchNotRegex,
    At,
    Comma,
    Colon,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    /// Nothing follows.
    End,
    /// The lexer stopped here; it knows why.
    Invalid,
}

/// A word with a meaning of its own where the grammar asks for it, and a name elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    Aggregate(AggregateOp),
    And,
    Or,
    Unless,
    Atan2,
    Offset,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Bool,
    Smoothed,
    Anchored,
    Fill,
    FillLeft,
    FillRight,
    Start,
    End,
    Step,
    Range,
    MaxOf,
    MinOf,
}

const KEYWORDS: &[(&str, Keyword)] = &[
    ("and", Keyword::And),
    ("or", Keyword::Or),
    ("unless", Keyword::Unless),
    ("atan2", Keyword::Atan2),
    ("offset", Keyword::Offset),
    ("by", Keyword::By),
    ("without", Keyword::Without),
    ("on", Keyword::On),
    ("ignoring", Keyword::Ignoring),
    ("group_left", Keyword::GroupLeft),
    ("group_right", Keyword::GroupRight),
    ("bool", Keyword::Bool),
    ("smoothed", Keyword::Smoothed),
    ("anchored", Keyword::Anchored),
    ("fill", Keyword::Fill),
    ("fill_left", Keyword::FillLeft),
    ("fill_right", Keyword::FillRight),
    ("start", Keyword::Start),
    ("end", Keyword::End),
    ("step", Keyword::Step),
    ("range", Keyword::Range),
    ("max_of", Keyword::MaxOf),
    ("min_of", Keyword::MinOf),
    ("sum", Keyword::Aggregate(AggregateOp::Sum)),
    ("avg", Keyword::Aggregate(AggregateOp::Avg)),
    ("min", Keyword::Aggregate(AggregateOp::Min)),
    ("max", Keyword::Aggregate(AggregateOp::Max)),
    ("count", Keyword::Aggregate(AggregateOp::Count)),
    ("group", Keyword::Aggregate(AggregateOp::Group)),
    ("stddev", Keyword::Aggregate(AggregateOp::Stddev)),
    ("stdvar", Keyword::Aggregate(AggregateOp::Stdvar)),
    ("topk", Keyword::Aggregate(AggregateOp::Topk)),
    ("bottomk", Keyword::Aggregate(AggregateOp::Bottomk)),
    ("quantile", Keyword::Aggregate(AggregateOp::Quantile)),
    ("count_values", Keyword::Aggregate(AggregateOp::CountValues)),
    ("limitk", Keyword::Aggregate(AggregateOp::Limitk)),
    ("limit_ratio", Keyword::Aggregate(AggregateOp::LimitRatio)),
];

impl Keyword {
    /// The keyword `word` is, in any case.
    pub fn of(word: &str) -> Option<Keyword> {
        KEYWORDS
            .iter()
            .find(|(text, _)| word.eq_ignore_ascii_case(text))
            .map(|(_, keyword)| *keyword)
    }

    /// May it stand for a metric of that name where an expression is expected?
    pub fn can_name_metric(self) -> bool {
        use Keyword::*;
        !matches!(self, Bool | On | Ignoring | GroupLeft | GroupRight | Atan2)
    }

    /// May it stand for a label of that name in a list of labels?
    pub fn can_name_label(self) -> bool {
        self != Keyword::Without
    }
}

impl TokenKind {
    pub fn binary_op(self) -> Option<BinaryOp> {
        match self {
            TokenKind::Operator(op) => Some(op),
            TokenKind::Keyword(Keyword::And) => Some(BinaryOp::And),
            TokenKind::Keyword(Keyword::Or) => Some(BinaryOp::Or),
            TokenKind::Keyword(Keyword::Unless) => Some(BinaryOp::Unless),
            TokenKind::Keyword(Keyword::Atan2) => Some(BinaryOp::Atan2),
            _ => None,
        }
    }

    pub fn keyword(self) -> Option<Keyword> {
        match self {
            TokenKind::Keyword(keyword) => Some(keyword),
            _ => None,
        }
    }

    /// How an error names the token whose text is `text`, in Prometheus' words.
    pub fn describe(self, text: &str) -> String {
        match self {
            TokenKind::End => "end of input".to_string(),
            TokenKind::Number(_) => format!("number {}", shortened(text)),
            TokenKind::Duration(_) => format!("duration {}", shortened(text)),
            TokenKind::String => format!("string {}", shortened(text)),
            TokenKind::Identifier => format!("identifier {text:?}"),
            TokenKind::MetricIdentifier => format!("metric identifier {text:?}"),
            TokenKind::Keyword(Keyword::Aggregate(_)) => format!("<aggr:{text}>"),
            TokenKind::At | TokenKind::MatchRegex | TokenKind::MatchNotRegex => {
                format!("<op:{text}>")
            }
            kind if kind.binary_op().is_some() => format!("<op:{text}>"),
            TokenKind::Keyword(
                Keyword::Start
                | Keyword::End
                | Keyword::Step
                | Keyword::Range
                | Keyword::MaxOf
                | Keyword::MinOf,
            ) => shortened(text),
            TokenKind::Keyword(_) => format!("<{text}>"),
            _ => shortened(text),
        }
    }
}

/// Most characters of a literal that an error repeats.
const SHOWN_MAX_CHARS: usize = 10;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX_CHARS) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
