//! Which events a webhook has sent.

use std::str::FromStr;

use capillary_events::routes::catalogue::{NAMES, is_enriched};

/// What a user asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection(pub(super) Vec<String>);

impl Selection {
    /// The whole catalogue.
    pub(super) fn all() -> Self {
        Self(NAMES.map(str::to_owned).to_vec())
    }
}

impl FromStr for Selection {
    type Err = String;

    /// Names that are known are spelled as Capillary spells them, however they are written; any other may be one of the org's own
    /// events, and is taken as it is.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut names: Vec<String> = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let meant: Vec<String> = match word {
                "all" => Self::all().0,
                "enriched" => NAMES.into_iter().filter(|name| is_enriched(name) == Some(true)).map(str::to_owned).collect(),
                name => vec![spelled(name).unwrap_or(name).to_owned()],
            };
            for name in meant {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        if names.is_empty() { Err("no event is named".to_owned()) } else { Ok(Self(names)) }
    }
}

/// A name as Capillary spells it; none for one that is not in the catalogue.
pub(super) fn spelled(name: &str) -> Option<&'static str> {
    let exactly = NAMES.into_iter().find(|known| *known == name);
    exactly.or_else(|| NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name)))
}

/// What the catalogue has besides.
pub(super) fn besides(names: &[String]) -> Vec<&'static str> {
    NAMES.into_iter().filter(|known| !names.iter().any(|name| name.eq_ignore_ascii_case(known))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(text: &str) -> Vec<String> {
        text.parse::<Selection>().unwrap().0
    }

    #[test]
    fn names_are_spelled_as_capillary_spells_them_each_once() {
        assert_eq!(selected("couponissue, customerAdded,CUSTOMERADDED"), ["CouponIssue", "customerAdded"]);
        assert_eq!(selected("issuedalternateCurrenciesReversed"), ["issuedalternateCurrenciesReversed"]);
        assert_eq!(selected("cartAbandoned"), ["cartAbandoned"]);
        assert!(" , ".parse::<Selection>().is_err());
    }

    #[test]
    fn enriched_are_all_but_those_that_nothing_stands_behind() {
        let [all, enriched] = ["all", "enriched"].map(selected);
        assert_eq!(all.len(), NAMES.len());
        let left: Vec<&String> = all.iter().filter(|name| !enriched.contains(name)).collect();
        assert_eq!(left, ["promotionCreated", "promotionUpdated", "rewardCreated", "rewardUpdated", "rewardExpiryReminder"]);
    }

    #[test]
    fn what_the_catalogue_has_besides_has_no_name_in_another_spelling() {
        let left = besides(&["COUPONISSUE".to_owned(), "issuedAlternateCurrenciesReversed".to_owned()]);
        assert_eq!(left.len(), NAMES.len() - 3);
    }
}
