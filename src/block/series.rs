//! A block as a query sees it: selections of series, and their samples.

use std::ops::Range;

use super::chunks::{Chunk, read_chunks};
use super::columns::{ColumnCache, Times};
use super::dictionary::{Name, TextCursor, scan};
use super::pages::{Place, PlaceReader, Units};
use super::reader::Block;
use super::row_labels::{LabelReader, Texts};
use super::rows::RowReader;
use super::select;
use super::times::Part;
use super::values;
use crate::encoding::column::decode_floats;
use crate::fs::sealed::FileError;
use crate::model::groups::{GroupKeys, LabelGroups, NO_VALUE};
use crate::model::{Labels, LabelsBuilder, Matcher, TimeRange, Timestamp};
use crate::read::{Columns, Estimate, ReadError, SeriesSet, Source};
use crate::sync::{Arc, OnceLock};

/// Timestamps that a selection keeps decoded, 8 bytes each: the columns of a thousand targets for two hours.
const SET_TIMESTAMPS_MAX: usize = 512 << 10;

/// A block that queries may hold as long as they need it.
#[derive(Debug, Clone)]
pub struct BlockSource(pub Arc<Block>);

impl BlockSource {
    /// The series that match and that may have samples in the range, ascending, with their places.
    fn select_places(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<(u32, Place)>, FileError> {
        let block = &*self.0;
        let Some(units) = Overlap::of(block, range) else { return Ok(Vec::new()) };
        let series = select::select(block, matchers)?;
        let mut reader = PlaceReader::default();
        let mut places = Vec::with_capacity(series.len());
        for series in series {
            let place = reader.read(block, series)?;
            if units.holds(place) {
                places.push((series, place));
            }
        }
        block.check_storage()?;
        Ok(places)
    }

    /// As `select_places`, or `None` if that would be all series.
    fn select_some(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Option<Vec<(u32, Place)>>, FileError> {
        let own = self.0.meta().range;
        if matchers.is_empty() && range.mint <= own.mint && own.maxt <= range.maxt {
            return Ok(None);
        }
        self.select_places(matchers, range).map(Some)
    }

    fn names(&self, matchers: &[Matcher], range: TimeRange) -> Result<Vec<String>, FileError> {
        let block = &*self.0;
        let selected = self.select_some(matchers, range)?;
        let mut is_used = vec![selected.is_none(); block.names().len()];
        let mut rows = RowReader::default();
        for (series, _) in selected.into_iter().flatten() {
            for (name, _) in rows.read(block, series)? {
                is_used[*name as usize] = true;
            }
        }
        block.check_storage()?;
        let used = block.names().iter().zip(is_used).filter(|(_, is_used)| *is_used);
        Ok(used.map(|(name, _)| name.text.clone()).collect())
    }

    fn values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, FileError> {
        let block = &*self.0;
        let Some((number, name)) = block.name(name) else { return Ok(Vec::new()) };
        let selected = self.select_some(matchers, range)?;
        let mut is_used = vec![selected.is_none(); name.value_count as usize];
        let mut rows = RowReader::default();
        for (series, _) in selected.into_iter().flatten() {
            if let Some(value) = rows.value(block, series, number)? {
                is_used[value as usize] = true;
            }
        }
        let mut values = Vec::new();
        scan(block, name, 0..name.value_count, |value, text| {
            if is_used[value as usize] {
                values.push(text.to_string());
            }
        })?;
        block.check_storage()?;
        Ok(values)
    }
}

impl Source for BlockSource {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesSet>, ReadError> {
        let selected = self.select_places(matchers, range).map_err(read_error)?;
        let (series, places): (Vec<u32>, _) = selected.into_iter().unzip();
        let (block, labels) = (self.0.clone(), OnceLock::new());
        let texts = Texts::new(&block, series.len());
        let columns = ColumnCache::new(SET_TIMESTAMPS_MAX);
        Ok(Box::new(BlockSet { block, series, labels, texts, places, columns }))
    }

    /// The samples of a series are estimated by the bytes that its values take.
    fn estimate(&self, matchers: &[Matcher], range: TimeRange) -> Result<Estimate, ReadError> {
        let places = self.select_places(matchers, range).map_err(read_error)?;
        let footer = self.0.footer();
        let bytes: u64 = places.iter().fold(0, |bytes, (_, place)| bytes.saturating_add(place.len));
        let share = bytes as f64 / footer.samples_len.max(1) as f64;
        let samples = footer.sample_count as f64 * share.min(1.0) * footer.range.share_in(range);
        Ok(Estimate { series: places.len() as u64, samples: samples.round() as u64 })
    }

    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.names(matchers, range).map_err(read_error)
    }

    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, ReadError> {
        self.values(name, matchers, range).map_err(read_error)
    }

    fn may_have_label(&self, name: &str) -> bool {
        self.0.name(name).is_some()
    }

    /// Its chunks hold nothing else.
    fn has_only_floats(&self) -> bool {
        true
    }
}

/// A range in units of a block.
#[derive(Debug)]
pub struct Overlap {
    first: u8,
    last: u8,
}

impl Overlap {
    /// `None` if the block has no samples there.
    pub fn of(block: &Block, range: TimeRange) -> Option<Overlap> {
        let own = block.meta().range;
        if range.is_empty() || !own.overlaps(range) {
            return None;
        }
        let units = Units::of(block.footer().bounds);
        let extent = units.extent(range.mint.max(own.mint), range.maxt.min(own.maxt));
        Some(Overlap { first: extent.first, last: extent.last })
    }

