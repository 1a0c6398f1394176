//! Values as they are typed, piped, read or made up; never taken from an argument.

use std::{
    io::{self, IsTerminal, Read},
    path::Path,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{files, output::Failure};

/// What is made up: 256 bits.
const RANDOM_BYTES: usize = 32;
/// Enough for any secret; what is longer is the wrong file.
const MOST_BYTES: u64 = 64 * 1024;

/// A value that nobody has seen, in letters that stand in any header.
pub(super) fn made_up() -> Result<String, Failure> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Failure::of("the system's random numbers", error.to_string()))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// A whole secret: a file's text, or standard input's for `-`.
pub(super) fn whole(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") { piped() } else { files::text(path) }
}

/// One value for each name: typed without echo, or the lines of standard input.
pub(super) fn values<const N: usize>(names: [&str; N]) -> Result<[String; N], Failure> {
    if io::stdin().is_terminal() {
        let mut typed = Vec::new();
        for name in names {
            typed.push(rpassword::prompt_password(format!("{name} (not shown): ")).map_err(|error| failure(&error))?);
        }
        return of_lines(names, &typed);
    }
    let piped = piped()?;
    of_lines(names, &piped.lines().map(str::to_owned).collect::<Vec<_>>())
}

fn of_lines<const N: usize>(names: [&str; N], lines: &[String]) -> Result<[String; N], Failure> {
    let wanted = names.join(" and ");
    let wrong = || Failure::Usage(format!("standard input must have {wanted}, on one line each, and nothing else"));
    let values: [String; N] = lines.to_vec().try_into().map_err(|_| wrong())?;
    if values.iter().any(|value| value.trim().is_empty()) { Err(wrong()) } else { Ok(values) }
}

fn piped() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failure(&error))?;
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= MOST_BYTES);
    String::from_utf8(bytes).ok().filter(|_| fits).ok_or_else(|| Failure::Usage("standard input holds no secret".to_owned()))
}

fn failure(error: &io::Error) -> Failure {
    Failure::Usage(format!("standard input: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_up_is_never_the_same() {
        let (one, other) = (made_up().unwrap(), made_up().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 43);
    }

    #[test]
    fn each_value_has_its_line() {
        let lines = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(of_lines(["key", "secret"], &lines(&["k", "s"])).unwrap(), ["k", "s"]);
        for wrong in [&[][..], &["k"], &["k", ""], &["k", " "], &["k", "s", ""]] {
            let told = of_lines(["key", "secret"], &lines(wrong)).unwrap_err().to_string();
            assert_eq!(told, "standard input must have key and secret, on one line each, and nothing else");
        }
    }
}
