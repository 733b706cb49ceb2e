//! Time as the engine counts it: milliseconds since the Unix epoch, and closed ranges of it.

/// Milliseconds since 1970-01-01T00:00:00Z; negative before.
pub type Timestamp = i64;

/// A closed range: both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    pub mint: Timestamp,
    pub maxt: Timestamp,
}

impl TimeRange {
    /// Everything.
    pub const ALL: TimeRange = TimeRange { mint: i64::MIN, maxt: i64::MAX };
    /// Nothing; what `include` starts from.
    pub const EMPTY: TimeRange = TimeRange { mint: i64::MAX, maxt: i64::MIN };

    pub fn new(mint: Timestamp, maxt: Timestamp) -> TimeRange {
        TimeRange { mint, maxt }
    }

    pub fn is_empty(self) -> bool {
        self.mint > self.maxt
    }

    pub fn contains(self, timestamp: Timestamp) -> bool {
        self.mint <= timestamp && timestamp <= self.maxt
    }

    pub fn overlaps(self, other: TimeRange) -> bool {
        self.mint <= other.maxt && other.mint <= self.maxt
    }

    /// Grows the range so that it holds `timestamp`.
    pub fn include(&mut self, timestamp: Timestamp) {
        self.mint = self.mint.min(timestamp);
        self.maxt = self.maxt.max(timestamp);
    }
}
