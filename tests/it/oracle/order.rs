//! The order of an answer at one time, which functions and aggregations make where nothing is around them but parentheses.
//! What is equal to them comes in any order, and so do the groups of an aggregation.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use silverback::promql::ast::{Aggregate, AggregateOp, Call, Expr, ExprKind};

use super::aggregate::key;
use super::eval::Oracle;
use super::value::{LabelMap, Result, Value};

/// What the order of elements is to be.
#[derive(Debug)]
pub enum Order {
    /// Any.
    Open,
    ByValue {
        descending: bool,
    },
    /// By labels, of which the user may no longer see all.
    ByLabels {
        names: Vec<String>,
        descending: bool,
        full: BTreeMap<LabelMap, LabelMap>,
    },
    /// Each group on its own.
    InGroups {
        descending: bool,
        groups: BTreeMap<LabelMap, LabelMap>,
    },
}

impl Order {
    pub fn of(oracle: &Oracle<'_>, expr: &Expr, time: i64) -> Order {
        let order = match &expr.kind {
            ExprKind::Paren(inner) => return Order::of(oracle, inner, time),
            ExprKind::Unary(unary) if !unary.negative => {
                return Order::of(oracle, &unary.expr, time);
            }
            ExprKind::Call(call) => Order::of_call(oracle, call, time),
            ExprKind::Aggregate(aggregate) => Order::of_ranking(oracle, aggregate, time),
            _ => Ok(Order::Open),
        };
        order.unwrap_or(Order::Open)
    }

    fn of_call(oracle: &Oracle<'_>, call: &Call, time: i64) -> Result<Order> {
        let name = call.function.name;
        let descending = name.ends_with("_desc");
        if !name.starts_with("sort_by_label") {
            let sorts = name.starts_with("sort");
            return Ok(if sorts { Order::ByValue { descending } } else { Order::Open });
        }
        let names = call.args[1..].iter().map(|name| oracle.text(name, time));
        let names = names.collect::<Result<Vec<String>>>()?;
        let full = final_labels(oracle, &call.args[0], time, LabelMap::clone)?;
        Ok(full.map_or(Order::Open, |full| Order::ByLabels { names, descending, full }))
    }

    fn of_ranking(oracle: &Oracle<'_>, ranking: &Aggregate, time: i64) -> Result<Order> {
        if !matches!(ranking.op, AggregateOp::Topk | AggregateOp::Bottomk) {
            return Ok(Order::Open);
        }
        let descending = ranking.op == AggregateOp::Topk;
        let group = |labels: &LabelMap| key(labels, &ranking.grouping);
        let groups = final_labels(oracle, &ranking.expr, time, group)?;
        Ok(groups.map_or(Order::Open, |groups| Order::InGroups { descending, groups }))
    }

    /// What stands where it should not.
    pub fn flaw(&self, got: &[(LabelMap, Value)]) -> Option<String> {
        match self {
            Order::Open => None,
            Order::ByValue { descending } => {
                unsorted(got, |a, b| by_value(&a.1, &b.1, *descending))
            }
            Order::ByLabels { names, descending, full } => unsorted(got, |a, b| {
                let order = by_labels(&full[&a.0], &full[&b.0], names);
                if *descending { order.reverse() } else { order }
            }),
            Order::InGroups { descending, groups } => {
                let group = |element: &(LabelMap, Value)| &groups[&element.0];
                let mut over = BTreeSet::new();
                for members in got.chunk_by(|a, b| group(a) == group(b)) {
                    if !over.insert(group(&members[0])) {
                        return Some(format!("{:?} comes in two parts", group(&members[0])));
                    }
                    let flaw = unsorted(members, |a, b| by_value(&a.1, &b.1, *descending));
                    if flaw.is_some() {
                        return flaw;
                    }
                }
                None
            }
        }
    }
}

/// By the labels that the user will see, what the labels before say; `None` if some become the same.
fn final_labels(
    oracle: &Oracle<'_>,
    input: &Expr,
    time: i64,
    what: impl Fn(&LabelMap) -> LabelMap,
) -> Result<Option<BTreeMap<LabelMap, LabelMap>>> {
    let vector = oracle.vector(input, time)?;
    let count = vector.len();
    let by_final: BTreeMap<LabelMap, LabelMap> =
        vector.iter().map(|element| (element.final_labels(), what(&element.labels))).collect();
    Ok((by_final.len() == count).then_some(by_final))
}

fn unsorted(
    got: &[(LabelMap, Value)],
    compare: impl Fn(&(LabelMap, Value), &(LabelMap, Value)) -> Ordering,
) -> Option<String> {
    let wrong = got.windows(2).find(|pair| compare(&pair[0], &pair[1]) == Ordering::Greater)?;
    Some(format!("{:?} comes before {:?}", wrong[0], wrong[1]))
}

/// NaN last, whatever the direction.
fn by_value(a: &Value, b: &Value, descending: bool) -> Ordering {
    let (Some(a), Some(b)) = (a.float(), b.float()) else { return Ordering::Equal };
    match (a.is_nan(), b.is_nan()) {
        (false, false) if a == b => Ordering::Equal,
        (false, false) if (a < b) != descending => Ordering::Less,
        (false, false) => Ordering::Greater,
        (a, b) => a.cmp(&b),
    }
}

fn by_labels(a: &LabelMap, b: &LabelMap, names: &[String]) -> Ordering {
    let value = |labels: &LabelMap, name: &String| labels.get(name).cloned().unwrap_or_default();
    let named = names.iter().map(|name| natural(&value(a, name), &value(b, name)));
    named.fold(Ordering::Equal, Ordering::then).then_with(|| a.iter().cmp(b.iter()))
}

/// Numbers in a text count as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let (a, b) = (pieces(a), pieces(b));
    let differing = a.iter().zip(&b).find(|(a, b)| a != b);
    match differing {
        None => a.len().cmp(&b.len()),
        Some((a, b)) => match (a.parse::<i64>(), b.parse::<i64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => a.cmp(b),
        },
    }
}

/// Digits, other characters, digits, ...
fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let pieces = characters.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    pieces.map(|piece| piece.iter().collect()).collect()
}
