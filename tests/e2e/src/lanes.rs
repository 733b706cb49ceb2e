//! Where in time the oracle's samples lie. A request has samples of all lanes, so that one spill holds several windows and
//! every kind of sample meets every kind of file. Each lane is a one-to-one map between sequences and timestamps.

/// The path of a series through time, as sequences go up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// In step with the clock, as a scraper sends.
    Live,
    /// In order through windows that were over long ago; at the end of its days it begins anew between its own samples.
    Backfill,
    /// The same over other days, 256 samples at a time out of order.
    Shuffled,
}

/// Milliseconds between two sequences of the live lane, and between two laps of the others.
const LIVE_STEP_MS: i64 = 10;
/// Milliseconds between two sequences of the other lanes: 240 of them fill a window.
const PAST_STEP_MS: i64 = 30_000;
/// Sequences until a lane begins anew: four days of them.
const LAP: u64 = 4 * 2880;
/// Low bits of a sequence that are reversed in the shuffled lane.
const SHUFFLED_BITS: u32 = 8;

const HOUR_MS: i64 = 3_600_000;

impl Lane {
    pub const ALL: [Lane; 3] = [Lane::Live, Lane::Backfill, Lane::Shuffled];

    /// The lane of a series: most are live.
    pub fn of(series: u64) -> Lane {
        match series % 5 {
            3 => Lane::Backfill,
            4 => Lane::Shuffled,
            _ => Lane::Live,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Lane::Live => "live",
            Lane::Backfill => "backfill",
            Lane::Shuffled => "shuffled",
        }
    }

    /// Where sequence 0 lies before the start of the run. All lanes stay within the default retention, and the live one,
    /// which may run faster than the clock, within what may be ahead of it.
    fn begins_before_ms(self) -> i64 {
        match self {
            Lane::Live => HOUR_MS / 2,
            Lane::Backfill => 5 * 24 * HOUR_MS,
            Lane::Shuffled => 10 * 24 * HOUR_MS,
        }
    }

    /// The timestamp of a sequence in a run that began at `begun_ms`.
    pub fn timestamp(self, begun_ms: i64, sequence: u64) -> i64 {
        let offset_ms = match self {
            Lane::Live => sequence as i64 * LIVE_STEP_MS,
            Lane::Backfill => past_offset(sequence),
            Lane::Shuffled => past_offset(shuffled(sequence)),
        };
        begun_ms - self.begins_before_ms() + offset_ms
    }

    /// The sequence that has this timestamp, if one has.
    pub fn sequence(self, begun_ms: i64, timestamp: i64) -> Option<u64> {
        let offset_ms = u64::try_from(timestamp - begun_ms + self.begins_before_ms()).ok()?;
        let past = {
            let (place, shift_ms) =
                (offset_ms / PAST_STEP_MS as u64, offset_ms % PAST_STEP_MS as u64);
            shift_ms / LIVE_STEP_MS as u64 * LAP + place
        };
        let sequence = match self {
            Lane::Live => offset_ms / LIVE_STEP_MS as u64,
            Lane::Backfill => past,
            Lane::Shuffled => shuffled(past),
        };
        (self.timestamp(begun_ms, sequence) == timestamp).then_some(sequence)
    }
}

fn past_offset(sequence: u64) -> i64 {
    (sequence % LAP) as i64 * PAST_STEP_MS + (sequence / LAP) as i64 * LIVE_STEP_MS
}

/// Its own inverse.
fn shuffled(sequence: u64) -> u64 {
    let low = sequence % (1 << SHUFFLED_BITS);
    let reversed = (low as u8).reverse_bits();
    sequence - low + u64::from(reversed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sequence_has_its_own_timestamp() {
        let begun_ms = 1_700_000_000_123;
        for lane in Lane::ALL {
            for sequence in (0..3 * LAP).chain(99 * LAP..99 * LAP + 300) {
                let timestamp = lane.timestamp(begun_ms, sequence);
                assert_eq!(lane.sequence(begun_ms, timestamp), Some(sequence), "{lane:?}");
                assert_eq!(lane.sequence(begun_ms, timestamp + 1), None, "{lane:?}");
            }
        }
    }
}
