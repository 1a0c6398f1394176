//! Which events are enriched, which are published as they came, and which are not published at all.
//!
//! Rules stand in one text, separated by commas or white space; the first that fits an event decides, and where none does, it is
//! enriched:
//!
//! ```text
//! promotion*=ignore, 100737/pointsIssued=enrich, points*=pass
//! ```
//!
//! A rule is `[org/]name=action`: the org in digits or `*`, the name with `*` for any characters, without case, and one of the
//! actions `enrich`, `pass`, `ignore`. A name that holds a comma or white space is written with `*` in its place.

use crate::cloud_event::{NO_ORG, UNKNOWN};

/// What is done with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is published with the entities behind it and what changed.
    Enrich,
    /// It is published as it came.
    Pass,
    /// It is not published.
    Ignore,
}

/// A rule that can't be read. Rules hold no secrets, so it is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("has a rule that can't be read: number {number}, `{rule}`, {problem}")]
pub struct BadRule {
    /// Which one, counted from 1.
    pub number: usize,
    /// The rule as written.
    pub rule: String,
    /// What is wrong with it, as the end of a sentence that starts with the rule.
    pub problem: &'static str,
}

/// Rules in their order. Without any, everything is enriched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// Events of which org; none: of any.
    org_id: Option<i64>,
    /// What stands between the wildcards of the name, in lower case.
    name: Vec<String>,
    action: Action,
}

impl Filter {
    /// Reads rules as described above.
    ///
    /// # Errors
    /// The first rule that is none.
    pub fn parse(text: &str) -> Result<Self, BadRule> {
        let rules = text.split(|letter: char| letter == ',' || letter.is_whitespace()).filter(|rule| !rule.is_empty());
        let rule = |(place, rule): (usize, &str)| {
            Rule::parse(rule).map_err(|problem| BadRule { number: place + 1, rule: rule.to_owned(), problem })
        };
        rules.enumerate().map(rule).collect::<Result<_, _>>().map(Self)
    }

