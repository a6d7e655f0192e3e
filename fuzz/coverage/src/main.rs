//! The target that `FUZZ_TARGET` names, for libFuzzer.
#![no_main]

use std::sync::LazyLock;

use fuzz::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET is set");
    fuzz::target(&name).expect("FUZZ_TARGET is the name of a target")
});

fuzz_target!(|data: &[u8]| {
    (TARGET.read)(data);
});
