//! `/metrics`: what Prometheus reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;

use hotshoe_test_support::client::{Viewer, get, request, send};
use hotshoe_test_support::guests::{self, MASKS_ALWAYS, masking, variant};
use hotshoe_test_support::server::Server;
use hotshoe_test_support::{wait_until, workspace};

/// The samples of `/metrics` at this address, by name and labels.
fn scrape(address: SocketAddr) -> BTreeMap<String, f64> {
    let reply = get(address, "/metrics");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    let text = reply.text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples: Vec<_> = samples.map(|line| line.rsplit_once(' ').unwrap()).collect();
    let by_name: BTreeMap<_, _> =
        samples.iter().map(|(name, value)| ((*name).to_owned(), value.parse().unwrap())).collect();
    assert_eq!(by_name.len(), samples.len(), "each series has one sample:\n{text}");
    by_name
}

/// The address of the listener for metrics.
fn metrics_address(server: &Server) -> SocketAddr {
    let line = server.wait_for_log("metrics at http://");
    line.split_once("http://").unwrap().1.strip_suffix("/metrics").unwrap().parse().unwrap()
}

#[test]
fn metrics_count_frames_viewers_and_requests() {
    let server = Server::start(&[
        "--camera",
        "front=emulated,fps=20",
        "--camera",
        "yard=/dev/video987",
        "--metrics",
        "127.0.0.1:0",
    ]);
    let metrics = metrics_address(&server);
    let mut viewer = Viewer::watch(server.address, "/video_feed/front");
    let bytes: usize = (0..3).map(|_| viewer.part().jpeg.len()).sum();
    assert_eq!(get(server.address, "/snapshot/yard").status, 503);
    let samples = scrape(metrics);
    let at_least = |name: &str, least: f64| assert!(samples[name] >= least, "{name} {}", samples[name]);
    for (name, value) in [
        ("hotshoe_camera_up{camera=\"front\"}", 1.0),
        ("hotshoe_camera_up{camera=\"yard\"}", 0.0),
        ("hotshoe_camera_state{camera=\"front\",state=\"live\"}", 1.0),
        ("hotshoe_camera_openings_total{camera=\"front\"}", 1.0),
        ("hotshoe_camera_openings_total{camera=\"yard\"}", 0.0),
        ("hotshoe_channel_viewers{channel=\"front\"}", 1.0),
        ("hotshoe_http_requests_total{code=\"200\"}", 1.0),
        ("hotshoe_http_requests_total{code=\"503\"}", 1.0),
        ("hotshoe_http_time_to_first_byte_seconds_count", 2.0),
        ("hotshoe_guest_generation", 1.0),
        ("hotshoe_guest_healthy", 1.0),
    ] {
        assert_eq!(samples[name], value, "{name}");
    }
    at_least("hotshoe_camera_frames_total{camera=\"front\"}", 3.0);
    at_least("hotshoe_channel_sent_parts_total{channel=\"front\"}", 3.0);
    at_least("hotshoe_channel_pushed_parts_total{channel=\"front\"}", 3.0);
    at_least("hotshoe_channel_sent_bytes_total{channel=\"front\"}", bytes as f64);
    at_least("hotshoe_http_requests_in_progress", 1.0);
    at_least("hotshoe_http_connections", 1.0);
    at_least("hotshoe_instances{role=\"guest\"}", 1.0);
    at_least("hotshoe_instance_memory_bytes{role=\"guest\"}", 65536.0);
    assert!(samples["hotshoe_instance_run_seconds_total{role=\"guest\"}"] > 0.0);
    assert!(samples["process_cpu_seconds_total"] >= 0.0);
    let memory = samples["process_resident_memory_bytes"] / 1024.0;
    let expected = server.memory_kib() as f64;
    assert!(memory > expected / 2.0 && memory < expected * 2.0, "{memory} and {expected} KiB");
    drop(viewer);
    wait_until("the viewer is gone", || scrape(metrics)["hotshoe_channel_viewers{channel=\"front\"}"] == 0.0);
}

#[test]
fn parts_that_a_slow_viewer_misses_are_counted() {
    let server = Server::start(&["--camera", "front=emulated,fps=100"]);
    let count = |name: &str| scrape(server.admin.unwrap())[&format!("hotshoe_channel_{name}{{channel=\"front\"}}")];
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    viewer.part();
    // It reads nothing more until the kernel's buffers are full.
    wait_until("parts are not sent", || count("pushed_parts_total") >= count("sent_parts_total") + 20.0);
    wait_until("parts are skipped", || {
        viewer.part();
        count("skipped_parts_total") >= 10.0
    });
}

