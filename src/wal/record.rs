//! The payload of a write frame: the definitions of series a request needs, then its samples in columns. Built by `head`, decoded by
//! `replay`. It knows nothing of frames and files; a record is whole or refused.

use super::layout::{TIMESTAMPS_DELTAS, TIMESTAMPS_EQUAL};
use crate::encoding::cursor::{Cursor, put_text, put_varint, put_varint_signed};
use crate::error::Corrupt;
use crate::model::{Labels, Sample, SeriesRef, Timestamp};

/// Fewest bytes of a sample in a record: a varint of its ref and its value.
const SAMPLE_MIN_BYTES: usize = 1 + VALUE_BYTES;
const VALUE_BYTES: usize = 8;
/// Fewest bytes of a definition: a varint of its ref and one of its label count.
const DEFINITION_MIN_BYTES: usize = 2;

/// Collects one record. Keep it and use it again: then it does not allocate in the steady state.
#[derive(Debug, Default)]
pub struct RecordBuilder {
    definitions: Vec<u8>,
    definition_count: u64,
    defined_ref: u64,
    refs: Vec<u8>,
    pushed_ref: u64,
    timestamps: Vec<Timestamp>,
    values: Vec<u8>,
}

impl RecordBuilder {
    pub fn new() -> RecordBuilder {
        RecordBuilder::default()
    }

    /// Says which labels a ref stands for. Repeats are harmless.
    pub fn define(&mut self, series: SeriesRef, labels: &Labels) {
        put_varint_signed(&mut self.definitions, difference(series.0, self.defined_ref));
        self.defined_ref = series.0;
        put_varint(&mut self.definitions, labels.len() as u64);
        for (name, value) in labels.iter() {
            put_text(&mut self.definitions, name);
            put_text(&mut self.definitions, value);
        }
        self.definition_count += 1;
    }

    /// Adds a sample. Any order is right; refs close to their predecessors are small.
    #[inline]
    pub fn push(&mut self, series: SeriesRef, sample: Sample) {
        put_varint_signed(&mut self.refs, difference(series.0, self.pushed_ref));
        self.pushed_ref = series.0;
        self.timestamps.push(sample.timestamp);
        self.values.extend_from_slice(&sample.value.to_bits().to_le_bytes());
    }

    /// Has nothing been added since the last `finish`?
    pub fn is_empty(&self) -> bool {
        self.definition_count == 0 && self.timestamps.is_empty()
    }

    /// Appends the record to `out` and starts an empty one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        out.reserve(self.definitions.len() + self.refs.len() + 2 * self.values.len() + 32);
        put_varint(out, self.definition_count);
        out.extend_from_slice(&self.definitions);
        put_varint(out, self.timestamps.len() as u64);
        out.extend_from_slice(&self.refs);
        put_timestamps(out, &self.timestamps);
        out.extend_from_slice(&self.values);
        self.clear();
    }

    /// Forgets what was added.
    pub fn clear(&mut self) {
        self.definitions.clear();
        self.refs.clear();
        self.timestamps.clear();
        self.values.clear();
        (self.definition_count, self.defined_ref, self.pushed_ref) = (0, 0, 0);
    }
}

fn put_timestamps(out: &mut Vec<u8>, timestamps: &[Timestamp]) {
    let Some((first, rest)) = timestamps.split_first() else { return };
    if rest.iter().all(|timestamp| timestamp == first) {
        out.push(TIMESTAMPS_EQUAL);
        return put_varint_signed(out, *first);
    }
    out.push(TIMESTAMPS_DELTAS);
    let mut previous = 0;
    for timestamp in timestamps {
        put_varint_signed(out, timestamp.wrapping_sub(previous));
        previous = *timestamp;
    }
}

fn difference(value: u64, previous: u64) -> i64 {
    value.wrapping_sub(previous) as i64
}

/// A record whose every byte has been checked. Borrows the payload; its iterators cannot fail.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    definition_count: usize,
    definitions: Cursor<'a>,
    refs: Cursor<'a>,
    timestamps: Timestamps<'a>,
    values: &'a [u8],
}

#[derive(Debug, Clone)]
enum Timestamps<'a> {
    Equal(Timestamp),
    Deltas(Cursor<'a>, Timestamp),
}

