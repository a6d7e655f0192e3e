//! The graph, and who the time is spent in.

use std::collections::BTreeMap;

use super::stacks::{Frame, Stacks};
use crate::{
    number::number,
    report::{svg::Drawing, table::table},
};

const WIDTH: u32 = 1_200;
const ROW: f64 = 15.0;
const TOP: f64 = 46.0;
/// What is narrower is left out.
const NARROWEST: f64 = 3.0;
/// Of a letter, about.
const LETTER: f64 = 6.5;

/// Whose a function is, by how its name begins; the first that fits.
const KINDS: [(&str, &str, &[&str]); 8] = [
    (
        "the product's own",
        "#ee9966",
        &[
            "auth_service",
            "profile_service",
            "gateway",
            "kit",
            "database",
            "proto",
            "main",
        ],
    ),
    (
        "tokio and futures",
        "#99bbdd",
        &["tokio", "mio", "parking_lot", "futures"],
    ),
    (
        "HTTP and gRPC",
        "#99cc99",
        &[
            "hyper", "h2", "http", "axum", "tonic", "prost", "tower", "httparse", "fnv",
        ],
    ),
    ("PostgreSQL's driver", "#ddcc77", &["sqlx"]),
    ("Redis's driver", "#cc99bb", &["redis", "combine"]),
    (
        "cryptography",
        "#bbaaee",
        &["ring", "jsonwebtoken", "p256", "x25519", "fiat", "sha"],
    ),
    ("phone numbers", "#66cccc", &["rlibphonenumber", "regex"]),
    (
        "tracing",
        "#ddaaaa",
        &["tracing", "sharded_slab", "matchers", "thread_local"],
    ),
];
const OTHERS: (&str, &str) = ("std and others", "#dddddd");
const SYSTEM: (&str, &str) = ("the kernel and libc", "#bbbbbb");

/// Name and colour of a kind.
fn kind(function: &str) -> (&'static str, &'static str) {
    if !function.contains("::") {
        // C has no paths in its names.
        let of_ring = ["ring_core", "ge_", "fe_", "fiat_", "x25519_"];
        return if of_ring.iter().any(|name| function.starts_with(name)) {
            (KINDS[5].0, KINDS[5].1)
        } else {
            SYSTEM
        };
    }
    let package = function.trim_start_matches(['&', '*', '(']);
    KINDS
        .iter()
        .find(|(_, _, names)| names.iter().any(|name| package.starts_with(name)))
        .map_or(OTHERS, |(name, colour, _)| (name, colour))
}

/// Widths are shares of all samples; what is above has called what is below it.
pub(super) fn plot(title: &str, stacks: &Stacks) -> String {
    let scale = (f64::from(WIDTH) - 20.0) / number(stacks.samples().max(1));
    let deepest = stacks
        .services
        .iter()
        .map(|(_, root)| depth(root, scale))
        .max();
    let rows = deepest.unwrap_or(0) + 1;
    let mut drawing = Drawing::new(WIDTH, 60 + 15 * rows);
    let text = format!(
        "{title}: {} samples of the three services",
        stacks.samples()
    );
    drawing.text((10.0, 18.0), "start", &text);
    let mut x = 10.0;
    let kinds = KINDS.iter().map(|(name, colour, _)| (*name, *colour));
    for (name, colour) in kinds.chain([OTHERS, SYSTEM]) {
        drawing.bar([x, 26.0, 10.0, 10.0], colour);
        drawing.text((x + 13.0, 35.0), "start", name);
        x += 24.0 + 6.2 * number(name.len() as u64);
    }
    let mut x = 10.0;
    for (name, root) in &stacks.services {
        let mut place = Place {
            drawing: &mut drawing,
            scale,
            all: stacks.samples(),
        };
        place.draw(name, root, x, 0, "#ffffff");
        x += number(root.samples) * scale;
    }
    drawing.finish()
}

fn depth(frame: &Frame, scale: f64) -> u32 {
    let shown = frame.calls.values();
    let shown = shown.filter(|frame| number(frame.samples) * scale >= NARROWEST);
    shown
        .map(|frame| depth(frame, scale) + 1)
        .max()
        .unwrap_or(0)
}

