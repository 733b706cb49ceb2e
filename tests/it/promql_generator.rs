//! Random PromQL of the whole grammar: every form of literal, selector, modifier, operator, aggregation and function, the
//! functions by the signatures that the parser knows. What names and numbers occur is a [`Vocabulary`]: one for the parser,
//! where anything may occur, one for evaluations, over the series there are.

use silverback::promql::ast::ValueType;
use silverback::promql::check::value_type;
use silverback::promql::functions::{Signature, Variadic, signatures};
use silverback::promql::parser::{ParseOptions, parse};

use crate::choices::Choices;

/// Arguments that a call gets at most beyond those it must have.
const EXTRA_ARGUMENTS_MAX: usize = 2;
/// One in so many vectors is one that occurs elsewhere in the expression.
const REPEATED_ONE_IN: usize = 12;

/// Makes a piece of a query.
pub type Words = fn(&mut Choices<'_>) -> String;

/// The words of the expressions.
pub struct Vocabulary {
    /// Selectors without modifiers.
    pub series: Words,
    /// Labels as they stand in lists: `a`, or `"a b"`.
    pub label: Words,
    /// `a="b", ...`, or nothing.
    pub matchers: Words,
    /// `{a="b", ...}`: the second argument of `info`.
    pub info_matchers: Words,
    pub number: Words,
    /// What stands in brackets.
    pub range: Words,
    /// The step of a subquery, or nothing.
    pub step: Words,
    /// ` offset x`, or nothing.
    pub offset: Words,
    /// ` @ x`, or nothing.
    pub at: Words,
    /// ` anchored`, ` smoothed`, or nothing.
    pub extended: Words,
    /// Are there calls of this function with ranges extended like this? Of an instant selector the function is empty.
    pub is_extended: fn(function: &str, modifier: &str) -> bool,
    /// Functions that occur more often than others.
    pub favourites: &'static [&'static str],
    /// Vectors that may hold buckets of histograms.
    pub buckets: Words,
    pub aggregations: &'static [&'static str],
}

/// What a text is worth; `None` if it is no PromQL.
pub fn type_of(text: &str) -> Option<ValueType> {
    parse(text, &ParseOptions::all()).ok().map(|expr| value_type(&expr))
}

/// Makes expressions.
pub struct Generator<'g, 'b> {
    choices: &'g mut Choices<'b>,
    words: &'g Vocabulary,
    /// The vectors that occur so far.
    vectors: Vec<String>,
}

const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "^", "atan2", "AtaN2"];
const COMPARISONS: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

