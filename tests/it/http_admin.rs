//! Forcing maintenance over HTTP: who may, what it does, what it says when it cannot.

use axum::body::Body;
use axum::http::{Request, header};
use silverback::api::{self, Api, ApiOptions};
use silverback::db::{Db, Options};
use silverback::fs::sim::SimDisk;
use silverback::sync::Arc;

use crate::http_support::{Answer, Fixture, series};

const PATHS: [&str; 2] = ["/api/v1/admin/tsdb/flush", "/api/v1/admin/tsdb/compact"];

fn enabled() -> ApiOptions {
    ApiOptions { admin_enabled: true, ..ApiOptions::default() }
}

async fn send(fixture: &Fixture, method: &str, path: &str) -> Answer {
    fixture.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn it_is_off_unless_it_is_enabled() {
    let fixture = Fixture::new();
    for path in PATHS {
        let answer = send(&fixture, "POST", path).await;
        assert_eq!(answer.status, 500);
        let expected = ("unavailable".to_string(), "admin APIs disabled".to_string());
        assert_eq!(answer.error(), expected);
        assert_eq!(send(&fixture, "GET", path).await.status, 405);
    }
}

#[tokio::test]
async fn what_is_flushed_is_in_files_and_still_answered() {
    let fixture = Fixture::with(enabled());
    assert_eq!(fixture.write(&series(&[("__name__", "up")], &[(1000, 1.0)])).await.status, 204);
    for path in PATHS {
        for method in ["POST", "PUT"] {
            let answer = send(&fixture, method, path).await;
            assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0), "{method} {path}");
        }
        assert_eq!(send(&fixture, "GET", path).await.status, 405);
    }
    let ladder = fixture.db.stats().ladder;
    assert!(ladder.spills + ladder.blocks > 0);
    let data = fixture.get("/api/v1/query?query=up&time=1").await.data();
    assert_eq!(data["result"][0]["value"][1], "1");
}

#[tokio::test]
async fn several_at_once_are_done_in_turn() {
    let fixture = Fixture::with(enabled());
    let [flush, compact] = PATHS;
    let answers = tokio::join!(
        send(&fixture, "POST", flush),
        send(&fixture, "POST", compact),
        send(&fixture, "POST", flush)
    );
    let (first, second, third) = answers;
    assert_eq!([first.status, second.status, third.status], [204, 204, 204]);
}

#[tokio::test]
async fn web_pages_do_not_force_anything() {
    let fixture = Fixture::with(enabled());
    for path in PATHS {
        let request = Request::post(path).header(header::ORIGIN, "https://a.example");
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 403);
    }
}

#[tokio::test]
async fn a_disk_that_refuses_is_told_with_its_words() {
    let disk = SimDisk::new();
    let options = Options { disk: Arc::new(disk.clone()), ..Options::new("data") };
    let db = Db::open(options).unwrap();
    let api = Api::new(enabled());
    api.set_db(db.clone());
    api.set_ready();
    let fixture = Fixture { router: api::router(api.clone()), api, db };
    assert_eq!(fixture.write(&series(&[("__name__", "up")], &[(1000, 1.0)])).await.status, 204);
    disk.set_capacity(Some(0));
    let answer = send(&fixture, "POST", PATHS[0]).await;
    assert_eq!(answer.status, 500);
    let (kind, text) = answer.error();
    assert!(kind == "internal" && text.contains("cannot") && text.contains("data"), "{text}");
    disk.set_capacity(None);
    assert_eq!(send(&fixture, "POST", PATHS[0]).await.status, 204);
}

#[tokio::test]
async fn the_ladder_has_metrics() {
    let fixture = Fixture::new();
    let registry = silverback::telemetry::metrics::registry(&fixture.api);
    let text = silverback::telemetry::metrics::exposition(&registry);
    for line in [
        "silverback_compactions_total 0",
        "silverback_spills_written_total 0",
        "silverback_blocks_loaded 0",
        "silverback_memory_budget_bytes 1073741824",
        "silverback_remote_write_samples_rejected_total{reason=\"too_old\"} 0",
    ] {
        let is_it = |l: &str| l == line || l.strip_suffix(".0") == Some(line);
        assert!(text.lines().any(is_it), "{line} is not in {text}");
    }
}