struct Place<'a> {
    drawing: &'a mut Drawing,
    scale: f64,
    all: u64,
}

impl Place<'_> {
    fn draw(&mut self, name: &str, frame: &Frame, x: f64, row: u32, colour: &str) {
        let width = number(frame.samples) * self.scale;
        if width < NARROWEST {
            return;
        }
        let y = TOP + ROW * f64::from(row);
        let share = 100.0 * number(frame.samples) / number(self.all.max(1));
        let told = format!("{name}: {share:.1} %");
        self.drawing
            .told_bar([x, y, width - 0.5, ROW - 1.0], colour, &told);
        let label = end_of(name, width - 4.0);
        if !label.is_empty() {
            self.drawing.text((x + 2.0, y + 11.0), "start", &label);
        }
        let mut x = x;
        for (name, call) in &frame.calls {
            self.draw(name, call, x, row + 1, kind(name).1);
            x += number(call.samples) * self.scale;
        }
    }
}

/// As many of a name's last parts as there is room for; of the last two (a type and
/// its function) as many letters.
fn end_of(name: &str, room: f64) -> String {
    let fits = |text: &str| number(text.chars().count() as u64) * LETTER <= room;
    let mut label = name;
    while !fits(label) {
        match label.split_once("::") {
            Some((_, rest)) if rest.contains("::") => label = rest,
            _ => break,
        }
    }
    let letters = label.chars().zip(1_u32..);
    let cut: String = letters
        .take_while(|(_, count)| f64::from(*count) * LETTER <= room)
        .map(|(letter, _)| letter)
        .collect();
    if cut.len() < 4 { String::new() } else { cut }
}

/// Whose functions the samples ended in, in percent of each service.
pub(super) fn shares(title: &str, stacks: &Stacks) -> String {
    let mut all: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (place, (_, root)) in stacks.services.iter().enumerate() {
        root.each(&mut |name, own| {
            let counts = all.entry(kind(name).0);
            let counts = counts.or_insert_with(|| vec![0; stacks.services.len()]);
            if let Some(count) = counts.get_mut(place) {
                *count += own;
            }
        });
    }
    let rows = all.into_iter().map(|(kind, counts)| {
        let shares = counts
            .iter()
            .zip(&stacks.services)
            .map(|(count, (_, root))| {
                format!(
                    "{:.0} %",
                    100.0 * number(*count) / number(root.samples.max(1))
                )
            });
        std::iter::once(kind.to_owned()).chain(shares).collect()
    });
    let named = |(name, root): &(String, Frame)| format!("{name}, {} samples", root.samples);
    let heads: Vec<String> = stacks.services.iter().map(named).collect();
    let heads: Vec<&str> = ["in"]
        .into_iter()
        .chain(heads.iter().map(|head| &**head))
        .collect();
    table(
        &format!("{title}: whose functions the time is spent in"),
        &heads,
        rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_of_a_kind() {
        for (name, wanted) in [
            (
                "auth_service::phone::PhoneNumber::parse",
                "the product's own",
            ),
            (
                "tokio::runtime::io::driver::Driver::turn",
                "tokio and futures",
            ),
            ("do_syscall_64", SYSTEM.0),
            ("std::collections::hash::map::HashMap::get", OTHERS.0),
            ("ring_core_0_17_14__x25519_sc_reduce", "cryptography"),
        ] {
            assert_eq!(kind(name).0, wanted);
        }
    }

    #[test]
    fn a_label_is_the_end_of_a_name() {
        assert_eq!(end_of("a::bcd::efgh", 100.0), "a::bcd::efgh");
        assert_eq!(end_of("a::bcd::efgh", 60.0), "bcd::efgh");
        assert_eq!(end_of("a::bcd::efgh", 33.0), "bcd::");
        assert_eq!(end_of("abcdefgh", 33.0), "abcde");
        assert_eq!(end_of("abcdefgh", 10.0), "");
    }
}
