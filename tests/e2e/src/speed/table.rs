//! The result as a markdown table.

use super::classes::Class;
use super::measure::Measured;
use super::servers::Kind;

/// One class as a row.
pub struct Row<'a> {
    kinds: &'a [Kind],
    class: &'a Class,
    measured: &'a Measured,
}

impl<'a> Row<'a> {
    pub fn new(kinds: &'a [Kind], class: &'a Class, measured: &'a Measured) -> Row<'a> {
        Row { kinds, class, measured }
    }

    fn times(&self) -> impl Iterator<Item = (Kind, Option<f64>)> {
        self.kinds.iter().copied().zip(self.measured.medians_ms.iter().copied())
    }

    /// The time of the faster peer divided by that of `kind`.
    fn speedup(&self, kind: Kind) -> Option<f64> {
        let peers = self.times().filter(|(kind, _)| kind.is_peer()).filter_map(|(_, ms)| ms);
        let fastest = peers.min_by(f64::total_cmp)?;
        let (_, ours) = self.times().find(|(other, _)| *other == kind)?;
        Some(fastest / ours?)
    }

    /// Is Silverback as fast as is required, wherever the samples lie? None without a peer to compare with.
    pub fn holds(&self) -> Option<bool> {
        let required = self.class.speedup_required();
        let speedups = [self.speedup(Kind::Head)?, self.speedup(Kind::Blocks)?];
        Some(speedups.iter().all(|speedup| *speedup >= required))
    }

    pub fn markdown(&self) -> String {
        let mut cells = vec![format!("`{}`", self.class.name()), self.class.series.to_string()];
        cells.extend(self.times().map(|(_, ms)| ms.map_or("error".to_string(), milliseconds)));
        for kind in [Kind::Head, Kind::Blocks] {
            cells.push(self.speedup(kind).map_or("".to_string(), |times| format!("{times:.2}")));
        }
        cells.push(format!("{:.2}", self.class.speedup_required()));
        cells.push(
            self.holds().map_or("", |holds| if holds { "yes" } else { "**no**" }).to_string(),
        );
        cells.push(self.measured.rounds.to_string());
        format!("| {} |", cells.join(" | "))
    }
}

/// The first two lines of the table.
pub fn head(kinds: &[Kind]) -> String {
    let servers: String = kinds.iter().map(|kind| format!(" {} ms |", kind.name())).collect();
    let names = format!(
        "| query | series |{servers} head: times faster | blocks: times faster | required | holds | rounds |"
    );
    let rule = "|---|".to_string() + &"---:|".repeat(kinds.len() + 6);
    format!("{names}\n{rule}")
}

/// Three digits, as far as they are behind the point.
fn milliseconds(ms: f64) -> String {
    match ms {
        ..10.0 => format!("{ms:.2}"),
        ..100.0 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::classes::{Agreement, At};
    use super::*;

    const KINDS: [Kind; 4] = [Kind::Head, Kind::Blocks, Kind::Prometheus, Kind::VictoriaMetrics];

    fn holds(series: usize, times: [f64; 4]) -> Option<bool> {
        let class = Class {
            query: "up".to_string(),
            at: At::Instant,
            series,
            agreement: Agreement::Values,
        };
        let medians_ms = times.map(|ms| (ms > 0.0).then_some(ms)).into();
        let measured = Measured { medians_ms, rounds: 1, agreement: Ok(String::new()) };
        Row::new(&KINDS, &class, &measured).holds()
    }

    #[test]
    fn the_faster_peer_and_the_slower_place_count() {
        assert_eq!(holds(10_000, [1.0, 1.04, 1.0, 2.0]), Some(true));
        assert_eq!(holds(10_000, [1.0, 1.06, 1.0, 2.0]), Some(false));
        assert_eq!(holds(10_001, [1.0, 1.0, 3.0, 4.0]), Some(true));
        assert_eq!(holds(10_001, [1.0, 1.0, 9.0, 2.9]), Some(false));
        assert_eq!(holds(10_001, [1.0, 1.0, 9.0, 0.0]), Some(true));
        assert_eq!(holds(10_001, [1.0, 1.0, 0.0, 0.0]), None);
        assert_eq!(holds(10_001, [1.0, 0.0, 9.0, 9.0]), None);
    }
}
