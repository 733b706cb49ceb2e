//! A registry file: what it consists of, and its definitions.

use std::io::Write;
use std::path::Path;

use silverback::fs::os::OsDisk;
use silverback::fs::sealed::SealedFile;
use silverback::head::registry::files::{Delta, Salvage, footer};
use silverback::head::registry::layout::{Content, FILE_KIND, Footer};
use silverback::model::{Labels, SeriesRef};

use crate::file::failure;
use crate::{Failure, finish};

pub fn open(path: &Path) -> Result<(SealedFile, Footer), Failure> {
    let file = SealedFile::open(&OsDisk, path, FILE_KIND).map_err(failure)?;
    let footer = footer(&file).map_err(failure)?;
    Ok((file, footer))
}

pub fn kind(footer: &Footer) -> &'static str {
    match footer.content {
        Content::Base { .. } => "base",
        Content::Delta { .. } => "definitions",
    }
}

/// Prints what the footer says, and where the parts are.
pub fn inspect(path: &Path, series: u64, out: &mut impl Write) -> Result<(), Failure> {
    let (file, footer) = open(path)?;
    finish(writeln!(
        out,
        "kind      {}\nseries    {}\nnext ref  {}\nhighest   {}\nchecksum  {:016x}\n",
        kind(&footer),
        footer.head.series_count,
        footer.head.next_ref,
        footer.head.highest_ref,
        file.checksum()
    ))?;
    let (len, data_len) = (file.len_bytes(), file.data_len());
    let ends = [("checksums, footer, trailer", len - data_len), ("file", len)];
    let mut sections: Vec<(&str, u64)> = Vec::new();
    match footer.content {
        Content::Base { image, refs } => {
            let of_refs = [("ref_runs", refs.ref_runs), ("other_refs", refs.other_refs)];
            let all = image.sections.named().into_iter().chain(of_refs);
            sections.extend(all.map(|(name, section)| (name, section.len_bytes)));
        }
        Content::Delta { .. } => sections.push(("definitions", data_len)),
    }
    finish(writeln!(out, "{:<26} {:>14} {:>12}", "section", "bytes", "per series"))?;
    for (name, bytes) in sections.into_iter().chain(ends) {
        let per_series = bytes as f64 / f64::from(footer.head.series_count);
        finish(writeln!(out, "{name:<26} {bytes:>14} {per_series:>12.2}"))?;
    }
    let mut left = series;
    each(path, &mut |definition| {
        let is_wanted = left > 0;
        left = left.saturating_sub(1);
        if is_wanted { line(&definition, out) } else { Ok(()) }
    })
}

/// Prints every definition that can be read.
pub fn dump(path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    each(path, &mut |definition| line(&definition, out))
}

fn line((series, labels): &(SeriesRef, Labels), out: &mut impl Write) -> Result<(), Failure> {
    finish(writeln!(out, "ref {} is {labels}", series.0))
}

/// Gives every definition that can be read; a failure if some cannot.
fn each(
    path: &Path,
    take: &mut dyn FnMut((SeriesRef, Labels)) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (file, footer) = open(path)?;
    if let Content::Base { .. } = footer.content {
        let salvage = Salvage::open(file).map_err(failure)?;
        salvage.definitions().try_for_each(take)?;
        return match salvage.damages.first() {
            None => Ok(()),
            Some(damage) => Err(format!("not all can be read: {damage}")),
        };
    }
    let delta = Delta::open(file).map_err(failure)?;
    let mut damage = None;
    for portion in delta.portions() {
        match portion {
            Ok(definitions) => definitions.into_iter().try_for_each(&mut *take)?,
            Err(error) => damage = Some(failure(error)),
        }
    }
    damage.map_or(Ok(()), |damage| Err(format!("not all can be read: {damage}")))
}
