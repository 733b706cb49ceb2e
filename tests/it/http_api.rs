//! The query side of the HTTP API as clients see it: shapes, statuses, error texts, headers. Texts are those of a real
//! Prometheus unless it says otherwise.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::json;
use silverback::api::layers::CorsOrigin;
use silverback::api::{Api, ApiOptions, router};
use tower::ServiceExt;

use crate::http_support::{Fixture, series};

/// Three series of two metrics at 0 s and 60 s.
async fn filled() -> Fixture {
    let fixture = Fixture::new();
    let samples = [(0, 1.0), (60_000, 2.0)];
    let mut body = series(&[("__name__", "up"), ("job", "a")], &samples);
    body.extend(series(&[("__name__", "up"), ("job", "b")], &samples));
    body.extend(series(&[("__name__", "temp"), ("http.status", "<hot>")], &[(0, f64::NAN)]));
    assert_eq!(fixture.write(&body).await.status, 204);
    fixture
}

#[tokio::test]
async fn what_is_written_is_queried() {
    let fixture = filled().await;
    let answer = fixture.get("/api/v1/query?query=up%7Bjob=%22a%22%7D&time=60").await;
    assert_eq!(
        answer.text(),
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[60,"2"]}]}}"#
    );
    let answer = fixture.post_form("/api/v1/query_range", "query=up&start=0&end=60&step=30").await;
    let data = answer.data();
    assert_eq!(data["resultType"], "matrix");
    assert_eq!(
        data["result"][1],
        json!({"metric": {"__name__": "up", "job": "b"},
               "values": [[0, "1"], [30, "1"], [60, "2"]]})
    );
    let data = fixture.get("/api/v1/query?query=temp&time=0").await.data();
    assert_eq!(data["result"][0]["value"], json!([0, "NaN"]));
    let data = fixture.get("/api/v1/query?query=1%2B1&time=10.5").await.data();
    assert_eq!(data, json!({"resultType": "scalar", "result": [10.5, "2"]}));
    let data = fixture.get("/api/v1/query?query=%22x%22&time=1").await.data();
    assert_eq!(data, json!({"resultType": "string", "result": [1, "x"]}));
    assert_eq!(fixture.get("/api/v1/query?query=nothing").await.data()["result"], json!([]));
}

