//! What answers about cards, groups, coupons and entries of the ledger mean: final, or to be asked for again, and then by whom (facts 4.3).

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::support::answering_capillary::{Answer, AnsweringCapillary, Call};
use crate::support::events::{of_card, of_customer, of_points, with_data};
use crate::support::history::{entities, entity};
use crate::support::messages::Received;
use crate::support::stage::{NO_LAG, Stage};
use crate::support::world::Batch;

/// A kind of entity: where it is asked for, an event with one of them and as little else as there can be, and that one in an answer.
struct Kind {
    name: &'static str,
    path: &'static str,
    event: fn(&str) -> Value,
    body: fn() -> Value,
    /// Its id, also where it is not found.
    ids: [&'static str; 2],
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "card",
        path: "/v2/card",
        event: |id| of_card(id, "CARD7"),
        body: || json!({"id": "1007", "customerId": 7}),
        ids: ["1007", "CARD7"],
    },
    Kind {
        name: "group",
        path: "/v2/userGroup2",
        event: |id| with_data("groupUpdated", id, &json!({"groupId": 3})),
        body: || json!({"groupId": "3"}),
        ids: ["3", "3"],
    },
    Kind {
        name: "coupon",
        path: "/v2/coupon",
        event: |id| with_data("CouponRedeem", id, &json!({"coupon": {"id": 31, "code": "COUPON31"}})),
        body: || json!({"id": "31"}),
        ids: ["31", "31"],
    },
    Kind {
        name: "pointsLedger",
        path: "/v2/pointsLedger/getLedgerExplodeInfo",
        event: |id| of_points(id, 5, 41),
        body: || json!({"eventLogId": "41"}),
        ids: ["41", "41"],
    },
];

/// The frame of v1.1, with texts for booleans: the outcome of the request, and an item with its own.
fn old_frame(request: &Value, mut item: Value, item_status: &Value) -> Value {
    item["item_status"] = item_status.clone();
    json!({"response": {"status": request, "items": {"item": [item]}}})
}

fn outcome(success: &str, code: &Value) -> Value {
    json!({"success": success, "code": code, "message": "as wanted"})
}

impl Stage<AnsweringCapillary> {
    /// Calls to this path are answered so.
    fn answers_at(&self, path: &'static str, answer: Answer) {
        self.capillary.answers(move |call| (call.path == path).then(|| answer.clone()));
    }

    fn heals(&self) {
        self.capillary.answers(|_| None);
    }

    /// As if its time had come.
    async fn comes_again(&self, batch: &Batch) {
        self.world.come_back(&batch.back).await;
    }

    fn calls(&self) -> Vec<Call> {
        self.capillary.calls().into_iter().filter(|call| call.path.starts_with("/v2/")).collect()
    }
}

