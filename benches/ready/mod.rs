//! Series whose samples cost nothing to read: what benches of the engine alone read from. A selection is all of them, whatever its
//! matchers.

use silverback::model::{Labels, Matcher, TimeRange};
use silverback::read::{Columns, Estimate, ReadError, SeriesSet, Source};
use silverback::sync::Arc;

/// See the module.
#[derive(Clone)]
pub struct Ready(Arc<Inner>);

struct Inner {
    labels: Vec<Labels>,
    samples: Vec<Samples>,
}

/// The samples of one series.
pub struct Samples {
    /// Series that were scraped together have the same.
    pub timestamps: Arc<Vec<i64>>,
    pub values: Vec<f64>,
}

impl Ready {
    /// Series with these labels, in the order of the label sets.
    pub fn new(mut labels: Vec<Labels>, samples: Vec<Samples>) -> Ready {
        labels.sort();
        Ready(Arc::new(Inner { labels, samples }))
    }
}

impl Source for Ready {
    fn select(&self, _: &[Matcher], _: TimeRange) -> Result<Box<dyn SeriesSet>, ReadError> {
        Ok(Box::new(self.clone()))
    }

    fn estimate(&self, _: &[Matcher], _: TimeRange) -> Result<Estimate, ReadError> {
        let samples = self.0.samples.iter().map(|samples| samples.values.len() as u64).sum();
        Ok(Estimate { series: self.0.labels.len() as u64, samples })
    }

    fn label_names(&self, _: &[Matcher], _: TimeRange) -> Result<Vec<String>, ReadError> {
        Ok(Vec::new())
    }

    fn label_values(&self, _: &str, _: &[Matcher], _: TimeRange) -> Result<Vec<String>, ReadError> {
        Ok(Vec::new())
    }
}

impl SeriesSet for Ready {
    fn labels(&self) -> Result<&[Labels], ReadError> {
        Ok(&self.0.labels)
    }

    fn len(&self) -> usize {
        self.0.labels.len()
    }

    fn read(&self, index: usize, range: TimeRange, out: &mut Columns) -> Result<(), ReadError> {
        let Samples { timestamps, values } = &self.0.samples[index];
        let from = timestamps.partition_point(|t| *t < range.mint);
        let to = timestamps.partition_point(|t| *t <= range.maxt);
        out.clear();
        out.timestamps.extend_from_slice(&timestamps[from..to]);
        out.floats.extend_from_slice(&values[from..to]);
        Ok(())
    }
}
