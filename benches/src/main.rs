//! `make bench`: the functions as they ship, run as Lambda would run them, beside two floors (`floor/`) that make the receiver's calls and
//! nothing else. Runtime API, AWS and Capillary are stubs in this process; nothing leaves the machine.

mod artefact;
mod aws;
mod batches;
mod callgrind;
mod calls;
mod capillary;
mod comparison;
mod deliveries;
mod events;
mod failure;
mod goals;
mod library;
mod process;
mod report;
mod running;
mod runtime_api;
mod server;
mod statistics;
mod table;
mod target;

use std::{env, path::Path, process::ExitCode, time::Duration};

use batches::Enriched;
use callgrind::Instructions;
use comparison::Comparison;
use deliveries::{Delivered, Starts};
use events::Events;
use failure::Failure;
use report::{Counted, Report};
use running::World;
use target::{Target, targets};

/// How much is measured.
struct Extent {
    rounds: u32,
    /// Starts in a round that nothing comes after.
    starts: u32,
    /// Deliveries of each sort in a round.
    deliveries: u32,
    /// Deliveries of each sort under valgrind; none: no valgrind.
    counted: Option<u32>,
}

const FULL: Extent = Extent { rounds: 5, starts: 6, deliveries: 400, counted: Some(50) };
const QUICK: Extent = Extent { rounds: 3, starts: 3, deliveries: 200, counted: None };
/// Batches of ten under valgrind.
const COUNTED_BATCHES: u32 = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match bench().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<(), Failure> {
    let extent = if env::args().any(|argument| argument == "--quick") { QUICK } else { FULL };
    let root = env::current_dir()?;
    let targets = targets(&root)?;
    let world = World::start(root.join(".local/bench")).await?;
    if let Some(latency_ms) = env::var("AWS_MS").ok().filter(|latency_ms| !latency_ms.is_empty()) {
        world.aws.set_latency(Duration::from_millis(latency_ms.parse()?));
    }
    let report = measured(&world, &targets, &extent).await?;
    println!("Medians of {} rounds in turn, each with a fresh process (least–most).\n", extent.rounds);
    report.print();
    goals::print(&report);
    Ok(())
}

async fn measured(world: &World, targets: &[Target; 4], extent: &Extent) -> Result<Report, Failure> {
    let events = Events::read()?;
    let [receiver, lean, stock, enricher] = targets;
    let mut delivered = [Delivered::default(), Delivered::default(), Delivered::default()];
    let mut enriched = Enriched::default();
    for target in targets {
        // From the disk it takes longer than from memory.
        world.run(target).await?;
    }
    for round in 1..=extent.rounds {
        eprintln!("round {round} of {}", extent.rounds);
        for _ in 0..extent.starts {
            let [first, second, third] = &mut delivered;
            let starts: [&mut Starts; 4] = [&mut first.starts, &mut second.starts, &mut third.starts, &mut enriched.starts];
            for (target, starts) in targets.iter().zip(starts) {
                starts.add(&world.run(target).await?.start);
            }
        }
        for (target, delivered) in [receiver, lean, stock].into_iter().zip(&mut delivered) {
            delivered.round(world, target, &events, extent.deliveries).await.map_err(|failure| failure.during(target.name))?;
        }
        enriched.round(world, enricher, &events).await.map_err(|failure| failure.during(enricher.name))?;
    }
    let instructions = match extent.counted {
        None => Err(Failure::new("it is a quick run")),
        Some(_) if !callgrind::is_there() => Err(Failure::new("valgrind is not there")),
        Some(count) => counted(world, targets, &events, count).await,
    };
    let zipped_mb = |target: &Target| Ok::<_, Failure>(calls::ratio(artefact::zipped(Path::new(&target.executable))?, 1_000_000));
    let [receiver_all, lean_all, stock_all] = delivered;
    Ok(Report {
        receiver: receiver_all,
        lean: lean_all,
        stock: stock_all,
        enricher: enriched,
        comparison: Comparison::measure()?,
        zipped_mb: [zipped_mb(receiver)?, zipped_mb(lean)?, zipped_mb(stock)?, zipped_mb(enricher)?],
        instructions,
    })
}

async fn counted(world: &World, targets: &[Target; 4], events: &Events, count: u32) -> Result<Counted, Failure> {
    eprintln!("instructions, under valgrind");
    let [receiver, lean, stock, enricher] = targets;
    Ok(Counted {
        receiver: Instructions::count(world, receiver, events, count).await?,
        lean: Instructions::count(world, lean, events, count).await?,
        stock: Instructions::count(world, stock, events, count).await?,
        enricher: Instructions::count(world, enricher, events, COUNTED_BATCHES).await?,
    })
}
