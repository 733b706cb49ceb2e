//! Sums and differences of histograms with remarks instead of results of their own: what the range functions are
//! written in.

use super::{Remark, Remarks};
use crate::model::Histogram;
use crate::model::histogram::{Combined, Incompatible};

/// Adds `term`. `None`: exponential and custom buckets have no sum. Conflicting resets are not remarked: a function
/// that adds what was counted before a reset does so on purpose.
pub fn add(sum: &mut Histogram, term: &Histogram, remarks: &mut Remarks) -> Option<()> {
    noted(sum.add(term), Remark::BoundsReconciledInAddition, remarks)
}

/// Subtracts `term`, as [`add`].
pub fn subtract(from: &mut Histogram, term: &Histogram, remarks: &mut Remarks) -> Option<()> {
    noted(from.sub(term), Remark::BoundsReconciledInSubtraction, remarks)
}

/// The histogram at `share` of the way from one to the other. A counter that is reset on the way starts from zero at
/// its beginning.
pub fn interpolate(
    before: &Histogram,
    after: &Histogram,
    share: f64,
    is_counter: bool,
    remarks: &mut Remarks,
) -> Option<Histogram> {
    let mut line = after.clone();
    if before.uses_custom_buckets() != after.uses_custom_buckets() {
        remarks.add(Remark::MixedSchemas);
        return None;
    }
    if is_counter && after.is_reset_after(before) {
        line.scale(share);
        return Some(line);
    }
    subtract(&mut line, before, remarks)?;
    line.scale(share);
    line.hint = before.hint;
    add(&mut line, before, remarks)?;
    Some(line)
}

fn noted(
    result: Result<Combined, Incompatible>,
    reconciled: Remark,
    remarks: &mut Remarks,
) -> Option<()> {
    match result {
        Ok(combined) => {
            if combined.bounds_reconciled {
                remarks.add(reconciled);
            }
            Some(())
        }
        Err(Incompatible) => {
            remarks.add(Remark::MixedSchemas);
            None
        }
    }
}