    pub fn holds(&self, place: Place) -> bool {
        place.extent.first <= self.last && self.first <= place.extent.last
    }
}

struct BlockSet {
    block: Arc<Block>,
    series: Vec<u32>,
    /// Made when they are asked for.
    labels: OnceLock<Vec<Labels>>,
    texts: Texts,
    places: Vec<Place>,
    columns: ColumnCache,
}

impl BlockSet {
    fn read_labels(&self, range: Range<usize>) -> Result<Vec<Labels>, FileError> {
        let mut reader = LabelReader::new(&self.texts);
        let series = self.series.get(range).unwrap_or_default();
        let labels = series.iter().map(|series| reader.read(&self.block, *series));
        let labels = labels.collect::<Result<_, _>>()?;
        self.block.check_storage()?;
        Ok(labels)
    }

    fn read_groups(&self, names: &[&str]) -> Result<LabelGroups, FileError> {
        let block = &*self.block;
        let wanted = names.iter().filter_map(|name| block.name(name));
        let wanted: Vec<(u32, &Name)> = wanted.collect();
        let mut keys = GroupKeys::with_capacity(self.series.len());
        let mut key = vec![NO_VALUE; wanted.len()];
        let mut rows = RowReader::default();
        for series in &self.series {
            let row = rows.read(block, *series)?;
            for (value, (name, _)) in key.iter_mut().zip(&wanted) {
                let at = row.binary_search_by_key(name, |pair| pair.0);
                *value = at.map_or(NO_VALUE, |at| row[at].1);
            }
            keys.push(&key);
        }
        let mut labels = Vec::with_capacity(keys.keys.len());
        for key in &keys.keys {
            let mut builder = LabelsBuilder::default();
            for (value, (_, name)) in key.iter().zip(&wanted) {
                if *value != NO_VALUE {
                    let mut text = TextCursor::default();
                    text.seek(block, name, *value)?;
                    builder.set(&name.text, text.text(block)?);
                }
            }
            labels.push(builder.build());
        }
        block.check_storage()?;
        Ok(LabelGroups { of: keys.of, labels })
    }
}

impl SeriesSet for BlockSet {
    fn labels(&self) -> Result<&[Labels], ReadError> {
        if let Some(labels) = self.labels.get() {
            return Ok(labels);
        }
        let labels = self.read_labels(0..self.len()).map_err(read_error)?;
        Ok(self.labels.get_or_init(|| labels))
    }

    fn labels_within(&self, range: Range<usize>) -> Result<Vec<Labels>, ReadError> {
        self.read_labels(range).map_err(read_error)
    }

    fn len(&self) -> usize {
        self.series.len()
    }

    fn group(&self, names: &[&str]) -> Option<LabelGroups> {
        // What is wrong is told where the labels are asked for instead.
        self.read_groups(names).ok()
    }

    fn may_have_label(&self, name: &str) -> bool {
        self.block.name(name).is_some()
    }

