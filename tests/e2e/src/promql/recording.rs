//! The recording: what a real Prometheus sent of one host in 72 minutes, if it is there (`SILVERBACK_SHARED`, or `shared`
//! beside the repository), moved to the time of the comparison. Only the metrics that are asked for are taken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::samples::{BEGIN_MS, SCRAPE_MS, SCRAPES, off_edges};
use crate::remote_write::Series;

/// The metrics that the queries ask for.
const METRICS: [&str; 28] = [
    "alertmanager_http_request_duration_seconds_bucket",
    "alertmanager_http_request_duration_seconds_count",
    "alertmanager_http_request_duration_seconds_sum",
    "go_gc_duration_seconds",
    "go_gc_duration_seconds_count",
    "go_gc_duration_seconds_sum",
    "go_goroutines",
    "node_boot_time_seconds",
    "node_context_switches_total",
    "node_cpu_seconds_total",
    "node_disk_read_bytes_total",
    "node_disk_written_bytes_total",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "node_load1",
    "node_load15",
    "node_load5",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemFree_bytes",
    "node_memory_MemTotal_bytes",
    "node_network_receive_bytes_total",
    "node_network_transmit_bytes_total",
    "node_uname_info",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "prometheus_remote_storage_sent_batch_duration_seconds_bucket",
    "scrape_duration_seconds",
    "up",
];

/// Labels, and samples by time.
type Found = BTreeMap<Vec<(String, String)>, BTreeMap<i64, f64>>;

/// The series of the recording; `None` if it is not there.
///
/// # Errors
/// It is there and cannot be read.
pub fn read() -> Result<Option<Vec<Series>>, String> {
    let shared = std::env::var_os("SILVERBACK_SHARED").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let path = shared.unwrap_or_else(beside).join("data/node-15s.zst");
    if !path.is_file() {
        return Ok(None);
    }
    let unpacked = Command::new("zstd").args(["-d", "-q", "-c", "--long=27"]).arg(&path).output();
    let unpacked = unpacked.map_err(|e| format!("cannot unpack {}: zstd: {e}", path.display()))?;
    if !unpacked.status.success() {
        let says = String::from_utf8_lossy(&unpacked.stderr).into_owned();
        return Err(format!("cannot unpack {}: {says}", path.display()));
    }
    let found = requests(&unpacked.stdout).ok_or(format!("{} is cut short", path.display()))?;
    Ok(Some(moved(found)))
}

/// The same series with the first sample of all at the beginning of the comparison.
fn moved(found: Found) -> Vec<Series> {
    let first_ms = found.values().flat_map(|samples| samples.keys()).min().copied().unwrap_or(0);
    let end_ms = BEGIN_MS + SCRAPES * SCRAPE_MS;
    let moved = found.into_iter().map(|(labels, samples)| {
        let samples = samples.into_iter().map(|(t, v)| (off_edges(t - first_ms + BEGIN_MS), v));
        Series { labels, samples: samples.filter(|(t, _)| *t < end_ms).collect() }
    });
    moved.collect()
}

/// A sequence of `u32` little-endian length, `prometheus.WriteRequest`.
fn requests(mut bytes: &[u8]) -> Option<Found> {
    let mut found = Found::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (request, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        bytes = rest;
        for series in (Message { bytes: request }) {
            if let (1, Field::Bytes(series)) = series? {
                add(series, &mut found)?;
            }
        }
    }
    Some(found)
}

fn add(series: &[u8], found: &mut Found) -> Option<()> {
    let (mut labels, mut samples) = (Vec::new(), Vec::new());
    for field in (Message { bytes: series }) {
        match field? {
            (1, Field::Bytes(label)) => labels.push(label_of(label)?),
            (2, Field::Bytes(sample)) => samples.push(sample_of(sample)?),
            _ => {}
        }
    }
    let name = labels.iter().find(|(name, _)| name == "__name__")?;
    if METRICS.contains(&&*name.1) {
        found.entry(labels).or_default().extend(samples);
    }
    Some(())
}

fn label_of(label: &[u8]) -> Option<(String, String)> {
    let (mut name, mut value) = (String::new(), String::new());
    for field in (Message { bytes: label }) {
        match field? {
            (1, Field::Bytes(text)) => name = String::from_utf8(text.to_vec()).ok()?,
            (2, Field::Bytes(text)) => value = String::from_utf8(text.to_vec()).ok()?,
            _ => {}
        }
    }
    Some((name, value))
}

fn sample_of(sample: &[u8]) -> Option<(i64, f64)> {
    let (mut timestamp, mut value) = (0, 0.0);
    for field in (Message { bytes: sample }) {
        match field? {
            (1, Field::Fixed(bits)) => value = f64::from_bits(bits),
            (2, Field::Varint(ms)) => timestamp = ms as i64,
            _ => {}
        }
    }
    Some((timestamp, value))
}

enum Field<'a> {
    Varint(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message and their numbers; `None` where it is cut short.
struct Message<'a> {
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn field(&mut self) -> Option<(u64, Field<'a>)> {
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => {
                let (bytes, rest) = self.bytes.split_first_chunk::<8>()?;
                self.bytes = rest;
                Field::Fixed(u64::from_le_bytes(*bytes))
            }
            2 => {
                let length = self.varint()?;
                let (bytes, rest) = self.bytes.split_at_checked(length as usize)?;
                self.bytes = rest;
                Field::Bytes(bytes)
            }
            _ => return None,
        };
        Some((tag >> 3, field))
    }
}

impl<'a> Iterator for Message<'a> {
    type Item = Option<(u64, Field<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.bytes = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A label `__name__="up"` and a sample 1.5 at 300.
    fn request() -> Vec<u8> {
        let mut label = vec![0x0a, 8];
        label.extend_from_slice(b"__name__\x12\x02up");
        let mut sample = vec![0x09];
        sample.extend_from_slice(&1.5f64.to_le_bytes());
        sample.extend_from_slice(&[0x10, 0xac, 0x02]);
        let mut series = vec![0x0a, label.len() as u8];
        series.extend(label);
        series.extend([0x12, sample.len() as u8]);
        series.extend(sample);
        let mut request = vec![series.len() as u8 + 2, 0, 0, 0, 0x0a, series.len() as u8];
        request.extend(series);
        request
    }

    #[test]
    fn a_request_becomes_series_and_a_cut_one_nothing() {
        let request = request();
        let twice = [&request[..], &request[..]].concat();
        let labels = vec![("__name__".to_string(), "up".to_string())];
        let want = Found::from([(labels, BTreeMap::from([(300, 1.5)]))]);
        assert_eq!(requests(&twice), Some(want));
        for end in 1..request.len() {
            assert_eq!(requests(&request[..end]), None, "{end}");
        }
    }
}
