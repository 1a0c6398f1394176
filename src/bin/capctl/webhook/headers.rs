//! The headers that a webhook is to have: with those of the webhook secret, or without. What else it has stays as it was read.

use serde_json::{Map, Value};

use super::{entry::Entry, place::Place, secret::Headers};
use crate::output::Failure;

/// Its own, but for empty rows, with those of the secret in the place of what it has under their names.
pub(super) fn with_ours(entry: &Entry, ours: &Headers) -> Result<Map<String, Value>, Failure> {
    let present = entry.headers().ok_or_else(not_understood)?;
    let mut headers = present.clone();
    headers.retain(|name, _| !name.trim().is_empty() && !ours.has(name));
    for (name, value) in ours.to_send() {
        // As it is spelled there already, so that nothing is changed for its case alone.
        let spelled = present.keys().find(|present| present.trim().eq_ignore_ascii_case(name)).map_or(name, String::as_str);
        headers.insert(spelled.to_owned(), Value::from(value));
    }
    Ok(headers)
}

/// What another place may know of them: nothing that has a value of the secret and, where the webhook was this deployment's, nothing
/// under the secret's names, since a value that is no longer in it may still be in use elsewhere.
pub(super) fn without_ours(entry: &Entry, place: &Place, ours: &Headers) -> Result<Map<String, Value>, Failure> {
    let was_ours = place.is_sent_to_by(entry) || place.is_missed_by_a_slash(entry);
    let mut headers = entry.headers().ok_or_else(not_understood)?;
    let is_ours = |name: &str, value: &Value| ours.knows(value) || (was_ours && ours.has(name));
    headers.retain(|name, value| !is_ours(name, value));
    Ok(headers)
}

/// What is not understood is not replaced: nobody could say what is lost.
fn not_understood() -> Failure {
    let what = "this webhook's headers come in a form that is not known here, and nothing was changed: set them in Capillary's own pages (Organization Settings, Event Notifications)";
    Failure::Usage(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HERE: &str = "https://hooks.example.net/v1/events";

    fn ours() -> Headers {
        serde_json::from_value(json!({"headers": {"authorization": ["Basic new", "Basic old"]}})).unwrap()
    }

    fn entry(url: &str, headers: &Value) -> Entry {
        Entry::read(json!({"webHookType": "HTTP", "webHookUrl": url, "webHookHeaders": headers})).unwrap()
    }

    fn without(url: &str, headers: &Value) -> Value {
        let Ok(left) = without_ours(&entry(url, headers), &Place::new(HERE), &ours()) else { panic!("refused") };
        Value::Object(left)
    }

    #[test]
    fn headers_that_are_not_ours_stay_as_they_were_read_whatever_their_form() {
        let headers = json!({"x-number": 7, "x-list": ["a", "b"], "x-null": null, "Authorization": ["Basic old"], " ": ""});
        let Ok(headers) = with_ours(&entry(HERE, &headers), &ours()) else { panic!("refused") };
        let expected = json!({"x-number": 7, "x-list": ["a", "b"], "x-null": null, "Authorization": "Basic new"});
        assert_eq!(Value::Object(headers), expected);
    }

    #[test]
    fn no_headers_have_several_forms_and_any_other_that_is_not_understood_is_not_replaced() {
        for none in [json!(null), json!([]), json!({})] {
            let Ok(headers) = with_ours(&entry(HERE, &none), &ours()) else { panic!("refused") };
            assert_eq!(Value::Object(headers), json!({"authorization": "Basic new"}));
        }
        for unknown in
            [json!([{"key": "authorization", "value": "Basic stranger"}]), json!("authorization: Basic stranger"), json!(7)]
        {
            let entry = entry(HERE, &unknown);
            for refused in [with_ours(&entry, &ours()).err(), without_ours(&entry, &Place::new(HERE), &ours()).err()] {
                let told = refused.map(|failure| failure.to_string()).unwrap_or_default();
                assert!(told.contains("a form that is not known") && !told.contains("Basic"), "{told}");
            }
        }
    }

    #[test]
    fn what_leaves_this_deployment_leaves_the_secrets_headers_behind() {
        for value in [json!("Basic new"), json!("Basic old"), json!("Basic forgotten"), json!(["Basic new"]), json!(7)] {
            let headers = json!({"AUTHORIZATION": value, "x-copy": "Basic new", "x-other": "o"});
            assert_eq!(without(HERE, &headers), json!({"x-other": "o"}), "under {HERE}");
            let but_for_a_slash = format!("{HERE}/");
            assert_eq!(without(&but_for_a_slash, &headers), json!({"x-other": "o"}), "under {but_for_a_slash}");
        }
    }

    #[test]
    fn somebody_elses_headers_of_the_same_names_stay_theirs() {
        let elsewhere = "https://elsewhere.example.net/a";
        assert_eq!(without(elsewhere, &json!({"Authorization": "Basic stranger"})), json!({"Authorization": "Basic stranger"}));
        assert_eq!(without(elsewhere, &json!({"Authorization": "Basic old"})), json!({}), "but not what is in our secret");
    }
}
