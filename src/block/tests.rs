//! Blocks on the simulated disk, compared with a source in memory; and what a damaged or hostile file does.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::encoding::column::COLUMN_VALUES_MAX;
use crate::fs::Disk;
use crate::fs::sealed::{SealedFile, SealedWriter};
use crate::fs::sim::SimDisk;
use crate::model::{Labels, MatchOp, Matcher, STALE_NAN_BITS, Timestamp};
use crate::read::memory::MemorySource;
use crate::read::{Columns, SeriesSet, Source};
use crate::sync::Arc;

const PATH: &str = "blocks/b.sbb";

type Series = BTreeMap<Labels, Vec<(Timestamp, f64)>>;

fn options(range: TimeRange) -> BlockOptions {
    BlockOptions { id: 0x17, range, level: 2, min_seq: 5, max_seq: 9, parents: vec![1, 1 << 100] }
}

fn columns(samples: &[(Timestamp, f64)]) -> Columns {
    let mut columns = Columns::default();
    samples.iter().for_each(|(timestamp, value)| columns.push(*timestamp, *value));
    columns
}

fn write_within(series: &Series, range: TimeRange) -> (SimDisk, BlockMeta) {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("blocks")).unwrap();
    let mut writer = BlockWriter::create(&disk, Path::new(PATH), options(range)).unwrap();
    for (labels, samples) in series {
        writer.add(labels, &columns(samples)).unwrap();
    }
    let meta = writer.finish().unwrap();
    (disk, meta)
}

fn write(series: &Series) -> SimDisk {
    write_within(series, TimeRange::ALL).0
}

fn open(disk: &SimDisk) -> Arc<Block> {
    Arc::new(Block::open(disk, Path::new(PATH)).unwrap())
}

fn memory(series: &Series) -> MemorySource {
    let mut source = MemorySource::new();
    for (labels, samples) in series {
        samples.iter().for_each(|(timestamp, value)| source.add(labels, *timestamp, *value));
    }
    source
}

type Bits = Vec<(Timestamp, u64)>;

fn bits(columns: &Columns) -> Bits {
    let values = columns.floats.iter().map(|value| value.to_bits());
    columns.timestamps.iter().copied().zip(values).collect()
}

/// What a selection holds, without series that have nothing in the range.
fn contents(set: &dyn SeriesSet, range: TimeRange) -> Vec<(Labels, Bits)> {
    let mut out = Columns::default();
    let mut all = Vec::new();
    for (index, labels) in set.labels().unwrap().iter().enumerate() {
        set.read(index, range, &mut out).unwrap();
        if !out.is_empty() {
            all.push((labels.clone(), bits(&out)));
        }
    }
    assert!(set.labels().unwrap().is_sorted_by(|a, b| a < b));
    all
}

fn assert_same(block: &Arc<Block>, series: &Series, matchers: &[Matcher], range: TimeRange) {
    let (source, model) = (BlockSource(block.clone()), memory(series));
    let (found, expected) =
        (source.select(matchers, range).unwrap(), model.select(matchers, range).unwrap());
    assert_eq!(contents(&*found, range), contents(&*expected, range), "{matchers:?} {range:?}");
    if range == TimeRange::ALL {
        assert_eq!(found.labels().unwrap(), expected.labels().unwrap());
        assert_eq!(
            source.label_names(matchers, range).unwrap(),
            model.label_names(matchers, range).unwrap()
        );
        for name in ["__name__", "a", "b", "missing"] {
            let found = source.label_values(name, matchers, range).unwrap();
            assert_eq!(found, model.label_values(name, matchers, range).unwrap());
        }
    }
}

fn streamed(block: &Arc<Block>, range: TimeRange) -> Vec<(Labels, Bits)> {
    let (mut cursor, mut out, mut all) = (block.cursor(range), Columns::default(), Vec::new());
    while let Some(labels) = cursor.next(&mut out).unwrap() {
        all.push((labels, bits(&out)));
    }
    all
}

fn expected(series: &Series) -> Vec<(Labels, Bits)> {
    series.iter().map(|(labels, samples)| (labels.clone(), bits(&columns(samples)))).collect()
}

