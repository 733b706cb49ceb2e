//! Queries as what they cost: budgets and what is said of those over them, statistics, plans, and the list of active
//! queries.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use silverback::api::ApiOptions;
use silverback::promql::engine::EngineOptions;
use silverback::server::connection::{ConnectionOptions, serve};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::http_support::{Answer, Fixture, series};

/// Twenty series of one metric, a sample every 10 s for 10 minutes.
async fn filled(options: ApiOptions) -> Fixture {
    let fixture = Fixture::with(options);
    let samples: Vec<(i64, f64)> = (0..60).map(|i| (i * 10_000, i as f64)).collect();
    for index in 0..20 {
        let (instance, job) = (format!("i{index}"), format!("j{}", index % 2));
        let labels = [("__name__", "m_total"), ("instance", &instance), ("job", &job)];
        assert_eq!(fixture.write(&series(&labels, &samples)).await.status, 204);
    }
    fixture
}

fn with_engine(engine: EngineOptions) -> ApiOptions {
    ApiOptions { engine, ..ApiOptions::default() }
}

fn error_of(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.error().1
}

const RANGE: &str = "start=0&end=590&step=10";

#[tokio::test]
async fn over_a_limit_is_422_with_the_name_of_the_flag() {
    let options = EngineOptions { memory_max_bytes: 20_000, ..EngineOptions::default() };
    let fixture = filled(with_engine(options)).await;
    let range = |query: &str| format!("/api/v1/query_range?query={query}&{RANGE}");
    let text = error_of(&fixture.get(&range("m_total%2Bm_total")).await, 422);
    assert!(text.contains("20000 bytes") && text.contains("--query.max-memory"), "{text}");
    assert_eq!(fixture.get(&range("sum(m_total)")).await.status, 200);

    let options = EngineOptions { memory_budget_bytes: 20_000, ..EngineOptions::default() };
    let fixture = filled(with_engine(options)).await;
    let text = error_of(&fixture.get(&range("m_total%2Bm_total")).await, 422);
    assert!(text.contains("20000 bytes") && text.contains("--query.memory-budget"), "{text}");
    assert_eq!(fixture.api.query_memory_bytes(), 0);

    let fixture =
        filled(with_engine(EngineOptions { series_max: 30, ..EngineOptions::default() })).await;
    let text = error_of(&fixture.get(&range("m_total%2Bm_total")).await, 422);
    assert!(text.contains("30 series") && text.contains("--query.max-series"), "{text}");
    let sets = "match[]=m_total&match[]=%7Binstance!=%22%22%7D";
    let text = error_of(&fixture.get(&format!("/api/v1/series?{sets}")).await, 422);
    assert!(text.contains("--query.max-series"), "{text}");

    let fixture =
        filled(with_engine(EngineOptions { samples_max: 100, ..EngineOptions::default() })).await;
    let text = error_of(&fixture.get(&range("m_total")).await, 422);
    assert_eq!(text, "query processing would load too many samples into memory in query execution");
}

#[tokio::test]
async fn label_sets_of_the_metadata_endpoints_are_held() {
    let options = EngineOptions { memory_max_bytes: 1_000, ..EngineOptions::default() };
    let fixture = filled(with_engine(options)).await;
    for path in ["series?match[]=m_total", "label/instance/values?match[]=m_total"] {
        let answer = fixture.get(&format!("/api/v1/{path}")).await;
        match path.starts_with("series") {
            true => assert!(error_of(&answer, 422).contains("--query.max-memory")),
            false => assert_eq!(answer.status, 200),
        }
    }
}

