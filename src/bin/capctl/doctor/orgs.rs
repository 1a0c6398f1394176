//! Which of Capillary's orgs are looked at, and what they are called where there are several.

use capillary_events::capillary::credentials::CredentialBook;

/// Whose webhooks are looked at: of the credentials by which Capillary was reached all, or those of the org that is asked for.
pub(super) fn looked_at(asked: Option<i64>, book: &CredentialBook, reached: Vec<Option<i64>>) -> Vec<Option<i64>> {
    let Some(org_id) = asked else { return reached };
    // An org without credentials of its own has those that go for all others.
    let taken = book.orgs().find(|known| *known == Some(org_id)).flatten();
    if reached.contains(&taken) { vec![Some(org_id)] } else { Vec::new() }
}

/// Before a finding about an org: `org 7: `. Nothing where there is only one.
pub(super) fn prefix(org_id: Option<i64>, book: &CredentialBook) -> String {
    match org_id {
        _ if !are_several(book) => String::new(),
        Some(org_id) => format!("org {org_id}: "),
        None => "all other orgs: ".to_owned(),
    }
}

/// Behind the word «credentials»: ` of org 7`. Nothing for those that go for all.
pub(super) fn whose(org_id: Option<i64>, book: &CredentialBook) -> String {
    match org_id {
        Some(org_id) => format!(" of org {org_id}"),
        None if are_several(book) => " of all other orgs".to_owned(),
        None => String::new(),
    }
}

fn are_several(book: &CredentialBook) -> bool {
    book.orgs().nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use capillary_events::secret::Meaning as _;

    const EACH: &str = r#"{"key": "k", "secret": "s"}"#;

    fn book(orgs: &[i64]) -> CredentialBook {
        let orgs: Vec<String> = orgs.iter().map(|org| format!("\"{org}\": {EACH}")).collect();
        CredentialBook::parse(&format!(r#"{{"orgs": {{{}}}, "default": {EACH}}}"#, orgs.join(","))).ok().unwrap()
    }

    #[test]
    fn every_org_that_was_reached_is_looked_at_or_the_one_that_is_asked_for() {
        let all = || vec![Some(7), Some(8), None];
        assert_eq!(looked_at(None, &book(&[7, 8]), all()), all());
        assert_eq!(looked_at(Some(8), &book(&[7, 8]), all()), [Some(8)]);
        assert_eq!(looked_at(Some(9), &book(&[7, 8]), all()), [Some(9)], "with the credentials for all others");
        assert_eq!(looked_at(Some(8), &book(&[7, 8]), vec![Some(7), None]), []);
        assert_eq!(looked_at(Some(9), &book(&[7, 8]), vec![Some(7)]), []);
    }

    #[test]
    fn an_org_is_named_where_there_are_several() {
        assert_eq!([prefix(None, &book(&[])), whose(None, &book(&[]))], ["", ""]);
        assert_eq!([prefix(Some(7), &book(&[7])), whose(Some(7), &book(&[7]))], ["org 7: ", " of org 7"]);
        assert_eq!([prefix(None, &book(&[7])), whose(None, &book(&[7]))], ["all other orgs: ", " of all other orgs"]);
    }
}
