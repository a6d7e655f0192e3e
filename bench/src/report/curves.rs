//! Latencies by percentile.

use hdrhistogram::Histogram;

use super::svg::{COLOURS, Drawing};
use crate::{number::number, open::Open, rounds::Measures};

const WIDTH: u32 = 760;
const HEIGHT: u32 = 360;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 520.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 310.0;
/// The shares that are not slower, on an axis where each nine is as wide.
const MARKS: [(f64, &str); 5] = [
    (0.0, "0"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
];
const NINES: f64 = 4.0;
const STEPS: u32 = 80;

/// Of the closed loops.
pub(super) fn closed(measures: &Measures) -> String {
    let curves = measures
        .cases
        .iter()
        .map(|measured| (measured.case.name().to_owned(), &measured.times.whole));
    plot(&curves.collect::<Vec<_>>())
}

/// Of the fixed rates.
pub(super) fn open(all: &[Open]) -> String {
    let curves = all.iter().map(|open| {
        let name = format!("{}, {:.0} a second", open.case.name(), open.rate);
        (name, &open.times.whole)
    });
    plot(&curves.collect::<Vec<_>>())
}

fn plot(curves: &[(String, &Histogram<u64>)]) -> String {
    let mut drawing = Drawing::new(WIDTH, HEIGHT);
    let longest = curves.iter().map(|(_, times)| times.max()).max();
    let shortest = curves.iter().map(|(_, times)| times.min()).min();
    // Whole powers of ten, in microseconds.
    let low = number(shortest.unwrap_or(1).max(1)).log10().floor();
    let high = number(longest.unwrap_or(10)).log10().ceil().max(low + 1.0);
    let across = |nines: f64| LEFT + (RIGHT - LEFT) * nines / NINES;
    let up = |micros: u64| {
        let share = (number(micros.max(1)).log10() - low) / (high - low);
        BOTTOM - (BOTTOM - TOP) * share.max(0.0)
    };
    for ((_, name), nines) in MARKS.iter().zip(0_u32..) {
        let x = across(f64::from(nines));
        drawing.line(&[(x, TOP), (x, BOTTOM)], "#dddddd", 1.0);
        drawing.text((x, BOTTOM + 18.0), "middle", name);
    }
    for power in [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000] {
        let exponent = number(power).log10();
        if exponent < low || exponent > high {
            continue;
        }
        let y = up(power);
        drawing.line(&[(LEFT, y), (RIGHT, y)], "#dddddd", 1.0);
        let label = format!("{} ms", number(power) / 1e3);
        drawing.text((LEFT - 6.0, y + 4.0), "end", &label);
    }
    for (((name, times), colour), row) in curves.iter().zip(COLOURS).zip(0_u32..) {
        let points: Vec<(f64, f64)> = (0..=STEPS)
            .map(|step| {
                let nines = NINES * f64::from(step) / f64::from(STEPS);
                let quantile = 1.0 - 10_f64.powf(-nines);
                (across(nines), up(times.value_at_quantile(quantile)))
            })
            .collect();
        drawing.line(&points, colour, 2.0);
        let y = TOP + 10.0 + 18.0 * f64::from(row);
        drawing.bar([RIGHT + 16.0, y - 9.0, 10.0, 10.0], colour);
        drawing.text((RIGHT + 32.0, y), "start", name);
    }
    let all = "share that is not slower";
    drawing.text((f64::midpoint(LEFT, RIGHT), BOTTOM + 38.0), "middle", all);
    drawing.finish()
}
