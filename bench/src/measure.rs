//! Figures beside their references, and how they are printed.

use std::time::Duration;

/// One measured thing beside its reference, round by round.
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// What it is measured against.
    pub reference: &'static str,
    /// The unit of both.
    pub unit: Unit,
    /// Measured, and the reference, per round.
    pub rounds: Vec<(f64, f64)>,
}

/// What a figure counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// More is better.
    PerSecond,
    /// Less is better.
    Milliseconds,
    /// Less is better.
    Kibibytes,
}

impl Figure {
    /// A figure without rounds yet.
    pub fn new(name: impl Into<String>, reference: &'static str, unit: Unit) -> Self {
        Figure { name: name.into(), reference, unit, rounds: Vec::new() }
    }
}

/// So many in this time, per second.
pub fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// In milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The value below which `share` of the samples lie.
pub fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let last = samples.len().saturating_sub(1);
    samples.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Prints a table for `bench/README.md`.
pub fn print(figures: &[Figure], durability: &str) {
    println!("Durability `{durability}`. Median of the rounds, lowest and highest behind it.\n");
    println!("| measured | figure | reference in the same run | figure | ratio |");
    println!("| --- | ---: | --- | ---: | ---: |");
    for figure in figures {
        let mut measured: Vec<f64> = figure.rounds.iter().map(|round| round.0).collect();
        let mut reference: Vec<f64> = figure.rounds.iter().map(|round| round.1).collect();
        let mut ratios: Vec<f64> = figure.rounds.iter().map(|round| round.0 / round.1).collect();
        println!(
            "| {} | {} | {} | {} | {:.2} |",
            figure.name,
            spread(&mut measured, figure.unit),
            figure.reference,
            spread(&mut reference, figure.unit),
            quantile(&mut ratios, 0.5),
        );
    }
}

fn spread(samples: &mut [f64], unit: Unit) -> String {
    let (low, mid, high) = (quantile(samples, 0.0), quantile(samples, 0.5), quantile(samples, 1.0));
    match unit {
        Unit::PerSecond => format!("{mid:.0}/s ({low:.0}–{high:.0})"),
        Unit::Kibibytes => format!("{mid:.1} KiB ({low:.1}–{high:.1})"),
        Unit::Milliseconds => format!("{mid:.2} ms ({low:.2}–{high:.2})"),
    }
}
