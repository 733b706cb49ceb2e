//! Rules of the code that a reader relies on: imports go down the layers only, every file says what it is, functions
//! and files stay small (a shrinking list of exceptions, each with its reason), unsafe stays in one place, links in the
//! documents lead somewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rank of every top-level module of `src`. A module imports only from lower ranks and from itself.
const RANKS: &[(&str, u32)] = &[
    ("error", 0),
    ("model", 0),
    ("sync", 0),
    ("encoding", 1),
    ("fs", 1),
    ("index", 2),
    ("wal", 2),
    ("read", 2),
    ("block", 3),
    ("head", 3),
    ("db", 4),
    ("promql", 5),
    ("ingest", 5),
    ("api", 6),
    ("server", 7),
    ("telemetry", 7),
    ("config", 7),
    ("main", 7),
];

/// Modules of rank 0 and 7 are one crate's vocabulary and one program: they may import each other.
const OPEN_RANKS: &[u32] = &[0, 7];

/// The query engine reads data through `read` and speaks `model`; nothing else.
const PROMQL_MAY_IMPORT: &[&str] = &["error", "model", "sync", "read", "promql", "encoding"];
/// Wire formats become batches of `model`; nothing else.
const INGEST_MAY_IMPORT: &[&str] = &["error", "model", "sync", "encoding", "ingest"];

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 500;

/// Functions over the limit, with the reason. The list may only shrink.
const LONG_FUNCTIONS: &[(&str, &str, &str)] = &[];
/// Files over the limit (lines before `#[cfg(test)] mod tests`), with the reason. The list may only shrink.
const LONG_FILES: &[(&str, &str)] = &[];

/// Where `unsafe` may stand.
const UNSAFE_FILES: &[&str] = &["src/fs/mmap.rs"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path, extension: &str, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            files(&path, extension, out);
        } else if path.extension().is_some_and(|e| e == extension) {
            out.push(path);
        }
    }
}

/// Path relative to the repository and text of every file below `dirs`.
fn sources(dirs: &[&str]) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    dirs.iter().for_each(|dir| files(&root().join(dir), "rs", &mut paths));
    assert!(!paths.is_empty(), "no sources found below {dirs:?}");
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    paths.iter().map(|p| (relative(p), std::fs::read_to_string(p).unwrap())).collect()
}

/// The text before the unit tests.
fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod tests").map_or(text, |end| &text[..end])
}

/// A file of unit tests beside the code they test.
fn is_unit_test_file(path: &str) -> bool {
    path.starts_with("src/") && (path.ends_with("/tests.rs") || path.contains("/tests/"))
}

fn module_of(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Every top-level module named after `crate::` (or `silverback::` in the binary), with its line.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("");
        for prefix in ["crate::", "silverback::"] {
            for rest in code.split(prefix).skip(1) {
                let names = rest.strip_prefix('{').unwrap_or(rest);
                let name: String =
                    names.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                found.push((number + 1, name));
            }
        }
    }
    found
}