impl<'a> Record<'a> {
    /// Checks a payload from front to back. Allocates nothing.
    ///
    /// # Errors
    /// The payload is not a record; the offset is inside the payload.
    pub fn decode(payload: &'a [u8]) -> Result<Record<'a>, Corrupt> {
        let mut cursor = Cursor::new(payload);
        let definition_count = count(&mut cursor, DEFINITION_MIN_BYTES, "definition count")?;
        let definitions = cursor.clone();
        for _ in 0..definition_count {
            check_definition(&mut cursor)?;
        }
        let sample_count = count(&mut cursor, SAMPLE_MIN_BYTES, "sample count")?;
        let refs = cursor.clone();
        for _ in 0..sample_count {
            cursor.varint("series ref")?;
        }
        let timestamps = decode_timestamps(&mut cursor, sample_count)?;
        let values = cursor.bytes(sample_count * VALUE_BYTES, "values")?;
        if !cursor.is_empty() {
            return Err(cursor.corrupt("end of record"));
        }
        Ok(Record { definition_count, definitions, refs, timestamps, values })
    }

    /// The definitions in the order they were added.
    pub fn definitions(&self) -> impl Iterator<Item = (SeriesRef, Labels)> + '_ {
        let mut cursor = self.definitions.clone();
        let mut series = 0u64;
        let mut pairs = Vec::new();
        (0..self.definition_count).map_while(move |_| {
            let delta = cursor.varint_signed("series ref").ok()?;
            series = series.wrapping_add(delta as u64);
            pairs.clear();
            for _ in 0..cursor.varint("label count").ok()? {
                pairs.push((cursor.text("label name").ok()?, cursor.text("label value").ok()?));
            }
            Some((SeriesRef(series), Labels::from_sorted(pairs.iter().copied())))
        })
    }

    /// The samples in the order they were added.
    pub fn samples(&self) -> impl Iterator<Item = (SeriesRef, Sample)> + '_ {
        let mut refs = self.refs.clone();
        let mut timestamps = self.timestamps.clone();
        let mut series = 0u64;
        self.values.chunks_exact(VALUE_BYTES).map_while(move |value| {
            series = series.wrapping_add(refs.varint_signed("series ref").ok()? as u64);
            let bits = u64::from_le_bytes(value.try_into().ok()?);
            Some((SeriesRef(series), Sample::new(timestamps.next()?, f64::from_bits(bits))))
        })
    }

    pub fn definition_count(&self) -> usize {
        self.definition_count
    }

    pub fn sample_count(&self) -> usize {
        self.values.len() / VALUE_BYTES
    }
}

impl Timestamps<'_> {
    fn next(&mut self) -> Option<Timestamp> {
        match self {
            Timestamps::Equal(timestamp) => Some(*timestamp),
            Timestamps::Deltas(cursor, previous) => {
                *previous = previous.wrapping_add(cursor.varint_signed("timestamp").ok()?);
                Some(*previous)
            }
        }
    }
}

/// A number of things of which each takes at least `each_bytes`: more than the rest of the payload could hold is
/// refused, so later loops and sizes are bounded by the payload.
fn count(cursor: &mut Cursor<'_>, each_bytes: usize, what: &'static str) -> Result<usize, Corrupt> {
    let at = cursor.clone();
    let count = cursor.varint(what)?;
    let most = cursor.remaining() / each_bytes;
    usize::try_from(count).ok().filter(|count| *count <= most).ok_or(at.corrupt(what))
}

/// Names must ascend, which `Labels::from_sorted` relies on.
fn check_definition(cursor: &mut Cursor<'_>) -> Result<(), Corrupt> {
    cursor.varint("series ref")?;
    let mut previous = None;
    for _ in 0..cursor.varint("label count")? {
        let at = cursor.clone();
        let name = cursor.text("label name")?;
        if previous.is_some_and(|previous| previous >= name) {
            return Err(at.corrupt("label order"));
        }
        previous = Some(name);
        cursor.text("label value")?;
    }
    Ok(())
}

