//! The saved queries, and the filters that count lines, ask for what the functions really write.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::events::of_customer;
use crate::support::fault_proxy::Fault;
use crate::support::world::World;
use crate::template::{Query, filter_pattern, queries};

/// Words of the query language. A word before a bracket is a function.
const KEYWORDS: [&str; 13] =
    ["fields", "filter", "sort", "stats", "limit", "parse", "by", "as", "and", "or", "in", "asc", "desc"];
/// What Logs Insights knows of each line.
const OF_EVERY_LINE: [&str; 2] = ["@timestamp", "@message"];

/// A piece of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Word(String),
    Text(String),
    Number(i64),
    /// The names of its groups.
    Expression(Vec<String>),
    Mark(char),
}

fn pieces(query: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let (piece, length) = match first {
            '"' | '/' => {
                let inner = rest[1..].split(first).next().unwrap_or_default();
                let groups = inner.split("(?<").skip(1).filter_map(|group| Some(group.split_once('>')?.0.to_owned()));
                let piece = if first == '"' { Piece::Text(inner.to_owned()) } else { Piece::Expression(groups.collect()) };
                (piece, inner.len() + 2)
            }
            _ if first.is_ascii_alphanumeric() || matches!(first, '@' | '_') => {
                let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '@' | '_' | '.'));
                let word = &rest[..end.unwrap_or(rest.len())];
                (word.parse().map_or_else(|_| Piece::Word(word.to_owned()), Piece::Number), word.len())
            }
            mark => (Piece::Mark(mark), mark.len_utf8()),
        };
        pieces.push(piece);
        rest = rest[length..].trim_start();
    }
    pieces
}

/// The fields of the log that a query reads.
fn fields(query: &[Piece]) -> BTreeSet<String> {
    let mut made: BTreeSet<&str> = BTreeSet::new();
    for pair in query.windows(2) {
        if let [Piece::Word(before), Piece::Word(name)] = pair
            && before == "as"
        {
            made.insert(name);
        }
    }
    for piece in query {
        if let Piece::Expression(names) = piece {
            made.extend(names.iter().map(String::as_str));
        }
    }
    let words = query.iter().enumerate().filter_map(|(index, piece)| match (piece, query.get(index + 1)) {
        (Piece::Word(_), Some(Piece::Mark('('))) => None,
        (Piece::Word(word), _) => Some(word.as_str()),
        _ => None,
    });
    words.filter(|word| !KEYWORDS.contains(word) && !made.contains(word)).map(str::to_owned).collect()
}

/// What a query compares fields with.
fn comparisons(query: &[Piece]) -> Vec<(String, Value)> {
    let mut compared = Vec::new();
    for (index, piece) in query.iter().enumerate() {
        let Piece::Word(field) = piece else { continue };
        let one = |piece: &Piece| match piece {
            Piece::Text(text) => Some(json!(text)),
            Piece::Number(number) => Some(json!(number)),
            _ => None,
        };
        match (query.get(index + 1), query.get(index + 2)) {
            (Some(Piece::Mark('=')), Some(value)) => compared.extend(one(value).map(|value| (field.clone(), value))),
            (Some(Piece::Word(word)), Some(Piece::Mark('['))) if word == "in" => {
                let values = query[index + 3..].iter().take_while(|piece| **piece != Piece::Mark(']'));
                compared.extend(values.filter_map(one).map(|value| (field.clone(), value)));
            }
            _ => {}
        }
    }
    compared
}

/// Whether a filter's pattern counts a line: comparisons with `&&` and `||` between them.
fn counts(pattern: &str, line: &Value) -> bool {
    let pattern = pattern.trim();
    let inner = ['{', '('].into_iter().zip(['}', ')']).find_map(|(open, close)| {
        let inner = pattern.strip_prefix(open)?.strip_suffix(close)?;
        (!inner.contains([open, close])).then_some(inner)
    });
    if let Some(inner) = inner {
        return counts(inner, line);
    }
    // Brackets hold no `&&` here, so that it binds last.
    if let Some((one, other)) = pattern.split_once("&&") {
        return counts(one, line) && counts(other, line);
    }
    if let Some((one, other)) = pattern.split_once("||") {
        return counts(one, line) || counts(other, line);
    }
    let (field, wanted) = pattern.split_once(" = ").unwrap_or_else(|| panic!("no comparison: {pattern}"));
    let found = &line[field.trim().strip_prefix("$.").expect("a member of the line")];
    match wanted.trim().strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        None => *found == json!(wanted.trim().parse::<i64>().expect("a number")),
        Some(wanted) => found.as_str().is_some_and(|found| match wanted.strip_suffix('*') {
            Some(beginning) => found.starts_with(beginning),
            None => found == wanted,
        }),
    }
}