#[tokio::test]
async fn texts_over_a_limit_name_it() {
    let fixture = Fixture::new();
    let many = "1".to_string() + &"%2B1".repeat(1_001);
    let deep = "(".repeat(201) + "1" + &")".repeat(201);
    // Not a word of it is right, which is not even looked at.
    let both = "(".repeat(201) + "no no";
    for (query, limit) in
        [(many.as_str(), "1000 operators"), (&deep, "200 parentheses"), (&both, "200 parentheses")]
    {
        let form = format!("query={query}&time=0");
        let answer = fixture.post_form("/api/v1/query", &form).await;
        assert!(error_of(&answer, 422).contains(limit), "{}", answer.text());
    }
    let mut options = ApiOptions::default();
    options.engine.parse.text_max_bytes = 10;
    let short = Fixture::with(options);
    let text = error_of(&short.get("/api/v1/query?query=12345678901").await, 422);
    assert!(text.contains("11 bytes") && text.contains("limit of 10"), "{text}");
    let regex = "query=m%7Ba=~%22(.%7B1000%7D)%7B1000%7D%22%7D";
    let text = error_of(&fixture.post_form("/api/v1/query", regex).await, 422);
    assert!(text.contains("size limit of 2097152 bytes"), "{text}");
    let replace = "query=label_replace(m,%22a%22,%22b%22,%22c%22,%22(.%7B1000%7D)%7B1000%7D%22)";
    let text = error_of(&fixture.post_form("/api/v1/query", replace).await, 422);
    assert!(text.contains("size limit of 2097152 bytes"), "{text}");
    assert_eq!(fixture.get("/api/v1/query?query=up%7B").await.status, 400);
}

#[tokio::test]
async fn statistics_have_the_fields_of_prometheus() {
    let fixture = filled(ApiOptions::default()).await;
    let stats = async |query: &str, stats: &str| {
        let path =
            format!("/api/v1/query_range?query={query}&start=100&end=120&step=10&stats={stats}");
        fixture.get(&path).await.data()["stats"].take()
    };
    let some = stats("sum(rate(m_total%5B1m%5D))", "true").await;
    assert_eq!(some["samples"]["totalQueryableSamples"], 20 * 6 * 3);
    assert_eq!(some["samples"]["samplesRead"], 20 * 8);
    assert!(some["samples"]["peakSamples"].as_u64() > Some(0));
    assert!(some["samples"].get("totalQueryableSamplesPerStep").is_none());
    let timings = ["evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime"];
    for name in timings.into_iter().chain(["execQueueTime", "execTotalTime"]) {
        assert!(some["timings"][name].is_number(), "{name}: {some}");
    }
    let per_step = async |query: &str| {
        let samples = stats(query, "all").await["samples"].take();
        let steps = samples["totalQueryableSamplesPerStep"].clone();
        let sum =
            steps.as_array().unwrap().iter().map(|step| step[1].as_u64().unwrap()).sum::<u64>();
        assert_eq!(samples["totalQueryableSamples"], sum, "{query}");
        steps
    };
    assert_eq!(per_step("m_total").await, json!([[100, 20], [110, 20], [120, 20]]));
    assert_eq!(
        per_step("rate(m_total%5B1m%5D)").await,
        json!([[100, 120], [110, 120], [120, 120]])
    );
    // What `@` pins is read once and used at every step; a subquery counts by its own windows.
    assert_eq!(per_step("m_total%20@%20100").await, json!([[100, 20], [110, 20], [120, 20]]));
    let subquery = per_step("sum_over_time(m_total%5B1m:20s%5D)").await;
    assert_eq!(subquery, json!([[100, 60], [110, 60], [120, 60]]));
    assert_eq!(
        per_step("m_total%7Binstance=%22i1%22%7D%20offset%2010m").await,
        json!([[100, 0], [110, 0], [120, 0]])
    );
    let at = fixture.get("/api/v1/query?query=m_total&time=10.5&stats=all").await.data();
    assert_eq!(at["stats"]["samples"]["totalQueryableSamplesPerStep"], json!([[10.5, 20]]));
}

