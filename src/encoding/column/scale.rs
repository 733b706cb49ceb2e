//! Between floats and the integers they came from. Exporters divide counts of nanoseconds, milliseconds or hundredths by
//! powers of ten, each in its own way; the scale of a column says which, and holds for a value only if the very same bits come
//! back. Used by `values`.

/// Integers of decimal scales are at most this large: every one of them is a float.
const INTEGER_MAX: u64 = 1 << 53;

const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// How a float is made of an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Divided by so many tens.
    Divide(u8),
    /// Multiplied by 0.001: milliseconds of Linux block devices.
    Milli,
    /// Divided by 1000 twice: microseconds of Linux pressure stalls.
    MilliMilli,
    /// The integer is the bits of the float, so ordered that the larger is the larger float.
    Bits,
}

const MILLI: u8 = 16;
const MILLI_MILLI: u8 = 17;
const BITS: u8 = 18;

impl Scale {
    /// The scales of decimal numbers, the likelier first.
    pub fn decimals() -> impl Iterator<Item = Scale> {
        let divide = |tens: std::ops::Range<u8>| tens.map(Scale::Divide);
        divide(0..4)
            .chain([Scale::Milli])
            .chain(divide(4..7))
            .chain([Scale::MilliMilli])
            .chain(divide(7..POWERS.len() as u8))
    }

    pub fn code(self) -> u8 {
        match self {
            Scale::Divide(tens) => tens,
            Scale::Milli => MILLI,
            Scale::MilliMilli => MILLI_MILLI,
            Scale::Bits => BITS,
        }
    }

    pub fn from_code(code: u8) -> Option<Scale> {
        match code {
            MILLI => Some(Scale::Milli),
            MILLI_MILLI => Some(Scale::MilliMilli),
            BITS => Some(Scale::Bits),
            tens if usize::from(tens) < POWERS.len() => Some(Scale::Divide(tens)),
            _ => None,
        }
    }

    /// The integer of this value, if exactly this value comes back from it.
    #[inline]
    pub fn integer(self, value: f64) -> Option<i64> {
        let integer = match self {
            Scale::Divide(tens) => nearest(value * POWERS[usize::from(tens)]),
            Scale::Milli => nearest(value * 1e3),
            Scale::MilliMilli => nearest(value * 1e6),
            Scale::Bits => return value.is_finite().then(|| ordered(value.to_bits() as i64)),
        };
        let exact = self.float(integer).to_bits() == value.to_bits();
        (exact && integer.unsigned_abs() <= INTEGER_MAX).then_some(integer)
    }

    #[inline(always)]
    fn float(self, integer: i64) -> f64 {
        match self {
            Scale::Divide(tens) => integer as f64 / POWERS[usize::from(tens)],
            Scale::Milli => integer as f64 * 0.001,
            Scale::MilliMilli => integer as f64 / 1e3 / 1e3,
            Scale::Bits => f64::from_bits(ordered(integer) as u64),
        }
    }

    /// Appends the floats of integers. One loop for each scale, so that none asks for it with every value.
    #[inline]
    pub fn floats(self, integers: &[i64], out: &mut Vec<f64>) {
        let integers = integers.iter().copied();
        match self {
            Scale::Divide(0) => out.extend(integers.map(|i| i as f64)),
            Scale::Divide(tens) => out.extend(integers.map(|i| Scale::Divide(tens).float(i))),
            Scale::Milli => out.extend(integers.map(|i| Scale::Milli.float(i))),
            Scale::MilliMilli => out.extend(integers.map(|i| Scale::MilliMilli.float(i))),
            Scale::Bits => out.extend(integers.map(|i| Scale::Bits.float(i))),
        }
    }
}

/// The nearest integer; which of two equally near does not matter, since neither comes back as the value.
#[inline]
fn nearest(value: f64) -> i64 {
    (value + 0.5f64.copysign(value)) as i64
}

/// From bits to ordered bits and back.
#[inline]
fn ordered(bits: i64) -> i64 {
    if bits < 0 { bits ^ i64::MAX } else { bits }
}
