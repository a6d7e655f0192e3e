//! What the measured figures mean for 10⁸ users: every number here is calculated
//! from measured ones and from what is assumed, by the formula beside it.

use serde_json::{Value, json};

use super::sizes::Relation;

/// What is assumed of the users.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern {
    pub(super) users: f64,
    /// The share that comes on a day.
    pub(super) active: f64,
    /// Profiles that each of these looks at, and tokens that are refreshed for it.
    pub(super) profiles: f64,
    pub(super) refreshes: f64,
    /// Days between two sign-ins of a user; the share of new users among them.
    pub(super) days: f64,
    pub(super) new: f64,
    /// How many days a session's row is kept.
    pub(super) kept: f64,
    /// Codes that nobody enters, for one sign-in.
    pub(super) not_entered: f64,
    /// By how much the busiest hour is above the mean.
    pub(super) peak: f64,
    /// How far a core is used, at the busiest.
    pub(super) used: f64,
}

/// The one that docs/growth.md has.
pub(super) const PATTERN: Pattern = Pattern {
    users: 1e8,
    active: 0.2,
    profiles: 5.0,
    refreshes: 3.0,
    days: 60.0,
    new: 0.05,
    kept: 91.0,
    not_entered: 0.25,
    peak: 3.0,
    used: 0.5,
};

