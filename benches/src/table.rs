//! Tables of text in columns.

use crate::statistics::Figures;

/// Rows under a heading; the first column is to the left, the others to the right.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|text| (*text).to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) fn print(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let cells =
                row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                    if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                });
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
            if number == 0 {
                println!("{}", widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("  "));
            }
        }
        println!();
    }
}

/// `1.92 (1.80–2.20)`: the median, the least and the most.
pub(crate) fn spread(figures: &Figures) -> String {
    if figures.is_empty() {
        return "–".to_owned();
    }
    let (median, least, most) = (figures.median(), figures.least(), figures.most());
    format!("{} ({}–{})", number(median), number(least), number(most))
}

/// With as many digits as tell something.
pub(crate) fn number(figure: f64) -> String {
    match figure {
        _ if figure.is_nan() => "–".to_owned(),
        _ if figure >= 100.0 => format!("{figure:.0}"),
        _ if figure >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// How many times another figure.
pub(crate) fn times(figure: f64, of: f64) -> String {
    format!("{}×", number(figure / of))
}
