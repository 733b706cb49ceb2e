//! The commands on copies of the data directory that version 1 left behind, whole and damaged, and on scripts.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use tempfile::TempDir;

use crate::{Arguments, run};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/data-v1");

/// A copy of the directory, which goes when this is dropped.
struct Data {
    _temporary: TempDir,
    dir: PathBuf,
}

impl Data {
    fn new() -> Data {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("data");
        copy(Path::new(FIXTURE), &dir);
        Data { _temporary: temporary, dir }
    }

    /// What a command prints, and the text of its failure. `@` stands for the directory.
    fn run(&self, command: &str) -> (String, Option<String>) {
        let dir = self.dir.to_str().unwrap();
        let words = ["sbtool"].into_iter().chain(command.split(' '));
        let words = words.map(|word| word.replace('@', dir));
        let mut out = Vec::new();
        let failure = run(&Arguments::try_parse_from(words).unwrap().command, &mut out).err();
        (String::from_utf8(out).unwrap(), failure)
    }

    #[track_caller]
    fn good(&self, command: &str) -> String {
        let (out, failure) = self.run(command);
        assert_eq!(failure, None, "{command}: {out}");
        out
    }

    /// The files of a folder.
    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.join(folder)).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// All files that have a format.
    fn all_files(&self) -> Vec<PathBuf> {
        let folders = ["wal", "registry", "spill", "blocks"];
        let mut files: Vec<PathBuf> =
            folders.iter().flat_map(|folder| self.files(folder)).collect();
        files.push(self.dir.join("MANIFEST"));
        files
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copy(&from, &to),
            false => assert!(fs::copy(&from, &to).is_ok()),
        }
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn ls_tells_of_every_file_what_it_is() {
    let data = Data::new();
    fs::write(data.dir.join("LOCK"), "1").unwrap();
    fs::write(data.dir.join("spill/00000099.sbs.tmp"), "").unwrap();
    fs::create_dir(data.dir.join("quarantine")).unwrap();
    fs::copy(&data.files("spill")[0], data.dir.join("spill/00000098.sbs")).unwrap();
    fs::rename(&data.files("registry")[0], data.dir.join("quarantine/old.sbr")).unwrap();
    flip(&data.files("wal")[0], 3);
    let text = data.good("ls @");
    for (file, told) in [
        ("LOCK", "lock"),
        ("MANIFEST", "manifest"),
        ("00000098.sbs", "not listed: removed by the next start"),
        ("00000099.sbs.tmp", "unfinished"),
        ("late spill, tier 0", "2023-11-14"),
        ("block, level ", "2023-11-14"),
        ("definitions", "registry/"),
        ("quarantine/old.sbr", "set aside"),
        ("missing, though the manifest lists it", "registry/"),
        ("wal/", "corrupt segment magic"),
        ("samples in 2 requests of the log", "behind sequence"),
    ] {
        let has = text.lines().any(|line| line.contains(file) && line.contains(told));
        assert!(has, "{file}: {told}\n{text}");
    }
}

#[test]
fn dump_prints_a_directory_and_each_kind_of_file() {
    let data = Data::new();
    let all = data.good("dump @");
    assert!(
        all.contains("{__name__=\"temperature_celsius\", room=\"küche\"} 20.5 1699999800000\n")
    );
    assert!(all.contains("{__name__=\"newest\", n=\"2\"} -1.5 "), "the log");
    assert!(all.contains("{__name__=\"new\", n=\"1\"} 1e+300 "), "a spill");
    let block = data.files("blocks")[0].clone();
    let in_block = data.good(&format!("dump {}", block.display()));
    assert!(in_block.lines().all(|line| all.contains(line)) && in_block.lines().count() > 40);
    let selected = data.good(&format!("dump {} --match odd", block.display()));
    assert_eq!(selected.lines().count(), 10);
    let of = |folder: &str| {
        let files = data.files(folder);
        files.iter().map(|file| data.good(&format!("dump {}", file.display()))).collect::<String>()
    };
    assert!(of("spill").lines().any(|line| line.starts_with("ref ") && line.contains(" 1e+300 ")));
    assert!(of("registry").contains("is new{n=\"1\"}") && of("registry").contains("is up{"));
    assert!(of("wal").contains("sequence ") && of("wal").contains("is newest{n=\"2\"}"));
    let listed = data.good("dump @/MANIFEST");
    assert!(data.files("spill").iter().all(|spill| {
        listed.contains(spill.strip_prefix(&data.dir).unwrap().to_str().unwrap())
    }));
    let spill = data.files("spill")[0].display().to_string();
    assert!(data.run(&format!("dump {spill} --match up")).1.unwrap().contains("no labels"));
}