#[tokio::test]
async fn a_query_is_formatted() {
    let fixture = Fixture::new();
    let answer = fixture.get("/api/v1/format_query?query=sum(up)%20%23%20why%0Aby(job)").await;
    assert_eq!(answer.text(), r#"{"status":"success","data":"sum by (job) (up)"}"#);
    let long = format!("query=({}/{})", "a".repeat(60), "b".repeat(60));
    let data = fixture.post_form("/api/v1/format_query", &long).await.data();
    assert_eq!(data.as_str().unwrap().lines().count(), 5);
    let wrong = fixture.get("/api/v1/format_query?query=sum(").await;
    assert_eq!(wrong.status, 400);
    let error = wrong.json()["error"].as_str().unwrap().to_string();
    assert!(error.starts_with("invalid parameter \"query\": 1:5: parse error:"), "{error}");
}

#[tokio::test]
async fn a_query_is_parsed() {
    let fixture = Fixture::new();
    let query = "query=topk by (a) (3, -up{b!='c'} offset 5m) * on (a) group_left rate(x[1h %2B step()] @ 2)";
    let data = fixture.post_form("/api/v1/parse_query", query).await.data();
    assert_eq!(data["type"], "binaryExpr");
    assert_eq!(data["bool"], false);
    assert_eq!(
        data["matching"],
        json!({"card": "many-to-one", "labels": ["a"], "on": true, "include": [],
               "fillValues": {"lhs": null, "rhs": null}})
    );
    let (topk, rate) = (&data["lhs"], &data["rhs"]);
    assert_eq!(topk["type"], "aggregation");
    assert_eq!(topk["param"], json!({"type": "numberLiteral", "val": "3"}));
    assert_eq!((&topk["grouping"], &topk["without"]), (&json!(["a"]), &json!(false)));
    assert_eq!((&topk["expr"]["type"], &topk["expr"]["op"]), (&json!("unaryExpr"), &json!("-")));
    assert_eq!(
        topk["expr"]["expr"],
        json!({"type": "vectorSelector", "name": "up", "offset": 300000, "offsetExpr": null,
               "timestamp": null, "startOrEnd": null, "anchored": false, "smoothed": false,
               "matchers": [{"type": "=", "name": "__name__", "value": "up"},
                            {"type": "!=", "name": "b", "value": "c"}]})
    );
    assert_eq!(
        rate["func"],
        json!({"name": "rate", "argTypes": ["matrix"], "variadic": 0, "returnType": "vector"})
    );
    let matrix = &rate["args"][0];
    assert_eq!((&matrix["type"], &matrix["timestamp"]), (&json!("matrixSelector"), &json!(2000)));
    assert_eq!(
        (&matrix["range"], &matrix["rangeExpr"]),
        (
            &json!(0),
            &json!({"type": "durationExpr", "op": "+", "wrapped": false,
            "lhs": {"type": "numberLiteral", "val": "3600"},
            "rhs": {"type": "durationExpr", "op": "step", "lhs": null, "rhs": null, "wrapped": false}})
        )
    );
}

#[tokio::test]
async fn limits_stats_and_lookback() {
    let fixture = filled().await;
    let answer = fixture.get("/api/v1/query?query=up&time=0&limit=1&stats=all").await;
    let json = answer.json();
    assert_eq!(json["data"]["result"].as_array().unwrap().len(), 1);
    assert_eq!(json["warnings"], json!(["results truncated due to limit"]));
    assert!(json["data"]["stats"]["samples"]["totalQueryableSamples"].is_u64());
    let at = |lookback: &str| format!("/api/v1/query?query=up&time=100&lookback_delta={lookback}");
    assert_eq!(fixture.get(&at("1m")).await.data()["result"].as_array().unwrap().len(), 2);
    assert_eq!(fixture.get(&at("30s")).await.data()["result"], json!([]));
}

#[tokio::test]
async fn bad_parameters_are_400_in_prometheus_words() {
    let fixture = Fixture::new();
    let cases = [
        (
            "query?query=up&time=x",
            r#"invalid parameter "time": Invalid time value for 'time': cannot parse "x" to a valid timestamp"#,
        ),
        (
            "query?query=up&timeout=x",
            r#"invalid parameter "timeout": cannot parse "x" to a valid duration"#,
        ),
        ("query?query=up&limit=-1", r#"invalid parameter "limit": limit must be non-negative"#),
        (
            "query_range?query=up",
            r#"invalid parameter "start": cannot parse "" to a valid timestamp"#,
        ),
        (
            "query_range?query=up&start=1&end=0&step=1",
            r#"invalid parameter "end": end timestamp must not be before start time"#,
        ),
        (
            "query_range?query=up&start=1&end=2",
            r#"invalid parameter "step": cannot parse "" to a valid duration"#,
        ),
        (
            "query_range?query=up&start=1&end=2&step=0",
            r#"invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer"#,
        ),
        (
            "query_range?query=up&start=1&end=2&step=1e300",
            r#"invalid parameter "step": cannot parse "1e300" to a valid duration. It overflows int64"#,
        ),
        (
            "query_range?query=up&start=0&end=11001&step=1",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        ("series", "no match[] parameter provided"),
        (
            "series?match[]=%7B%7D",
            r#"invalid parameter "match[]": match[] must contain at least one non-empty matcher"#,
        ),
        (
            "series?match[]=up&start=x",
            r#"invalid parameter "start": Invalid time value for 'start': cannot parse "x" to a valid timestamp"#,
        ),
        ("query?query=%zz", "invalid URL escape in \"%zz\""),
    ];
    for (path, text) in cases {
        let answer = fixture.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.error(), ("bad_data".to_string(), text.to_string()), "{path}");
    }
    let parse_errors = ["query?query=up%7B", "query?query=", "labels?match[]=up+1"];
    for path in parse_errors {
        let answer = fixture.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.error().1.starts_with("invalid parameter \""), "{path}: {}", answer.text());
    }
    let range = fixture.get("/api/v1/query_range?query=up%5B1m%5D&start=0&end=1&step=1").await;
    assert_eq!(range.status, 400);
    assert!(range.error().1.contains(
        "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"
    ));
}

#[tokio::test]
async fn exactly_eleven_thousand_and_one_points_are_allowed() {
    let fixture = Fixture::new();
    let answer = fixture.get("/api/v1/query_range?query=1&start=0&end=11000&step=1").await;
    assert_eq!(answer.data()["result"][0]["values"].as_array().unwrap().len(), 11_001);
}

#[tokio::test]
async fn evaluation_errors_are_422() {
    let fixture = filled().await;
    let answer = fixture.get("/api/v1/query?query=up%2Bon()up&time=0").await;
    assert_eq!((answer.status.as_u16(), answer.error().0.as_str()), (422, "execution"));
    let options = ApiOptions { response_max_bytes: 100, ..ApiOptions::default() };
    let small = Fixture::with(options);
    let answer = small.get("/api/v1/query_range?query=1&start=0&end=100&step=1").await;
    assert_eq!(answer.status, 422);
    assert!(answer.error().1.contains("--web.max-response-bytes"));
}

#[tokio::test]
async fn series_labels_and_values() {
    let fixture = filled().await;
    let a = json!({"__name__": "up", "job": "a"});
    let b = json!({"__name__": "up", "job": "b"});
    assert_eq!(fixture.get("/api/v1/series?match[]=up").await.data(), json!([a, b]));
    let both = "match[]=up%7Bjob=%22a%22%7D&match[]=up";
    let posted = fixture.post_form("/api/v1/series?limit=1", both).await;
    assert_eq!(posted.data(), json!([a]));
    assert_eq!(posted.json()["warnings"], json!(["results truncated due to limit"]));
    let names = json!(["__name__", "http.status", "job"]);
    assert_eq!(fixture.get("/api/v1/labels").await.data(), names);
    assert_eq!(fixture.get("/api/v1/labels?match[]=up").await.data(), json!(["__name__", "job"]));
    let values = |path: &'static str| fixture.get(path);
    assert_eq!(values("/api/v1/label/job/values").await.data(), json!(["a", "b"]));
    assert_eq!(values("/api/v1/label/nothing/values").await.data(), json!([]));
    for path in ["/api/v1/label/U__http_2e_status/values", "/api/v1/label/http.status/values"] {
        let answer = values(path).await;
        assert_eq!(answer.data(), json!(["<hot>"]));
        assert!(answer.text().contains(r"\u003chot\u003e"));
    }
    assert_eq!(
        values("/api/v1/label/__name__/values?match[]=up&match[]=temp&start=0&end=1").await.data(),
        json!(["temp", "up"])
    );
    assert_eq!(fixture.get("/api/v1/metadata").await.data(), json!({}));
}

#[tokio::test]
async fn form_values_come_before_those_of_the_address() {
    let fixture = Fixture::new();
    let answer = fixture.post_form("/api/v1/query?query=1&time=7", "query=2").await;
    assert_eq!(answer.data()["result"], json!([7, "2"]));
}

#[tokio::test]
async fn status_pages() {
    let flags = vec![("query.timeout".to_string(), "2m".to_string())];
    let fixture = Fixture::with(ApiOptions { flags, ..ApiOptions::default() });
    let build = fixture.get("/api/v1/status/buildinfo").await.data();
    assert_eq!(build["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(fixture.get("/api/v1/status/flags").await.data()["query.timeout"], "2m");
    let runtime = fixture.get("/api/v1/status/runtimeinfo").await.data();
    assert!(runtime["startTime"].as_str().unwrap().ends_with('Z'));
    assert_eq!(fixture.get("/version").await.json()["version"], build["version"]);
    assert_eq!(fixture.get("/-/healthy").await.text(), "Silverback is Healthy.\n");
    assert_eq!(fixture.get("/-/ready").await.text(), "Silverback is Ready.\n");
}

#[tokio::test]
async fn the_page_is_self_contained_and_locked_down() {
    let fixture = Fixture::new();
    let page = fixture.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").starts_with("default-src 'self'"));
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert!(!page.text().contains("http://") && !page.text().contains("https://"));
    let script = fixture.get("/static/page.js").await;
    assert!(script.text().contains("textContent") && !script.text().contains("innerHTML"));
    assert_eq!(fixture.get("/static/page.css").await.status, 200);
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let fixture = Fixture::new();
    for path in ["/nope", "/api/v1/nope", "/api/v1/label/..%2f..%2fetc/x", "/static/../x"] {
        let answer = fixture.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text()),
            (404, "404 page not found\n"),
            "{path}"
        );
    }
    for (method, path) in [
        ("DELETE", "/api/v1/query"),
        ("GET", "/api/v1/write"),
        ("POST", "/-/healthy"),
        ("POST", "/api/v1/label/job/values"),
        ("HEAD", "/api/v1/query"),
        ("HEAD", "/api/v1/label/job/values"),
        ("HEAD", "/api/v1/write"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = fixture.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text()),
            (405, if method == "HEAD" { "" } else { "Method Not Allowed\n" }),
            "{path}"
        );
    }
    let health = Request::head("/-/healthy").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(health).await.status, 200);
}