/// The node of a plan that stands for an expression.
fn find<'a>(node: &'a Value, expr: &str) -> &'a Value {
    fn search<'a>(node: &'a Value, expr: &str) -> Option<&'a Value> {
        if node["expr"] == expr {
            return Some(node);
        }
        node["children"].as_array().unwrap().iter().find_map(|child| search(child, expr))
    }
    search(node, expr).unwrap_or_else(|| panic!("{expr} is not in {node}"))
}

const EXPLAINED: &str =
    "sum by (job) (rate(m_total[1m])) / on (job) group_left count(m_total offset 10s) by (job)";

#[tokio::test]
async fn a_plan_tells_what_a_query_will_cost() {
    let fixture = filled(ApiOptions::default()).await;
    let form = format!("query={}&start=100&end=200&step=50", EXPLAINED.replace(' ', "+"));
    let data = fixture.post_form("/api/v1/query_explain", &form).await.data();
    assert!(data.get("stats").is_none());
    let plan = &data["plan"];
    assert_eq!((&plan["operator"], &plan["name"]), (&json!("binary operation"), &json!("/")));
    assert_eq!(plan["position"], json!([0, EXPLAINED.len()]));
    assert!(plan.get("measured").is_none());
    let leaf = find(plan, "m_total[1m]");
    assert_eq!((&leaf["operator"], &leaf["children"]), (&json!("range selector"), &json!([])));
    assert_eq!(leaf["estimated"]["series"], 20);
    // 160 s with a sample every 10 s.
    let samples = leaf["estimated"]["samples"].as_u64().unwrap();
    assert!((300..=340).contains(&samples), "{samples}");
    let other = find(plan, "m_total offset 10s")["estimated"]["samples"].as_u64().unwrap();
    assert_eq!(plan["estimated"], json!({"series": 20, "samples": samples + other}));
    assert_eq!(find(plan, "rate(m_total[1m])")["name"], "rate");
    let one = fixture.get("/api/v1/query_explain?query=count(m_total)&time=100").await.data();
    assert_eq!(one["plan"]["estimated"]["series"], 1);
    let nothing = fixture.get("/api/v1/query_explain?query=nothing&time=100").await.data();
    assert_eq!(nothing["plan"]["estimated"], json!({"series": 0, "samples": 0}));
}

#[tokio::test]
async fn a_plan_tells_what_is_read_in_place_of_a_selector() {
    let fixture = filled(ApiOptions::default()).await;
    let form = "query=m_total{job=\"0\"}/rate(m_total[1m])&start=100&end=200&step=50";
    let data = fixture.post_form("/api/v1/query_explain", form).await.data();
    let narrowed = find(&data["plan"], "m_total[1m]");
    assert_eq!(narrowed["readAs"], "m_total{job=\"0\"}[1m]");
    let other = find(&data["plan"], "m_total{job=\"0\"}");
    assert!(other.get("readAs").is_none());
    assert_eq!(narrowed["estimated"]["series"], other["estimated"]["series"]);
}

#[tokio::test]
async fn a_plan_is_measured_when_asked_for() {
    for threads in [1, 2] {
        let fixture =
            filled(with_engine(EngineOptions { threads, ..EngineOptions::default() })).await;
        let query = EXPLAINED.replace(' ', "+");
        let form = format!("query={query}&start=100&end=200&step=50&analyze=true");
        let data = fixture.post_form("/api/v1/query_explain", &form).await.data();
        let plan = &data["plan"];
        let measured = |expr: &str| &find(plan, expr)["measured"];
        assert_eq!(measured("m_total[1m]")["series"], 20);
        assert_eq!(measured("m_total[1m]")["samples"], 20 * 16);
        assert_eq!(measured("sum by (job) (rate(m_total[1m]))")["series"], 2);
        assert_eq!(plan["measured"]["samples"], data["stats"]["samples"]["samplesRead"]);
        let seconds = |expr: &str| measured(expr)["seconds"].as_f64().unwrap();
        assert!(seconds(EXPLAINED) >= seconds("sum by (job) (rate(m_total[1m]))"));
        assert!(seconds("rate(m_total[1m])") >= seconds("m_total[1m]"));
        assert!(seconds("m_total[1m]") > 0.0);
        assert!(measured("m_total[1m]")["peakBytes"].as_u64() >= Some(16 * 16));
        assert!(data["stats"]["memory"]["peakBytes"].as_u64() > Some(0));
    }
}

