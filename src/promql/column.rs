//! One series over the steps of a query: a value and a presence bit per step, since NaN is a value. Plain data that
//! every operator fills and reads; it knows no labels and no time.

use std::fmt;

use crate::model::Histogram;
use crate::sync::Arc;

/// A set of steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// The empty set over `len` steps.
    pub fn new(len: usize) -> Bits {
        let mut bits = Bits::default();
        bits.reset(len);
        bits
    }

    pub fn reset(&mut self, len: usize) {
        self.words.clear();
        self.words.resize(len.div_ceil(64), 0);
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Are all of the first `len` steps in it?
    pub fn is_full(&self, len: usize) -> bool {
        self.count() == len
    }

    pub fn contains(&self, step: usize) -> bool {
        self.words[step / 64] >> (step % 64) & 1 == 1
    }

    pub fn insert(&mut self, step: usize) {
        self.words[step / 64] |= 1 << (step % 64);
    }

    pub fn remove(&mut self, step: usize) {
        self.words[step / 64] &= !(1 << (step % 64));
    }

    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn union(&mut self, other: &Bits) {
        self.combine(other, |mine, theirs| mine | theirs);
    }

    pub fn intersect(&mut self, other: &Bits) {
        self.combine(other, |mine, theirs| mine & theirs);
    }

    pub fn subtract(&mut self, other: &Bits) {
        self.combine(other, |mine, theirs| mine & !theirs);
    }

    fn combine(&mut self, other: &Bits, f: impl Fn(u64, u64) -> u64) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine = f(*mine, *theirs);
        }
    }

    /// The first step in both sets.
    pub fn first_common(&self, other: &Bits) -> Option<usize> {
        let both = self.words.iter().zip(&other.words).map(|(mine, theirs)| mine & theirs);
        let mut both = both.enumerate().filter(|(_, word)| *word != 0);
        both.next().map(|(index, word)| index * 64 + word.trailing_zeros() as usize)
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                Some(index * 64 + bit)
            })
        })
    }
}

/// A value of either kind.
#[derive(Debug, Clone)]
pub enum Element {
    Float(f64),
    Histogram(Arc<Histogram>),
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Float(value) => fmt::Display::fmt(value, f),
            Element::Histogram(histogram) => fmt::Display::fmt(histogram, f),
        }
    }
}

impl From<Histogram> for Element {
    fn from(histogram: Histogram) -> Element {
        Element::Histogram(Arc::new(histogram))
    }
}

impl Element {
    pub fn float(&self) -> Option<f64> {
        match self {
            Element::Float(value) => Some(*value),
            Element::Histogram(_) => None,
        }
    }

    pub fn is_histogram(&self) -> bool {
        matches!(self, Element::Histogram(_))
    }
}

/// The values of one series at the steps where it has one. Floats at absent steps mean nothing; no step has both a
/// float and a histogram. Few series have histograms: whoever does not look at them drops them.
#[derive(Debug, Clone, Default)]
pub struct Column {
    pub values: Vec<f64>,
    /// The steps with a float.
    pub present: Bits,
    pub histograms: HistogramColumn,
}

/// The histograms of a column.
#[derive(Debug, Clone, Default)]
pub struct HistogramColumn {
    /// One per step; empty if there are none at all.
    at: Vec<Option<Arc<Histogram>>>,
}

impl HistogramColumn {
    pub fn is_empty(&self) -> bool {
        self.at.iter().all(Option::is_none)
    }

    pub fn clear(&mut self) {
        self.at.clear();
    }

    pub fn get(&self, step: usize) -> Option<&Arc<Histogram>> {
        self.at.get(step)?.as_ref()
    }

    pub fn iter(&self) -> impl Iterator<Item = (usize, &Arc<Histogram>)> {
        self.at.iter().enumerate().filter_map(|(step, histogram)| Some((step, histogram.as_ref()?)))
    }

    /// Leaves those at the steps that `keeps` approves of.
    pub fn retain(&mut self, mut keeps: impl FnMut(usize) -> bool) {
        for (step, histogram) in self.at.iter_mut().enumerate() {
            if histogram.is_some() && !keeps(step) {
                *histogram = None;
            }
        }
    }

    /// What they cost of the budget, in samples.
    pub fn cost(&self) -> usize {
        let pointers = self.at.len().div_ceil(2);
        self.iter().map(|(_, histogram)| histogram.sample_cost()).sum::<usize>() + pointers
    }
}

impl Column {
    /// Absent at all of `len` steps.
    pub fn new(len: usize) -> Column {
        let mut column = Column::default();
        column.reset(len);
        column
    }

