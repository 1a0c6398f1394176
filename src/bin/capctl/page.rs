//! Text for people: lines, tables, and words in colour where the reader is a terminal.

use std::io::{self, Write};

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
            write!(self.0, "{style}{text}{style:#}")?;
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
        let rows: Vec<&Vec<Cell>> = Some(&heading).filter(|heading| !heading.is_empty()).into_iter().chain(rows).collect();
        let columns = rows.iter().map(|row| row.len()).max().unwrap_or_default();
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

/// A cell in a tone.
pub(crate) fn cell(text: impl Into<String>, tone: Tone) -> Cell {
    (text.into(), tone)
}

/// A cell like any other.
pub(crate) fn plain(text: impl Into<String>) -> Cell {
    cell(text, Tone::Plain)
}