fn assert_lookups(block: &Block, series: &Series) {
    for (labels, samples) in series {
        let last = samples[samples.len() - 1].0;
        for (timestamp, value) in samples.iter().step_by(samples.len() / 3 + 1) {
            for (at, expected) in [(*timestamp, Some(value.to_bits())), (timestamp + 1, None)] {
                let is_there = samples.binary_search_by_key(&at, |sample| sample.0).is_ok();
                if expected.is_some() || !is_there {
                    let found = block.lookup(labels, labels.fingerprint(), at).unwrap();
                    assert_eq!(found.value.map(f64::to_bits), expected);
                    assert_eq!(found.has_newer, last > at);
                }
            }
        }
    }
    let other = Labels::from_pairs([("__name__", "m1"), ("nobody", "has")]);
    let found = block.lookup(&other, other.fingerprint(), 0).unwrap();
    assert!(found.value.is_none() && !found.has_newer);
}

/// All that a block answers is what a source in memory answers.
fn assert_block(series: &Series, matchers: &[Matcher], range: TimeRange) {
    let disk = write(series);
    let block = open(&disk);
    assert_eq!(block.verify(), []);
    assert_eq!(streamed(&block, TimeRange::ALL), expected(series));
    assert_same(&block, series, matchers, TimeRange::ALL);
    assert_same(&block, series, matchers, range);
    assert_same(&block, series, &[], range);
    assert_lookups(&block, series);
}

fn labels_strategy() -> impl Strategy<Value = Labels> {
    let value = prop_oneof![
        select(vec!["", "x", "xy", "xyz", "y", "é", "ê", "\u{10ffff}"]).prop_map(str::to_string),
        (0u32..60).prop_map(|n| format!("v{n}")),
    ];
    let name = select(vec!["A", "__name__", "a", "b", "c", "é"]);
    prop::collection::vec((name, value), 0..5).prop_map(|pairs| {
        Labels::from_pairs(pairs.iter().map(|(name, value)| (*name, value.as_str())))
    })
}

fn value_strategy() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-5i32..5).prop_map(f64::from),
        any::<u64>().prop_map(f64::from_bits),
        Just(f64::from_bits(STALE_NAN_BITS)),
        Just(-0.0),
    ]
}

/// Samples of a scrape with some missing, or at any times.
fn samples_strategy() -> impl Strategy<Value = Vec<(Timestamp, f64)>> {
    let scraped = (0i64..3, prop::collection::vec(any::<Option<u8>>(), 1..120)).prop_map(
        |(target, presence)| -> Vec<Timestamp> {
            let present = presence.iter().enumerate().filter(|(i, p)| *i == 0 || p.is_some());
            present.map(|(i, _)| 1_000_000 + target * 77 + i as i64 * 15_000).collect()
        },
    );
    let any_time =
        prop::collection::btree_set(any::<i64>().prop_map(|t| t.min(i64::MAX - 1)), 1..9)
            .prop_map(|times| times.into_iter().collect::<Vec<_>>());
    (prop_oneof![4 => scraped, 1 => any_time], prop::collection::vec(value_strategy(), 120))
        .prop_map(|(times, values)| times.into_iter().zip(values).collect())
}

fn series_strategy() -> impl Strategy<Value = Series> {
    prop::collection::btree_map(labels_strategy(), samples_strategy(), 1..80)
}

