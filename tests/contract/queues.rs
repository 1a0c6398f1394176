//! The queues, the bus and the secret store.

use capillary_events::{
    message::{DeadLetter, Encoded, Message, Reason, TraceHeader, decode},
    ports::{Bus, DeadLetterQueue, Entry, EventsQueue, Redelivery, SecretStore},
};

use super::{NOW_MS, SECRET, Services, Taken, identity};

fn bytes(taken: &Taken) -> Vec<u8> {
    decode(&taken.incoming.body, taken.incoming.content_encoding.as_deref()).expect("what was sent can be read")
}

fn message(id: &str, body: &[u8]) -> Message {
    let trace = TraceHeader::parse("Root=1-67891233-abcdef012345678912345678");
    Message { body: Encoded::of(body), identity: identity(id, "customerUpdated"), trace }
}

/// Bodies of every kind, and what is told beside them.
pub(crate) async fn a_message_comes_back_as_it_was_sent(services: &impl Services) {
    let large = vec![b'x'; 300 * 1024];
    let bodies: [&[u8]; 4] = [br#"{"name":"Zo\u00eb"}"#, "愛子 \u{fffe}".as_bytes(), &[0xff, 0x00, 0xfe], &large];
    for (number, body) in bodies.iter().enumerate() {
        services.events().send(&message(&number.to_string(), body)).await.expect("it is sent");
    }
    let mut taken = services.take(bodies.len()).await;
    taken.sort_by(|one, other| one.incoming.key.cmp(&other.incoming.key));
    assert_eq!(taken.len(), bodies.len());
    for (taken, body) in taken.iter().zip(bodies) {
        assert!(bytes(taken) == body, "{:?}", taken.incoming.key);
        assert_eq!((taken.event_name.as_deref(), taken.org_id), (Some("customerUpdated"), Some(7)));
        assert_eq!((taken.incoming.received_at_ms, taken.incoming.receive_count), (Some(NOW_MS), 1));
        assert!(taken.incoming.sent_at_ms.is_some() && !taken.incoming.receipt_handle.is_empty());
        assert_eq!(taken.incoming.trace, TraceHeader::parse("Root=1-67891233-abcdef012345678912345678"));
        assert_eq!((&taken.reason, &taken.detail), (&None, &None));
    }
}

/// With all that was known of the event, or nothing.
pub(crate) async fn a_dead_letter_bears_its_reason(services: &impl Services) {
    let letter = |identity, reason, detail: &str| DeadLetter {
        body: Encoded::of(b"no event"),
        identity,
        received_at_ms: NOW_MS,
        reason,
        detail: detail.to_owned(),
    };
    let letters = [letter(None, Reason::NotJson, "because"), letter(Some(identity("a", "one")), Reason::TooOld, "late")];
    for letter in &letters {
        services.dead_letters().send(letter).await.expect("it is sent");
    }
    let mut taken = services.take_dead(2).await;
    taken.sort_by(|one, other| one.incoming.key.cmp(&other.incoming.key));
    let [unknown, known] = taken.as_slice() else { panic!("two: {taken:?}") };
    assert_eq!((unknown.reason.as_deref(), unknown.detail.as_deref()), (Some("not_json"), Some("because")));
    assert_eq!((&unknown.incoming.key, &unknown.event_name, unknown.org_id), (&None, &None, None));
    assert_eq!((known.reason.as_deref(), known.incoming.key.as_deref()), (Some("too_old"), Some("a")));
    assert_eq!((known.event_name.as_deref(), known.org_id, known.incoming.received_at_ms), (Some("one"), Some(7), Some(NOW_MS)));
    assert!(taken.iter().all(|taken| bytes(taken) == b"no event"));
}

/// ChangeMessageVisibility.
pub(crate) async fn who_is_put_back_comes_again_and_counts_one_more(services: &impl Services) {
    services.events().send(&message("a", b"{}")).await.expect("it is sent");
    for receives in 1..=3 {
        let taken = services.take(1).await;
        let [message] = taken.as_slice() else { panic!("one message: {taken:?}") };
        assert_eq!(message.incoming.receive_count, receives);
        services.events().delay(&[(message.incoming.receipt_handle.clone(), 0)]).await.expect("it is put back");
    }
}

/// P1.
pub(crate) async fn the_bus_answers_for_each_entry(services: &impl Services) {
    let entry = |detail: &str| Entry { detail_type: "one".to_owned(), detail: detail.to_owned(), trace: None };
    // The local bus takes whatever it is given, so that no refusal can be tried here.
    let details: Vec<String> = (10..35).map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
    let entries: Vec<Entry> = details.iter().map(|detail| entry(detail)).collect();
    assert_eq!(services.bus().publish(&entries).await, vec![Ok(()); entries.len()], "in as many calls as it takes");
    let mut ids = services.ids_published(entries.len()).await;
    ids.sort();
    assert_eq!(ids, (10..35).map(|id| id.to_string()).collect::<Vec<_>>());
}

/// Or an error, which is no secret.
pub(crate) async fn the_secret_is_what_was_put_there(services: &impl Services) {
    assert_eq!(services.secret().read().await.as_deref(), Ok(SECRET));
}