fn lines(written: &str) -> Vec<Value> {
    written.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Lines of both functions in which everything happens that the queries ask for.
struct Logs {
    receiver: Vec<Value>,
    enricher: Vec<Value>,
}

impl Logs {
    async fn written() -> Self {
        let world = World::new().await;
        let receiver = world.receiver().await;
        let deliver = async |id: &str| receiver.deliver(of_customer("customerUpdated", id, 5).to_string()).await;
        deliver("one").await.accepted();
        receiver.deliver("no JSON").await.problem(400);
        world.proxy.always("PutItem", Fault::DYNAMODB_DOWN);
        deliver("two").await.come_again();
        world.proxy.heal();
        world.proxy.always("PutItem", Fault::DYNAMODB_INVALID);
        deliver("three").await.problem(400);
        world.proxy.heal();
        world.proxy.always("SendMessage", Fault::SQS_DOWN);
        receiver.deliver("no JSON").await.come_again();
        world.proxy.heal();
        let mut random = fastrand::Rng::with_seed(7);
        let noise: String = std::iter::repeat_with(|| random.alphanumeric()).take(1_700_000).collect();
        receiver.deliver(json!({"eventName": noise}).to_string()).await.problem(413);

        let enricher = world.enricher_with(&[("MAX_ATTEMPTS", "2")]).await;
        world.proxy.always("PutEvents", Fault::EVENTS_DOWN);
        let mut batch = world.enrich(&enricher).await;
        batch.all_back();
        for _ in 0..2 {
            world.proxy.heal();
            world.proxy.always("PutEvents", Fault::EntriesRefused("one", "MalformedDetail"));
            batch = world.enrich_these(&enricher, world.redelivered(&batch.back).await).await;
        }
        batch.all_done();
        world.proxy.heal();
        world.enqueue(&of_customer("customerUpdated", "four", 5)).await;
        world.proxy.always("UpdateItem", Fault::DYNAMODB_DOWN);
        world.enrich(&enricher).await.all_back();
        Self { receiver: lines(&receiver.0.logs()), enricher: lines(&enricher.0.logs()) }
    }

    fn of(&self, query: &Query) -> Vec<&Value> {
        let named = [("ReceiverLogGroup", &self.receiver), ("EnricherLogGroup", &self.enricher)];
        named.into_iter().filter(|(log, _)| query.logs.contains(*log)).flat_map(|(_, lines)| lines).collect()
    }
}

#[tokio::test]
async fn queries_and_filters_ask_for_what_is_written() {
    let logs = Logs::written().await;
    let queries = queries();
    assert!(!queries.is_empty());
    for query in &queries {
        let pieces = pieces(&query.text);
        let lines = logs.of(query);
        let fields = fields(&pieces);
        assert!(fields.len() >= 2, "{}: {fields:?}", query.name);
        for field in fields.iter().filter(|field| !OF_EVERY_LINE.contains(&field.as_str())) {
            assert!(
                lines.iter().any(|line| line.get(field).is_some_and(|value| !value.is_null())),
                "{}: nobody writes {field}",
                query.name
            );
        }
        let compared = comparisons(&pieces);
        assert!(!compared.is_empty(), "{} asks for everything", query.name);
        for (field, value) in compared.iter().filter(|(field, _)| field != "event_id") {
            assert!(lines.iter().any(|line| line[field] == *value), "{}: no line has {value} as {field}", query.name);
        }
    }

    let counted = |filter: &str, lines: &[Value]| -> Vec<String> {
        let counted = lines.iter().filter(|line| counts(filter_pattern(filter), line));
        counted
            .map(|line| {
                format!("{} {}", line["outcome"].as_str().unwrap_or_default(), line["cause"].as_str().unwrap_or_default())
            })
            .collect()
    };
    let unpublished = counted("UnpublishedEvents", &logs.enricher);
    let beginnings = ["put_back EventBridge.PutEvents ", "failed EventBridge.PutEvents: ", "put_back DynamoDB.UpdateItem "];
    assert_eq!(unpublished.len(), beginnings.len(), "{unpublished:?}");
    assert!(unpublished.iter().zip(beginnings).all(|(line, beginning)| line.starts_with(beginning)), "{unpublished:?}");
    assert_eq!(counted("UnauthorizedDeliveries", &logs.receiver), [""; 0], "nobody was refused");
    let refused = json!({"message": "delivery", "status": 401});
    assert!(counts(filter_pattern("UnauthorizedDeliveries"), &refused));
}

#[test]
fn a_query_is_understood() {
    let query = pieces(
        r#"filter a in ["x", "y"] and b = 3 | fields coalesce(c, a) as d | parse d /^(?<e>z)/ | stats count(*) as f by e, g"#,
    );
    assert_eq!(fields(&query), ["a", "b", "c", "g"].map(str::to_owned).into());
    let of_a = ["x", "y"].map(|value| ("a".to_owned(), json!(value)));
    assert_eq!(comparisons(&query), [&of_a[..], &[("b".to_owned(), json!(3))]].concat());
}

#[test]
fn a_pattern_is_understood() {
    let pattern = r#"{ $.a = "x" && ($.b = "y*" || $.b = 3) }"#;
    for (line, is_counted) in [
        (json!({"a": "x", "b": "yes"}), true),
        (json!({"a": "x", "b": 3}), true),
        (json!({"a": "x", "b": "no y"}), false),
        (json!({"a": "xx", "b": 3}), false),
        (json!({"b": 3}), false),
    ] {
        assert_eq!(counts(pattern, &line), is_counted, "{line}");
    }
}
