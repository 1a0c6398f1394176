//! Patterns, and the places that they mean.

use std::borrow::Cow;

/// A pattern that can't be read. Patterns hold no secrets, so it is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("has a pattern that can't be read: number {number}, `{pattern}`, {problem}")]
pub struct BadPattern {
    /// Which one, counted from 1.
    pub number: usize,
    /// The pattern as written.
    pub pattern: String,
    /// What is wrong with it, as the end of a sentence that starts with the pattern.
    pub problem: &'static str,
}

/// A list of patterns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// Whether it begins at `data`, and does not stand for places anywhere.
    is_anchored: bool,
    names: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Any,
    Is(String),
}

/// A step on the way from `data` to a value.
#[derive(Clone)]
pub(super) enum Step<'a> {
    /// To the member with this name.
    Member(Cow<'a, str>),
    /// To this element of an array; none: to whichever.
    Element(Option<usize>),
    /// In the path of a change: to the member with this name, which is all digits, or to an element. Which element does not matter:
    /// it may be at another index in the other of the two states.
    MemberOrElement(Cow<'a, str>),
}

impl Patterns {
    /// Reads patterns that are separated by commas.
    ///
    /// # Errors
    /// The first pattern that is none, or that can mean nothing.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let patterns = text.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
        let pattern = |(place, pattern): (usize, &str)| {
            Pattern::parse(pattern).map_err(|problem| BadPattern { number: place + 1, pattern: pattern.to_owned(), problem })
        };
        patterns.enumerate().map(pattern).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them means the place at the end of this way.
    pub(super) fn fit(&self, way: &[Step<'_>]) -> bool {
        self.0.iter().any(|pattern| match pattern.is_anchored {
            true => fit_whole(&pattern.names, way),
            false => fit_end(&pattern.names, way),
        })
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let anchored = text.strip_prefix('/');
        let names: Vec<Name> = anchored.unwrap_or(text).split('/').map(Name::parse).collect();
        if names.contains(&Name::Is(String::new())) {
            return Err("has a step without a name: * stands for any");
        }
        if anchored.is_none() && names.contains(&Name::Any) {
            return Err("has a * but no slash at its beginning");
        }
        // Whoever mistypes the beginning would wait in vain for something to be redacted.
        let may_be = |step: usize, name: &str| names.get(step).is_some_and(|wanted| wanted.is(name));
        let is_index = |step: usize| names.get(step).is_some_and(Name::is_index);
        let means_something = may_be(0, "event") || (may_be(0, "entities") && is_index(1) && may_be(2, "body"));
        if anchored.is_some() && !means_something {
            return Err("lies neither in /event nor in /entities/*/body");
        }
        Ok(Self { is_anchored: anchored.is_some(), names })
    }
}

impl Name {
    fn parse(text: &str) -> Self {
        if text == "*" { Self::Any } else { Self::Is(unescaped(text).into_owned()) }
    }

    fn is(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Is(own) => own == name,
        }
    }

    fn is_index(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Is(own) => is_digits(own),
        }
    }
}

impl<'a> Step<'a> {
    pub(super) fn member(name: &'a str) -> Self {
        Self::Member(Cow::Borrowed(name))
    }

    /// A step of a JSON Pointer.
    pub(super) fn of_pointer(text: &'a str) -> Self {
        if is_digits(text) { Self::MemberOrElement(Cow::Borrowed(text)) } else { Self::Member(unescaped(text)) }
    }
}

/// Whether a pattern means the end of a way, step by step.
fn fit_whole(names: &[Name], way: &[Step<'_>]) -> bool {
    let fits = |(name, step): (&Name, &Step<'_>)| match step {
        Step::Member(member) => name.is(member),
        Step::Element(Some(index)) => name.is(&index.to_string()),
        Step::Element(None) => name.is_index(),
        Step::MemberOrElement(member) => name.is(member) || name.is_index(),
    };
    names.len() == way.len() && names.iter().zip(way).all(fits)
}

/// Whether a pattern means the end of a way, wherever it begins. Elements do not count: they are what the array is.
fn fit_end(names: &[Name], way: &[Step<'_>]) -> bool {
    let Some((name, names_around)) = names.split_last() else { return true };
    let Some((step, around)) = way.split_last() else { return false };
    match step {
        Step::Member(member) => name.is(member) && fit_end(names_around, around),
        Step::Element(_) => fit_end(names, around),
        Step::MemberOrElement(member) => (name.is(member) && fit_end(names_around, around)) || fit_end(names, around),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A step of a JSON Pointer as the name that it means (RFC 6901, section 4).
fn unescaped(text: &str) -> Cow<'_, str> {
    if text.contains('~') { Cow::Owned(text.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(text) }
}