async fn from_origin(fixture: &Fixture, method: &str, origin: &str) -> (u16, String, String) {
    let request = Request::builder()
        .method(method)
        .uri("/api/v1/labels")
        .header(header::ORIGIN, origin)
        .body(Body::empty())
        .unwrap();
    let answer = fixture.send(request).await;
    assert!(answer.headers.get_all(header::VARY).iter().any(|value| value == "Origin"));
    let header = |name| answer.header(name).to_string();
    let methods = header("access-control-allow-methods");
    (answer.status.as_u16(), header("access-control-allow-origin"), methods)
}

#[tokio::test]
async fn pages_of_other_origins_read_only_what_the_flag_allows() {
    let with = |pattern: Option<&str>| {
        let cors_origin = pattern.map(|pattern| CorsOrigin::new(pattern).unwrap());
        Fixture::with(ApiOptions { cors_origin, ..ApiOptions::default() })
    };
    let none = (200, String::new(), String::new());
    let origin = "https://a.example";
    assert_eq!(from_origin(&with(None), "GET", origin).await, none);
    assert_eq!(from_origin(&with(None), "OPTIONS", origin).await.0, 204);
    let methods = "GET, POST, OPTIONS".to_string();
    let any = from_origin(&with(Some(".*")), "OPTIONS", origin).await;
    assert_eq!(any, (204, "*".to_string(), methods.clone()));
    let some = with(Some("https://[a-z]+\\.example"));
    assert_eq!(from_origin(&some, "GET", origin).await, (200, origin.to_string(), methods));
    assert_eq!(from_origin(&some, "GET", "https://a.example.org").await, none);
}

