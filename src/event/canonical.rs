//! JSON in canonical form: keys sorted by code point, no white space, numbers as received, the last of duplicate keys.
//!
//! The text is read once, whatever its size and depth: a body of megabytes has to be answered in seconds, and by a small part of a
//! processor.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values deeper than this count as their text.
pub(super) const MAX_DEPTH: usize = 64;

/// Appends a value that stands at this depth. The text is one JSON value, with nothing around it.
pub(super) fn write(text: &str, depth: usize, canonical: &mut String) {
    Reader { text, at: 0 }.value(depth, canonical);
}

/// Appends an object of these members, in their order: names, and values in canonical form.
pub(super) fn write_members<'a>(members: impl Iterator<Item = (&'a str, &'a str)>, canonical: &mut String) {
    canonical.push('{');
    for (position, (name, value)) in members.enumerate() {
        if position > 0 {
            canonical.push(',');
        }
        canonical.push_str(&Value::from(name).to_string());
        canonical.push(':');
        canonical.push_str(value);
    }
    canonical.push('}');
}

/// Reads a text that is known to be JSON.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// A value that can't be taken apart (nested too deep, a name with half a surrogate pair in it) counts as its text.
    fn value(&mut self, depth: usize, canonical: &mut String) {
        match self.next() {
            Some(b'{') if depth < MAX_DEPTH => self.object(depth, canonical),
            Some(b'[') if depth < MAX_DEPTH => self.array(depth, canonical),
            Some(b'{' | b'[') => canonical.push_str(self.nested()),
            Some(b'"') => {
                let text = self.string();
                match serde_json::from_str::<String>(text) {
                    Ok(decoded) => canonical.push_str(&Value::from(decoded).to_string()),
                    Err(_) => canonical.push_str(text),
                }
            }
            _ => canonical.push_str(self.scalar()),
        }
    }

    fn object(&mut self, depth: usize, canonical: &mut String) {
        let begin = self.at;
        let mut members = Some(BTreeMap::new());
        self.at += 1;
        while let Some(byte) = self.next_after_space() {
            if byte != b'"' {
                self.at += 1;
                if byte == b'}' {
                    break;
                }
                continue;
            }
            let name = serde_json::from_str::<String>(self.string()).ok();
            // The colon.
            self.next_after_space();
            self.at += 1;
            self.next_after_space();
            let mut value = String::new();
            self.value(depth + 1, &mut value);
            members = members.zip(name).map(|(mut members, name)| {
                members.insert(name, value);
                members
            });
        }
        match members {
            Some(members) => write_members(members.iter().map(|(name, value)| (name.as_str(), value.as_str())), canonical),
            None => canonical.push_str(self.since(begin)),
        }
    }

    fn array(&mut self, depth: usize, canonical: &mut String) {
        canonical.push('[');
        self.at += 1;
        while let Some(byte) = self.next_after_space() {
            match byte {
                b']' => {
                    self.at += 1;
                    break;
                }
                b',' => {
                    self.at += 1;
                    canonical.push(',');
                }
                _ => self.value(depth + 1, canonical),
            }
        }
        canonical.push(']');
    }

    /// An array or an object as it is.
    fn nested(&mut self) -> &'a str {
        let (begin, mut open) = (self.at, 0_usize);
        while let Some(byte) = self.next() {
            match byte {
                b'"' => {
                    self.string();
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open = open.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                break;
            }
        }
        self.since(begin)
    }

    /// A text, with its quotes.
    fn string(&mut self) -> &'a str {
        let begin = self.at;
        self.at += 1;
        while let Some(byte) = self.next() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        self.since(begin)
    }

    /// A number or a word, of at least one byte.
    fn scalar(&mut self) -> &'a str {
        let begin = self.at;
        while let Some(byte) = self.next() {
            if self.at > begin && (matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace()) {
                break;
            }
            self.at += 1;
        }
        self.since(begin)
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next_after_space(&mut self) -> Option<u8> {
        while self.next().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
        self.next()
    }

    fn since(&self, begin: usize) -> &'a str {
        self.text.get(begin..self.at.min(self.text.len())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    /// The same in the plainest way: each level is read once more than the one around it.
    fn plainly(text: &str, depth: usize, canonical: &mut String) {
        if text.starts_with('{')
            && depth < MAX_DEPTH
            && let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text)
        {
            let values: Vec<String> = members.values().map(|value| plain(value.get(), depth + 1)).collect();
            write_members(members.keys().map(String::as_str).zip(values.iter().map(String::as_str)), canonical);
        } else if text.starts_with('[')
            && depth < MAX_DEPTH
            && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text)
        {
            let items: Vec<String> = items.iter().map(|item| plain(item.get(), depth + 1)).collect();
            canonical.push_str(&format!("[{}]", items.join(",")));
        } else if let Ok(decoded) = serde_json::from_str::<String>(text) {
            canonical.push_str(&Value::from(decoded).to_string());
        } else {
            canonical.push_str(text);
        }
    }

    fn plain(text: &str, depth: usize) -> String {
        let mut canonical = String::new();
        plainly(text, depth, &mut canonical);
        canonical
    }

    fn read_once(text: &str) -> String {
        let mut canonical = String::new();
        write(text, 0, &mut canonical);
        canonical
    }

    /// JSON, with white space wherever it may be, names twice, and texts that can't be decoded.
    fn json() -> impl Strategy<Value = String> {
        let texts = [r#""""#, r#""a""#, r#""\u0061""#, r#""b\"\\""#, r#""\\""#, r#""é{[,:]}""#, r#""\ud800""#, r#""\u0000\/""#];
        let leaves = ["null", "true", "0", "-0", "1.10", "1E5", "1e-7", "123456789012345678901234567890.50"];
        let space = || proptest::sample::select(vec!["", "", " ", "\n\t", "\r"]);
        let leaf = proptest::sample::select([&texts[..], &leaves[..]].concat()).prop_map(str::to_owned);
        leaf.prop_recursive(5, 60, 5, move |inner| {
            let spaced = (space(), inner, space()).prop_map(|(before, value, after)| format!("{before}{value}{after}"));
            let name = (space(), proptest::sample::select(texts.to_vec()), space());
            let member =
                (name, spaced.clone()).prop_map(|((before, name, after), value)| format!("{before}{name}{after}:{value}"));
            prop_oneof![
                (proptest::collection::vec(spaced, 1..5)).prop_map(|items| format!("[{}]", items.join(","))),
                (proptest::collection::vec(member, 1..5)).prop_map(|members| format!("{{{}}}", members.join(","))),
                space().prop_map(|space| format!("[{space}]")),
                space().prop_map(|space| format!("{{{space}}}")),
            ]
        })
    }

    #[test]
    fn what_is_nested_too_deep_counts_as_its_text() {
        for levels in [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 3 * MAX_DEPTH] {
            for (open, close) in [("[ ", " ]"), (r#"{ "a" : "#, " }")] {
                let text = format!(r#"{}{{ "b" : "]\"" , "a" : 1 }}{}"#, open.repeat(levels), close.repeat(levels));
                assert_eq!(read_once(&text), plain(&text, 0), "{levels}");
            }
        }
    }

    #[test]
    fn what_is_no_json_comes_to_an_end_all_the_same() {
        for text in ["", "{", "[", "[1", "{\"a\"", "{\"a\":", "\"", "\"\\", "}", "]", ",", "{1}", "[}", "{]", "\u{e9}", "[\"\\"] {
            read_once(text);
        }
    }

    proptest! {
        #[test]
        fn reading_once_gives_the_same_as_reading_each_level_anew(text in json()) {
            prop_assert_eq!(read_once(&text), plain(&text, 0));
        }
    }
}
