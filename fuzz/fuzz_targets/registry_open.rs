//! Any bytes as the data and the footer of a registry file whose checksums are right: it is refused, or a registry over it
//! answers whatever it is asked, senselessly perhaps, and can be written anew.

#![no_main]

use std::path::Path;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use silverback::fs::sealed::{SealedFile, SealedWriter};
use silverback::fs::sim::SimDisk;
use silverback::head::registry::files::{Delta, Salvage};
use silverback::head::registry::layout::FILE_KIND;
use silverback::head::registry::{Registry, RegistryOptions, Resolution};
use silverback::model::{Batch, Item, Labels, MatchOp, Matcher, Outcome, Sample, SeriesRef};

const OPTIONS: RegistryOptions = RegistryOptions { series_max: 1_000_000 };
/// Slots asked about one by one: more take long and show nothing new.
const SLOTS_MAX: usize = 1000;

/// A file of which the first two bytes tell the length of the footer.
fn sealed(bytes: &[u8]) -> Option<(SimDisk, &'static Path)> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    let (footer, data) = rest.split_at_checked(u16::from_le_bytes(*len).into())?;
    let (disk, path) = (SimDisk::new(), Path::new("file"));
    let mut out = SealedWriter::create(&disk, path, FILE_KIND).ok()?;
    out.write(data).and_then(|()| out.finish(footer)).ok()?;
    Some((disk, path))
}

fn resolve(registry: &Registry) {
    let body = Bytes::from_static(b"ab");
    let item = |key_offset| Item { key_offset, key_len: 1, sample_start: 0, sample_count: 1 };
    let batch = Batch {
        body,
        items: vec![item(0), item(1)],
        samples: vec![Sample::new(0, 1.0)],
        decode_labels: |key| match key {
            b"a" => Ok(Labels::from_pairs([("__name__", "up"), ("job", "a")])),
            _ => Ok(Labels::from_pairs([("__name__", "up"), ("new", "b")])),
        },
        rejected: Outcome::default(),
    };
    registry.resolve(&batch, &mut Resolution::default());
}

fn ask(registry: &Registry) {
    resolve(registry);
    for (op, value) in [(MatchOp::Equal, "a"), (MatchOp::Regex, ".+"), (MatchOp::NotEqual, "b")] {
        if let Ok(matcher) = Matcher::new("job", op, value) {
            registry.select(&[Matcher::equal("__name__", "up"), matcher.clone()]);
            registry.select(&[matcher]);
        }
    }
    let slots: Vec<u32> = (0..registry.len().min(SLOTS_MAX) as u32).collect();
    registry.label_names(None);
    registry.label_names(Some(&slots));
    registry.label_values("job", None);
    registry.label_values("job", Some(&slots));
    registry.labels_of(&slots);
    let sorted = registry.sort(slots.clone());
    assert_eq!(sorted.len(), slots.len());
    registry.refs_of(&slots);
    registry.slots_of(&[0, 1, 2, 3, 1 << 40, u64::MAX].map(SeriesRef));
}

fuzz_target!(|bytes: &[u8]| {
    let Some((disk, path)) = sealed(bytes) else { return };
    let open = || SealedFile::open(&disk, path, FILE_KIND);
    if let Ok(delta) = open().and_then(Delta::open) {
        let registry = Registry::new(OPTIONS);
        delta.portions().flatten().for_each(|definitions| drop(registry.restore(&definitions)));
        registry.finish_replay();
        ask(&registry);
    }
    if let Ok(salvage) = open().and_then(Salvage::open) {
        salvage.definitions().take(SLOTS_MAX).for_each(drop);
    }
    if let Ok(registry) = open().and_then(|file| Registry::open(OPTIONS, Some(file))) {
        ask(&registry);
        let out = SealedWriter::create(&disk, Path::new("again"), FILE_KIND);
        let written = out.and_then(|out| registry.write_base(&|slot| slot < SLOTS_MAX as u32, out));
        assert!(written.is_ok(), "a simulated disk takes a file");
    }
});
