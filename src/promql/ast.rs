//! The syntax tree of PromQL 3.14, as the parser makes it and everything after it reads it. Plain data: no evaluation,
//! no storage. Depth is bounded by the parser, so walking it recursively is safe.

use crate::model::{Matcher, Timestamp};

/// Where in the query text something stands: byte offsets, `start` included, `end` not. Ordered by start, then by end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

/// Line and column of a byte offset of `text`, in bytes, both from 1.
pub fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    (line as u32, (before.len() - line_start + 1) as u32)
}

/// What an expression evaluates to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    Scalar,
    Vector,
    Matrix,
    String,
}

impl ValueType {
    /// The name in error messages.
    pub fn as_str(self) -> &'static str {
        match self {
            ValueType::Scalar => "scalar",
            ValueType::Vector => "instant vector",
            ValueType::Matrix => "range vector",
            ValueType::String => "string",
        }
    }
}

/// An expression and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    Number(NumberLiteral),
    String(String),
    /// A string literal whose bytes are no UTF-8, as it is written: stands only where `count_values` refuses it.
    NotUtf8(String),
    /// An instant vector selector.
    Selector(Selector),
    /// `selector[range]`
    Matrix(Box<MatrixSelector>),
    /// `expr[range:step]`
    Subquery(Box<Subquery>),
    Call(Call),
    Aggregate(Box<Aggregate>),
    Binary(Box<Binary>),
    Unary(Box<Unary>),
    Paren(Box<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberLiteral {
    pub value: f64,
    /// Written as a duration (`5m`): printed as one again.
    pub is_duration: bool,
}

/// `name{matchers} @ at offset offset`, and the modifiers of the extended range selectors.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selector {
    /// The bare name before the braces. Its matcher is in `matchers` as well.
    pub name: Option<String>,
    /// All matchers, the one of the bare name first.
    pub matchers: Vec<Matcher>,
    pub time: TimeModifiers,
    pub anchored: bool,
    pub smoothed: bool,
}

/// `@` and `offset`, which selectors and subqueries take.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimeModifiers {
    pub offset: Option<DurationExpr>,
    pub at: Option<At>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum At {
    Timestamp(Timestamp),
    Start,
    End,
}

/// The range stands here, the modifiers in the selector.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSelector {
    pub selector: Selector,
    pub selector_span: Span,
    pub range: DurationExpr,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    pub expr: Expr,
    pub range: DurationExpr,
    pub step: Option<DurationExpr>,
    pub time: TimeModifiers,
}

/// A duration in seconds, possibly computed from the step and range of the query.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationExpr {
    Literal(NumberLiteral),
    Step,
    Range,
    Negate(Box<DurationExpr>),
    /// A written unary plus: only the printer cares.
    Plus(Box<DurationExpr>),
    Binary {
        op: DurationOp,
        lhs: Box<DurationExpr>,
        rhs: Box<DurationExpr>,
    },
    MinOf(Box<DurationExpr>, Box<DurationExpr>),
    MaxOf(Box<DurationExpr>, Box<DurationExpr>),
    Paren(Box<DurationExpr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

impl DurationOp {
    pub fn as_str(self) -> &'static str {
        match self {
            DurationOp::Add => "+",
            DurationOp::Sub => "-",
            DurationOp::Mul => "*",
            DurationOp::Div => "/",
            DurationOp::Mod => "%",
            DurationOp::Pow => "^",
        }
    }
}

/// A call of a known function with the right number and types of arguments (the checker has seen to it).
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub function: &'static super::functions::Signature,
    pub args: Vec<Expr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    Quantile,
    CountValues,
    Limitk,
    LimitRatio,
}

impl AggregateOp {
    pub fn as_str(self) -> &'static str {
        match self {
            AggregateOp::Sum => "sum",
            AggregateOp::Avg => "avg",
            AggregateOp::Min => "min",
            AggregateOp::Max => "max",
            AggregateOp::Count => "count",
            AggregateOp::Group => "group",
            AggregateOp::Stddev => "stddev",
            AggregateOp::Stdvar => "stdvar",
            AggregateOp::Topk => "topk",
            AggregateOp::Bottomk => "bottomk",
            AggregateOp::Quantile => "quantile",
            AggregateOp::CountValues => "count_values",
            AggregateOp::Limitk => "limitk",
            AggregateOp::LimitRatio => "limit_ratio",
        }
    }

    /// Does a parameter come before the expression?
    pub fn takes_param(self) -> bool {
        use AggregateOp::*;
        matches!(self, Topk | Bottomk | Quantile | CountValues | Limitk | LimitRatio)
    }

    /// Behind the feature flag `promql-experimental-functions`.
    pub fn is_experimental(self) -> bool {
        matches!(self, AggregateOp::Limitk | AggregateOp::LimitRatio)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    pub op: AggregateOp,
    pub expr: Expr,
    /// The k of topk, bottomk and limitk, the phi of quantile, the r of limit_ratio, the label of count_values.
    pub param: Option<Expr>,
    pub grouping: Grouping,
}

/// `by (labels)` or `without (labels)`; neither written is `by ()`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grouping {
    pub without: bool,
    pub labels: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Unary {
    /// `-`; else `+`.
    pub negative: bool,
    pub expr: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `</`: keep the observations of a histogram below a value.
    TrimUpper,
    /// `>/`: keep the observations of a histogram above a value.
    TrimLower,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    pub fn as_str(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Mod => "%",
            BinaryOp::Pow => "^",
            BinaryOp::Atan2 => "atan2",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessOrEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterOrEqual => ">=",
            BinaryOp::TrimUpper => "</",
            BinaryOp::TrimLower => ">/",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::Unless => "unless",
        }
    }

    pub fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(self, Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual)
    }

    /// Does it keep a part of the observations of a histogram?
    pub fn is_trim(self) -> bool {
        matches!(self, BinaryOp::TrimUpper | BinaryOp::TrimLower)
    }

    pub fn is_set(self) -> bool {
        matches!(self, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    pub op: BinaryOp,
    pub lhs: Expr,
    pub rhs: Expr,
    /// The `bool` modifier of a comparison.
    pub return_bool: bool,
    /// Meaningful between two vectors only.
    pub matching: VectorMatching,
}

/// How the elements of two vectors find each other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VectorMatching {
    /// `on (labels)`; else `ignoring (labels)`, which with no labels is the default.
    pub on: bool,
    pub labels: Vec<String>,
    pub cardinality: Cardinality,
    /// The labels in `group_left(...)` or `group_right(...)`.
    pub include: Vec<String>,
    /// `fill_left(x)`, and both sides for `fill(x)`.
    pub fill_left: Option<f64>,
    pub fill_right: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cardinality {
    #[default]
    OneToOne,
    /// `group_left`: many on the left.
    ManyToOne,
    /// `group_right`: many on the right.
    OneToMany,
    /// The set operators.
    ManyToMany,
}
