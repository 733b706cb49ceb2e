//! Damage at rest: every byte of a manifest changed, the file cut at every offset, bytes of another file, a file that is
//! missing or of a newer version.

use super::*;

/// A snapshot, three edits and their marks.
fn written() -> (SimDisk, Vec<u8>, State) {
    let disk = SimDisk::new();
    committed(&disk, 2);
    let state = committed(&disk.kill(), 3).state().clone();
    let bytes = disk.read_all(&path()).unwrap();
    (disk, bytes, state)
}

fn holding(bytes: &[u8]) -> SimDisk {
    let disk = SimDisk::new();
    disk.create(&path()).unwrap().append(bytes).unwrap();
    disk
}

/// Where the last mark begins, behind which nothing tells that it is durable.
fn mark_start(bytes: &[u8]) -> usize {
    bytes.len() - RECORD_HEADER_BYTES
}

#[test]
fn any_byte_changed_is_found_or_harmless() {
    let (_, bytes, state) = written();
    let mut harmless = 0;
    for at in 0..bytes.len() {
        for xor in [0xff, 1 << (at % 8)] {
            let mut bytes = bytes.clone();
            bytes[at] ^= xor;
            let disk = holding(&bytes);
            match Manifest::read_only(&disk, dir()) {
                Ok((read, _)) => {
                    assert_eq!(read, state, "byte {at}");
                    harmless += 1;
                }
                Err(error) => {
                    let ManifestError::Corrupt { corrupt, .. } = &error else { panic!("{error}") };
                    assert!(corrupt.offset as usize <= at, "byte {at}: {error}");
                    assert!(at < mark_start(&bytes), "byte {at}: {error}");
                    let text = error.to_string();
                    assert!(
                        text.contains("at offset") && text.contains("sbtool manifest rebuild /")
                    );
                }
            }
        }
    }
    let (marks, padding) = (3 * RECORD_HEADER_BYTES, 4 * (RECORD_ALIGN_BYTES - 1));
    assert!(harmless <= 2 * (marks + padding), "{harmless} changes were not found");
}

#[test]
fn damage_changes_nothing_on_the_disk() {
    let (_, mut bytes, _) = written();
    bytes[30] ^= 1;
    let disk = holding(&bytes);
    let mutations = disk.calls(Kind::Mutation);
    assert!(Manifest::open(Arc::new(disk.clone()), dir()).is_err());
    assert_eq!(disk.calls(Kind::Mutation), mutations);
}

/// The edits that are whole count, as if a power cut had torn the next one.
#[test]
fn a_file_cut_behind_its_snapshot_is_that_of_an_earlier_commit() {
    let (_, bytes, _) = written();
    let (mut edits, mut refused) = (Vec::new(), 0);
    for len in 0..=bytes.len() {
        match Manifest::read_only(&holding(&bytes[..len]), dir()) {
            Ok((_, report)) => edits.push(report.edits),
            Err(ManifestError::Corrupt { .. }) => refused += 1,
            Err(error) => panic!("{len} bytes: {error}"),
        }
    }
    assert!(edits.is_sorted() && edits.first() == Some(&0) && edits.last() == Some(&3));
    assert!(refused > MANIFEST_HEADER_BYTES + RECORD_HEADER_BYTES);
}

#[test]
fn a_torn_edit_is_told_and_gone_after_the_start() {
    let (_, bytes, _) = written();
    let disk = holding(&bytes[..mark_start(&bytes) - 10]);
    let (_, report) = Manifest::open(Arc::new(disk.clone()), dir()).unwrap();
    assert_eq!(report.edits, 2);
    assert!(report.torn_bytes > 20, "{}", report.torn_bytes);
    let (_, report) = Manifest::read_only(&disk, dir()).unwrap();
    assert_eq!((report.edits, report.torn_bytes), (0, 0));
}

#[test]
fn bytes_left_over_from_another_file_or_place_are_no_records() {
    let (other, bytes, state) = written();
    let mut manifest = open(&other.kill());
    let edit = edit(&mut manifest);
    manifest.commit(edit).unwrap();
    let foreign = other.read_all(&path()).unwrap();
    for tail in [&foreign[MANIFEST_HEADER_BYTES..], &bytes[MANIFEST_HEADER_BYTES..], &[0; 96][..]] {
        let disk = holding(&[&bytes[..], tail].concat());
        let (read, report) = Manifest::read_only(&disk, dir()).unwrap();
        assert_eq!((read, report.torn_bytes), (state.clone(), tail.len() as u64));
    }
}

#[test]
fn a_manifest_missing_beside_files_is_an_error_that_names_the_remedy() {
    for id in [FileId::RegistryBase(1), FileId::Spill(1), FileId::Block(7)] {
        let disk = SimDisk::new();
        let file = id.path(dir());
        disk.create_dir(file.parent().unwrap()).unwrap();
        disk.create(&file).unwrap();
        let mutations = disk.calls(Kind::Mutation);
        let error = Manifest::open(Arc::new(disk.clone()), dir()).unwrap_err().to_string();
        assert!(error.contains("sbtool manifest rebuild /"), "{error}");
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        assert_eq!(disk.calls(Kind::Mutation), mutations);
    }
}

#[test]
fn what_a_newer_version_wrote_is_refused_and_left_alone() {
    let mut newer_file = ManifestHeader { nonce: 7, version: 2 }.encode();
    newer_file.extend_from_slice(b"whatever");
    let (_, mut newer_record, _) = written();
    let nonce = ManifestHeader::decode(&newer_record).unwrap().nonce;
    let head = RecordHead { record_type: 9, seq: 6, durable_seq: 5 };
    let offset = newer_record.len();
    encode_record(&mut newer_record, nonce, offset, head, b"what?");
    for (bytes, what) in [(newer_file, "version 2"), (newer_record, "record type 9")] {
        let disk = holding(&bytes);
        let mutations = disk.calls(Kind::Mutation);
        let error = Manifest::open(Arc::new(disk.clone()), dir()).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("newer version"), "{error}");
        assert_eq!(disk.calls(Kind::Mutation), mutations);
    }
}

#[test]
fn a_record_that_no_writer_wrote_is_damage_though_its_checksum_is_right() {
    let (_, bytes, _) = written();
    let nonce = ManifestHeader::decode(&bytes).unwrap().nonce;
    let twice = Edit { remove: vec![FileId::Block(1)], ..Edit::default() };
    for (seq, payload) in [(6, encode_edit(&twice, 9)), (6, vec![0xff; 5]), (8, vec![])] {
        let mut bytes = bytes.clone();
        let head = RecordHead { record_type: RECORD_TYPE_EDIT, seq, durable_seq: seq - 1 };
        let offset = bytes.len();
        encode_record(&mut bytes, nonce, offset, head, &payload);
        let error = Manifest::read_only(&holding(&bytes), dir()).unwrap_err();
        let ManifestError::Corrupt { corrupt, .. } = error else { panic!("{error}") };
        assert!(corrupt.offset as usize >= offset, "{corrupt}");
    }
}

proptest! {
    #[test]
    fn any_bytes_behind_a_snapshot_are_read_or_refused(tail: Vec<u8>, at in 0..400usize) {
        let (_, mut bytes, _) = written();
        bytes.truncate(at);
        bytes.extend_from_slice(&tail);
        let _ = Manifest::read_only(&holding(&bytes), dir());
    }
}
