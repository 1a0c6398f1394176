//! Text for people: lines, tables, and words in colour where the reader is a terminal.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

/// What a word is to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    /// A heading, or what the line is about.
    Strong,
    /// What is there for completeness.
    Faint,
    Good,
    /// To be looked at.
    Warning,
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => colour(AnsiColor::Green),
            Self::Warning => colour(AnsiColor::Yellow),
            Self::Bad => colour(AnsiColor::Red),
        }
    }
}

/// A cell of a table.
pub(crate) type Cell = (String, Tone);

/// Where text for people goes; colours are left out where nobody would see them.
pub(crate) struct Page(Box<dyn Write>);

impl Page {
    pub(crate) fn stdout() -> Self {
        Self(Box::new(AutoStream::auto(io::stdout())))
    }

    pub(crate) fn stderr() -> Self {
        Self(Box::new(AutoStream::auto(io::stderr())))
    }

    /// One line.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.0, "{}", harmless(text))
    }

    /// The same as it is, for programs.
    pub(crate) fn verbatim(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.0, "{text}")
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) -> io::Result<()> {
        writeln!(self.0)
    }

    /// One line, in several tones.
    pub(crate) fn styled(&mut self, parts: &[(&str, Tone)]) -> io::Result<()> {
        for (text, tone) in parts {
            let style = tone.style();
            write!(self.0, "{style}{}{style:#}", harmless(text))?;
        }
        writeln!(self.0)
    }

    /// A heading.
    pub(crate) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.styled(&[(text, Tone::Strong)])
    }

    /// Rows whose columns stand below each other, under a heading each where there are headings.
    pub(crate) fn table(&mut self, headings: &[&str], rows: &[Vec<Cell>]) -> io::Result<()> {
        let heading: Vec<Cell> = headings.iter().map(|text| ((*text).to_owned(), Tone::Faint)).collect();
        let harmless_row = |row: &Vec<Cell>| row.iter().map(|(text, tone)| (in_line(text).into_owned(), *tone)).collect();
        let rows: Vec<Vec<Cell>> =
            Some(&heading).filter(|heading| !heading.is_empty()).into_iter().chain(rows).map(harmless_row).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|(text, _)| text.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        for row in rows {
            let last = row.len().saturating_sub(1);
            for (column, ((text, tone), width)) in row.iter().zip(&widths).enumerate() {
                let (style, gap) = (tone.style(), if column == 0 { "" } else { "  " });
                // The last column has no blanks behind it.
                let padding = if column == last { 0 } else { width.saturating_sub(text.chars().count()) };
                write!(self.0, "{gap}{style}{text}{style:#}{:padding$}", "")?;
            }
            writeln!(self.0)?;
        }
        Ok(())
    }
}

/// Text that tells a terminal nothing: an event's name or an error's detail is whatever somebody sent.
fn harmless(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character != '\n' && is_told_to_terminals(character))
}

/// The same for what stands beside other words: it begins no line either.
fn in_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_told_to_terminals)
}

/// Control characters, and those that turn the direction of what follows.
fn is_told_to_terminals(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::new();
    for character in text.chars() {
        if is_escaped(character) { harmless.extend(character.escape_default()) } else { harmless.push(character) }
    }
    Cow::Owned(harmless)
}

/// A cell in a tone.
pub(crate) fn cell(text: impl Into<String>, tone: Tone) -> Cell {
    (text.into(), tone)
}

/// A cell like any other.
pub(crate) fn plain(text: impl Into<String>) -> Cell {
    cell(text, Tone::Plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_sent_tells_a_terminal_nothing() {
        let sent = "red\u{1b}[31m\r\nnext\u{9b}2J\u{202e}Grüße";
        assert_eq!(in_line(sent), "red\\u{1b}[31m\\r\\nnext\\u{9b}2J\\u{202e}Grüße");
        assert_eq!(harmless("one\ntwo\t"), "one\ntwo\\t", "texts of several lines stay so");
    }
}
