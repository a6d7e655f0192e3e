//! Every target, with its seeds and with some thousands of inputs made from
//! them: always the same ones, so that what passed once passes again.

use fuzz::{TARGETS, run, target};

const SEED: u64 = 1;

macro_rules! targets {
    ($($name:ident)*) => {
        const TESTED: &[&str] = &[$(stringify!($name)),*];
        $(#[test]
        fn $name() {
            let target = target(stringify!($name)).expect("a target of this name");
            match run(target, 1, SEED) {
                Ok((_, taken)) => assert!(taken > 0, "no input was ever taken"),
                Err(failure) => panic!("{failure}"),
            }
        })*
    };
}

targets! {
    phone
    code
    challenge_id
    invite_code
    page_token
    refresh_token
    access_token
    access_claims
    service_token
    service_claims
    client_address
    trusted_proxies
    context
    cors_origins
    service_urls
    database_url
    challenge_store_url
    secret_key
    signing_keys
    sms_texts
    test_numbers
    gateway_requests
    gateway_bytes
}

#[test]
fn every_target_is_tested_and_every_folder_belongs_to_one() {
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
    for entry in std::fs::read_dir(corpus).expect("the folder of seeds") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("a name in UTF-8");
        assert!(names.contains(&name), "corpus/{name} has no target");
    }
}
