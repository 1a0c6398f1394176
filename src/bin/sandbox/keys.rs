//! The kinds of things that the sandbox knows, and by which id each of them goes.

use serde::Deserialize;

/// What is meant: its kind and its id. In the control paths it stands as `{kind}/{id}`, such as `customers/42`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "(String, String)")]
pub(crate) enum Key {
    Customer(u64),
    Transaction(u64),
    /// By its number, which is a text.
    Card(String),
    Group(u64),
    Coupon(u64),
    /// By its `eventLogId`.
    LedgerEntry(u64),
}

impl TryFrom<(String, String)> for Key {
    type Error = String;

    fn try_from((kind, id): (String, String)) -> Result<Self, String> {
        let of_number = match kind.as_str() {
            "customers" => Self::Customer,
            "transactions" => Self::Transaction,
            "cards" => return Ok(Self::Card(id)),
            "groups" => Self::Group,
            "coupons" => Self::Coupon,
            "ledger" => Self::LedgerEntry,
            _ => return Err("there are customers, transactions, cards, groups, coupons and ledger".to_owned()),
        };
        id.parse().map(of_number).map_err(|_| format!("{kind} have numbers as ids"))
    }
}

impl Key {
    /// Whether Capillary has events that tell how it is.
    pub(crate) fn is_told(&self) -> bool {
        !matches!(self, Self::Coupon(_) | Self::LedgerEntry(_))
    }
}
