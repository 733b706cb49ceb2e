//! The value column: finds the scale of its values, sets aside those that have none, and hands the integers on. Called by
//! `column` only.
//!
//! The tag byte: bits 0 to 4 the scale, or that the column is a constant or of XORs; bits 5 and 6 the order of differences; bit 7
//! says that patches follow.

use super::integers::{Effort, IntegerEncoder, Order};
use super::layout::{TAG_CONSTANT, TAG_ORDER_SHIFT, TAG_PATCHED, TAG_SCALE_MASK, TAG_XOR};
use super::patches::Patches;
use super::scale::Scale;
use super::{constant, integers, patches, xor};
use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;

/// Patches may take so many bytes, and one more for two values, before a scale is given up.
const PATCHES_MIN_BYTES: usize = 16;

/// Values looked at before a scale is tried on a whole column.
const PROBES: usize = 16;
/// Misses among them with which a scale is still tried.
const PROBE_MISSES_MAX: usize = 4;

/// Buffers of the encoder of value columns.
#[derive(Debug, Default)]
pub struct ValueEncoder {
    integers: Vec<i64>,
    patches: Patches,
    /// Patches of which another scale could do without.
    misses: usize,
    encoder: IntegerEncoder,
    xor: Vec<u8>,
}

impl ValueEncoder {
    pub fn new(effort: Effort) -> ValueEncoder {
        ValueEncoder { encoder: IntegerEncoder::new(effort), ..ValueEncoder::default() }
    }

    /// Appends a column of values.
    pub fn encode(&mut self, values: &[f64], out: &mut Vec<u8>) {
        let first = values[0];
        if values.iter().all(|value| value.to_bits() == first.to_bits()) && !is_short(first) {
            out.push(TAG_CONSTANT);
            return constant::encode(first, out);
        }
        let start = out.len();
        let scale = self.decimal_scale(values);
        if let Some(scale) = scale {
            self.put_integers(scale, out);
        } else if self.convert(Scale::Bits, values, patch_bytes_max(values)) {
            self.put_integers(Scale::Bits, out);
        }
        let written = out.len() - start;
        if scale.is_none() || self.patches.bytes() > written / 4 {
            self.put_xor_if_shorter(values, start, out);
        }
    }

    /// Takes the first decimal scale without misses, or the one with the shortest patches, and the integers of that scale.
    fn decimal_scale(&mut self, values: &[f64]) -> Option<Scale> {
        let mut best: Option<(Scale, usize)> = None;
        for scale in Scale::decimals().filter(|scale| is_likely(*scale, values)) {
            let budget = best.map_or(patch_bytes_max(values), |(_, bytes)| bytes - 1);
            if !self.convert(scale, values, budget) {
                continue;
            }
            if self.misses == 0 {
                return Some(scale);
            }
            best = Some((scale, self.patches.bytes()));
        }
        let (scale, bytes) = best?;
        self.convert(scale, values, bytes);
        Some(scale)
    }

    /// Fills integers and patches. False, at once, when the patches take more than the budget.
    fn convert(&mut self, scale: Scale, values: &[f64], patch_bytes_max: usize) -> bool {
        self.integers.clear();
        self.patches.clear();
        self.misses = 0;
        let mut last = values.iter().find_map(|value| scale.integer(*value)).unwrap_or(0);
        for (position, value) in values.iter().enumerate() {
            match scale.integer(*value) {
                Some(integer) => last = integer,
                None => {
                    self.patches.push(position, value.to_bits());
                    self.misses += usize::from(value.is_finite() && *value != 0.0);
                    if self.patches.bytes() > patch_bytes_max {
                        return false;
                    }
                }
            }
            self.integers.push(last);
        }
        true
    }

    fn put_integers(&mut self, scale: Scale, out: &mut Vec<u8>) {
        let order = self.encoder.prepare(&self.integers);
        let patched = if self.patches.is_empty() { 0 } else { TAG_PATCHED };
        out.push(scale.code() | (order as u8) << TAG_ORDER_SHIFT | patched);
        if !self.patches.is_empty() {
            self.patches.write(out);
        }
        self.encoder.write(out);
    }

    /// Replaces what was appended since `start`, or nothing, by XORs.
    fn put_xor_if_shorter(&mut self, values: &[f64], start: usize, out: &mut Vec<u8>) {
        self.xor.clear();
        self.xor.push(TAG_XOR);
        xor::encode(values, &mut self.xor);
        if out.len() == start || self.xor.len() < out.len() - start {
            out.truncate(start);
            out.extend_from_slice(&self.xor);
        }
    }
}

/// Bytes of patches at which a scale is given up.
fn patch_bytes_max(values: &[f64]) -> usize {
    PATCHES_MIN_BYTES + values.len() / 2
}

/// Is a constant of this value shorter as an integer?
fn is_short(value: f64) -> bool {
    const SHORT: i64 = 1 << 48;
    Scale::decimals().any(|scale| scale.integer(value).is_some_and(|i| i.abs() < SHORT))
}

/// Do the values that are looked at have this scale?
fn is_likely(scale: Scale, values: &[f64]) -> bool {
    let step = values.len().div_ceil(PROBES);
    let probes = values.iter().step_by(step).filter(|value| value.is_finite());
    probes.filter(|value| scale.integer(**value).is_none()).nth(PROBE_MISSES_MAX).is_none()
}

/// Appends the `count` values of a column.
pub fn decode(bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(bytes);
    let start = out.len();
    let tag = cursor.u8("column tag")?;
    match tag {
        TAG_CONSTANT => constant::decode(&mut cursor, count, out)?,
        TAG_XOR => {
            let stream = cursor.bytes(cursor.remaining(), "XOR column")?;
            xor::decode(stream, count, out)?;
        }
        _ => {
            let scale = Scale::from_code(tag & TAG_SCALE_MASK);
            let scale = scale.ok_or_else(|| Corrupt::at(0, "column tag of this version"))?;
            let order = Order::from_code(tag >> TAG_ORDER_SHIFT & 3);
            let patched =
                if tag & TAG_PATCHED != 0 { Some(patches::skip(&mut cursor)?) } else { None };
            integers::decode(&mut cursor, order, count, |chunk| scale.floats(chunk, out))?;
            if let Some(runs) = patched {
                patches::apply(runs, &mut out[start..])?;
            }
        }
    }
    if !cursor.is_empty() {
        return Err(cursor.corrupt("end of a column"));
    }
    Ok(())
}
