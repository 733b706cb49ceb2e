//! Where the buckets of an exponential histogram end: the upper bound of index `i` is `2^(i * 2^-schema)`, so that every
//! second bound of a schema is one of the schema below. Pure arithmetic; any schema and index has an answer.

/// Schemas are taken as at most this: an index of the finest has no more binary digits after the point.
const FRACTION_BITS_MAX: u32 = 52;
/// Powers of two from here on are beyond the largest number.
const EXPONENT_END: i64 = 1024;
/// Powers of two below this are 0, even times a fraction.
const EXPONENT_BEGIN: i64 = -1080;
/// Scaling in two steps keeps the intermediate a normal number.
const HALFWAY: i64 = 512;

/// The upper bound of a positive bucket. That of the last bucket below infinity is the largest finite number, which
/// has a bucket of its own, as the infinite observations have the one above.
pub fn upper_bound(index: i32, schema: i32) -> f64 {
    let (exponent, fraction) = exponent_of(index, schema);
    if exponent == EXPONENT_END && fraction == 0.0 {
        return f64::MAX;
    }
    power_of_two(exponent) * fraction.exp2()
}

/// The lower bound of a positive bucket: the upper one of the bucket below.
pub fn lower_bound(index: i32, schema: i32) -> f64 {
    upper_bound(index.saturating_sub(1), schema)
}

/// The bucket of the schema `shift` below that holds the bucket `index`.
pub fn widened_index(index: i32, shift: u32) -> i32 {
    (index.saturating_sub(1) >> shift.min(i32::BITS - 1)) + 1
}

/// `index * 2^-schema` as a whole number and a fraction in [0, 1).
fn exponent_of(index: i32, schema: i32) -> (i64, f64) {
    let index = i64::from(index);
    if schema <= 0 {
        return (index << schema.unsigned_abs().min(i32::BITS), 0.0);
    }
    let bits = schema.unsigned_abs().min(FRACTION_BITS_MAX);
    let whole = index >> bits;
    let rest = index - (whole << bits);
    (whole, rest as f64 / (1_i64 << bits) as f64)
}

fn power_of_two(exponent: i64) -> f64 {
    match exponent {
        EXPONENT_END.. => f64::INFINITY,
        ..EXPONENT_BEGIN => 0.0,
        _ => half_power(exponent / 2) * half_power(exponent - exponent / 2),
    }
}

/// A power of two that is a normal number.
fn half_power(exponent: i64) -> f64 {
    2.0_f64.powi(exponent.clamp(-2 * HALFWAY, 2 * HALFWAY) as i32)
}
