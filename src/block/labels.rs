//! Labels of a block while it is written: taken series by series, written name by name and then as rows.
//!
//! 1. For every name there is a log of where its value changes from one series to the next; series are sorted, so most labels
//!    change seldom. A value is known by the number of its arrival (`runs`).
//! 2. A small table remembers recent values. One that was forgotten arrives again, under another number.
//! 3. At the end, for each name in order: the values are sorted and written, the log tells which series have which, and
//!    that is written as postings. Last, all logs together give the rows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::changes::{Change, Changes};
use super::dictionary::{TextsWriter, small};
use super::layout::VALUES_PER_GROUP;
use super::postings::{PostingsWriter, Run};
use super::rows::{Pair, RowsWriter};
use super::runs::{Ranks, Values};
use crate::encoding::cursor::{put_text, put_varint};
use crate::fs::sealed::SealedWriter;
use crate::model::Labels;

/// Values that are remembered, of all names together: 32 bytes each.
const REMEMBERED_MAX: usize = 1 << 15;

/// Values whose series are gathered at a time to be written as postings, 4 bytes each, and how many runs of series, 8 bytes each,
/// unless one value has more: fewer would mean that the log is read more often.
const RANKS_GATHERED_MAX: u32 = 1 << 17;
const RUNS_GATHERED_MAX: u32 = 1 << 17;

/// Takes the labels of series in order.
#[derive(Debug)]
pub struct LabelsWriter {
    names: Vec<NameLog>,
    by_text: HashMap<String, u32>,
    series_count: u32,
    previous: Labels,
    /// Names of the labels of `previous`.
    previous_names: Vec<u32>,
    seed: u64,
    /// By hash: the hash of a name and value, and the number of the value.
    remembered: Vec<(u128, u32)>,
}

/// One name and where its value changes.
#[derive(Debug)]
struct NameLog {
    text: String,
    values: Values,
    changes: Changes,
}

/// Where the sections of labels begin, and the entries of the table of names.
#[derive(Debug)]
pub struct LabelSections {
    pub labels_offset: u64,
    pub rows_offset: u64,
    pub row_starts: Vec<u64>,
    pub names: Vec<u8>,
    pub name_count: u32,
}

impl Default for LabelsWriter {
    fn default() -> LabelsWriter {
        LabelsWriter {
            names: Vec::new(),
            by_text: HashMap::new(),
            series_count: 0,
            previous: Labels::empty(),
            previous_names: Vec::new(),
            seed: rand::random(),
            remembered: vec![(0, 0); REMEMBERED_MAX],
        }
    }
}

impl LabelsWriter {
    /// Takes the labels of the next series.
    pub fn push(&mut self, labels: &Labels) {
        let before = std::mem::replace(&mut self.previous, labels.clone());
        let before_names = std::mem::take(&mut self.previous_names);
        let mut before = before.iter().zip(before_names).peekable();
        for (name, value) in labels.iter() {
            while let Some((_, gone)) = before.next_if(|((other, _), _)| *other < name) {
                self.change(gone, Change::Absent);
            }
            let same_name = before.next_if(|((other, _), _)| *other == name);
            let id = match same_name {
                Some((_, id)) => id,
                None => self.name_id(name),
            };
            self.previous_names.push(id);
            if same_name.is_none_or(|((_, other), _)| other != value) {
                let change = self.change_to(id, value);
                self.change(id, change);
            }
        }
        for (_, gone) in before {
            self.change(gone, Change::Absent);
        }
        self.series_count += 1;
    }

    fn name_id(&mut self, name: &str) -> u32 {
        if let Some(id) = self.by_text.get(name) {
            return *id;
        }
        let id = self.names.len() as u32;
        self.names.push(NameLog {
            text: name.to_string(),
            values: Values::default(),
            changes: Changes::default(),
        });
        self.by_text.insert(name.to_string(), id);
        id
    }

    fn change_to(&mut self, name: u32, value: &str) -> Change {
        // The hash is keyed and of 128 bits, so that equal hashes are equal values.
        let hash = xxh3_128_with_seed(value.as_bytes(), self.seed ^ (u64::from(name) << 20));
        let slot = (hash as usize) % REMEMBERED_MAX;
        let (known, number) = self.remembered[slot];
        if known == hash {
            return Change::Known(number);
        }
        let number = self.names[name as usize].values.push(value.as_bytes());
        self.remembered[slot] = (hash, number);
        Change::New
    }

    fn change(&mut self, name: u32, change: Change) {
        self.names[name as usize].changes.push(self.series_count, change);
    }

    /// Writes dictionaries, postings and rows.
    pub fn finish(mut self, out: &mut SealedWriter) -> io::Result<LabelSections> {
        self.remembered = Vec::new();
        self.by_text = HashMap::new();
        self.names.sort_unstable_by(|a, b| a.text.cmp(&b.text));
        let labels_offset = out.position();
        let mut names = Vec::new();
        let mut columns = Vec::with_capacity(self.names.len());
        for log in self.names {
            columns.push(write_name(log, self.series_count, &mut names, out)?);
        }
        let rows_offset = out.position();
        let name_count = columns.len() as u32;
        let row_starts = write_rows(columns, self.series_count, out)?;
        Ok(LabelSections { labels_offset, rows_offset, row_starts, names, name_count })
    }
}

/// What is left of a name when it is written: the changes, and what its values are called in the file.
struct Column {
    changes: Changes,
    rank_of: Vec<u32>,
}