fn decode_timestamps<'a>(
    cursor: &mut Cursor<'a>,
    sample_count: usize,
) -> Result<Timestamps<'a>, Corrupt> {
    if sample_count == 0 {
        return Ok(Timestamps::Equal(0));
    }
    let at = cursor.clone();
    match cursor.u8("timestamp tag")? {
        TIMESTAMPS_EQUAL => Ok(Timestamps::Equal(cursor.varint_signed("timestamp")?)),
        TIMESTAMPS_DELTAS => {
            let column = cursor.clone();
            for _ in 0..sample_count {
                cursor.varint("timestamp")?;
            }
            Ok(Timestamps::Deltas(column, 0))
        }
        _ => Err(at.corrupt("timestamp tag")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Definitions = Vec<(SeriesRef, Labels)>;
    type Samples = Vec<(u64, i64, u64)>;

    fn encode(definitions: &Definitions, samples: &Samples) -> Vec<u8> {
        let (mut builder, mut out) = (RecordBuilder::new(), Vec::new());
        builder.push(SeriesRef(9), Sample::new(1, 1.0));
        builder.finish(&mut out);
        out.clear();
        for (series, labels) in definitions {
            builder.define(*series, labels);
        }
        for (series, timestamp, bits) in samples {
            builder.push(SeriesRef(*series), Sample::new(*timestamp, f64::from_bits(*bits)));
        }
        builder.finish(&mut out);
        assert!(builder.is_empty());
        out
    }

    fn definitions() -> impl Strategy<Value = Definitions> {
        let labels = prop::collection::btree_map(".{0,5}", ".{0,5}", 0..4)
            .prop_map(|map| Labels::from_sorted(map.iter().map(|(n, v)| (n.as_str(), v.as_str()))));
        prop::collection::vec((any::<u64>().prop_map(SeriesRef), labels), 0..5)
    }

    fn samples() -> impl Strategy<Value = Samples> {
        let scattered = prop::collection::vec(any::<(u64, i64, u64)>(), 0..50);
        let equal = (any::<i64>(), prop::collection::vec(any::<(u64, u64)>(), 0..50))
            .prop_map(|(t, rows)| rows.into_iter().map(|(s, v)| (s, t, v)).collect());
        prop_oneof![scattered, equal]
    }

    proptest! {
        #[test]
        fn records_round_trip(definitions in definitions(), samples in samples()) {
            let payload = encode(&definitions, &samples);
            let record = Record::decode(&payload).unwrap();
            prop_assert_eq!(record.definitions().collect::<Vec<_>>(), definitions);
            let read: Samples =
                record.samples().map(|(r, s)| (r.0, s.timestamp, s.value.to_bits())).collect();
            prop_assert_eq!(record.sample_count(), samples.len());
            prop_assert_eq!(read, samples);
        }

        #[test]
        fn any_bytes_are_read_or_refused(payload: Vec<u8>) {
            if let Ok(record) = Record::decode(&payload) {
                prop_assert_eq!(record.definitions().count(), record.definition_count());
                prop_assert_eq!(record.samples().count(), record.sample_count());
            }
        }

        #[test]
        fn mutated_records_are_read_or_refused(definitions in definitions(), samples in samples(),
                                               at: prop::sample::Index, byte: u8) {
            let mut payload = encode(&definitions, &samples);
            let at = at.index(payload.len());
            payload[at] = byte;
            if let Ok(record) = Record::decode(&payload) {
                prop_assert_eq!(record.definitions().count(), record.definition_count());
                prop_assert_eq!(record.samples().count(), record.sample_count());
            }
        }
    }

    #[test]
    fn a_record_cut_short_or_followed_by_more_is_refused() {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "node")]);
        let payload =
            encode(&vec![(SeriesRef(1), labels)], &vec![(1, 1000, 0), (1, 2000, 1), (2, 2000, 2)]);
        for len in 0..payload.len() {
            assert!(Record::decode(&payload[..len]).is_err(), "{len} bytes");
        }
        assert!(Record::decode(&[&payload[..], &[0]].concat()).is_err());
    }

    #[test]
    fn samples_scraped_together_take_one_timestamp() {
        let samples: Samples = (1..=2000).map(|series| (series, 1_700_000_000_000, 0)).collect();
        assert!(encode(&Vec::new(), &samples).len() < 2000 * SAMPLE_MIN_BYTES + 16);
    }

    #[test]
    fn labels_out_of_order_are_refused() {
        let unsorted = Labels::from_sorted([("b", "1"), ("a", "2")].into_iter());
        let error = Record::decode(&encode(&vec![(SeriesRef(1), unsorted)], &vec![])).unwrap_err();
        assert_eq!(error.what, "label order");
    }
}