fn matcher_strategy() -> impl Strategy<Value = Matcher> {
    let op = select(vec![MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]);
    let value = select(vec![
        "", "x", "v7", "v1|v2|x", "x.*", ".*", ".+", "v[0-4]+", "xy?", "(?i)X", "v5.|", ".*y", "é+",
    ]);
    (select(vec!["A", "__name__", "a", "b", "c", "missing"]), op, value)
        .prop_map(|(name, op, value)| Matcher::new(name, op, value).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_block_answers_as_its_series_in_memory_do(
        series in series_strategy(),
        matchers in prop::collection::vec(matcher_strategy(), 0..4),
        (from, len) in (900_000i64..3_000_000, 0i64..900_000),
    ) {
        assert_block(&series, &matchers, TimeRange::new(from, from + len));
    }
}

fn scraped(labels: Labels, start: i64, count: usize) -> (Labels, Vec<(Timestamp, f64)>) {
    let sample = |i: usize| (start + i as i64 * 1000, (i % 7) as f64);
    (labels, (0..count).map(sample).collect())
}

fn named(name: &str) -> Labels {
    Labels::from_pairs([("__name__", name)])
}

/// 3,000 series of 30 targets, with labels that all, some and no series share.
fn fleet() -> Series {
    let mut series = Series::new();
    for number in 0..3000usize {
        let labels = Labels::from_pairs([
            ("__name__", format!("metric_{:02}", number % 50).as_str()),
            ("a", &format!("job-{}", number % 3)),
            ("b", &format!("10.0.0.{}:9100", number / 100)),
            ("id", &format!("{:08x}", number * 2_654_435_761 % 0xffff_ffff)),
            (if number % 5 == 0 { "le" } else { "mode" }, "1"),
        ]);
        let target = (number / 100) as i64;
        series.extend([scraped(labels, 1_000_000 + target * 13, 20 + number % 2)]);
    }
    series
}

#[test]
fn many_series_are_found_by_all_kinds_of_matchers() {
    let series = fleet();
    let block = open(&write(&series));
    assert_eq!(block.verify(), []);
    for (name, op, value) in [
        ("__name__", MatchOp::Equal, "metric_07"),
        ("b", MatchOp::Regex, "10.0.0.1.*"),
        ("id", MatchOp::Regex, "0.*f"),
        ("id", MatchOp::NotRegex, "[0-7].*"),
        ("a", MatchOp::NotEqual, "job-1"),
        ("le", MatchOp::Equal, ""),
        ("mode", MatchOp::Regex, ".+"),
        ("__name__", MatchOp::Regex, "metric_01|metric_2[0-4]|nothing"),
    ] {
        let first = Matcher::new(name, op, value).unwrap();
        for second in [
            Matcher::equal("__name__", "metric_09"),
            Matcher::equal("a", "job-0"),
            Matcher::equal("id", "00000000"),
            Matcher::new("id", MatchOp::Regex, ".*7").unwrap(),
        ] {
            let range = TimeRange::new(1_004_000, 1_005_013);
            assert_same(&block, &series, &[first.clone(), second], range);
        }
        assert_same(&block, &series, &[first], TimeRange::ALL);
    }
    assert_lookups(&block, &series);
}

#[test]
fn the_ends_of_sizes_and_times_are_taken() {
    let ends = [i64::MIN, i64::MIN + 1, i64::MIN / 2, -1, 0, i64::MAX / 2, i64::MAX - 1];
    let mut series = Series::new();
    series.insert(Labels::empty(), vec![(0, 1.5)]);
    series.insert(named("ends"), ends.iter().map(|t| (*t, *t as f64)).collect());
    series.extend([scraped(named("most"), 5, COLUMN_VALUES_MAX)]);
    series.extend([scraped(named("one_more"), 5, COLUMN_VALUES_MAX + 1)]);
    series.extend([scraped(named("two_columns"), 5, 2 * COLUMN_VALUES_MAX)]);
    let dense = (0..=COLUMN_VALUES_MAX as i64).map(|t| (t, 1.0)).collect();
    series.insert(named("dense"), dense);
    assert_block(&series, &[], TimeRange::new(4_000_000, 4_100_000));
    let most = (Labels::empty(), vec![(i64::MAX, f64::NAN)]);
    let block = open(&write(&Series::from([most.clone()])));
    assert_eq!(streamed(&block, TimeRange::ALL), expected(&Series::from([most])));
}

#[test]
fn what_the_options_and_the_samples_say_is_in_the_meta() {
    let series = fleet();
    let range = TimeRange::new(0, 7_199_999);
    let (disk, meta) = write_within(&series, range);
    let block = open(&disk);
    assert_eq!(*block.meta(), meta);
    let told = options(range);
    assert_eq!((meta.id, meta.level, &meta.parents), (told.id, told.level, &told.parents));
    assert_eq!((meta.min_seq, meta.max_seq), (told.min_seq, told.max_seq));
    assert_eq!(meta.range, TimeRange::new(1_000_000, 1_000_000 + 29 * 13 + 20_000));
    let sample_count: usize = series.values().map(Vec::len).sum();
    assert_eq!((meta.series_count, meta.sample_count), (3000, sample_count as u64));
    let (_, again) = write_within(&series, range);
    assert_eq!(again, meta, "the same series give the same file");
}

#[test]
fn series_out_of_order_are_refused_and_leave_the_block_whole() {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("blocks")).unwrap();
    let range = TimeRange::new(0, 100);
    let create = || BlockWriter::create(&disk, Path::new(PATH), options(range)).unwrap();
    let mut writer = create();
    writer.add(&named("b"), &columns(&[(0, 1.0), (100, 2.0)])).unwrap();
    for (name, samples) in [
        ("b", &[(0, 1.0)][..]),
        ("a", &[(0, 1.0)]),
        ("c", &[]),
        ("c", &[(5, 1.0), (5, 1.0)]),
        ("c", &[(-1, 1.0)]),
        ("c", &[(101, 1.0)]),
    ] {
        let error = writer.add(&named(name), &columns(samples)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{name} {samples:?}");
    }
    writer.add(&named("c"), &columns(&[(7, 1.0)])).unwrap();
    writer.finish().unwrap();
    let block = open(&disk);
    assert_eq!(streamed(&block, TimeRange::new(50, 200)).len(), 1);
    assert_eq!(streamed(&block, TimeRange::new(101, 200)).len(), 0);
    disk.remove(Path::new(PATH)).unwrap();
    assert!(create().finish().is_err());
}

#[test]
fn series_scraped_together_share_their_timestamps() {
    let mut alike = Series::new();
    for number in 0..500usize {
        let (labels, mut samples) = scraped(named(&format!("m{number:03}")), 7, 1200);
        match number % 4 {
            1 => drop(samples.drain(100..110)),
            2 => samples.truncate(1200 - number),
            3 => drop(samples.drain(..number)),
            _ => {}
        }
        alike.insert(labels, samples);
    }
    let block = open(&write(&alike));
    assert_eq!(streamed(&block, TimeRange::ALL), expected(&alike));
    assert_eq!(block.footer().column_count, 1);
}

#[test]
fn equal_values_are_written_once() {
    let value = |step: i64| (step * step % 977) as f64;
    let samples = |more: f64| (0..9_000).map(|step| (step * 15_000, value(step) + more)).collect();
    let differs = |series: i64| if series % 10 == 3 { series as f64 } else { 0.0 };
    let series = (10..50).map(|n| (named(&format!("m{n}")), samples(differs(n))));
    let series: Series = series.collect();
    let disk = write(&series);
    let block = open(&disk);
    assert_eq!(streamed(&block, TimeRange::ALL), expected(&series));
    assert_same(&block, &series, &[], TimeRange::new(4_000 * 15_000, 8_000 * 15_000));
    assert_lookups(&block, &series);
    assert_eq!(block.verify(), []);
    let contents = block.contents().unwrap();
    let shared = contents.codecs["equal to an earlier column"];
    assert_eq!(contents.chunk_count - shared.columns, 5 * contents.chunk_count / 40);
    assert!(shared.bytes < 10 * shared.columns);
}

/// Everything that a block can be asked; `None` if any answer is an error.
fn all_answers(disk: &SimDisk, name: &str) -> Option<Vec<(Labels, Bits)>> {
    let block = Arc::new(Block::open(disk, Path::new(PATH)).ok()?);
    let source = BlockSource(block.clone());
    let matcher = Matcher::new("a", MatchOp::NotRegex, "job-[0-1]").unwrap();
    let set = source.select(&[matcher], TimeRange::ALL).ok()?;
    source.label_values(name, &[], TimeRange::ALL).ok()?;
    let (mut all, mut out) = (Vec::new(), Columns::default());
    for (index, labels) in set.labels().ok()?.iter().enumerate() {
        set.read(index, TimeRange::ALL, &mut out).ok()?;
        all.push((labels.clone(), bits(&out)));
        block.lookup(labels, labels.fingerprint(), out.timestamps[0]).ok()?;
    }
    Some(all)
}

#[test]
fn every_damaged_byte_is_found_or_harmless() {
    let series: Series = fleet().into_iter().take(70).collect();
    let whole = write(&series);
    let len = open(&whole).meta().len_bytes;
    let answers = all_answers(&whole, "id");
    assert!(answers.is_some());
    for offset in 0..len {
        let disk = write(&series);
        disk.corrupt(Path::new(PATH), offset, 1 << (offset % 8)).unwrap();
        let found = all_answers(&disk, "id");
        assert!(found.is_none() || found == answers, "{offset}");
    }
}

/// A block whose data and footer are not what was written, with checksums that are right all the same.
fn forge(disk: &SimDisk, changes: &[(prop::sample::Index, u8)]) -> SimDisk {
    let file = SealedFile::open(disk, Path::new(PATH), layout::BLOCK).unwrap();
    let mut data = file.bytes(0, file.data_len() as usize).unwrap().to_vec();
    let mut footer = file.footer().to_vec();
    for (at, byte) in changes {
        let at = at.index(data.len() + footer.len());
        match at.checked_sub(data.len()) {
            None => data[at] = *byte,
            Some(at) => footer[at] = *byte,
        }
    }
    let forged = SimDisk::new();
    forged.create_dir(Path::new("blocks")).unwrap();
    let mut writer = SealedWriter::create(&forged, Path::new(PATH), layout::BLOCK).unwrap();
    writer.write(&data).unwrap();
    writer.finish(&footer).unwrap();
    forged
}

/// Asks a block everything, whatever the answers.
fn ask(disk: &SimDisk) {
    let Ok(block) = Block::open(disk, Path::new(PATH)) else { return };
    let block = Arc::new(block);
    let source = BlockSource(block.clone());
    let mut out = Columns::default();
    let range = TimeRange::new(1_005_000, 1_010_000);
    for (op, value) in [(MatchOp::NotRegex, "job-[0-1]"), (MatchOp::Regex, "job.*|x")] {
        let matcher = Matcher::new("a", op, value).unwrap();
        let Ok(set) = source.select(&[matcher], range) else { continue };
        for (index, labels) in set.labels().unwrap_or_default().iter().enumerate() {
            let _ = set.read(index, range, &mut out);
            let _ = block.lookup(labels, labels.fingerprint(), 1_005_000);
        }
    }
    let _ = source.label_names(&[], range);
    let _ = source.label_values("id", &[], TimeRange::ALL);
    let mut cursor = block.cursor(TimeRange::ALL);
    while !matches!(cursor.next(&mut out), Ok(None)) {}
    let _ = block.contents();
    block.verify();
}

#[test]
fn a_forged_block_is_refused_or_read() {
    let series: Series = fleet().into_iter().step_by(43).collect();
    let disk = write(&series);
    let change = (any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(0), Just(0xff)]);
    let changes = prop::collection::vec(change, 1..4);
    let config = ProptestConfig { cases: 3000, ..ProptestConfig::default() };
    proptest!(config, |(changes in changes)| ask(&forge(&disk, &changes)));
}

#[test]
fn verification_finds_postings_that_contradict_rows() {
    let up = |job| Labels::from_pairs([("__name__", "up"), ("job", job)]);
    let alike = |job| scraped(up(job), 0, 3);
    let disk = write(&Series::from([alike("a"), alike("b"), alike("c")]));
    let block = open(&disk);
    let (number, name) = block.name("job").unwrap();
    assert_eq!((number, name.table_offset - name.postings_offset), (1, 3));
    let data = SealedFile::open(&disk, Path::new(PATH), layout::BLOCK).unwrap();
    let mut bytes = data.bytes(0, data.data_len() as usize).unwrap().to_vec();
    // "b" is said to have the series that "a" has.
    bytes[name.postings_offset as usize + 1] = 0;
    let forged = SimDisk::new();
    forged.create_dir(Path::new("blocks")).unwrap();
    let mut writer = SealedWriter::create(&forged, Path::new(PATH), layout::BLOCK).unwrap();
    writer.write(&bytes).unwrap();
    writer.finish(data.footer()).unwrap();
    assert_eq!(open(&forged).verify().len(), 1);
}