    /// What is done with an event of this name and org, each as far as it has one.
    pub fn action(&self, name: Option<&str>, org_id: Option<i64>) -> Action {
        let name = name.unwrap_or(UNKNOWN).to_lowercase();
        let org_id = org_id.unwrap_or(NO_ORG);
        self.0.iter().find(|rule| rule.fits(&name, org_id)).map_or(Action::Enrich, |rule| rule.action)
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (events, action) = text.rsplit_once('=').ok_or("has no action: write name=action, without spaces")?;
        let action = match action {
            "enrich" => Action::Enrich,
            "pass" => Action::Pass,
            "ignore" => Action::Ignore,
            _ => return Err("has none of the actions enrich, pass, ignore"),
        };
        let (org, name) = events.split_once('/').unwrap_or(("*", events));
        let org_id = match org {
            "*" => None,
            digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| "has an org with too many digits")?)
            }
            _ => return Err("has an org that is neither digits nor *"),
        };
        if name.is_empty() {
            return Err("has no event name: * stands for any");
        }
        Ok(Self { org_id, name: name.to_lowercase().split('*').map(str::to_owned).collect(), action })
    }

    fn fits(&self, name: &str, org_id: i64) -> bool {
        self.org_id.is_none_or(|own| own == org_id) && self.fits_name(name)
    }

    fn fits_name(&self, name: &str) -> bool {
        let [first, between @ .., last] = self.name.as_slice() else {
            return self.name.first().is_some_and(|whole| whole == name);
        };
        let after_first = name.strip_prefix(first.as_str());
        let rest = between.iter().try_fold(after_first, |rest, part| Some(rest?.split_once(part.as_str()).map(|(_, rest)| rest)));
        rest.flatten().is_some_and(|rest| rest.ends_with(last.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(rules: &str, name: &str) -> Action {
        Filter::parse(rules).unwrap().action(Some(name), Some(100_737))
    }

    #[test]
    fn without_rules_everything_is_enriched() {
        for rules in ["", " ", ",\n,"] {
            assert_eq!(action(rules, "customerUpdated"), Action::Enrich);
        }
        assert_eq!(Filter::default().action(None, None), Action::Enrich);
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = "promotion*=ignore, 100737/pointsIssued=enrich\npoints*=pass";
        assert_eq!(action(rules, "promotionCreated"), Action::Ignore);
        assert_eq!(action(rules, "pointsIssued"), Action::Enrich);
        assert_eq!(action(rules, "pointsExpired"), Action::Pass);
        assert_eq!(action(rules, "customerUpdated"), Action::Enrich, "none fits");
        assert_eq!(action("*=pass,points*=ignore", "pointsIssued"), Action::Pass);
    }

    #[test]
    fn an_orgs_rule_is_for_that_org_only() {
        let filter = Filter::parse("7/points*=ignore */points*=pass").unwrap();
        assert_eq!(filter.action(Some("pointsIssued"), Some(7)), Action::Ignore);
        assert_eq!(filter.action(Some("pointsIssued"), Some(77)), Action::Pass);
        assert_eq!(filter.action(Some("pointsIssued"), None), Action::Pass);
    }

    #[test]
    fn names_are_without_case() {
        assert_eq!(action("couponissue=ignore", "CouponIssue"), Action::Ignore);
        assert_eq!(action("PP_*=ignore", "pp_expiry_job"), Action::Ignore);
    }

    #[test]
    fn a_star_stands_for_any_characters_or_none() {
        for (pattern, name, fits) in [
            ("*", "anything", true),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*updated", "customerUpdated", true),
            ("*updated", "customerUpdatedTwice", false),
            ("*points*reversed", "issuedPointsReversed", true),
            ("*points*reversed", "issuedReversedPoints", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*bc*c", "a-bc", false),
            ("a**b", "a-b", true),
            ("points", "pointsIssued", false),
            ("the*name", "the name", true),
            ("*/a/b", "a/b", true),
            ("a=b", "a=b", true),
        ] {
            let expected = if fits { Action::Ignore } else { Action::Enrich };
            assert_eq!(action(&format!("{pattern}=ignore"), name), expected, "{pattern} for {name}");
        }
    }

    #[test]
    fn an_event_without_name_is_unknown_and_without_org_that_of_org_0() {
        let filter = Filter::parse("0/unknown=ignore").unwrap();
        assert_eq!(filter.action(None, None), Action::Ignore);
        assert_eq!(filter.action(Some("unknown"), Some(0)), Action::Ignore);
        assert_eq!(filter.action(None, Some(7)), Action::Enrich);
        assert_eq!(filter.action(Some("customerAdded"), None), Action::Enrich);
    }

    #[test]
    fn a_rule_that_cannot_be_read_is_named() {
        for (rule, problem) in [
            ("points*", "has no action: write name=action, without spaces"),
            ("points*=skip", "has none of the actions enrich, pass, ignore"),
            ("points*=Pass", "has none of the actions enrich, pass, ignore"),
            ("points*=", "has none of the actions enrich, pass, ignore"),
            ("=pass", "has no event name: * stands for any"),
            ("7/=pass", "has no event name: * stands for any"),
            ("brand/points*=pass", "has an org that is neither digits nor *"),
            ("-7/points*=pass", "has an org that is neither digits nor *"),
            ("/points*=pass", "has an org that is neither digits nor *"),
            ("99999999999999999999/points*=pass", "has an org with too many digits"),
        ] {
            let error = Filter::parse(&format!("a=pass, {rule}, b=pass")).unwrap_err();
            assert_eq!(error, BadRule { number: 2, rule: rule.to_owned(), problem }, "{rule}");
        }
        let spaced = Filter::parse("points* = pass").unwrap_err();
        let told = "has a rule that can't be read: number 1, `points*`, has no action: write name=action, without spaces";
        assert_eq!(spaced.to_string(), told);
    }
}