/// What gives an answer at one time an order.
const ORDERED: &[&str] =
    &["sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "topk", "bottomk"];

/// Every aggregation.
pub const AGGREGATIONS: &[&str] = &[
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "quantile",
    "count_values",
    "limitk",
    "limit_ratio",
];

impl<'g, 'b> Generator<'g, 'b> {
    pub fn new(choices: &'g mut Choices<'b>, words: &'g Vocabulary) -> Generator<'g, 'b> {
        Generator { choices, words, vectors: Vec::new() }
    }

    /// An expression whose value is an instant vector, nested at most `depth` deep.
    pub fn vector(&mut self, depth: u32) -> String {
        let made = self.vectors.len();
        if made > 0 && self.choices.one_in(REPEATED_ONE_IN) {
            return self.vectors[self.choices.below(made)].clone();
        }
        let vector = match depth.checked_sub(1) {
            None => self.selector(),
            Some(below) => match self.choices.weighted(&[2, 3, 3, 4, 1]) {
                0 => self.vector(below),
                1 => self.call(ValueType::Vector, below),
                2 => self.aggregation(below),
                3 => self.binary(below),
                _ => {
                    let inner = self.vector(below);
                    self.sign_or_parentheses(inner)
                }
            },
        };
        self.vectors.push(vector.clone());
        vector
    }

    /// An instant vector that comes in an order.
    pub fn ordered(&mut self, depth: u32) -> String {
        let below = depth.saturating_sub(1);
        let op = self.choices.pick(ORDERED);
        let ordered = match op {
            "topk" | "bottomk" => self.aggregated(op, below),
            "sort" | "sort_desc" => format!("{op}({})", self.vector(below)),
            _ => {
                let vector = self.vector(below);
                let labels: Vec<String> =
                    (0..1 + self.choices.below(2)).map(|_| self.string()).collect();
                format!("{op}({vector}, {})", labels.join(", "))
            }
        };
        if self.choices.one_in(4) { format!("+({ordered})") } else { ordered }
    }

    /// An expression whose value is a scalar.
    pub fn scalar(&mut self, depth: u32) -> String {
        let Some(below) = depth.checked_sub(1) else { return (self.words.number)(self.choices) };
        match self.choices.weighted(&[3, 1, 1, 1]) {
            0 => self.scalar(below),
            1 => self.call(ValueType::Scalar, below),
            2 => self.scalar_binary(below),
            _ => {
                let inner = self.scalar(below);
                self.sign_or_parentheses(inner)
            }
        }
    }

    fn word(&mut self, words: Words) -> String {
        words(self.choices)
    }

    fn sign_or_parentheses(&mut self, inner: String) -> String {
        match self.choices.one_in(2) {
            false => format!("({inner})"),
            true => self.choices.word(&["-", "+", "- -", "-+"]) + &inner,
        }
    }

    fn binary(&mut self, below: u32) -> String {
        let kind = self.choices.weighted(&[8, 3, 3, 3, 1, 1]);
        let (lhs, rhs) = match kind {
            0 | 1 => self.sides(below),
            2 | 4 => (self.vector(below), self.scalar(below)),
            3 => (self.scalar(below), self.vector(below)),
            _ => (self.vector(below), self.vector(below)),
        };
        let op = match kind {
            0 => self.operator() + &self.matching() + &self.fill(),
            1 => {
                let op = self.choices.word(&["and", "or", "unless", "OR"]);
                op + &if self.choices.one_in(2) { self.clause() } else { String::new() }
            }
            2 | 3 => self.operator(),
            _ => self.choices.word(&["</", ">/"]),
        };
        self.between(ValueType::Vector, &lhs, &op, &rhs)
    }

    /// Two vectors; sometimes two selectors of one metric, with matchers at one side only.
    fn sides(&mut self, below: u32) -> (String, String) {
        if !self.choices.one_in(4) {
            return (self.vector(below), self.vector(below));
        }
        let plain = self.selector();
        let matchers = self.word(self.words.matchers);
        let narrowed = format!("{plain}{{{matchers}}}");
        match type_of(&narrowed) {
            Some(ValueType::Vector) if self.choices.one_in(2) => (plain, narrowed),
            Some(ValueType::Vector) => (narrowed, plain),
            _ if self.choices.one_in(2) => (plain.clone(), plain),
            // The same elements, without their names.
            _ => (format!("({plain} > 1)"), format!("abs({plain})")),
        }
    }

    fn operator(&mut self) -> String {
        match self.choices.one_in(3) {
            false => self.choices.word(ARITHMETIC),
            true => {
                self.choices.word(COMPARISONS) + &self.choices.word(&["", "", " bool", " BOOL"])
            }
        }
    }

    fn scalar_binary(&mut self, below: u32) -> String {
        let (lhs, rhs) = (self.scalar(below), self.scalar(below));
        let op = match self.choices.one_in(3) {
            false => self.choices.word(ARITHMETIC),
            true => self.choices.word(COMPARISONS) + " bool",
        };
        self.between(ValueType::Scalar, &lhs, &op, &rhs)
    }

    /// The operands in parentheses or not; in any case if they would be torn apart. If that makes no sense either, the left one.
    fn between(&mut self, wanted: ValueType, lhs: &str, op: &str, rhs: &str) -> String {
        let wrap = [self.choices.one_in(2), self.choices.one_in(2)];
        let wrapped = |text: &str, wrap| if wrap { format!("({text})") } else { text.to_string() };
        let text =
            |wrap: [bool; 2]| format!("{} {op} {}", wrapped(lhs, wrap[0]), wrapped(rhs, wrap[1]));
        let bare = op.split_whitespace().next().unwrap_or(op);
        let texts = [text(wrap), text([true, true]), format!("({lhs}) {bare} ({rhs})")];
        let makes_sense = |text: &String| type_of(text) == Some(wanted);
        texts.into_iter().find(makes_sense).unwrap_or_else(|| lhs.to_string())
    }

    fn matching(&mut self) -> String {
        match self.choices.weighted(&[1, 2, 1]) {
            0 => String::new(),
            1 => self.clause(),
            _ => {
                let group = [" group_left", " group_right", " GROUP_LEFT"];
                let clause = self.clause() + &self.choices.word(&group);
                clause + &if self.choices.one_in(3) { String::new() } else { self.label_list() }
            }
        }
    }

    fn clause(&mut self) -> String {
        self.choices.word(&[" on", " ignoring ", " ON "]) + &self.label_list()
    }

    fn fill(&mut self) -> String {
        match self.choices.weighted(&[6, 1, 1, 1]) {
            0 => String::new(),
            1 => format!(" fill({})", self.fill_value()),
            2 => format!(" fill_left ({})", self.fill_value()),
            _ => format!(" fill_right({}) FILL_LEFT({})", self.fill_value(), self.fill_value()),
        }
    }

    fn fill_value(&mut self) -> String {
        let value = self.choices.word(&["", "-", "+"]) + &self.word(self.words.number);
        let is_number = type_of(&format!("a + fill({value}) b")).is_some();
        if is_number { value } else { "0".to_string() }
    }

    fn label_list(&mut self) -> String {
        let labels: Vec<String> =
            (0..self.choices.below(3)).map(|_| self.word(self.words.label)).collect();
        let comma = if self.choices.one_in(4) && !labels.is_empty() { "," } else { "" };
        format!("({}{comma})", labels.join(", "))
    }

    fn aggregation(&mut self, below: u32) -> String {
        let op = self.choices.pick(self.words.aggregations);
        self.aggregated(op, below)
    }

    fn aggregated(&mut self, op: &str, below: u32) -> String {
        let param = match op {
            "topk" | "bottomk" | "quantile" | "limitk" | "limit_ratio" => self.scalar(below) + ", ",
            "count_values" => self.string() + ", ",
            _ => String::new(),
        };
        let call = format!("({param}{})", self.vector(below));
        let op = if self.choices.one_in(4) { op.to_uppercase() } else { op.to_string() };
        if self.choices.one_in(4) {
            return op + &call;
        }
        let grouping = self.choices.word(&["by ", "without", "BY"]) + &self.label_list();
        match self.choices.one_in(2) {
            true => format!("{op} {grouping} {call}"),
            false => format!("{op}{call} {grouping}"),
        }
    }

    /// A call of one of the functions that give this type.
    fn call(&mut self, returns: ValueType, below: u32) -> String {
        let favours = self.choices.one_in(2) && returns == ValueType::Vector;
        let wanted = |function: &&Signature| {
            function.returns == returns
                && (!favours || self.words.favourites.contains(&function.name))
        };
        let all: Vec<&Signature> = signatures().iter().filter(wanted).collect();
        let function = self.choices.pick(&all);
        let listed = function.args.len();
        let (min, max) = match function.variadic {
            Variadic::No => (listed, listed),
            Variadic::Optional(optional) => (listed - optional, listed),
            Variadic::Repeated { max } => {
                (listed - 1, max.unwrap_or(usize::MAX).min(listed + EXTRA_ARGUMENTS_MAX))
            }
        };
        let count = min + self.choices.below(max - min + 1);
        let args: Vec<String> =
            (0..count).map(|index| self.argument(function, index, below)).collect();
        format!("{}({})", function.name, args.join(", "))
    }

    fn argument(&mut self, function: &Signature, index: usize, below: u32) -> String {
        match (function.name, index) {
            ("histogram_quantile", 1) | ("histogram_fraction", 2) | ("histogram_quantiles", 0)
                if self.choices.one_in(2) =>
            {
                self.word(self.words.buckets)
            }
            ("info", 1) => self.word(self.words.info_matchers),
            ("label_replace", 2) => {
                self.choices.word(&["\"$1\"", "'x$0'", "\"\"", "`${1}y`", "\"lit\""])
            }
            ("label_replace", 4) => {
                self.choices.word(&["\"(.*)\"", "'(a)?(.*)'", "\"\"", "`.`", "\"no\""])
            }
            ("label_join", 2) => self.choices.word(&["\"-\"", "''", "`, `"]),
            _ => match function.args.get(index).or(function.args.last()) {
                Some(ValueType::Vector) => self.vector(below),
                Some(ValueType::Matrix) => self.matrix(function.name, below),
                Some(ValueType::Scalar) => self.scalar(below),
                Some(ValueType::String) | None => self.string(),
            },
        }
    }

    /// A label as a string literal.
    fn string(&mut self) -> String {
        let label = self.word(self.words.label);
        if label.starts_with(['"', '\'', '`']) { label } else { format!("{label:?}") }
    }

    fn time_modifiers(&mut self) -> String {
        let (at, offset) = (self.word(self.words.at), self.word(self.words.offset));
        if self.choices.one_in(2) { at + &offset } else { offset + &at }
    }

    fn selector(&mut self) -> String {
        let series = self.word(self.words.series);
        series + &self.extended("") + &self.time_modifiers()
    }

    fn extended(&mut self, function: &str) -> String {
        let extended = self.word(self.words.extended);
        let takes = (self.words.is_extended)(function, extended.trim());
        if takes { extended } else { String::new() }
    }

    /// A range selector or a subquery.
    fn matrix(&mut self, function: &str, below: u32) -> String {
        if self.choices.one_in(3) {
            let inner = match self.choices.one_in(2) {
                false => self.word(self.words.series),
                true => format!("({})", self.vector(below)),
            };
            let (range, step) = (self.word(self.words.range), self.word(self.words.step));
            return format!("{inner}[{range}:{step}]{}", self.time_modifiers());
        }
        let (series, range) = (self.word(self.words.series), self.word(self.words.range));
        let extended = self.extended(function);
        format!("{series}[{range}]{extended}{}", self.time_modifiers())
    }
}