#[tokio::test]
async fn answers_are_compressed_when_asked() {
    let fixture = filled().await;
    for encoding in ["gzip", "deflate"] {
        let request = Request::get("/api/v1/query_range?query=1&start=0&end=1000&step=1")
            .header(header::ACCEPT_ENCODING, encoding)
            .body(Body::empty())
            .unwrap();
        let answer = fixture.send(request).await;
        assert_eq!(answer.header("content-encoding"), encoding);
        assert!(answer.body.len() < 10_000, "{}", answer.body.len());
    }
    assert_eq!(fixture.get("/api/v1/labels").await.header("content-encoding"), "");
}

#[tokio::test]
async fn before_it_is_ready_and_while_it_stops_the_server_says_503() {
    let api = Api::new(ApiOptions::default());
    let get = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(api.clone()).oneshot(request).await.unwrap();
        let stopping = response.headers().get("x-prometheus-stopping").cloned();
        (response.status().as_u16(), stopping.map(|value| value.to_str().unwrap().to_string()))
    };
    for path in ["/-/ready", "/api/v1/query?query=1", "/api/v1/status/buildinfo"] {
        assert_eq!(get(path).await, (503, Some("false".to_string())), "{path}");
    }
    for path in ["/-/healthy", "/metrics", "/version", "/"] {
        assert_eq!(get(path).await, (200, None), "{path}");
    }
    api.set_stopping();
    api.set_ready();
    assert_eq!(get("/-/ready").await, (503, Some("true".to_string())));
}

#[tokio::test]
async fn a_query_that_finds_no_slot_times_out() {
    let options = ApiOptions { query_concurrency_max: 0, ..ApiOptions::default() };
    let fixture = Fixture::with(options);
    let begun = std::time::Instant::now();
    let answer = fixture.get("/api/v1/query?query=1&timeout=50ms").await;
    assert_eq!(answer.status, 503);
    let text = "query timed out in query queue".to_string();
    assert_eq!(answer.error(), ("timeout".to_string(), text));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn requests_are_counted_by_route() {
    let fixture = filled().await;
    fixture.get("/api/v1/label/job/values").await;
    fixture.get("/whatever").await;
    let registry = silverback::telemetry::metrics::registry(&fixture.api);
    fixture.api.set_exposition(move || silverback::telemetry::metrics::exposition(&registry));
    let answer = fixture.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    for line in [
        "silverback_http_requests_total{handler=\"/api/v1/write\",code=\"204\"} 1",
        "silverback_http_requests_total{handler=\"/api/v1/label/{name}/values\",code=\"200\"} 1",
        "silverback_http_requests_total{handler=\"none\",code=\"404\"} 1",
        "silverback_remote_write_samples_total 5",
    ] {
        assert!(answer.text().lines().any(|l| l == line), "{line} is not in {}", answer.text());
    }
}
