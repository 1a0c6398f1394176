//! Words of a command that is printed to be copied.

use std::borrow::Cow;

/// A word as a shell takes it for one, whatever stands in it: ids and names are what somebody sent.
pub(crate) fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.,:/@%+=".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_shell_takes_it_for_the_one_word_that_it_is() {
        for word in [
            "plain-id_7",
            "",
            "two words",
            "it's",
            "$(date)",
            "`date`",
            "a;b|c&d",
            "*",
            "~",
            "!",
            "#x",
            "back\\slash",
            "two\nlines",
        ] {
            let told = Command::new("sh").args(["-c", &format!("printf %s {}", quoted(word))]).output().unwrap();
            assert_eq!(String::from_utf8(told.stdout).unwrap(), word, "{}", quoted(word));
        }
        assert_eq!(quoted("0f1e-2d3c"), "0f1e-2d3c", "what needs no quotes has none");
    }
}
