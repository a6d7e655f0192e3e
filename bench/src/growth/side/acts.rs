//! Who is asked for in a turn.

use anyhow::Context as _;

use super::{PEOPLE, Side};
use crate::{
    growth::{
        act::{Act, Gave, play},
        fill::{FOLLOWED, WITH_20, WITH_1000, new_phone, phone, spread_out},
        operation::Operation,
    },
    load::TRIES,
};

/// Those who come all the time, in the hot variant.
const HOT: u64 = 20;

impl Side {
    /// As many as a turn has, about users who are far apart.
    pub(super) async fn acts(&mut self, what: Operation, round: u64) -> anyhow::Result<Vec<Act>> {
        let count = what.count();
        if what == Operation::WrongCode {
            return self.wrong(count).await;
        }
        // Each operation has others of the people, and others in the next round.
        let shift = Operation::ALL.iter().position(|each| *each == what);
        let first = (round + shift.unwrap_or(0) as u64 * 3) * count;
        let users = self.users;
        (0..count)
            .map(|each| {
                let person = |first: u64| self.person((first + each) % PEOPLE);
                let turn = round * count + each;
                Ok(match what {
                    Operation::New => Act::Journey(new_phone(spread_out(turn, users))),
                    Operation::Returning => Act::Journey(phone(spread_out(turn, users))),
                    Operation::ReturningHot => {
                        Act::Journey(phone(spread_out(users / 2 + each % HOT, users)))
                    }
                    Operation::Profile | Operation::ProfileHot => {
                        Act::Profile(person(round * count)?, 0)
                    }
                    Operation::Profile20 => Act::Profile(self.followed(each % WITH_20)?, 20),
                    Operation::Profile1000 => {
                        Act::Profile(self.followed(WITH_20 + each % WITH_1000)?, 1_000)
                    }
                    Operation::ProfileAll => Act::Profile(self.followed(FOLLOWED - 1)?, users),
                    Operation::Page => {
                        let place = spread_out(turn, 10_000) * self.pages.len() as u64 / 10_000;
                        let token = self.pages.get(usize::try_from(place)?);
                        let token = token.context("there are pages")?.clone();
                        Act::Page(self.followed(FOLLOWED - 1)?, token)
                    }
                    Operation::Refresh => {
                        let place = (first + each) % PEOPLE;
                        Act::Refresh(usize::try_from(place)?, self.person(place)?)
                    }
                    Operation::Sessions => Act::Sessions(person(first)?),
                    Operation::Activate => {
                        let place = usize::try_from(turn)?;
                        let code = self.codes.get(place % self.codes.len().max(1));
                        let code = code.context("there are codes")?.clone();
                        Act::Activate(person(round * count)?, code)
                    }
                    Operation::WrongCode => anyhow::bail!("made elsewhere"),
                })
            })
            .collect()
    }

    /// Asks for as many codes as are needed to miss each as often as can be.
    async fn wrong(&mut self, count: u64) -> anyhow::Result<Vec<Act>> {
        let first = self.asked;
        self.asked += count / TRIES;
        let asks = (first..self.asked).map(|turn| Act::Ask(phone(spread_out(turn, self.users))));
        let gave = play(&mut self.crew, asks.collect()).await?;
        let challenges = gave.into_iter().filter_map(|gave| match gave {
            Gave::Challenge(id, code) => Some((id, code)),
            _ => None,
        });
        let wrong = |(id, code)| {
            (0..TRIES).map(move |_| Act::Wrong(String::clone(&id), String::clone(&code)))
        };
        Ok(challenges.flat_map(wrong).collect())
    }
}
