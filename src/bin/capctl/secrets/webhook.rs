//! `capctl secrets set webhook`: the headers that a delivery must bear.

use std::{io, path::PathBuf, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use capillary_events::{clock::rfc3339, moment::instant_ms};
use clap::Args;
use serde::Serialize;

use super::{
    entry,
    forms::is_header_value,
    local::refuse_published,
    store::Store,
    webhook_form::{HeaderForm, WebhookForm},
};
use crate::{
    context::Context,
    output::{Failure, Outcome, Report},
    page::{Page, Tone, plain},
    quoted::quoted,
    spans::moment,
};

/// The headers that a delivery must bear, and which values of them are accepted
///
/// A rotation that refuses nobody: --header NAME puts the new value first and keeps the old one. Wait five minutes, for so long a receiver may
/// go by what it has read (unless a hold has been in force for so long). Then `capctl webhook update --headers` gives Capillary the first value
/// of each header. Once deliveries come with it, --drop-old leaves only that.
///
/// What would turn away deliveries that are let in takes a hold (one that is in force, --hold-for or --hold-until), under which they come again,
/// or --no-hold.
#[derive(Args)]
pub(super) struct WebhookArguments {
    /// The whole secret from a file (- for standard input): {"headers": {"authorization": ["Basic …"]}}
    #[arg(long, value_name = "FILE", conflicts_with_all = ["header", "basic", "generate", "drop_old", "remove"])]
    file: Option<PathBuf>,
    /// A new value for this header, from a prompt or standard input; with --drop-old the header whose old values go
    #[arg(long, value_name = "NAME")]
    header: Option<String>,
    /// Basic authentication: the value is made from this user and a password, for the header authorization if no other is named
    #[arg(long, value_name = "USER", conflicts_with = "drop_old")]
    basic: Option<String>,
    /// Make up the value (or the password) instead of asking for it
    #[arg(long, conflicts_with = "drop_old")]
    generate: bool,
    /// Accept only the first value, of --header or of every header
    #[arg(long)]
    drop_old: bool,
    /// Ask for this header no more
    #[arg(long, value_name = "NAME")]
    remove: Option<String>,
    /// For so long answer wrong headers 429, so that these events come again, as 1h
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with_all = ["hold_until", "no_hold"])]
    hold_for: Option<Duration>,
    /// The same until this time, as 2026-12-01T00:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "no_hold")]
    hold_until: Option<String>,
    /// End that; and turn away for good whoever is turned away
    #[arg(long)]
    no_hold: bool,
}

/// What the secret is like now.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Set {
    secret: String,
    changed: bool,
    headers: Vec<HeaderForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_until: Option<String>,
    /// What comes next.
    next: Vec<String>,
    #[serde(skip)]
    now_ms: i64,
}

pub(super) async fn run(arguments: &WebhookArguments, context: &Context) -> Result<Outcome, Failure> {
    arguments.check()?;
    let store = Store::new(context, "WEBHOOK_SECRET_ID")?;
    // What takes a person's time comes before the secret is read.
    let given = arguments.given()?;
    let read = store.read().await?;
    let (text, form, next) = arguments.changed(read.as_ref().map(|read| read.text.as_str()), given, context.now_ms())?;
    let is_new = read.as_ref().is_none_or(|read| read.text != text);
    if is_new {
        let checked = super::forms::check_webhook(&text)?;
        refuse_published(&checked, context)?;
        store.write(text, read.as_ref()).await?;
    }
    let (headers, hold_until) = (form.headers(), form.hold_until);
    context.show(&Set { secret: store.id().to_owned(), changed: is_new, headers, hold_until, next, now_ms: context.now_ms() })
}

/// What is to be written.
enum Given {
    Whole(String),
    /// A change, with a header's new value.
    Change(Option<(String, String)>),
}

const REGISTER: &str = "`capctl webhook register` makes Capillary send its events here with these headers";
const REREAD: &str = "a receiver that has read the secret before may take up to five minutes";
/// The same before Capillary is told: a receiver rereads for wrong headers at most once in 30 s, and turns away for good until then.
const UPDATE: &str = "wait five minutes, for so long a receiver may go by the old secret; then `capctl webhook update --headers` gives Capillary \
                      the new headers";

impl WebhookArguments {
    fn check(&self) -> Result<(), Failure> {
        let makes_value = self.sets_value();
        if (self.generate && !makes_value) || !(makes_value || self.file.is_some() || self.changes_otherwise()) {
            let what = "what is to be set? Give --file, --header NAME, --basic USER, --drop-old, --remove NAME, or a hold";
            return Err(Failure::Usage(what.to_owned()));
        }
        if self.basic.as_ref().is_some_and(|user| user.is_empty() || user.contains(':')) {
            return Err(Failure::Usage("a user of basic authentication has a name without a colon".to_owned()));
        }
        Ok(())
    }