#[tokio::test]
async fn plans_of_odd_queries() {
    let fixture = filled(ApiOptions::default()).await;
    for query in [
        "1",
        "'x'",
        "-m_total",
        "time()",
        "vector(1)",
        "m_total[5m]",
        "m_total[5m:1m]",
        "absent(m_total)",
        "scalar(m_total)*m_total",
        "timestamp(m_total)",
        "m_total @ end()",
        "topk(3,m_total) or m_total",
        "max_over_time(sum(m_total)[1m:10s])",
        "(((m_total)))",
        "histogram_quantile(0.9,m_total)",
        "hour()",
        "label_replace(m_total,'a','b','job','.*')",
        "sort_desc(m_total)",
    ] {
        let form = format!("query={}&time=300&analyze=true", query.replace(' ', "+"));
        let data = fixture.post_form("/api/v1/query_explain", &form).await.data();
        let plan = &data["plan"];
        assert_eq!(
            plan["measured"]["samples"], data["stats"]["samples"]["samplesRead"],
            "{query}: {data}"
        );
    }
    let chain = "m_total".to_string() + &"+m_total".repeat(900).replace('+', "%2B");
    let form = format!("query={chain}&time=300&analyze=true");
    assert_eq!(fixture.post_form("/api/v1/query_explain", &form).await.status, 200);
    let bad = fixture.get("/api/v1/query_explain?query=1&analyze=perhaps").await;
    assert!(error_of(&bad, 400).contains("analyze"));
    assert_eq!(fixture.get("/api/v1/query_explain?query=up%7B").await.status, 400);
}

#[tokio::test]
async fn a_plan_knows_blocks_as_well() {
    let fixture = filled(ApiOptions { admin_enabled: true, ..ApiOptions::default() }).await;
    let flush = Request::post("/api/v1/admin/tsdb/flush").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(flush).await.status, 204);
    let data = fixture.get("/api/v1/query_explain?query=m_total%5B5m%5D&time=300").await.data();
    let estimated = &data["plan"]["estimated"];
    let samples = estimated["samples"].as_u64().unwrap();
    assert!(estimated["series"] == 20 && (500..=700).contains(&samples), "{estimated}");
}

/// Eleven thousand windows of a million samples, each sorted: runs for minutes if nobody ends it.
const SLOW: &str =
    "/api/v1/query_range?query=mad_over_time(vector(1)%5B1000000s:1s%5D)&start=0&end=11000&step=1";

fn enabled() -> ApiOptions {
    let mut engine = EngineOptions::default();
    engine.parse.experimental_functions = true;
    ApiOptions { admin_enabled: true, query_concurrency_max: 1, ..with_engine(engine) }
}

async fn active(fixture: &Fixture) -> Vec<Value> {
    let data = fixture.get("/api/v1/status/active_queries").await.data();
    data.as_array().unwrap().clone()
}

