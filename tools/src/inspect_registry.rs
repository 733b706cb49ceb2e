//! `sbtool inspect` of a registry file: what its footer says, where its parts are, and what is damaged.

use std::io::Write;
use std::path::Path;

use silverback::error;
use silverback::fs::os::OsDisk;
use silverback::fs::sealed::{FileError, SealedFile};
use silverback::head::registry::files::{Delta, Salvage, footer};
use silverback::head::registry::layout::{Content, FILE_KIND};

use crate::{Failure, finish};

/// Prints what is in a registry file. A damaged one is a failure, after everything that can be told of it.
pub fn inspect(path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let open = || SealedFile::open(&OsDisk, path, FILE_KIND);
    let file = open().map_err(shown)?;
    let footer = footer(&file).map_err(shown)?;
    let kind = match footer.content {
        Content::Base { .. } => "base",
        Content::Delta { .. } => "delta",
    };
    let (version, bytes) = (FILE_KIND.version, file.len_bytes());
    finish(writeln!(out, "registry {kind}, format version {version}, {bytes} bytes"))?;
    finish(writeln!(out, "{} series", footer.head.series_count))?;
    finish(writeln!(out, "highest ref {}", footer.head.highest_ref))?;
    finish(writeln!(out, "refs below {} were given", footer.head.next_ref))?;
    match footer.content {
        Content::Base { image, refs } => {
            let (names, pairs) = (image.name_count, image.pair_count);
            finish(writeln!(out, "{names} label names, {pairs} label pairs"))?;
            let of_refs = [("ref_runs", refs.ref_runs), ("other_refs", refs.other_refs)];
            for (name, section) in image.sections.named().into_iter().chain(of_refs) {
                let (offset, len) = (section.offset, section.len_bytes);
                finish(writeln!(out, "{offset:>14} {len:>14} bytes {name}"))?;
            }
            base_damage(Salvage::open(file).map_err(shown)?, out)
        }
        Content::Delta { portion_ends } => {
            finish(writeln!(out, "{} portions", portion_ends.len()))?;
            delta_damage(&Delta::open(file).map_err(shown)?, out)
        }
    }
}

fn base_damage(salvage: Salvage, out: &mut impl Write) -> Result<(), Failure> {
    if salvage.damages.is_empty() {
        return Ok(());
    }
    for damage in &salvage.damages {
        finish(writeln!(out, "damaged: {damage}"))?;
    }
    let readable = salvage.definitions().count();
    Err(format!("{} pages are damaged; {readable} definitions can be read", salvage.damages.len()))
}

fn delta_damage(delta: &Delta, out: &mut impl Write) -> Result<(), Failure> {
    let (mut damaged, mut readable) = (0, 0);
    for portion in delta.portions() {
        match portion {
            Ok(definitions) => readable += definitions.len(),
            Err(error) => {
                damaged += 1;
                finish(writeln!(out, "damaged: {error}"))?;
            }
        }
    }
    match damaged {
        0 => Ok(()),
        _ => Err(format!("{damaged} portions are damaged; {readable} definitions can be read")),
    }
}

fn shown(error: FileError) -> Failure {
    error::chain(&error)
}
