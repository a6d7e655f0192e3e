//! Real parallel callers, on both kinds of storage: one winner, and only one.

use std::{collections::HashSet, sync::Arc};

use crate::common::{Product, User, http::Answer, phone};

crate::on_both_storages![
    one_code_and_sixteen_callers,
    one_new_phone_and_many_first_sign_ins,
    one_user_and_forty_inviters,
    one_inviter_and_forty_followers,
];

/// Runs calls at once and waits for all of them.
async fn all<T, F>(calls: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

fn with_status(answers: &[Answer], status: u16) -> usize {
    let found = answers.iter().filter(|answer| answer.status == status);
    found.count()
}

async fn one_code_and_sixteen_callers(product: Product) {
    let product = Arc::new(product);
    // A first sign-in and a returning one go different ways.
    for _ in 0..2 {
        let (code, challenge) = product.request_code(&phone(1)).await;
        let answers = all((0..16).map(|_| {
            let (product, code, challenge) = (product.clone(), code.clone(), challenge.clone());
            async move { product.verify(&code, &challenge).await }
        }))
        .await;
        assert_eq!(with_status(&answers, 200), 1, "{answers:?}");
        assert_eq!(with_status(&answers, 400), 15, "{answers:?}");
    }
}

async fn one_new_phone_and_many_first_sign_ins(product: Product) {
    let product = Arc::new(product);
    let codes = all((0..24).map(|_| {
        let product = product.clone();
        async move { product.request_code(&phone(1)).await }
    }))
    .await;
    let answers = all(codes.into_iter().map(|(code, challenge)| {
        let product = product.clone();
        async move { product.verify(&code, &challenge).await }
    }))
    .await;
    assert_eq!(with_status(&answers, 200), 24, "{answers:?}");
    let mut invite_codes = HashSet::new();
    for answer in answers {
        let tokens = answer.json();
        let profile = product
            .profile(tokens["access_token"].as_str().unwrap())
            .await;
        invite_codes.insert(profile["invite_code"].as_str().unwrap().to_owned());
    }
    assert_eq!(invite_codes.len(), 1, "one user, one profile");
}

async fn one_user_and_forty_inviters(product: Product) {
    let product = Arc::new(product);
    let user = User::new(&product, &phone(0)).await;
    let mut inviters = Vec::new();
    for each in 1..=40 {
        inviters.push(User::new(&product, &phone(each)).await);
    }
    let answers = all(inviters.iter().map(|inviter| {
        let (product, token) = (product.clone(), user.token.clone());
        let code = inviter.invite_code.clone();
        async move { product.activate(&token, &code).await }
    }))
    .await;
    assert_eq!(with_status(&answers, 200), 1, "{answers:?}");
    assert_eq!(with_status(&answers, 400), 39, "{answers:?}");
    let invited_by = product.profile(&user.token).await["invited_by"].clone();
    let mut followed = Vec::new();
    for inviter in &inviters {
        let profile = product.profile(&inviter.token).await;
        if !profile["followers"].as_array().unwrap().is_empty() {
            followed.push(inviter.invite_code.clone());
        }
    }
    assert_eq!(followed, [invited_by.as_str().unwrap()]);
}

async fn one_inviter_and_forty_followers(product: Product) {
    let product = Arc::new(product);
    let inviter = User::new(&product, &phone(0)).await;
    let mut followers = Vec::new();
    for each in 1..=40 {
        followers.push(User::new(&product, &phone(each)).await);
    }
    let answers = all(followers.iter().map(|follower| {
        let (product, token) = (product.clone(), follower.token.clone());
        let code = inviter.invite_code.clone();
        async move { product.activate(&token, &code).await }
    }))
    .await;
    assert_eq!(with_status(&answers, 200), 40, "{answers:?}");
    let profile = product.profile(&inviter.token).await;
    let listed: HashSet<_> = profile["followers"].as_array().unwrap().iter().collect();
    assert_eq!(listed.len(), 40);
}