    /// Whether a header gets a new value.
    fn sets_value(&self) -> bool {
        self.basic.is_some() || (self.header.is_some() && !self.drop_old)
    }

    fn changes_otherwise(&self) -> bool {
        self.drop_old || self.remove.is_some() || self.hold_for.is_some() || self.hold_until.is_some() || self.no_hold
    }

    fn given(&self) -> Result<Given, Failure> {
        if let Some(path) = &self.file {
            return Ok(Given::Whole(entry::whole(path)?));
        }
        if !self.sets_value() {
            return Ok(Given::Change(None));
        }
        let header = self.header.as_deref().unwrap_or("authorization").trim().to_owned();
        let what = if self.basic.is_some() { "password".to_owned() } else { format!("value of {header}") };
        let value = if self.generate {
            entry::made_up()?
        } else {
            let [value] = entry::values([what.as_str()])?;
            value
        };
        let value = match &self.basic {
            Some(user) => format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{value}"))),
            None => value,
        };
        if !is_header_value(&value) {
            return Err(Failure::Usage(format!("no delivery could bear this value of {header}: it must be visible ASCII")));
        }
        Ok(Given::Change(Some((header, value))))
    }

    /// The secret as it is to be written, and what comes next; refused where it would turn away for good whom the present one lets in.
    fn changed(&self, present: Option<&str>, given: Given, now_ms: i64) -> Result<(String, WebhookForm, Vec<String>), Failure> {
        let before = present.map(WebhookForm::parse);
        let (form, text, next) = match given {
            Given::Whole(text) => {
                let mut form = WebhookForm::parse(&text)?;
                let asked = form.hold_until.clone();
                self.hold(&mut form, now_ms)?;
                // As it was given, unless a hold is added or taken away.
                let text = if form.hold_until == asked { Some(text) } else { None };
                // What the receiver could not read let nobody in.
                let next = match before.as_ref().and_then(|before| before.as_ref().ok()) {
                    None => Some(REGISTER.to_owned()),
                    Some(before) => (!before.is_kept_by(&form)).then(|| UPDATE.to_owned()),
                };
                (form, text, next.into_iter().collect())
            }
            Given::Change(value) => {
                let mut form = match &before {
                    None => WebhookForm::default(),
                    Some(Ok(before)) => before.clone(),
                    Some(Err(failure)) => {
                        return Err(Failure::Usage(format!(
                            "{failure}: the receiver can't read the secret as it is; replace it with --file"
                        )));
                    }
                };
                let next = self.change(&mut form, value, now_ms)?;
                (form, None, next)
            }
        };
        if let Some(Ok(before)) = &before {
            self.guard(before, &form, now_ms)?;
        }
        let text = text.map_or_else(|| serde_json::to_string(&form).map_err(io::Error::other), Ok)?;
        Ok((text, form, next))
    }

    /// Refuses what would turn away for good whom the present secret lets in, unless that is asked for.
    fn guard(&self, before: &WebhookForm, after: &WebhookForm, now_ms: i64) -> Result<(), Failure> {
        let is_held = after.hold_until.as_deref().and_then(instant_ms).is_some_and(|until| until > now_ms);
        if self.no_hold || is_held || before.is_kept_by(after) {
            return Ok(());
        }
        let new: Vec<String> = after.headers().into_iter().map(|header| header.name).filter(|name| !before.has(name)).collect();
        let whose = if new.is_empty() { "with a value that goes".to_owned() } else { format!("without {}", new.join(", ")) };
        Err(Failure::Usage(format!(
            "from now on every delivery {whose} would be refused, and lost: add --hold-for 1h, so that they come again until Capillary \
             sends the new headers, or --no-hold if it does so already"
        )))
    }

    fn hold(&self, form: &mut WebhookForm, now_ms: i64) -> Result<(), Failure> {
        if self.no_hold {
            form.hold_until = None;
        }
        if let Some(until_ms) = self.hold_until_ms(now_ms)? {
            form.hold_until = Some(rfc3339(until_ms));
        }
        Ok(())
    }

