//! `/log`: a table of the last frames of a camera.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

use hotshoe_test_support::client::{Viewer, connect, get, read_head};
use hotshoe_test_support::pictures;
use hotshoe_test_support::server::Server;
use hotshoe_test_support::wait_until;

/// Parses CSV into rows of fields.
fn rows(csv: &str) -> Vec<Vec<String>> {
    let mut lines = csv.strip_suffix("\r\n").unwrap().split("\r\n");
    assert_eq!(lines.next(), Some("sequence,time,bytes,interval_ms,lost_before"));
    lines.map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn every_frame_has_a_row() {
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 50, 20_000);
    let camera = format!("front=emulated:{},fps=20", folder.path().display());
    let server = Server::start(&["--camera", &camera]);
    assert!(rows(&get(server.address, "/log.csv").text()).is_empty(), "no frame yet");
    assert_eq!(server.capture_threads(), 0, "reading the log opens no camera");
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    let seen: Vec<_> = (0..20).map(|_| viewer.part()).collect();
    let reply = get(server.address, "/log/front.csv");
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let rows = rows(&reply.text());
    assert!(rows.len() >= 20, "{rows:?}");
    let mut next = 0;
    for (number, row) in rows.iter().enumerate() {
        let number_of = |field: usize| row[field].parse::<u64>().unwrap();
        // On a busy machine, the camera skips some frames.
        assert_eq!(number_of(0), next + number_of(4), "{row:?}");
        next = number_of(0) + 1;
        assert!(row[1].starts_with("20") && row[1].ends_with('Z') && row[1].len() == 24, "{row:?}");
        match number {
            0 => assert_eq!(row[3], ""),
            _ => assert!((0.1..5000.0).contains(&row[3].parse::<f64>().unwrap()), "{row:?}"),
        }
    }
    let lengths: Vec<_> = seen.iter().map(|part| part.jpeg.len().to_string()).collect();
    assert!(lengths.iter().all(|length| rows.iter().any(|row| row[2] == *length)));
}

#[test]
fn the_page_and_the_csv_file_show_the_same_rows() {
    let server = Server::start(&["--camera", "front=emulated,fps=50"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed");
    (0..10).for_each(|_| drop(viewer.part()));
    drop(viewer);
    for (path, link) in [("/log", "log/front.csv"), ("/log/front", "front.csv")] {
        let page = get(server.address, path);
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        let html = page.text();
        assert!(html.contains(&format!("href=\"{link}\"")), "{html}");
        assert!(html.matches("<tr").count() >= 10 && html.trim_end().ends_with("</html>"), "{html}");
    }
    assert_eq!(rows(&get(server.address, "/log.csv?rows=3").text()).len(), 3);
    assert_eq!(get(server.address, "/log/attic").status, 404);
}

#[test]
fn sequence_numbers_increase_when_a_camera_reopens() {
    let server = Server::start(&["--camera", "emulated,fps=500", "--linger", "0"]);
    for opening in 1..6 {
        get(server.address, "/snapshot");
        server.wait_for_logs("closed, no viewers left", opening);
    }
    let rows = rows(&get(server.address, "/log.csv").text());
    let numbers: Vec<u64> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

/// The server sends the longest table in chunks. A client that reads slowly costs no more memory than a short table.
#[test]
fn a_hundred_thousand_rows_are_streamed_at_constant_memory() {
    const ROWS: usize = 100_000;
    let folder = tempfile::tempdir().unwrap();
    pictures::fill(folder.path(), 3, 0);
    let camera = format!("emulated:{},fps=10000", folder.path().display());
    let server = Server::start(&["--camera", &camera, "--linger", "0"]);
    let mut viewer = Viewer::watch(server.address, "/video_feed?fps=10");
    let mut events = Viewer::watch(server.address, "/events");
    loop {
        let event = String::from_utf8(events.chunk()).unwrap();
        let state = event.split_once("data: ").unwrap().1;
        let state: serde_json::Value = serde_json::from_str(state).unwrap();
        if state["cameras"][0]["frames"].as_u64() > Some(ROWS as u64 + 100) {
            break;
        }
        viewer.part();
    }
    drop((viewer, events));
    wait_until("the camera is closed", || server.log().contains("closed, no viewers left"));
    // One request before measuring, because it allocates memory that is reused.
    let table = rows(&get(server.address, "/log.csv").text());
    assert_eq!(table.len(), ROWS);
    let newest = &table[ROWS - 1][0];
    // The page has fewer rows by default.
    let rows_of_page = |path| get(server.address, path).text().matches("</td></tr>").count();
    assert_eq!((rows_of_page("/log"), rows_of_page("/log?rows=2000")), (1000, 2000));
    let before = server.memory_kib();
    let mut streams: Vec<_> = ["/log?rows=100000", "/log.csv", "/log?rows=100000", "/log.csv"]
        .iter()
        .map(|path| {
            let mut stream = connect(server.address);
            write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
            let mut reader = BufReader::new(stream);
            assert_eq!(read_head(&mut reader).0, 200);
            reader
        })
        .collect();
    let mut read = 0;
    let mut peak = 0;
    for _ in 0..40 {
        for stream in &mut streams {
            let mut chunk = [0; 16 << 10];
            stream.read_exact(&mut chunk).unwrap();
            read += chunk.len();
        }
        std::thread::sleep(Duration::from_millis(20));
        peak = peak.max(server.memory_kib());
    }
    // Each table has 5 to 9 MB.
    assert!(peak < before + 2500, "{before} KiB grew to {peak} KiB while {read} bytes were read");
    // The tables are complete.
    let mut lines = streams.swap_remove(1).lines();
    let last = lines.by_ref().map(Result::unwrap).last().unwrap();
    assert_eq!(last.split(',').next(), Some(newest.as_str()));
    drop(streams);
    wait_until("all requests have ended", || server.generations()["current"]["under_way"] == 0);
}