    fn read(&self, index: usize, range: TimeRange, out: &mut Columns) -> Result<(), ReadError> {
        out.clear();
        let read = read_samples(&self.block, &self.columns, self.places[index], range, out);
        read.and_then(|()| self.block.check_storage()).map_err(read_error)
    }
}

/// Appends the samples of a series within a range.
pub fn read_samples(
    block: &Block,
    columns: &ColumnCache,
    place: Place,
    range: TimeRange,
    out: &mut Columns,
) -> Result<(), FileError> {
    if range.is_empty() {
        return Ok(());
    }
    let bytes = block.bytes(&(place.offset..place.offset.saturating_add(place.len)))?;
    for chunk in block.at(place.offset, read_chunks(bytes))? {
        let Some(times) = columns.overlapping(block, chunk.used.column, range)? else { continue };
        let last = out.timestamps.last().copied();
        let before = out.len();
        chunk_times(block, place, &chunk, &times, &mut out.timestamps)?;
        if last.is_some_and(|last| last >= out.timestamps[before]) {
            return Err(block.corrupt(place.offset, "order of the chunks of a series"));
        }
        let within = positions(&out.timestamps[before..], range);
        if within.is_empty() {
            out.timestamps.truncate(before);
            continue;
        }
        let (start, values) = values::column(block, place, bytes, &chunk)?;
        let count = out.timestamps.len() - before;
        block.at(start, decode_floats(values, count, &mut out.floats))?;
        keep(&mut out.timestamps, before, &within);
        keep(&mut out.floats, before, &within);
    }
    Ok(())
}

/// The time of the last sample of a series.
pub fn last_timestamp(block: &Block, place: Place) -> Result<Timestamp, FileError> {
    let bytes = block.bytes(&(place.offset..place.offset.saturating_add(place.len)))?;
    let chunks = block.at(place.offset, read_chunks(bytes))?;
    let mut out = Vec::new();
    if let Some(chunk) = chunks.last() {
        let column = chunk.used.column;
        let times = block.lookup_columns.overlapping(block, column, TimeRange::ALL)?;
        if let Some(times) = times {
            chunk_times(block, place, chunk, &times, &mut out)?;
        }
    }
    out.last().copied().ok_or_else(|| block.corrupt(place.offset, "number of chunks"))
}

/// Appends the timestamps of a chunk, at least one.
fn chunk_times(
    block: &Block,
    place: Place,
    chunk: &Chunk,
    times: &Times,
    out: &mut Vec<Timestamp>,
) -> Result<(), FileError> {
    match &chunk.used.part {
        None => out.extend_from_slice(times),
        Some(part) if part.start + part.len <= times.len() => {
            push_part(part, &times[part.start..part.start + part.len], out);
        }
        Some(_) => return Err(block.corrupt(place.offset, "part of a timestamp column")),
    }
    Ok(())
}

/// Appends the timestamps of a part, of those from its first to its last.
fn push_part(part: &Part, mut times: &[Timestamp], out: &mut Vec<Timestamp>) {
    for gap in &part.gaps {
        out.extend_from_slice(&times[..gap.present]);
        times = &times[gap.present + gap.missing..];
    }
    out.extend_from_slice(times);
}

/// Positions of the ascending timestamps that are within a range.
fn positions(timestamps: &[Timestamp], range: TimeRange) -> Range<usize> {
    let start = timestamps.partition_point(|timestamp| *timestamp < range.mint);
    start..timestamps.partition_point(|timestamp| *timestamp <= range.maxt)
}

/// Removes, from `start` on, all but the positions within a range of it.
fn keep<T>(values: &mut Vec<T>, start: usize, within: &Range<usize>) {
    values.truncate(start + within.end);
    if within.start > 0 {
        values.drain(start..start + within.start);
    }
}

/// What a query is told of a file that cannot be read.
pub fn read_error(error: FileError) -> ReadError {
    match error {
        FileError::Corrupt(corrupt) => ReadError::Corrupt(corrupt),
        FileError::Io { path, source } => {
            let text = format!("cannot read {path:?}: {source}");
            ReadError::Io(std::io::Error::new(source.kind(), text))
        }
        newer @ FileError::Newer { .. } => ReadError::Io(std::io::Error::other(newer)),
    }
}