    /// Changes the secret, and says what comes next.
    fn change(&self, form: &mut WebhookForm, value: Option<(String, String)>, now_ms: i64) -> Result<Vec<String>, Failure> {
        let (was_empty, mut next) = (form.is_empty(), Vec::new());
        self.hold(form, now_ms)?;
        if let Some(header) = &self.remove {
            need(form, header)?;
            form.remove(header);
            if form.is_empty() {
                return Err(Failure::Usage("without a header anybody would be let in: the last one stays".to_owned()));
            }
            next.push(format!("{header} is asked for no more; {REREAD}"));
        }
        if self.drop_old {
            self.header.as_ref().map_or(Ok(()), |header| need(form, header))?;
            next.push(match form.drop_old(self.header.as_deref()) {
                0 => "there was no old value to drop".to_owned(),
                _ => format!("the old values are accepted no more; {REREAD}"),
            });
        }
        if let Some((header, value)) = value {
            let is_asked_for_anew = !form.has(&header) && !was_empty;
            let values = form.put_first(&header, value);
            next.push(if was_empty {
                REGISTER.to_owned()
            } else if is_asked_for_anew {
                format!("{UPDATE}; then end the hold with --no-hold")
            } else if values == 1 {
                format!("this is the one value of {header} that was accepted before, too")
            } else {
                format!(
                    "the old value is accepted, too: {UPDATE}; once deliveries come with them, drop the old value with \
                     `capctl secrets set webhook --drop-old --header {} --hold-for 1h`",
                    quoted(&header)
                )
            });
        }
        Ok(next)
    }

    /// When a hold ends, in milliseconds since 1970.
    fn hold_until_ms(&self, now_ms: i64) -> Result<Option<i64>, Failure> {
        let until = match (self.hold_for, &self.hold_until) {
            (Some(hold), _) => Some(i64::try_from(hold.as_millis()).ok().and_then(|ms| now_ms.checked_add(ms))),
            (None, Some(text)) => Some(instant_ms(text)),
            (None, None) => None,
        };
        match until {
            None => Ok(None),
            Some(Some(until)) if until > now_ms => Ok(Some(until)),
            Some(_) => Err(Failure::Usage("a hold ends at a time to come, as 2026-12-01T00:00:00Z".to_owned())),
        }
    }
}

fn need(form: &WebhookForm, header: &str) -> Result<(), Failure> {
    if form.has(header) { Ok(()) } else { Err(Failure::Usage(format!("the secret has no header {header}"))) }
}

impl Report for Set {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        let what = if self.changed { "filled" } else { "unchanged" };
        page.styled(&[(what, Tone::Good), (" ", Tone::Plain), (&self.secret, Tone::Plain)])?;
        write_headers(page, &self.headers)?;
        if let Some(until) = &self.hold_until {
            let until = instant_ms(until).map_or_else(|| until.clone(), |ms| moment(ms, self.now_ms));
            page.line(&format!("  wrong headers are answered 429, and come again, until {until}"))?;
        }
        for step in &self.next {
            page.styled(&[("  → ", Tone::Strong), (step, Tone::Plain)])?;
        }
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        Outcome::Well
    }
}

