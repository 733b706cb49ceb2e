use super::*;

#[test]
fn common_expressions_parse() {
    for text in [
        "1 + 2 * 3",
        "sum by (job) (rate(http_requests_total{job=~\"a.*\", code!=\"200\"}[5m] offset 1h))",
        "foo[5m] @ start() offset -5m",
        "max_over_time(rate(foo[5m])[1h:1m])",
    ] {
        parse(text, &ParseOptions::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}