#[test]
fn inspect_and_verify_know_every_kind_and_find_a_flipped_bit_anywhere() {
    let data = Data::new();
    assert_eq!(data.good("verify @"), "no damage\n");
    for file in data.all_files() {
        let (inspect, verify) = (
            format!("inspect {} --series 2", file.display()),
            format!("verify {}", file.display()),
        );
        assert!(data.good(&inspect).lines().count() > 4, "{file:?}");
        assert_eq!(data.good(&verify), "no damage\n");
        let whole = fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(7) {
            flip(&file, at);
            let (out, failure) = data.run(&verify);
            // Zeros behind a payload are not checked, and a mark of the manifest may be torn.
            match failure {
                None => assert!(whole[at] == 0 || file.ends_with("MANIFEST"), "{file:?} at {at}"),
                Some(_) => assert!(out.contains("offset"), "{out}"),
            }
            fs::write(&file, &whole).unwrap();
        }
    }
}

#[test]
fn verify_of_a_directory_names_what_is_missing_and_what_is_not_listed() {
    let data = Data::new();
    let spills = data.files("spill");
    fs::rename(&spills[0], data.dir.join("spill/00000098.sbs")).unwrap();
    flip(&spills[1], 5);
    let (out, failure) = data.run("verify @");
    assert!(failure.unwrap().starts_with("2 damaged places"));
    assert!(out.contains(spills[0].to_str().unwrap()) && out.contains("page checksum"));
    assert!(out.contains("not listed in the manifest, and not checked"), "{out}");
}

#[test]
fn manifest_rebuild_brings_back_what_was_there() {
    let data = Data::new();
    let before = data.good("dump @");
    flip(&data.dir.join("MANIFEST"), 30);
    let failure = data.run("dump @").1.unwrap();
    assert!(failure.contains("sbtool manifest rebuild"), "{failure}");
    assert!(data.run("ls @").0.contains("blocks/"), "it lists all the same");
    let text = data.good("manifest rebuild @");
    assert!(text.contains("MANIFEST.damaged-1") && text.contains("listed       blocks/"), "{text}");
    assert_eq!(data.good("dump @"), before);
    assert_eq!(data.good("verify @"), "no damage\n");
    fs::remove_file(data.dir.join("MANIFEST")).unwrap();
    let spill = data.files("spill")[0].clone();
    fs::OpenOptions::new().write(true).open(&spill).unwrap().set_len(60).unwrap();
    let (text, failure) = data.run("manifest rebuild @");
    assert!(text.contains("quarantined  spill/") && failure.unwrap().contains("1 files"), "{text}");
    assert!(data.dir.join("quarantine").join(spill.file_name().unwrap()).exists());
}

#[test]
fn what_is_no_file_of_a_data_directory_is_refused() {
    let data = Data::new();
    for command in ["inspect @/photo.jpg", "dump @/photo.jpg", "verify @/photo.jpg"] {
        assert!(data.run(command).1.unwrap().contains("no file of a data directory"));
    }
    assert!(data.run("manifest rebuild @/elsewhere").1.is_some());
}

#[test]
fn test_promql_runs_scripts_and_names_the_lines_that_fail() {
    let data = Data::new();
    let good = "load 1m\n  m{a=\"1\"} 1+1x5\n  h {{schema:0 count:2 sum:3 buckets:[2]}}x5\n\n\
                eval instant at 2m m\n  m{a=\"1\"} 3\n\neval instant at 2m h\n  h {{count:2 sum:3 buckets:[2]}}\n";
    let bad = "load 1m\n  m 1\n\neval instant at 0 m\n  m 2\n\neval instant at 0 m\n  m 1\n";
    fs::write(data.dir.join("good.test"), good).unwrap();
    fs::write(data.dir.join("bad.test"), bad).unwrap();
    fs::write(data.dir.join("odd.test"), "load 1m\n  m 1\n\nevaluate m\n").unwrap();
    let text = data.good("test promql @/good.test");
    assert!(text.ends_with("good.test: 2 evals, 2 passed, 0 failed\n"), "{text}");
    let (text, failure) = data.run("test promql @/bad.test @/good.test @/odd.test");
    let bad_line =
        format!("{}:4: m: expected m 2; got [ m 1 ]", data.dir.join("bad.test").display());
    assert!(text.lines().any(|line| line == bad_line), "{text}");
    assert!(text.contains("bad.test: 2 evals, 1 passed, 1 failed\n"), "{text}");
    assert!(text.contains("good.test: 2 evals, 2 passed, 0 failed\n"), "{text}");
    assert!(text.contains("odd.test:4: expected \"eval instant"), "{text}");
    assert_eq!(failure.unwrap(), "2 of 3 files failed, 3 of 4 evaluations passed");
    assert!(data.run("test promql @/none.test").1.unwrap().starts_with("cannot read"));
}
