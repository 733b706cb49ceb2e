//! Which buckets of one sign a histogram has: spans of consecutive indices, and one count per index. Everything that
//! changes a layout walks the buckets and collects them again, so that what comes out is well-formed whatever went in.

use super::same;

/// Indices lie within this of 0. No schema in use has a finite bound beyond, and the gap between two such indices fits
/// a span's offset.
const INDEX_MAX: i64 = (1 << 30) - 1;

/// A run of consecutive bucket indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// How many indices lie between this and the span before; of the first span the index of its first bucket.
    pub offset: i32,
    pub len: u32,
}

/// Spans, and the count of every bucket in them.
#[derive(Debug, Clone, Default)]
pub struct Buckets {
    pub spans: Vec<Span>,
    /// One per bucket, not cumulative.
    pub counts: Vec<f64>,
}

impl Buckets {
    /// Neighbouring buckets, the first at index `offset`.
    pub fn contiguous(offset: i32, counts: Vec<f64>) -> Buckets {
        let len = u32::try_from(counts.len()).unwrap_or(u32::MAX);
        let spans = if len == 0 { Vec::new() } else { vec![Span { offset, len }] };
        Buckets { spans, counts }
    }

    /// Index and count of every bucket, empty ones included, ascending. Ends where spans stop making sense (without
    /// counts, going back, out of range).
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            spans: self.spans.iter(),
            counts: self.counts.iter(),
            next: 0,
            left: 0,
            begun: false,
        }
    }

    /// The buckets with a count.
    pub fn populated(&self) -> impl Iterator<Item = (i32, f64)> {
        self.iter().filter(|(_, count)| *count != 0.0)
    }

    pub fn has_populated(&self) -> bool {
        self.populated().next().is_some()
    }

    /// The sum of all counts.
    pub fn total(&self) -> f64 {
        self.iter().map(|(_, count)| count).sum()
    }

    pub fn compact(&mut self) {
        *self = self.populated().collect();
    }

    /// Adds `other`, index by index, each count times `sign`.
    pub fn add(&mut self, other: &Buckets, sign: f64) {
        if self.spans == other.spans {
            let counts = self.counts.iter_mut().zip(&other.counts);
            counts.for_each(|(count, more)| *count += sign * more);
            return;
        }
        let more = other.iter().map(|(index, count)| (index, sign * count));
        *self = merged(self.iter(), more).collect();
    }

    /// Adds the buckets `other` has, without their counts.
    pub fn spread_over(&mut self, other: &Buckets) {
        *self = merged(self.iter(), other.iter().map(|(index, _)| (index, 0.0))).collect();
    }

    /// The same counts under the same indices? Empty buckets do not matter.
    pub fn equals(&self, other: &Buckets) -> bool {
        let (mut a, mut b) = (self.populated(), other.populated());
        loop {
            match (a.next(), b.next()) {
                (None, None) => return true,
                (Some((index, count)), Some((with, other)))
                    if index == with && same(count, other) => {}
                _ => return false,
            }
        }
    }

    /// Is the count of any bucket below what it is in `previous`?
    pub fn any_below(&self, previous: &Buckets) -> bool {
        let mut current = self.iter().peekable();
        previous.iter().any(|(index, count)| {
            while current.next_if(|(at, _)| *at < index).is_some() {}
            let now = current.next_if(|(at, _)| *at == index).map_or(0.0, |(_, count)| count);
            now < count
        })
    }

    pub fn size_bytes(&self) -> usize {
        size_of_val(&*self.spans) + size_of_val(&*self.counts)
    }
}

impl FromIterator<(i32, f64)> for Buckets {
    /// From ascending indices; the counts of an index that repeats add up.
    fn from_iter<I: IntoIterator<Item = (i32, f64)>>(pairs: I) -> Buckets {
        let mut buckets = Buckets::default();
        let mut end = 0;
        for (index, count) in pairs {
            match buckets.spans.last_mut() {
                Some(_) if index + 1 == end => {
                    if let Some(last) = buckets.counts.last_mut() {
                        *last += count;
                    }
                    continue;
                }
                Some(span) if index == end => span.len += 1,
                _ => buckets.spans.push(Span { offset: index - end, len: 1 }),
            }
            buckets.counts.push(count);
            end = index + 1;
        }
        buckets
    }
}

/// Both, ascending; of an index in both that of `a` first.
fn merged(
    a: impl Iterator<Item = (i32, f64)>,
    b: impl Iterator<Item = (i32, f64)>,
) -> impl Iterator<Item = (i32, f64)> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some((left, _)), Some((right, _))) if right < left => b.next(),
        (Some(_), _) => a.next(),
        _ => b.next(),
    })
}

/// See [`Buckets::iter`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    spans: std::slice::Iter<'a, Span>,
    counts: std::slice::Iter<'a, f64>,
    /// The index of the next bucket.
    next: i64,
    /// How many buckets of the span are left.
    left: u32,
    begun: bool,
}

impl Iterator for Iter<'_> {
    type Item = (i32, f64);

    fn next(&mut self) -> Option<(i32, f64)> {
        while self.left == 0 {
            let span = self.spans.next()?;
            let back = self.begun && span.offset < 0;
            self.next += i64::from(span.offset);
            if back || self.next.abs() > INDEX_MAX {
                self.spans = [].iter();
                return None;
            }
            self.left = span.len;
            self.begun = true;
        }
        let count = *self.counts.next()?;
        let index = self.next;
        if index > INDEX_MAX {
            self.counts = [].iter();
            return None;
        }
        self.next += 1;
        self.left -= 1;
        Some((i32::try_from(index).ok()?, count))
    }
}