/// Names of headers, and how many values each has.
pub(super) fn write_headers(page: &mut Page, headers: &[HeaderForm]) -> io::Result<()> {
    let values =
        |values| if values == 1 { "1 value".to_owned() } else { format!("{values} values accepted: a rotation is under way") };
    let rows: Vec<_> =
        headers.iter().map(|header| vec![plain(format!("  {}", header.name)), plain(values(header.values))]).collect();
    page.table(&[], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn arguments(words: &[&str]) -> WebhookArguments {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            arguments: WebhookArguments,
        }
        <Line as clap::Parser>::parse_from([&["set"], words].concat()).arguments
    }

    fn change(words: &[&str], secret: &str, value: Option<(&str, &str)>) -> Result<String, String> {
        changed(words, Some(secret), Given::Change(value.map(|(header, value)| (header.to_owned(), value.to_owned()))))
            .map(|(text, _)| text)
    }

    /// The secret's text, and what comes next.
    fn changed(words: &[&str], present: Option<&str>, given: Given) -> Result<(String, String), String> {
        let changed = arguments(words).changed(present, given, NOW_MS).map_err(|failure| failure.to_string())?;
        Ok((changed.0, changed.2.join("\n")))
    }

    #[test]
    fn a_header_that_capillary_does_not_send_yet_needs_a_hold() {
        let (one, new) = (r#"{"headers":{"a":["1"]}}"#, Some(("b", "2")));
        assert!(change(&["--header", "b"], one, new).unwrap_err().contains("--hold-for"));
        let held = change(&["--header", "b", "--hold-for", "1h"], one, new).unwrap();
        assert_eq!(held, r#"{"headers":{"a":["1"],"b":["2"]},"holdUntil":"2027-01-15T09:00:00.000Z"}"#);
        assert!(change(&["--header", "b", "--no-hold"], one, new).is_ok());
        assert!(change(&["--header", "b"], r#"{"headers":{"a":["1"]},"holdUntil":"2027-01-15T08:00:01Z"}"#, new).is_ok());
        assert!(change(&["--header", "b"], r#"{"headers":{"a":["1"]},"holdUntil":"2027-01-15T08:00:00Z"}"#, new).is_err());
    }

    #[test]
    fn nothing_that_was_let_in_is_turned_away_by_mistake() {
        let two = r#"{"headers":{"a":["2","1"],"b":["3"]}}"#;
        let held = r#"{"headers":{"a":["2","1"],"b":["3"]},"holdUntil":"2027-01-15T08:00:01Z"}"#;
        let over = r#"{"headers":{"a":["2","1"],"b":["3"]},"holdUntil":"2027-01-15T08:00:00Z"}"#;
        for words in [&["--drop-old"][..], &["--drop-old", "--header", "a"], &["--remove", "b", "--drop-old"]] {
            for present in [two, over] {
                assert!(change(words, present, None).unwrap_err().contains("with a value that goes"), "{words:?}");
            }
            assert!(change(words, held, None).is_ok(), "{words:?}");
            for meant in [&["--hold-for", "1h"][..], &["--hold-until", "2027-01-15T08:00:01Z"], &["--no-hold"]] {
                assert!(change(&[words, meant].concat(), two, None).is_ok(), "{words:?} {meant:?}");
            }
        }
        assert!(change(&["--remove", "b"], two, None).is_ok(), "more is let in than before");
        assert!(change(&["--drop-old", "--header", "b"], two, None).is_ok(), "it has one value only");
    }

    #[test]
    fn nor_by_a_whole_secret() {
        let whole = |words: &[&str], present: Option<&str>, text: &str| {
            changed(&[&["--file", "-"], words].concat(), present, Given::Whole(text.to_owned()))
        };
        let (one, two) = (r#"{"headers": {"a": ["1"]}}"#, r#"{"headers":{"a":["2","1"]}}"#);
        for before in [None, Some("{}"), Some("")] {
            assert_eq!(whole(&[], before, one), Ok((one.to_owned(), REGISTER.to_owned())), "{before:?}");
        }
        assert_eq!(whole(&[], Some(one), two), Ok((two.to_owned(), String::new())));
        assert!(whole(&[], Some(two), one).unwrap_err().contains("--hold-for"));
        assert!(whole(&[], Some(one), r#"{"headers":{"a":["1"],"b":["2"]}}"#).unwrap_err().contains("without b"));
        assert_eq!(whole(&["--no-hold"], Some(two), one), Ok((one.to_owned(), UPDATE.to_owned())));
        let held = r#"{"headers":{"a":["1"]},"holdUntil":"2027-01-15T09:00:00.000Z"}"#;
        assert_eq!(whole(&["--hold-for", "1h"], Some(two), one), Ok((held.to_owned(), UPDATE.to_owned())));
        assert!(whole(&[], Some(two), held).is_ok());
    }

    #[test]
    fn what_comes_next_is_told_by_what_has_changed() {
        let put = |words: &[&str], value: &str| {
            let value = Given::Change(Some(("a".to_owned(), value.to_owned())));
            changed(&[&["--header", "a"], words].concat(), Some(r#"{"headers":{"a":["1"]}}"#), value).unwrap().1
        };
        let rotated = put(&[], "2");
        let [wait, update, drop] =
            ["wait five minutes", "update --headers", "--drop-old --header a --hold-for"].map(|step| rotated.find(step).unwrap());
        assert!(wait < update && update < drop, "{rotated}");
        let same = put(&[], "1");
        assert!(same.contains("accepted before, too") && !same.contains("update"), "{same}");
    }

    #[test]
    fn a_hold_ends_in_time_to_come() {
        let one = r#"{"headers":{"a":["1"]},"holdUntil":"2026-01-01T00:00:00Z"}"#;
        assert_eq!(change(&["--no-hold"], one, None).unwrap(), r#"{"headers":{"a":["1"]}}"#);
        let until = change(&["--hold-until", "2027-01-15T10:00:00+01:00"], one, None).unwrap();
        assert_eq!(until, r#"{"headers":{"a":["1"]},"holdUntil":"2027-01-15T09:00:00.000Z"}"#);
        for past in ["2026-01-01T00:00:00Z", "2027-01-15", "soon"] {
            assert!(change(&["--hold-until", past], one, None).is_err(), "{past}");
        }
    }

    #[test]
    fn the_last_header_and_the_unknown_one_are_not_removed() {
        let one = r#"{"headers":{"a":["1"]}}"#;
        assert!(change(&["--remove", "a"], one, None).is_err());
        assert!(change(&["--remove", "b"], one, None).is_err());
        assert!(change(&["--drop-old", "--header", "b"], one, None).is_err());
    }
}
