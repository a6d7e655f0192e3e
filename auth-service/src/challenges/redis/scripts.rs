//! The scripts of challenges. A step is written once, as a function where more
//! than one script does it.

use kit::clock::millis;

use crate::{
    challenges::store::{FAILURE_WINDOW, HOUR, MAX_INDEXED, MAX_TRIES, MISSES_KEPT, STARTS_KEPT},
    redis::Script,
};

const WINDOW: &str = include_str!("window.lua");
const ARGUMENTS: &str = include_str!("start_arguments.lua");
const START: &str = include_str!("start.lua");
const RESERVE: &str = include_str!("reserve.lua");
const WITHDRAW: &str = include_str!("withdraw.lua");
const FORGET: &str = include_str!("forget.lua");
const RELEASE: &str = include_str!("release.lua");

/// A script for each step, and two for what one server does at once.
pub(super) struct Scripts {
    pub(super) start_at_once: Script,
    pub(super) start: Script,
    pub(super) reserve: Script,
    pub(super) withdraw: Script,
    pub(super) replace_code: Script,
    pub(super) answer: Script,
    pub(super) answer_bare: Script,
    pub(super) spend_at_once: Script,
    pub(super) forget: Script,
    pub(super) release: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        let start_at_once = include_str!("start_at_once.lua");
        let start = "return { start(unpack(KEYS)) }";
        let reserve = "return { reserve(KEYS[1], KEYS[2], KEYS[3], { unpack(KEYS, 4) }) }";
        let spend_at_once = "forget(KEYS[1], KEYS[2]) release(KEYS[3], KEYS[4])";
        Self {
            start_at_once: of(&[WINDOW, ARGUMENTS, START, RESERVE, WITHDRAW, start_at_once]),
            start: of(&[WINDOW, ARGUMENTS, START, start]),
            reserve: of(&[WINDOW, ARGUMENTS, RESERVE, reserve]),
            withdraw: of(&[WITHDRAW, "withdraw(unpack(KEYS))"]),
            replace_code: of(&[include_str!("replace_code.lua")]),
            answer: of(&[include_str!("answer.lua")]),
            answer_bare: of(&[WINDOW, include_str!("answer_bare.lua")]),
            spend_at_once: of(&[FORGET, RELEASE, spend_at_once]),
            forget: of(&[FORGET, "forget(unpack(KEYS))"]),
            release: of(&[RELEASE, "release(unpack(KEYS))"]),
        }
    }
}

/// A script of these pieces, which know the rules' figures by their names. Times
/// are in milliseconds, and texts: to spell a number costs Lua as much as a lookup.
fn of(pieces: &[&str]) -> Script {
    let times = [
        ("HOUR", HOUR),
        ("STARTS_KEPT", STARTS_KEPT),
        ("MISSES_KEPT", MISSES_KEPT),
        ("FAILURE_WINDOW", FAILURE_WINDOW),
    ];
    let times = times.map(|(name, time)| format!("local {name} = '{}'", millis(time)));
    let counts = format!("local MAX_INDEXED, MAX_TRIES = {MAX_INDEXED}, {MAX_TRIES}");
    let lines = [&*times.join("\n"), &*counts, &*pieces.join("\n")];
    Script::new(lines.join("\n"))
}
