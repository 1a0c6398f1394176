//! What was measured, as tables.

use crate::{
    batches::{Enriched, SCENARIOS},
    callgrind::Instructions,
    comparison::Comparison,
    deliveries::{Delivered, Sort, Starts},
    failure::Failure,
    statistics::Figures,
    table::{Table, number, spread, times},
};

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) receiver: Delivered,
    pub(crate) lean: Delivered,
    pub(crate) stock: Delivered,
    pub(crate) enricher: Enriched,
    pub(crate) comparison: Comparison,
    /// In the order of the targets.
    pub(crate) zipped_mb: [f64; 4],
    pub(crate) instructions: Result<Counted, Failure>,
}

/// Instructions of each.
pub(crate) struct Counted {
    pub(crate) receiver: Instructions,
    pub(crate) lean: Instructions,
    pub(crate) stock: Instructions,
    pub(crate) enricher: Instructions,
}

impl Report {
    pub(crate) fn print(&self) {
        self.print_starts();
        self.print_deliveries();
        self.print_batches();
        self.print_comparison();
        self.print_instructions();
    }

    fn print_starts(&self) {
        let mut table = Table::new(&[
            "start",
            "first poll, ms",
            "CPU, ms",
            "/ lean",
            "/ stock",
            "connections",
            "first event, ms",
            "peak, MiB",
            "zipped, MB",
        ]);
        let [receiver, lean, stock, enricher] = self.zipped_mb;
        let all = [
            ("receiver", &self.receiver.starts, &self.receiver.first_ms, &self.receiver.peak_mib, receiver),
            ("lean", &self.lean.starts, &self.lean.first_ms, &self.lean.peak_mib, lean),
            ("stock", &self.stock.starts, &self.stock.first_ms, &self.stock.peak_mib, stock),
            ("enricher", &self.enricher.starts, &self.enricher.first_ms, &self.enricher.peak_mib, enricher),
        ];
        for (name, starts, first_ms, peak_mib, zipped_mb) in all {
            let by = |floor: &Starts| times(starts.cpu_ms.median(), floor.cpu_ms.median());
            table.row(vec![
                name.to_owned(),
                spread(&starts.ms),
                spread(&starts.cpu_ms),
                by(&self.lean.starts),
                by(&self.stock.starts),
                format!("{:.0}", starts.connections.median()),
                spread(first_ms),
                spread(peak_mib),
                number(zipped_mb),
            ]);
        }
        table.print();
        println!(
            "Before its first poll the receiver calls {}, the enricher {}.\n",
            self.receiver.starts.calls, self.enricher.starts.calls
        );
    }

    fn print_deliveries(&self) {
        let mut table = Table::new(&["a delivery", "p50, ms", "p99, ms", "CPU, µs", "/ lean", "/ stock", "calls"]);
        let mut row = |name: &str, sort: &Sort, floors: Option<(&Sort, &Sort)>| {
            let by = |floor: Option<&Sort>| {
                floor.map_or_else(|| "–".to_owned(), |floor| times(sort.cpu_us.median(), floor.cpu_us.median()))
            };
            table.row(vec![
                name.to_owned(),
                spread(&sort.p50_ms),
                spread(&sort.p99_ms),
                spread(&sort.cpu_us),
                by(floors.map(|(lean, _)| lean)),
                by(floors.map(|(_, stock)| stock)),
                sort.which_calls.clone(),
            ]);
        };
        let (receiver, lean, stock) = (&self.receiver, &self.lean, &self.stock);
        for (sort, of) in
            [("new", [&receiver.new, &lean.new, &stock.new]), ("duplicate", [&receiver.known, &lean.known, &stock.known])]
        {
            let [_, lean, stock] = of;
            for (name, delivered) in ["receiver", "lean", "stock"].into_iter().zip(of) {
                row(&format!("{sort}, {name}"), delivered, Some((lean, stock)));
            }
        }
        row("stranger, receiver", &self.receiver.strange, None);
        table.print();
    }

    fn print_batches(&self) {
        let heading =
            ["a batch of the enricher's", "ms", "events/s", "events per CPU second", "CPU per event, µs", "calls for the batch"];
        let mut table = Table::new(&heading);
        for (scenario, batches) in SCENARIOS.iter().zip(&self.enricher.scenarios) {
            table.row(vec![
                scenario.name.to_owned(),
                spread(&batches.batch_ms),
                spread(&batches.per_second),
                spread(&batches.per_cpu_second),
                spread(&batches.cpu_us),
                batches.which_calls.clone(),
            ]);
        }
        table.print();
    }

    fn print_comparison(&self) {
        let mut table = Table::new(&["a 20 KB customer, µs", "median", "p99"]);
        let mut row = |name: &str, figures: &Figures| {
            table.row(vec![name.to_owned(), number(figures.median()), number(figures.quantile(99))]);
        };
        row("compared", &self.comparison.compared);
        row("parsed twice and compared", &self.comparison.read_and_compared);
        table.print();
    }

    fn print_instructions(&self) {
        let counted = match &self.instructions {
            Ok(counted) => counted,
            Err(failure) => {
                println!("No instructions were counted: {failure}.\n");
                return;
            }
        };
        let mut table = Table::new(&[
            "thousands of instructions",
            "start",
            "/ lean",
            "/ stock",
            "an event",
            "/ lean",
            "/ stock",
            "duplicate",
            "stranger",
        ]);
        let (lean, stock) = (&counted.lean, &counted.stock);
        let all =
            [("receiver", &counted.receiver), ("lean", lean), ("stock", stock), ("enricher, ten at once", &counted.enricher)];
        for (name, of) in all {
            let each = |counted: &Instructions, place: usize| counted.per_event.get(place).copied().unwrap_or(f64::NAN);
            table.row(vec![
                name.to_owned(),
                number(of.start),
                times(of.start, lean.start),
                times(of.start, stock.start),
                number(each(of, 0)),
                times(each(of, 0), each(lean, 0)),
                times(each(of, 0), each(stock, 0)),
                number(each(of, 1)),
                number(each(of, 2)),
            ]);
        }
        table.print();
    }
}