/// Writes texts, postings and group table of a name, and appends its entry to the table of names.
fn write_name(
    log: NameLog,
    series_count: u32,
    names: &mut Vec<u8>,
    out: &mut SealedWriter,
) -> io::Result<Column> {
    let NameLog { text, values, changes, .. } = log;
    let texts_offset = out.position();
    let mut texts = TextsWriter::default();
    let ranks = values.merge(|value| texts.push(value, out))?;
    let postings_offset = out.position();
    let postings_starts = write_postings(&changes, &ranks, series_count, out)?;
    let table_offset = out.position();
    for (text, list) in texts.starts.iter().zip(postings_starts) {
        out.write(&text.to_le_bytes())?;
        out.write(&list.to_le_bytes())?;
    }
    put_text(names, &text);
    put_varint(names, u64::from(ranks.count));
    put_varint(names, postings_offset - texts_offset);
    put_varint(names, table_offset - postings_offset);
    Ok(Column { changes, rank_of: ranks.rank_of })
}

/// Writes the list of every value; gives where groups begin.
fn write_postings(
    changes: &Changes,
    ranks: &Ranks,
    series_count: u32,
    out: &mut SealedWriter,
) -> io::Result<Vec<u32>> {
    let runs = RunsByRank { changes, ranks, series_count };
    let start = out.position();
    let (mut writer, mut scratch, mut starts) = (PostingsWriter::default(), Vec::new(), Vec::new());
    let mut next = 0;
    while next < ranks.count {
        let (ends, some) = runs.gather(next);
        let mut from = 0;
        for end in ends {
            if next.is_multiple_of(VALUES_PER_GROUP as u32) {
                starts.push(small(out.position() - start)?);
                writer.restart();
            }
            scratch.clear();
            writer.push(&some[from..end as usize], &mut scratch);
            out.write(&scratch)?;
            from = end as usize;
            next += 1;
        }
    }
    Ok(starts)
}

/// The runs of the values of a name, gathered for some ranks at a time. Runs of a value do not touch: a change is logged only
/// where the text differs.
struct RunsByRank<'a> {
    changes: &'a Changes,
    ranks: &'a Ranks,
    series_count: u32,
}

impl RunsByRank<'_> {
    /// Every run of the ranks from `first` on, by ascending series, with the distance of its rank from `first`.
    fn from(&self, first: u32) -> impl Iterator<Item = (usize, Run)> + '_ {
        let mut changes = self.changes.iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let (start, value) = changes.next()?;
                let end = changes.peek().map_or(self.series_count, |(series, _)| *series);
                let rank = value.map(|number| self.ranks.rank_of[number as usize]);
                if let Some(rank) = rank.and_then(|rank| rank.checked_sub(first)) {
                    return Some((rank as usize, Run { start, len: end - start }));
                }
            }
        })
    }

    /// The runs of the rank `first` and of some after it, those of a rank together and ascending, and where those of each
    /// rank end.
    fn gather(&self, first: u32) -> (Vec<u32>, Vec<Run>) {
        let mut starts = vec![0; (self.ranks.count - first).min(RANKS_GATHERED_MAX) as usize];
        for (rank, _) in self.from(first) {
            if let Some(count) = starts.get_mut(rank) {
                *count += 1;
            }
        }
        let (mut total, mut len) = (0, 0);
        for count in &mut starts {
            if len > 0 && total + *count > RUNS_GATHERED_MAX {
                break;
            }
            (*count, total) = (total, total + *count);
            len += 1;
        }
        starts.truncate(len);
        let mut runs = vec![Run { start: 0, len: 0 }; total as usize];
        for (rank, run) in self.from(first) {
            if let Some(at) = starts.get_mut(rank) {
                runs[*at as usize] = run;
                *at += 1;
            }
        }
        (starts, runs)
    }
}

/// Writes the row of every series; gives where groups begin.
fn write_rows(
    columns: Vec<Column>,
    series_count: u32,
    out: &mut SealedWriter,
) -> io::Result<Vec<u64>> {
    let mut logs: Vec<_> = columns.iter().map(|column| column.changes.iter()).collect();
    let mut due = BinaryHeap::new();
    for (name, log) in logs.iter_mut().enumerate() {
        due.extend(log.next().map(|(series, value)| Reverse((series, name, value))));
    }
    let (mut row, mut writer): (Vec<Pair>, _) = (Vec::new(), RowsWriter::default());
    for series in 0..series_count {
        while due.peek().is_some_and(|Reverse((at, ..))| *at <= series) {
            let Some(Reverse((_, name, value))) = due.pop() else { break };
            let value = value.map(|number: u32| columns[name].rank_of[number as usize]);
            set(&mut row, name as u32, value);
            due.extend(logs[name].next().map(|(series, value)| Reverse((series, name, value))));
        }
        writer.push(&row, out)?;
    }
    Ok(writer.starts)
}

/// Gives a name a value in a row, or takes it out.
fn set(row: &mut Vec<Pair>, name: u32, value: Option<u32>) {
    match (row.binary_search_by_key(&name, |pair| pair.0), value) {
        (Ok(at), Some(value)) => row[at].1 = value,
        (Ok(at), None) => {
            row.remove(at);
        }
        (Err(at), Some(value)) => row.insert(at, (name, value)),
        (Err(_), None) => {}
    }
}
