//! The processor time of an operation, process upon process, beside its floor.

use super::{
    svg::{COLOURS, Drawing},
    table::of_process,
};
use crate::{
    number::{Spread, number},
    rounds::Measures,
};

const WIDTH: u32 = 760;
const LEFT: f64 = 190.0;
const SPACE: f64 = 420.0;
const ROW: f64 = 46.0;
const TOP: f64 = 40.0;

/// The drawing.
pub(super) fn plot(measures: &Measures) -> String {
    let rows = u32::try_from(measures.cases.len()).unwrap_or(0);
    let mut drawing = Drawing::new(WIDTH, 60 + 46 * rows);
    let totals = measures
        .cases
        .iter()
        .map(|measured| measured.spread(crate::rounds::Round::total).median);
    let most = totals.fold(f64::MIN_POSITIVE, f64::max);
    let scale = SPACE / most;
    let first = measures.cases.first().and_then(|one| one.rounds.first());
    let names: Vec<&str> = first
        .map(|round| round.by_process.iter().map(|(name, _)| *name).collect())
        .unwrap_or_default();
    let mut x = LEFT;
    for (name, colour) in names.iter().zip(COLOURS) {
        drawing.bar([x, 12.0, 12.0, 12.0], colour);
        drawing.text((x + 16.0, 22.0), "start", name);
        x += 34.0 + 6.5 * number(name.len() as u64);
    }
    drawing.bar([x, 12.0, 12.0, 12.0], "#bbbbbb");
    drawing.text((x + 16.0, 22.0), "start", "floor");
    for (measured, row) in measures.cases.iter().zip(0_u32..) {
        let y = TOP + ROW * f64::from(row);
        drawing.text((LEFT - 8.0, y + 20.0), "end", measured.case.name());
        let mut x = LEFT;
        for (place, colour) in (0..names.len()).zip(COLOURS) {
            let width = of_process(measured, place) * scale;
            drawing.bar([x, y, width, 18.0], colour);
            x += width;
        }
        let ratio = Spread::of(&measures.ratios(measured, &measured.case.floor())).median;
        let total = measured.spread(crate::rounds::Round::total).median / 1e3;
        let told = format!("{total:.2} ms, {ratio:.2} ×");
        drawing.text((x + 6.0, y + 14.0), "start", &told);
        let floor = Spread::of(&measures.cost(&measured.case.floor())).median;
        drawing.bar([LEFT, y + 19.0, floor * scale, 9.0], "#bbbbbb");
    }
    drawing.finish()
}