#[test]
fn imports_go_down_only() {
    let ranks: BTreeMap<&str, u32> = RANKS.iter().copied().collect();
    let mut bad = Vec::new();
    for (path, text) in sources(&["src"]) {
        let module = module_of(&path);
        if module == "lib" {
            continue;
        }
        let rank = *ranks.get(module).unwrap_or_else(|| panic!("{path}: give it a rank"));
        for (line, target) in imports(without_tests(&text)) {
            let Some(&target_rank) = ranks.get(target.as_str()) else {
                bad.push(format!("{path}:{line}: import single modules by path, not {target:?}"));
                continue;
            };
            let down = target_rank < rank || target == module;
            let open = target_rank == rank && OPEN_RANKS.contains(&rank);
            let allowed = match module {
                "promql" => PROMQL_MAY_IMPORT.contains(&target.as_str()),
                "ingest" => INGEST_MAY_IMPORT.contains(&target.as_str()),
                _ => true,
            };
            if !(down || open) || !allowed {
                bad.push(format!("{path}:{line}: {module} must not import {target}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let all = sources(&["src", "tests", "tools", "benches"]);
    let silent: Vec<&str> = all
        .iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path.as_str())
        .collect();
    assert!(silent.is_empty(), "files without a //! head: {silent:?}");
}

/// Name, first line and length of every function, by indentation: rustfmt closes a function at the column it began.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(at) = words.iter().position(|w| *w == "fn") else { continue };
        let declares = words[..at].iter().all(|w| {
            matches!(*w, "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\"")
                || w.starts_with("pub(")
        });
        if !declares || at + 1 >= words.len() {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let body = lines[start..].iter().position(|l| {
            l.trim_end() == close
                || (l.starts_with(&" ".repeat(indent)) && l.ends_with(';') && l.contains("fn "))
        });
        let name = words[at + 1].split(['(', '<']).next().unwrap_or("").to_string();
        found.push((name, start + 1, body.map_or(0, |end| end + 1)));
    }
    found
}

#[test]
fn functions_stay_small() {
    let mut long = Vec::new();
    let mut used = Vec::new();
    for (path, text) in sources(&["src", "tools", "tests"]) {
        for (name, line, len) in functions(&text) {
            if len <= FUNCTION_LINES_MAX {
                continue;
            }
            match LONG_FUNCTIONS.iter().find(|(p, n, _)| *p == path && *n == name) {
                Some(entry) => used.push(entry),
                None => long.push(format!("{path}:{line}: fn {name} has {len} lines")),
            }
        }
    }
    assert!(long.is_empty(), "over {FUNCTION_LINES_MAX} lines:\n{}", long.join("\n"));
    assert_eq!(used.len(), LONG_FUNCTIONS.len(), "an exception is no longer needed: remove it");
}

#[test]
fn files_stay_small() {
    let mut long = Vec::new();
    let mut used = 0;
    for (path, text) in sources(&["src", "tools", "tests"]) {
        let len = without_tests(&text).lines().count();
        if len <= FILE_LINES_MAX || is_unit_test_file(&path) {
            continue;
        }
        match LONG_FILES.iter().any(|(p, _)| *p == path) {
            true => used += 1,
            false => long.push(format!("{path}: {len} lines")),
        }
    }
    assert!(long.is_empty(), "over {FILE_LINES_MAX} lines:\n{}", long.join("\n"));
    assert_eq!(used, LONG_FILES.len(), "an exception is no longer needed: remove it");
}

#[test]
fn unsafe_stays_in_one_place() {
    let mut bad = Vec::new();
    for (path, text) in sources(&["src", "tools"]) {
        let allows = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or("");
            code.contains("allow(unsafe_code") || code.contains("expect(unsafe_code")
        });
        if allows && !UNSAFE_FILES.contains(&path.as_str()) {
            bad.push(path);
        }
    }
    assert!(bad.is_empty(), "unsafe allowed outside {UNSAFE_FILES:?}: {bad:?}");
}

#[test]
fn no_unfinished_marks_and_no_ignored_tests() {
    let marks = ["TO".to_string() + "DO", "FIX".to_string() + "ME", "#[".to_string() + "ignore"];
    let mut bad = Vec::new();
    for (path, text) in sources(&["src", "tests", "tools", "benches"]) {
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                bad.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn relative_links_in_documents_resolve() {
    let mut documents = Vec::new();
    files(&root(), "md", &mut documents);
    assert!(documents.len() >= 3, "README, CHANGELOG and storage-format are expected");
    let mut bad = Vec::new();
    for path in documents {
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or("");
            let external = link.contains("://") || file.is_empty();
            if !external && !path.parent().unwrap().join(file).exists() {
                bad.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn every_dependency_has_its_reason() {
    let members =
        ["tools", "tests/e2e", "tests/shuttle"].map(|member| format!("{member}/Cargo.toml"));
    for manifest in members.iter().map(String::as_str).chain(["Cargo.toml"]) {
        let text = std::fs::read_to_string(root().join(manifest)).unwrap();
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with('[') {
                inside = line.contains("dependencies");
            } else if inside && line.contains('=') && !line.starts_with('#') {
                assert!(line.contains("# "), "{manifest}: no reason beside {line:?}");
            }
        }
    }
}
