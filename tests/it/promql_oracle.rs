//! The engine agrees with the [`super::oracle`].
//!
//! `SILVERBACK_ORACLE_CASES` says how many expressions to try, if not [`CASES`]; `SILVERBACK_ORACLE_BYTES` names the one to
//! try, as failures and the files of the fuzzer show it in hexadecimal.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

use crate::oracle::case::{Case, DATA_BYTES};
use crate::oracle::compare::disagreement;

/// Expressions that every run tries.
const CASES: u32 = 8_000;
/// Bytes that are enough for most cases.
const BYTES_MAX: usize = 320;

/// What a case is made of, in one line: also what the fuzz target takes.
struct Bytes(Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Tries one in `share` of the cases.
pub fn run_cases(share: u32, flaw: impl Fn(&[u8]) -> Option<String>) {
    if let Ok(hexadecimal) = std::env::var("SILVERBACK_ORACLE_BYTES") {
        assert_eq!(flaw(&bytes_of(&hexadecimal)), None);
        return;
    }
    let count = std::env::var("SILVERBACK_ORACLE_CASES").ok().and_then(|count| count.parse().ok());
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(count.unwrap_or(CASES) / share)
    };
    let test = |bytes: Bytes| match flaw(&bytes.0) {
        Some(flaw) => Err(TestCaseError::fail(flaw)),
        None => Ok(()),
    };
    let bytes = vec(any::<u8>(), DATA_BYTES..BYTES_MAX).prop_map(Bytes);
    if let Err(error) = TestRunner::new(config).run(&bytes, test) {
        panic!("{error}");
    }
}

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let pairs = hexadecimal.trim().as_bytes().chunks(2);
    let digits = pairs.map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn the_engine_agrees_with_the_oracle() {
    run_cases(1, |bytes| disagreement(&Case::of(bytes)));
}
