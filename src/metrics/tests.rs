use serde_json::{Value, json};

use super::*;

const NOW_MS: i64 = 1_800_000_000_000;

/// Metrics that nobody reads but the test.
pub(crate) fn unwritten() -> Metrics {
    Metrics::new("f".to_owned(), |_| {})
}

/// What was collected, line by line.
pub(crate) fn taken(metrics: &Metrics) -> Vec<Value> {
    metrics.take_lines(NOW_MS).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Metrics whose lines are kept.
fn written() -> (Metrics, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    (Metrics::new("f".to_owned(), move |text| kept.lock().unwrap().push(text.to_owned())), lines)
}

#[test]
fn a_line_is_an_object_that_points_at_its_own_members() {
    let metrics = unwritten();
    metrics.count(Metric::Deliveries { answer: "duplicate" });
    metrics.count(Metric::Duplicates);
    metrics.count(Metric::Duplicates);
    let directive = |dimensions: Value, name: &str| json!({"Namespace": "CapillaryEvents", "Dimensions": [dimensions], "Metrics": [{"Name": name, "Unit": "Count"}]});
    let directives =
        json!([directive(json!(["Function", "Answer"]), "Deliveries"), directive(json!(["Function"]), "Duplicates")]);
    let expected = json!({
        "_aws": {"Timestamp": NOW_MS, "CloudWatchMetrics": directives}, "level": "INFO", "timestamp": "2027-01-15T08:00:00.000Z",
        "Function": "f", "Answer": "duplicate", "Deliveries": 1, "Duplicates": 2
    });
    assert_eq!(taken(&metrics), [expected]);
    assert!(taken(&metrics).is_empty(), "what was taken is gone, and nothing is no line");
}

#[test]
fn several_words_of_a_dimension_take_several_lines_and_everything_else_stands_in_the_first() {
    let metrics = unwritten();
    for outcome in ["published", "put_back", "published"] {
        metrics.count(Metric::Events { outcome });
    }
    metrics.count(Metric::ApiCalls { answer: "found" });
    metrics.count(Metric::TokenFailures);
    let lines = taken(&metrics);
    let of = |name: &str| lines.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("Outcome"), ["published", "put_back"]);
    assert_eq!(of("Events"), [2, 1]);
    assert_eq!((of("Answer"), of("TokenFailures")), (vec![json!("found"), Value::Null], vec![json!(1), Value::Null]));
}

#[test]
fn a_metric_has_a_hundred_values_a_line_and_none_below_zero() {
    let metrics = unwritten();
    for ms in 0..250 {
        metrics.measure(Metric::ProcessingAge, NOW_MS - ms, NOW_MS);
    }
    metrics.measure(Metric::PublishLatency, NOW_MS + 5, NOW_MS);
    let lines = taken(&metrics);
    let lengths: Vec<usize> = lines.iter().map(|line| line["ProcessingAge"].as_array().unwrap().len()).collect();
    assert_eq!(lengths, [100, 100, 50]);
    assert_eq!((&lines[2]["ProcessingAge"][49], &lines[0]["PublishLatency"]), (&json!(249), &json!(0)));
}

#[tokio::test]
async fn an_invocation_ends_with_its_line_and_one_without_values_has_none() {
    let (metrics, lines) = written();
    metrics.written_after(Duration::from_secs(60), async { metrics.count(Metric::Duplicates) }).await;
    metrics.written_after(Duration::from_secs(60), async {}).await;
    assert_eq!(lines.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_collected_before_a_panic_is_written() {
    let (metrics, lines) = written();
    let panicking = metrics.clone();
    let invocation = tokio::spawn(async move {
        let work = async {
            panicking.count(Metric::Duplicates);
            panic!("as wanted");
        };
        panicking.written_after(Duration::from_secs(60), work).await;
    });
    assert!(invocation.await.unwrap_err().is_panic());
    assert!(lines.lock().unwrap()[0].contains("\"Duplicates\":1"));
}

#[tokio::test(start_paused = true)]
async fn what_was_collected_is_written_before_the_time_is_up_and_the_rest_at_the_end() {
    let (metrics, lines) = written();
    let work = async {
        metrics.count(Metric::Duplicates);
        tokio::time::sleep(Duration::from_millis(9_900)).await;
        assert_eq!(lines.lock().unwrap().len(), 1, "nothing was written half a second before the end");
        metrics.count(Metric::LeaseConflicts);
    };
    metrics.written_after(Duration::from_secs(10), work).await;
    let lines = lines.lock().unwrap().clone();
    assert!(lines[1].contains("LeaseConflicts") && !lines[1].contains("Duplicates"), "{lines:?}");
}

#[test]
fn the_table_in_the_readme_is_this_one() {
    let all = [
        Metric::Deliveries { answer: "" },
        Metric::Duplicates,
        Metric::IdCollisions,
        Metric::LeaseConflicts,
        Metric::AuthFailures,
        Metric::Events { outcome: "" },
        Metric::Enrichments { status: "" },
        Metric::ApiCalls { answer: "" },
        Metric::TokenFailures,
        Metric::PublishLatency,
        Metric::ProcessingAge,
    ];
    let rows = all.map(|metric| {
        let definition = metric.definition();
        let dimension = definition.dimension.map(|(name, _)| format!("`{name}`")).unwrap_or_default();
        format!("| `{}` | {} | {dimension}", definition.name, definition.unit.as_str())
    });
    let readme = include_str!("../../README.md");
    let table =
        readme.lines().skip_while(|line| !line.starts_with("| Metric |")).skip(2).take_while(|line| line.starts_with('|'));
    let shown: Vec<&str> = table.collect();
    assert_eq!(shown.len(), rows.len());
    for (shown, row) in shown.iter().zip(&rows) {
        assert!(shown.starts_with(row), "{shown} is not {row}");
    }
}