/// What was measured. Times are in microseconds an operation, by process.
pub(super) struct Measured<'a> {
    pub(super) relations: &'a [Relation],
    pub(super) new: Vec<(&'static str, f64)>,
    pub(super) returning: Vec<(&'static str, f64)>,
    pub(super) profile: Vec<(&'static str, f64)>,
    pub(super) refresh: Vec<(&'static str, f64)>,
    /// Bytes of the write-ahead log: of a new user, a returning one, a refresh.
    pub(super) wal: [f64; 3],
    /// What Redis holds for one a second, for less than a day and for longer: of a
    /// code that nobody enters, and of a sign-in.
    pub(super) held: [[f64; 2]; 2],
}

/// A line of the table.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) what: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    pub(super) formula: &'static str,
}

impl Line {
    pub(super) fn json(&self) -> Value {
        json!({"what": self.what, "value": self.value, "unit": self.unit, "formula": self.formula})
    }
}

const GB: f64 = 1e9;
const SECONDS: f64 = 86_400.0;

impl Pattern {
    /// Sign-ins a second, on the mean of a day.
    pub(super) fn sign_ins(&self) -> f64 {
        self.users / self.days / SECONDS
    }

    fn active_a_second(&self) -> f64 {
        self.users * self.active / SECONDS
    }

    /// How many of these rows there are for a user.
    fn rows(&self, relation: &Relation) -> f64 {
        if relation.table == "sessions" {
            (self.kept / self.days).max(1.0)
        } else {
            1.0
        }
    }

    fn bytes(&self, relations: &[Relation], part: impl Fn(&Relation) -> f64) -> f64 {
        let each = relations
            .iter()
            .map(|relation| relation.each() * self.rows(relation) * part(relation));
        self.users * each.sum::<f64>()
    }

    /// All lines.
    pub(super) fn lines(&self, measured: &Measured<'_>) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut line = |what: &str, value: f64, unit: &'static str, formula: &'static str| {
            let what = what.to_owned();
            lines.push(Line {
                what,
                value,
                unit,
                formula,
            });
        };
        let sign_ins = self.sign_ins();
        let peak = sign_ins * self.peak;
        line(
            "sign-ins at the peak",
            peak,
            "a second",
            "users ÷ days between two ÷ 86,400 × peak",
        );
        let active = self.active_a_second() * self.peak;
        let (views, refreshes) = (active * self.profiles, active * self.refreshes);
        line(
            "profiles at the peak",
            views,
            "a second",
            "users × active ÷ 86,400 × profiles × peak",
        );
        line(
            "refreshes at the peak",
            refreshes,
            "a second",
            "the same with refreshes",
        );
        for table in tables(measured.relations) {
            let of_it: Vec<Relation> = measured
                .relations
                .iter()
                .filter(|relation| relation.table == table)
                .cloned()
                .collect();
            line(
                &format!("{table}, with indexes"),
                self.bytes(&of_it, |_| 1.0) / GB,
                "GB",
                "users × rows a user × Σ bytes a row; sessions: rows a user = days kept ÷ days between two sign-ins",
            );
        }
        let all = self.bytes(measured.relations, |_| 1.0);
        line("both databases", all / GB, "GB", "the sum");
        let hour = self.active * self.peak / 24.0;
        let touched = self.bytes(measured.relations, |relation| relation.touched(hour));
        line(
            "working set of the busiest hour, at most",
            touched / GB,
            "GB",
            "Σ bytes × (1 − (1 − active × peak ÷ 24)^(8,192 ÷ bytes a row)): a page is touched unless none of its rows is",
        );
        let [new, returning, refresh] = measured.wal;
        let of_sign_in = self.new * new + (1.0 - self.new) * returning;
        let of_day = sign_ins * SECONDS * of_sign_in
            + self.active_a_second() * SECONDS * self.refreshes * refresh;
        line(
            "write-ahead log of a day, at most",
            of_day / GB,
            "GB",
            "sign-ins × (new share × WAL of a new user + the others × WAL of a returning one) + refreshes × WAL of one; measured after a checkpoint, when pages are logged whole",
        );
        let [nobody, entered] = measured.held;
        let of_one = |part: usize| entered[part] + self.not_entered * nobody[part];
        line(
            "Redis at the peak",
            (peak * of_one(0) + sign_ins * of_one(1)) / GB,
            "GB",
            "sign-ins × (Σ bytes × life of what one leaves + codes not entered × the same of a code asked for); at the peak for what lives less than a day, on the mean for the rest",
        );
        for (place, (name, _)) in measured.returning.iter().enumerate() {
            let cost = |of: &[(&'static str, f64)]| of.get(place).map_or(0.0, |one| one.1);
            let of_sign_in =
                self.new * cost(&measured.new) + (1.0 - self.new) * cost(&measured.returning);
            let micros = peak * of_sign_in
                + views * cost(&measured.profile)
                + refreshes * cost(&measured.refresh);
            line(
                name,
                micros / 1e6 / self.used,
                "cores",
                "Σ operations a second at the peak × measured µs ÷ 10⁶ ÷ the share of a core that is used",
            );
        }
        lines
    }
}

/// Each table once.
fn tables(relations: &[Relation]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for relation in relations {
        if !all.contains(&relation.table) {
            all.push(relation.table.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(table: &str, name: &str, bytes: u64) -> Relation {
        Relation {
            table: table.to_owned(),
            name: name.to_owned(),
            bytes,
            rows: 1_000,
        }
    }

    #[test]
    fn the_lines_are_what_their_formulas_say() {
        let relations = [
            relation("users", "users", 100_000),
            relation("users", "users_pkey", 40_000),
            relation("sessions", "sessions", 200_000),
        ];
        let measured = Measured {
            relations: &relations,
            new: vec![("gateway", 200.0)],
            returning: vec![("gateway", 100.0)],
            profile: vec![("gateway", 50.0)],
            refresh: vec![("gateway", 10.0)],
            wal: [3_000.0, 1_000.0, 500.0],
            held: [[10_000.0, 50_000.0], [2_000.0, 0.0]],
        };
        let pattern = Pattern {
            users: 8.64e6,
            active: 0.1,
            profiles: 2.0,
            refreshes: 1.0,
            days: 10.0,
            new: 0.5,
            kept: 30.0,
            not_entered: 0.2,
            peak: 2.0,
            used: 0.5,
        };
        let lines = pattern.lines(&measured);
        let value = |what: &str| {
            let line = lines.iter().find(|line| line.what == what);
            line.map_or(f64::NAN, |line| line.value)
        };
        let near = |what: &str, wanted: f64| {
            let found = value(what);
            assert!(
                (found - wanted).abs() < 1e-9 * wanted.abs().max(1.0),
                "{what}: {found}"
            );
        };
        // 8.64 million ÷ 10 days ÷ 86,400 s, twice that at the peak.
        near("sign-ins at the peak", 20.0);
        near("profiles at the peak", 40.0);
        near("refreshes at the peak", 20.0);
        near("users, with indexes", 8.64e6 * 140.0 / 1e9);
        // Three sessions are kept of each.
        near("sessions, with indexes", 8.64e6 * 3.0 * 200.0 / 1e9);
        near("both databases", 8.64e6 * 740.0 / 1e9);
        near(
            "write-ahead log of a day, at most",
            (864_000.0 * 2_000.0 + 864_000.0 * 500.0) / 1e9,
        );
        let redis = 20.0 * (2_000.0 + 0.2 * 10_000.0) + 10.0 * 0.2 * 50_000.0;
        near("Redis at the peak", redis / 1e9);
        // 20 × 150 + 40 × 50 + 20 × 10 µs a second, half of a core used.
        near("gateway", 5_200.0 / 1e6 / 0.5);
    }
}