/// The list once it has so many queries, the first of which runs.
async fn active_queries(fixture: &Fixture, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let all = active(fixture).await;
        if all.len() == count && all.iter().take(1).all(|query| query["state"] == "running") {
            return all;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{all:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn cancel(fixture: &Fixture, id: impl std::fmt::Display) -> u16 {
    let path = format!("/api/v1/status/active_queries/{id}/cancel");
    let request = Request::post(path).body(Body::empty()).unwrap();
    fixture.send(request).await.status.as_u16()
}

async fn in_background(fixture: &Fixture, path: &'static str) -> tokio::task::JoinHandle<Answer> {
    let fixture = Fixture {
        api: fixture.api.clone(),
        db: fixture.db.clone(),
        router: fixture.router.clone(),
    };
    tokio::spawn(async move { fixture.get(path).await })
}

#[tokio::test]
async fn active_queries_are_listed_and_canceled() {
    let fixture = Fixture::with(enabled());
    assert!(active(&fixture).await.is_empty());
    let slow = in_background(&fixture, SLOW).await;
    active_queries(&fixture, 1).await;
    let queued = in_background(&fixture, "/api/v1/labels?match[]=up&timeout=1h").await;
    let all = active_queries(&fixture, 2).await;
    assert_eq!(all[0]["query"], "mad_over_time(vector(1)[1000000s:1s])");
    assert_eq!((&all[0]["endpoint"], &all[0]["client"]), (&json!("query_range"), &Value::Null));
    assert!(all[0]["startTime"].as_str().unwrap().ends_with('Z'));
    assert!(all[0]["ageSeconds"].as_f64() > Some(0.0) && all[0]["bytesHeld"].is_u64());
    assert_eq!((&all[1]["state"], &all[1]["query"]), (&json!("queued"), &json!("up")));

    assert_eq!(cancel(&fixture, &all[1]["id"]).await, 204);
    let canceled =
        ("canceled".to_string(), "query was canceled in expression evaluation".to_string());
    let answer = queued.await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.error()), (503, canceled.clone()));
    assert_eq!(cancel(&fixture, &all[0]["id"]).await, 204);
    let answer = slow.await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.error()), (503, canceled));
    active_queries(&fixture, 0).await;
    for unknown in [all[0]["id"].to_string(), "x".to_string(), "-1".to_string()] {
        assert_eq!(cancel(&fixture, unknown).await, 404);
    }
}

#[tokio::test]
async fn only_administrators_cancel() {
    let fixture = Fixture::new();
    assert_eq!(cancel(&fixture, 1).await, 500);
    let fixture = Fixture::with(enabled());
    let path = "/api/v1/status/active_queries/1/cancel";
    let request = Request::post(path).header(header::ORIGIN, "https://a.example");
    assert_eq!(fixture.send(request.body(Body::empty()).unwrap()).await.status, 403);
    assert_eq!(fixture.get(path).await.status, 405);
}

#[tokio::test]
async fn a_full_queue_is_429_and_counted() {
    let fixture = Fixture::with(ApiOptions { query_queue_max: 0, ..enabled() });
    let slow = in_background(&fixture, SLOW).await;
    let all = active_queries(&fixture, 1).await;
    let answer = fixture.get("/api/v1/query?query=1").await;
    assert_eq!(answer.status, 429);
    let (kind, text) = answer.error();
    assert!(kind == "too_many_requests" && text.contains("--query.max-queue"), "{text}");
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    assert_eq!(cancel(&fixture, &all[0]["id"]).await, 204);
    slow.await.unwrap();
    let registry = silverback::telemetry::metrics::registry(&fixture.api);
    let metrics = silverback::telemetry::metrics::exposition(&registry);
    for line in [
        "silverback_query_turned_away_total{reason=\"queue_full\"} 1",
        "silverback_query_turned_away_total{reason=\"canceled\"} 1",
        "silverback_query_turned_away_total{reason=\"memory\"} 0",
        "silverback_query_queued 0",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} is not in {metrics}");
    }
}

#[tokio::test]
async fn a_query_ends_when_its_client_leaves() {
    let fixture = Fixture::with(enabled());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (options, never) = (ConnectionOptions::default(), std::future::pending());
    let drain = Duration::from_secs(1);
    let serving = tokio::spawn(serve(listener, fixture.router.clone(), options, never, drain));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let client = stream.local_addr().unwrap().to_string();
    stream.write_all(format!("GET {SLOW} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(active_queries(&fixture, 1).await[0]["client"], client);
    drop(stream);
    active_queries(&fixture, 0).await;
    serving.abort();
}
