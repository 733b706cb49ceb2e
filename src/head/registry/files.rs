//! Reading registry files. A *base* is used where it lies; of a damaged one, the definitions that can still be read are
//! given one by one. A *delta* is a list of definitions.

use std::ops::Range;

use super::REF_END;
use super::layout::{Content, Footer, FooterHead};
use crate::error::Corrupt;
use crate::fs::sealed::layout::PAGE_BYTES;
use crate::fs::sealed::{FileError, SealedFile};
use crate::head::base_refs::BaseRefs;
use crate::head::refs::NO_SERIES;
use crate::index::image::Image;
use crate::model::{Labels, SeriesRef};
use crate::sync::Arc;
use crate::wal::Record;

/// Pages are checked by so many threads, if each has so many: 4 MiB take below a millisecond.
const CHECK_THREADS_MAX: usize = 2;
const CHECK_THREAD_PAGES_MIN: usize = 64;

/// A base file that fits its footer.
#[derive(Debug)]
pub(super) struct Base {
    pub file: Arc<SealedFile>,
    pub head: FooterHead,
    pub image: Image,
    pub refs: BaseRefs,
}

impl Base {
    /// Looks at the footer only.
    fn new(file: SealedFile) -> Result<Base, FileError> {
        let footer = footer(&file)?;
        let file = Arc::new(file);
        let corrupt = |what| file.corrupt(file.data_len(), what);
        let Content::Base { image, refs } = footer.content else {
            return Err(corrupt("content of the registry file: not a base"));
        };
        let image = Image::new(file.clone(), image).map_err(corrupt)?;
        let (slot_count, head) = (image.slot_count(), footer.head);
        if slot_count != head.series_count {
            return Err(corrupt("series count"));
        }
        let ref_end = head.highest_ref.saturating_add(1);
        let refs = BaseRefs::new(file.clone(), refs, slot_count, ref_end).map_err(corrupt)?;
        Ok(Base { file, head, image, refs })
    }

    /// Checks every page.
    ///
    /// # Errors
    /// The file is no base, or damaged anywhere.
    pub fn open(file: SealedFile) -> Result<Base, FileError> {
        check_pages(&file)?;
        Base::new(file)
    }
}

/// The checked footer of a registry file.
///
/// # Errors
/// It is none.
pub fn footer(file: &SealedFile) -> Result<Footer, FileError> {
    let footer = Footer::decode(file.footer()).and_then(|footer| {
        let is_possible = footer.head.next_ref <= REF_END;
        is_possible.then_some(footer).ok_or(Corrupt::at(0, "next ref"))
    });
    // The footer is between the page table and the trailer: its place is told by the length of the data.
    footer.map_err(|corrupt| FileError::Corrupt(corrupt.in_file(file.path(), file.data_len())))
}

fn check_pages(file: &SealedFile) -> Result<(), FileError> {
    let data_len = file.data_len() as usize;
    let pages = data_len.div_ceil(PAGE_BYTES);
    let threads = (pages / CHECK_THREAD_PAGES_MIN).clamp(1, CHECK_THREADS_MAX);
    let share_bytes = pages.div_ceil(threads) * PAGE_BYTES;
    let check = |thread: usize| {
        let range =
            (thread * share_bytes).min(data_len)..((thread + 1) * share_bytes).min(data_len);
        file.bytes(range.start as u64, range.len()).map(|_| ())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|i| scope.spawn(move || check(i))).collect();
        let own = check(0);
        others
            .into_iter()
            .map(|other| other.join().expect("checking pages does not panic"))
            .fold(own, Result::and)
    })?;
    file.check_all()?;
    file.check()
}

/// A damaged base, of which definitions can be read that lie in undamaged pages.
#[derive(Debug)]
pub struct Salvage {
    base: Base,
    /// The damaged pages.
    pub damages: Vec<Corrupt>,
}

impl Salvage {
    /// # Errors
    /// The file is no base, or its parts do not fit it.
    pub fn open(file: SealedFile) -> Result<Salvage, FileError> {
        Ok(Salvage { damages: file.verify(), base: Base::new(file)? })
    }

    pub fn head(&self) -> FooterHead {
        self.base.head
    }

    /// The definitions that can be read: of every series, then of refs beside their own.
    pub fn definitions(&self) -> impl Iterator<Item = (SeriesRef, Labels)> + '_ {
        let Base { image, refs, .. } = &self.base;
        let own = (0..image.slot_count())
            .filter_map(|slot| Some((refs.run_of(slot)?.0.at(slot), image.labels(slot)?)));
        let others = refs.others().filter_map(|(series, slot)| Some((series, image.labels(slot)?)));
        own.chain(others).filter(|(series, _)| *series != NO_SERIES)
    }
}

/// A list of definitions, in portions.
#[derive(Debug)]
pub struct Delta {
    file: SealedFile,
    head: FooterHead,
    portion_ends: Vec<u64>,
}

impl Delta {
    /// # Errors
    /// The file is no delta, or its parts do not fit it.
    pub fn open(file: SealedFile) -> Result<Delta, FileError> {
        let footer = footer(&file)?;
        let corrupt = |what| Err(file.corrupt(file.data_len(), what));
        let Content::Delta { portion_ends } = footer.content else {
            return corrupt("content of the registry file: not a delta");
        };
        if !portion_ends.is_sorted() || portion_ends.last().copied().unwrap_or(0) != file.data_len()
        {
            return corrupt("portion ends");
        }
        Ok(Delta { file, head: footer.head, portion_ends })
    }

    pub fn head(&self) -> FooterHead {
        self.head
    }

    /// The definitions. A portion that is damaged is an error, and the next comes all the same.
    pub fn portions(
        &self,
    ) -> impl Iterator<Item = Result<Vec<(SeriesRef, Labels)>, FileError>> + '_ {
        let starts = std::iter::once(0).chain(self.portion_ends.iter().copied());
        starts.zip(&self.portion_ends).map(|(start, end)| self.portion(start..*end))
    }

    fn portion(&self, place: Range<u64>) -> Result<Vec<(SeriesRef, Labels)>, FileError> {
        let bytes = self.file.bytes(place.start, (place.end - place.start) as usize)?;
        let corrupt =
            |corrupt: Corrupt| FileError::Corrupt(corrupt.in_file(self.file.path(), place.start));
        let record = Record::decode(bytes).map_err(corrupt)?;
        if record.sample_count() > 0 {
            return Err(self.file.corrupt(place.start, "sample count of a delta"));
        }
        let definitions = record.definitions().collect();
        self.file.check()?;
        Ok(definitions)
    }
}
