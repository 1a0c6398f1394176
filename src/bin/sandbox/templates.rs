//! Entities that nobody has told the sandbox about: each is found, the same at each request, another for each id. The
//! places are those of the samples in `answers`.

use serde_json::{Value, json};

use crate::keys::Key;
use crate::patches::merge;

const FIRST_NAMES: [&str; 8] = ["Aiko", "Bruno", "Chiara", "Dmitri", "Elin", "Farid", "Grace", "Hiro"];
const LAST_NAMES: [&str; 7] = ["Almeida", "Berg", "Costa", "Dietrich", "Evans", "Fontaine", "Goto"];

/// The type of a transaction that is asked for under none.
pub(crate) const USUAL_TYPE: &str = "REGULAR";

/// How cards that come with a customer are numbered, before her id.
const CARD_PREFIX: &str = "CARD";

/// The samples, parsed once.
pub(crate) struct Templates {
    customer: Value,
    transaction: Value,
    card: Value,
    group: Value,
    coupon: Value,
    ledger_entry: Value,
}

impl Templates {
    pub(crate) fn load() -> serde_json::Result<Self> {
        let mut customer = parse(include_str!("answers/v2_customers_id_get.json"))?;
        for embedded in [
            include_str!("answers/v2_customers_id_get__embed_points.json"),
            include_str!("answers/v2_customers_id_get__embed_subscriptions.json"),
            include_str!("answers/v2_customers_id_get__embed_loyaltyProgramDetails.json"),
            include_str!("answers/v2_customers_id_get__embed_promotionalPoints.json"),
        ] {
            merge(&mut customer, &parse(embedded)?);
        }
        let first_of = |text: &str, place: &str| Ok(parse(text)?.pointer(place).cloned().unwrap_or_default());
        Ok(Self {
            customer,
            transaction: parse(include_str!("answers/v2_transactions_id_get__REGULAR.json"))?,
            card: parse(include_str!("answers/v2_card_get.json"))?,
            group: first_of(include_str!("answers/v2_userGroup2_get.json"), "/data/0")?,
            coupon: first_of(include_str!("answers/v2_coupon_get.json"), "/data/0")?,
            ledger_entry: first_of(include_str!("answers/v2_pointsLedger_getLedgerExplodeInfo.json"), "/events/0")?,
        })
    }

    pub(crate) fn of(&self, key: &Key) -> Value {
        match key {
            Key::Customer(id) => self.customer(*id),
            Key::Transaction(id) => self.transaction(*id, USUAL_TYPE),
            Key::Card(number) => self.card(number),
            Key::Group(id) => self.group(*id),
            Key::Coupon(id) => self.coupon(*id),
            Key::LedgerEntry(id) => self.ledger_entry(*id),
        }
    }

    /// Holds all that can be embedded.
    fn customer(&self, id: u64) -> Value {
        let (first_name, last_name) = (pick(&FIRST_NAMES, id), pick(&LAST_NAMES, id / 8));
        let email = format!("{}.{}.{id}@example.com", first_name.to_lowercase(), last_name.to_lowercase());
        let card_number = format!("{CARD_PREFIX}{id:012}");
        filled(
            &self.customer,
            [
                ("/id", json!(id)),
                ("/profiles/0/userId", json!(id)),
                ("/profiles/0/firstName", json!(first_name)),
                ("/profiles/0/lastName", json!(last_name)),
                ("/profiles/0/identifiers/1/value", json!(card_number)),
                ("/profiles/0/identifiers/2/value", json!(email)),
                ("/profiles/0/commChannels/1/value", json!(email)),
                ("/profiles/0/identifiersAll/0/value", json!(mobile(id))),
                ("/profiles/0/identifiersAll/1/value", json!(email)),
                ("/cardDetails/0/customerId", json!(id)),
                ("/cardDetails/0/cardNumber", json!(card_number)),
            ],
        )
    }

    /// It is of whichever type it is asked for under.
    pub(crate) fn transaction(&self, id: u64, transaction_type: &str) -> Value {
        filled(
            &self.transaction,
            [
                ("/id", json!(id)),
                ("/type", json!(transaction_type)),
                ("/customerId", json!(nine_digits(id))),
                ("/billDetails/billNumber", json!(format!("bill-{id}"))),
            ],
        )
    }

    /// A card that comes with a customer is hers; every other one is somebody's.
    fn card(&self, number: &str) -> Value {
        let hash = hash(number);
        let id = nine_digits(hash);
        let customer = number.strip_prefix(CARD_PREFIX).and_then(|digits| digits.parse().ok());
        filled(
            &self.card,
            [
                ("/cardId", json!(id)),
                ("/id", json!(id)),
                ("/statusInfo/entityId", json!(id)),
                ("/cardNumber", json!(number)),
                ("/cardExternalId", json!(format!("ext-{id}"))),
                ("/customerId", json!(customer.unwrap_or_else(|| nine_digits(hash >> 32)))),
            ],
        )
    }

    /// Its names are those of its first member.
    fn group(&self, id: u64) -> Value {
        let member = nine_digits(id);
        let customer = self.customer(member);
        let of_member = |place: &str| customer.pointer(place).cloned().unwrap_or_default();
        filled(
            &self.group,
            [
                ("/groupId", json!(id)),
                ("/groupName", json!(format!("group-{id}"))),
                ("/groupExternalId", json!(format!("ext-{id}"))),
                ("/primaryMemberId", json!(member)),
                ("/firstName", of_member("/profiles/0/firstName")),
                ("/lastName", of_member("/profiles/0/lastName")),
                ("/email", of_member("/profiles/0/identifiersAll/1/value")),
                ("/mobile", json!(mobile(member))),
            ],
        )
    }

    /// Other than in the sample it bears its id.
    fn coupon(&self, id: u64) -> Value {
        let mut coupon = filled(&self.coupon, [("/code", json!(format!("COUPON{id}")))]);
        merge(&mut coupon, &json!({"id": id}));
        coupon
    }

    fn ledger_entry(&self, id: u64) -> Value {
        filled(
            &self.ledger_entry,
            [
                ("/eventLogId", json!(id)),
                ("/eventReferenceId", json!(id.to_string())),
                ("/uniqueId", json!(format!("{:040x}", hash(&id.to_string())))),
            ],
        )
    }
}

pub(crate) fn parse(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
}

/// A sample with other values, where it has some.
pub(crate) fn filled<const N: usize>(sample: &Value, values: [(&str, Value); N]) -> Value {
    let mut body = sample.clone();
    for (place, value) in values {
        if let Some(found) = body.pointer_mut(place) {
            *found = value;
        }
    }
    body
}

fn mobile(customer: u64) -> String {
    format!("9190{:08}", customer % 100_000_000)
}

/// An id as Capillary has them, that follows from another one.
fn nine_digits(number: u64) -> u64 {
    100_000_000 + number % 900_000_000
}

/// FNV-1a: the same in each process.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn pick<'a>(names: &[&'a str], number: u64) -> &'a str {
    let count = names.len().max(1) as u64;
    usize::try_from(number % count).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
}
