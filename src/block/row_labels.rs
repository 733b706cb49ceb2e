//! Rows as label sets: numbers become texts. Dictionaries that are small beside the series that are read are decoded once, for
//! all threads that read them; of the others a cursor goes from one value to the next. Used by selections and streams.

use super::dictionary::{Name, TextCursor, scan};
use super::reader::Block;
use super::rows::RowReader;
use crate::fs::sealed::FileError;
use crate::model::Labels;
use crate::sync::OnceLock;

/// The texts of whole dictionaries, by number of the name.
#[derive(Debug, Default)]
pub struct Texts {
    /// `None`: it is damaged somewhere, which is of no concern to who needs other values.
    dictionaries: Vec<OnceLock<Option<Dictionary>>>,
    /// Values of a dictionary that is decoded whole, at most.
    values_max: usize,
}

/// The values of a name, one behind the other.
#[derive(Debug)]
struct Dictionary {
    text: String,
    ends: Vec<usize>,
}

impl Dictionary {
    fn read(block: &Block, name: &Name) -> Result<Dictionary, FileError> {
        let (mut text, mut ends) = (String::new(), Vec::with_capacity(name.value_count as usize));
        scan(block, name, 0..name.value_count, |_, value| {
            text.push_str(value);
            ends.push(text.len());
        })?;
        Ok(Dictionary { text, ends })
    }

    /// The text of a value below the name's count.
    fn text(&self, value: u32) -> &str {
        let start = value.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.text[start..self.ends[value as usize]]
    }
}

impl Texts {
    /// For reading the labels of so many series.
    pub fn new(block: &Block, series: usize) -> Texts {
        let dictionaries = block.names().iter().map(|_| OnceLock::new()).collect();
        Texts { dictionaries, values_max: series }
    }

    /// `None` if its values are to be read one by one.
    fn dictionary(&self, block: &Block, number: u32) -> Option<&Dictionary> {
        let name = &block.names()[number as usize];
        let place = self.dictionaries.get(number as usize)?;
        let is_small = name.value_count as usize <= self.values_max;
        is_small.then(|| place.get_or_init(|| Dictionary::read(block, name).ok()).as_ref())?
    }
}

/// Reads labels; cheap from one series to the next.
#[derive(Debug)]
pub struct LabelReader<T> {
    texts: T,
    rows: RowReader,
    /// By number of the name: the value of the last series that has it, of dictionaries that are not decoded whole.
    cursors: Vec<TextCursor>,
}

impl<T: std::borrow::Borrow<Texts>> LabelReader<T> {
    pub fn new(texts: T) -> LabelReader<T> {
        let (rows, cursors) = Default::default();
        LabelReader { texts, rows, cursors }
    }

    /// The labels of a series below the block's count.
    pub fn read(&mut self, block: &Block, series: u32) -> Result<Labels, FileError> {
        let texts = self.texts.borrow();
        let row = self.rows.read(block, series)?;
        if self.cursors.is_empty() {
            self.cursors.resize_with(block.names().len(), TextCursor::default);
        }
        for (name, value) in row {
            if texts.dictionary(block, *name).is_none() {
                let cursor = &mut self.cursors[*name as usize];
                cursor.seek(block, &block.names()[*name as usize], *value)?;
            }
        }
        let mut pairs = Vec::with_capacity(row.len());
        for (name, value) in row {
            let text = match texts.dictionary(block, *name) {
                Some(dictionary) => dictionary.text(*value),
                None => self.cursors[*name as usize].text(block)?,
            };
            pairs.push((block.names()[*name as usize].text.as_str(), text));
        }
        Ok(Labels::from_sorted(pairs.iter().copied()))
    }
}
