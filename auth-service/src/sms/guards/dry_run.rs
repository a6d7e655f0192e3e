//! Which guards refuse nothing yet.

use std::{collections::BTreeSet, str::FromStr};

use super::{Guard, store::Mode};

/// The guards that only say what they would refuse: names with commas, or `all`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DryRun(BTreeSet<Guard>);

impl DryRun {
    /// Whether a guard refuses or only tells.
    pub fn mode_of(&self, guard: Guard) -> Mode {
        if self.0.contains(&guard) {
            Mode::DryRun
        } else {
            Mode::Enforce
        }
    }
}

impl FromStr for DryRun {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim);
        let mut guards = BTreeSet::new();
        for name in names.filter(|_| !text.trim().is_empty()) {
            let known = Guard::ALL.into_iter().find(|guard| guard.name() == name);
            match known {
                Some(guard) => guards.extend([guard]),
                None if name == "all" => guards.extend(Guard::ALL),
                None => {
                    return Err(format!(
                        "`{name}`: expected countries, budget, breaker, or all"
                    ));
                }
            }
        }
        Ok(Self(guards))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_names_its_guards() {
        let modes = |text: &str| {
            let dry: DryRun = text.parse().unwrap();
            Guard::ALL.map(|guard| dry.mode_of(guard) == Mode::DryRun)
        };
        assert_eq!(modes(""), [false, false, false]);
        assert_eq!(modes("budget, breaker"), [false, true, true]);
        assert_eq!(modes("all"), [true, true, true]);
        for bad in ["none", "budget,", "Budget"] {
            assert!(bad.parse::<DryRun>().is_err(), "{bad}");
        }
    }
}