/// The messages' events.
fn ids(messages: &[Received]) -> Vec<&str> {
    let mut ids: Vec<&str> = messages.iter().filter_map(|message| message.attribute("eventId")).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn what_is_final_goes_out_as_partial() {
    for kind in KINDS {
        let failed = |code: &Value| old_frame(&outcome("false", &json!(500)), json!({}), &outcome("false", code));
        let mut answers = vec![
            (Answer::new(403, ""), "forbidden"),
            (Answer::new(403, "<html>no</html>"), "forbidden"),
            (Answer::error(4000), "forbidden"),
            (Answer::new(403, r#"{"errors":[{"status":false,"code":4000,"message":"no"}]}"#), "forbidden"),
            (Answer::new(400, ""), "not_found"),
            (Answer::error(77_777), "not_found"),
            (Answer::new(404, r#"{"errors":[{"code":"3010","message":"no"}],"warnings":[]}"#), "not_found"),
            (Answer::json(&failed(&json!(1012))), "not_found"),
            (Answer::json(&failed(&json!("1012"))), "not_found"),
        ];
        if kind.name != "card" {
            answers.push((Answer::json(&json!({"data": [], "warnings": [], "errors": []})), "not_found"));
            answers.push((Answer::json(&json!({"events": [], "warnings": null, "errors": null})), "not_found"));
        }
        let stage = Stage::answering(NO_LAG).await;
        for (number, (answer, status)) in answers.into_iter().enumerate() {
            stage.answers_at(kind.path, answer.clone());
            let detail = stage.tell(&(kind.event)(&format!("{number}"))).await;
            let told = entities(&detail);
            assert!(told.contains(&format!("{}/{} {status}", kind.name, kind.ids[1])), "{answer:?}: {told:?}");
            assert_eq!(detail["data"]["enrichment"]["status"], "partial");
            assert!(entity(&detail, kind.name).get("body").is_none());
        }
    }
}

#[tokio::test]
async fn what_is_found_is_found_in_any_frame() {
    for kind in KINDS {
        let (request, item) = (outcome("true", &json!(200)), outcome("true", &json!(1000)));
        let mut flat = (kind.body)();
        flat["warnings"] = json!([]);
        let frames = [
            flat,
            json!({"data": (kind.body)(), "errors": null, "warnings": null}),
            json!({"entity": (kind.body)(), "errors": [], "warnings": []}),
            json!({"data": [(kind.body)()], "errors": [], "warnings": [{"code": 777, "message": "nothing bad"}]}),
            old_frame(&request, (kind.body)(), &item),
            old_frame(&outcome("true", &json!("201")), (kind.body)(), &item),
        ];
        let stage = Stage::answering(NO_LAG).await;
        for (number, frame) in frames.iter().enumerate() {
            stage.answers_at(kind.path, Answer::json(frame));
            let detail = stage.tell(&(kind.event)(&format!("{number}"))).await;
            assert_eq!(detail["data"]["enrichment"]["status"], "complete", "{frame}");
            assert_eq!(entity(&detail, kind.name)["id"], kind.ids[0], "{frame}");
        }
    }
}

#[tokio::test]
async fn what_says_something_of_one_entity_only_sends_only_its_event_back() {
    for kind in KINDS {
        let all_is_well = outcome("true", &json!("200"));
        let answers = [
            Answer::new(200, r#"{"data":[{"id":"#),
            Answer::new(200, "{\"id\":1007"),
            Answer::json(&json!({"data": null, "warnings": [], "errors": []})),
            Answer::json(&json!({"data": null, "errors": null})),
            Answer::json(&json!({})),
            Answer::new(521, ""),
            Answer::new(521, "<html>busy</html>"),
            Answer::error(521),
            Answer::json(&json!({"errors": [{"message": "no code"}]})),
            Answer::json(&old_frame(&all_is_well, json!({}), &json!({"success": "false", "code": "many"}))),
        ];
        let stage = Stage::answering(NO_LAG).await;
        stage.world.enqueue(&(kind.event)("one")).await;
        for (number, answer) in answers.into_iter().enumerate() {
            stage.answers_at(kind.path, answer.clone());
            stage.world.enqueue(&of_customer("tierRenewed", &format!("other {number}"), 9)).await;
            let batch = stage.world.enrich(&stage.enricher).await;
            assert_eq!(ids(&batch.back), ["one"], "{} {answer:?}", kind.name);
            assert!(stage.world.delay_of(&batch.back[0]) > 0);
            assert!(stage.world.ledger_row("one").await.is_none(), "{answer:?}");
            stage.comes_again(&batch).await;
        }
        stage.heals();
        stage.world.enrich(&stage.enricher).await.all_done();
        assert_eq!(stage.told("one")["data"]["enrichment"]["status"], "complete");
    }
}

#[tokio::test]
async fn what_says_something_of_the_api_sends_all_back_after_one_call() {
    for kind in KINDS {
        let answers = [
            Answer::new(429, ""),
            Answer::new(500, "{}"),
            Answer::new(502, "<html>bad gateway</html>"),
            Answer::new(503, r#"{"errors":[{"status":false,"code":4001,"message":"Authorization status unavailable!"}]}"#),
            Answer::new(200, "<!DOCTYPE html><html>maintenance</html>"),
            Answer::new(200, ""),
            Answer::new(404, "<html>no such path</html>"),
            Answer::error(500),
            Answer::error(429),
            Answer::error(4001),
            Answer::json(&old_frame(&outcome("false", &json!("503")), json!({}), &outcome("true", &json!(1000)))),
        ];
        let stage = Stage::answering(NO_LAG).await;
        stage.world.enqueue(&(kind.event)("one")).await;
        // For this kind alone it says the same.
        for answer in &answers {
            stage.answers_at(kind.path, answer.clone());
            let batch = stage.world.enrich(&stage.enricher).await;
            assert_eq!(ids(&batch.back), ["one"], "{} {answer:?}", kind.name);
            stage.comes_again(&batch).await;
        }
        for other in 1..=3 {
            stage.world.enqueue(&of_customer("tierRenewed", &format!("other {other}"), other)).await;
        }
        for answer in [&answers[0], &answers[4]] {
            stage.calls();
            let everywhere = answer.clone();
            stage.capillary.answers(move |call| call.path.starts_with("/v2/").then(|| everywhere.clone()));
            let batch = stage.world.enrich(&stage.enricher).await;
            assert_eq!((batch.back.len(), stage.calls().len()), (4, 1), "{} {answer:?}", kind.name);
            stage.comes_again(&batch).await;
        }
        stage.heals();
        stage.world.enrich(&stage.enricher).await.all_done();
        assert_eq!(stage.told("one")["data"]["enrichment"]["status"], "complete");
    }
}

#[tokio::test]
async fn retry_after_in_seconds_or_as_a_date_is_the_least_that_the_message_stays_away() {
    let in_two_minutes = OffsetDateTime::now_utc() + time::Duration::minutes(2);
    let date = |at: OffsetDateTime| at.format(&Rfc2822).unwrap().replace("+0000", "GMT");
    let waits = [
        ("45".to_owned(), 45..=45),
        (date(in_two_minutes), 60..=120),
        (date(OffsetDateTime::now_utc() - time::Duration::minutes(2)), 1..=5),
        ("86400".to_owned(), 900..=900),
        ("soon".to_owned(), 1..=5),
    ];
    for kind in KINDS {
        let stage = Stage::answering(NO_LAG).await;
        let events: Vec<Value> = (0..waits.len()).map(|number| (kind.event)(&format!("{number}"))).collect();
        for ((retry_after, expected), message) in waits.iter().zip(stage.received(&events).await) {
            stage.answers_at(kind.path, Answer::new(429, "{}").retry_after(retry_after.clone()));
            let batch = stage.world.enrich_these(&stage.enricher, vec![message]).await;
            batch.all_back();
            let delay = stage.world.delay_of(&batch.back[0]);
            assert!(expected.contains(&delay), "{} {retry_after}: {delay} s", kind.name);
        }
    }
}
