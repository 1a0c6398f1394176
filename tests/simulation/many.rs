//! Many stories, on all cores; what goes wrong in one is printed with what it takes to play it again.

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::story::{Script, play};

/// A number from the environment.
pub(crate) fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .filter(|text| !text.is_empty())
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

/// Plays a story for each of these; the first that goes wrong is played once more, and told from beginning to end.
pub(crate) fn in_parallel<T: Debug + Clone + Send + Sync>(causes: &[T], script: impl Fn(T) -> Script + Sync) {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<T>> = Mutex::default();
    let work = || {
        while let Some(cause) = causes.get(next.fetch_add(1, Ordering::Relaxed)) {
            let told = catch_unwind(AssertUnwindSafe(|| play(script(cause.clone()))));
            if told.is_err() {
                failed.lock().unwrap().get_or_insert_with(|| cause.clone());
                next.store(causes.len(), Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    if let Some(cause) = failed.into_inner().unwrap() {
        println!("Once more, of {cause:?}:");
        play(Script { is_told: true, ..script(cause.clone()) });
        panic!("of {cause:?}: it went wrong once, and not when it was played again");
    }
}