#[test]
fn scraping_opens_no_camera_and_calls_no_guest() {
    let server = Server::start(&["--camera", "front=emulated", "--metrics", "127.0.0.1:0"]);
    for address in [metrics_address(&server), server.admin.unwrap()] {
        for path in ["/metrics", "/healthz", "/readyz", "/readyz?cameras"] {
            assert_eq!(get(address, path).status, 200, "{path}");
        }
    }
    assert_eq!(get(server.admin.unwrap(), "/status").status, 200);
    let samples = scrape(server.admin.unwrap());
    assert_eq!(samples["hotshoe_camera_openings_total{camera=\"front\"}"], 0.0);
    assert_eq!(samples["hotshoe_camera_state{camera=\"front\",state=\"idle\"}"], 1.0);
    assert_eq!(server.capture_threads(), 0);
    assert_eq!(server.generations()["current"]["requests"], 0);
}

#[test]
fn swaps_refusals_rollbacks_and_failures_are_counted() {
    let server = Server::start(&["--camera", "emulated"]);
    let admin = server.admin.unwrap();
    assert_eq!(server.put_guest(b"no component").status, 422);
    assert_eq!(server.put_guest(&guests::serving(guests::TRAPS)).status, 200);
    for _ in 0..5 {
        assert_eq!(get(server.address, "/bad").status, 502);
    }
    server.wait_for_log("generation 3: serving the built-in guest");
    assert_eq!(server.put_guest(&variant(&guests::built_in(), 1)).status, 200);
    assert_eq!(request(admin, "POST", "/guest/rollback").status, 200);
    let samples = scrape(admin);
    for (name, value) in [
        ("hotshoe_component_replacements_total{role=\"guest\",camera=\"\"}", 2.0),
        ("hotshoe_component_rollbacks_total{role=\"guest\",camera=\"\",cause=\"operator\"}", 1.0),
        ("hotshoe_component_rollbacks_total{role=\"guest\",camera=\"\",cause=\"probation\"}", 1.0),
        ("hotshoe_component_refusals_total{role=\"guest\",camera=\"\",reason=\"invalid\"}", 1.0),
        ("hotshoe_component_refusals_total{role=\"guest\",camera=\"\",reason=\"imports\"}", 0.0),
        ("hotshoe_guest_failed_calls_total{reason=\"trapped\"}", 5.0),
        ("hotshoe_guest_generation", 5.0),
        ("hotshoe_http_requests_total{code=\"502\"}", 5.0),
    ] {
        assert_eq!(samples[name], value, "{name}");
    }
}

#[test]
fn filters_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let filter = folder.path().join("filter.wasm");
    fs::write(&filter, masking(MASKS_ALWAYS)).unwrap();
    let camera = format!("front=emulated,fps=20,filter={}", filter.display());
    let server = Server::start(&["--camera", &camera]);
    let mut viewer = Viewer::watch(server.address, "/stream");
    (0..3).for_each(|_| drop(viewer.part()));
    let samples = scrape(server.admin.unwrap());
    assert!(samples["hotshoe_filter_frames_total{camera=\"front\",filter=\"1\"}"] >= 3.0);
    assert!(samples["hotshoe_filter_seconds_total{camera=\"front\",filter=\"1\"}"] > 0.0);
    assert_eq!(samples["hotshoe_instances{role=\"filter\"}"], 1.0);
    assert!(samples.contains_key("hotshoe_component_replacements_total{role=\"filter\",camera=\"front\"}"));
}

#[test]
fn the_listener_for_metrics_has_nothing_else_and_refuses_foreign_names() {
    let server = Server::start(&["--camera", "emulated", "--metrics", "127.0.0.1:0"]);
    let metrics = metrics_address(&server);
    for path in ["/", "/status", "/guest", "/snapshot"] {
        assert_eq!(get(metrics, path).status, 404, "{path}");
    }
    assert_eq!(send(metrics, "GET", "/metrics", &[("Host", "evil.example")], b"").status, 421);
    assert_eq!(request(metrics, "HEAD", "/metrics").status, 200);
    let reply = request(metrics, "DELETE", "/metrics");
    assert!([403, 405].contains(&reply.status), "{}", reply.status);
    assert_eq!(get(server.address, "/metrics").status, 404, "viewers get no metrics");
}

#[test]
fn every_metric_in_the_dashboard_and_the_alerts_exists() {
    let server = Server::start(&["--camera", "emulated"]);
    assert_eq!(get(server.address, "/").status, 200);
    drop(Viewer::watch(server.address, "/stream").part());
    let text = get(server.admin.unwrap(), "/metrics").text();
    let metrics: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned)).collect();
    let mut found = 0;
    for file in ["docs/grafana-dashboard.json", "docs/alerts.yaml"] {
        let text = fs::read_to_string(workspace().join(file)).unwrap();
        let words = text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'));
        for word in words.filter(|word| word.starts_with("hotshoe_") || word.starts_with("process_")) {
            let name = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| word.strip_suffix(suffix));
            assert!(metrics.contains(name.unwrap_or(word)), "{file}: there is no {word}");
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
    let dashboard = fs::read_to_string(workspace().join("docs/grafana-dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() > 5);
}