    pub fn reset(&mut self, len: usize) {
        self.values.clear();
        self.values.resize(len, 0.0);
        self.present.reset(len);
        self.histograms.clear();
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Absent at every step.
    pub fn is_empty(&self) -> bool {
        self.present.is_empty() && self.histograms.is_empty()
    }

    /// The float at a step.
    pub fn get(&self, step: usize) -> Option<f64> {
        self.present.contains(step).then(|| self.values[step])
    }

    /// Is there a value of either kind at a step?
    pub fn contains(&self, step: usize) -> bool {
        self.present.contains(step) || self.histograms.get(step).is_some()
    }

    /// The value of either kind at a step.
    pub fn element(&self, step: usize) -> Option<Element> {
        match self.get(step) {
            Some(value) => Some(Element::Float(value)),
            None => self.histograms.get(step).cloned().map(Element::Histogram),
        }
    }

    pub fn set(&mut self, step: usize, value: f64) {
        self.values[step] = value;
        self.present.insert(step);
    }

    /// Puts a histogram at a step that has no float.
    pub fn set_histogram(&mut self, step: usize, histogram: Arc<Histogram>) {
        if self.histograms.at.is_empty() {
            self.histograms.at.resize(self.values.len(), None);
        }
        self.histograms.at[step] = Some(histogram);
    }

    pub fn set_element(&mut self, step: usize, element: Element) {
        match element {
            Element::Float(value) => self.set(step, value),
            Element::Histogram(histogram) => self.set_histogram(step, histogram),
        }
    }

    /// The steps with a value of either kind.
    pub fn presence(&self) -> Bits {
        let mut present = self.present.clone();
        self.histograms.iter().for_each(|(step, _)| present.insert(step));
        present
    }

    /// The steps with a float, and the floats.
    pub fn iter(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.present.iter().map(|step| (step, self.values[step]))
    }

    /// Drops the elements at other steps.
    pub fn keep(&mut self, steps: &Bits) {
        self.present.intersect(steps);
        self.histograms.retain(|step| steps.contains(step));
    }

    /// Drops the elements at these steps.
    pub fn drop_at(&mut self, steps: &Bits) {
        self.present.subtract(steps);
        self.histograms.retain(|step| !steps.contains(step));
    }

    /// Replaces every float, or removes it; histograms are dropped.
    pub fn filter_map(&mut self, mut f: impl FnMut(usize, f64) -> Option<f64>) {
        self.histograms.clear();
        for index in 0..self.present.words.len() {
            let mut rest = self.present.words[index];
            while rest != 0 {
                let step = index * 64 + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                match f(step, self.values[step]) {
                    Some(value) => self.values[step] = value,
                    None => self.present.remove(step),
                }
            }
        }
    }

    /// Replaces every element, or removes it: first the floats in their order, then the histograms.
    pub fn filter_map_elements(&mut self, mut f: impl FnMut(usize, Element) -> Option<Element>) {
        let histograms = std::mem::take(&mut self.histograms.at);
        let none = Bits::new(self.len());
        let floats = std::mem::replace(&mut self.present, none);
        for step in floats.iter() {
            if let Some(element) = f(step, Element::Float(self.values[step])) {
                self.set_element(step, element);
            }
        }
        for (step, histogram) in histograms.into_iter().enumerate() {
            let element = histogram.and_then(|histogram| f(step, Element::Histogram(histogram)));
            if let Some(element) = element {
                self.set_element(step, element);
            }
        }
    }

    pub fn copy_from(&mut self, other: &Column) {
        self.values.clone_from(&other.values);
        self.present.words.clone_from(&other.present.words);
        self.histograms.at.clone_from(&other.histograms.at);
    }

    /// Takes over the steps of `other`. `Err`: a step that both have.
    pub fn merge(&mut self, other: &Column) -> Result<(), usize> {
        let plain = self.histograms.at.is_empty() && other.histograms.at.is_empty();
        let shared = match plain {
            true => self.present.first_common(&other.present),
            false => self.presence().first_common(&other.presence()),
        };
        if let Some(step) = shared {
            return Err(step);
        }
        for (step, value) in other.iter() {
            self.set(step, value);
        }
        for (step, histogram) in other.histograms.iter() {
            self.set_histogram(step, histogram.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_iterate_and_combine() {
        let mut a = Bits::new(130);
        let mut b = Bits::new(130);
        [0, 63, 64, 129].into_iter().for_each(|step| a.insert(step));
        [63, 100].into_iter().for_each(|step| b.insert(step));
        assert_eq!(a.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert_eq!(a.first_common(&b), Some(63));
        let mut union = a.clone();
        union.union(&b);
        assert_eq!(union.count(), 5);
        a.subtract(&b);
        assert_eq!(a.iter().collect::<Vec<_>>(), [0, 64, 129]);
        assert_eq!(a.first_common(&b), None);
    }

    #[test]
    fn nan_is_a_value() {
        let mut column = Column::new(3);
        column.set(1, f64::NAN);
        assert!(column.get(1).is_some_and(f64::is_nan));
        assert_eq!(column.get(0), None);
    }

    #[test]
    fn merge_reports_the_first_shared_step() {
        let (mut a, mut b) = (Column::new(4), Column::new(4));
        a.set(0, 1.0);
        b.set(2, 2.0);
        assert_eq!(a.merge(&b), Ok(()));
        assert_eq!(a.iter().collect::<Vec<_>>(), [(0, 1.0), (2, 2.0)]);
        assert_eq!(a.merge(&b), Err(2));
    }
}
