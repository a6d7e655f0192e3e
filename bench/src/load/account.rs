//! What somebody does who is signed in.

use anyhow::ensure;
use http::{Method, StatusCode, header::AUTHORIZATION, header::LINK};

use super::{
    Player,
    player::{AUTHS, PERSONAL_AREA},
};

/// What a sign-in gives.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// A page of followers.
pub(crate) struct Page {
    pub(crate) followers: usize,
    /// `None` on the last page.
    pub(crate) next: Option<String>,
}

impl Player {
    /// Enters a code.
    pub(crate) async fn sign_in_for_both(&mut self, code: &str) -> anyhow::Result<Pair> {
        let body = format!(r#"{{"otp":"{code}"}}"#);
        self.pair(Method::PATCH, AUTHS, body).await
    }

    /// Trades a refresh token.
    pub(crate) async fn refresh(&mut self, pair: &Pair) -> anyhow::Result<Pair> {
        let body = format!(r#"{{"refresh_token":"{}"}}"#, pair.refresh);
        let path = "/api/v1/auths/refresh/";
        self.pair(Method::POST, path, body).await
    }

    async fn pair(&mut self, method: Method, path: &str, body: String) -> anyhow::Result<Pair> {
        let answer = self.rest.send(method, path, &[], body).await?;
        let answer = answer.expect(StatusCode::OK)?;
        Ok(Pair {
            access: answer.between(r#""access_token":""#, "\"")?.to_owned(),
            refresh: answer.between(r#""refresh_token":""#, "\"")?.to_owned(),
        })
    }

    /// The own profile: it has so many followers, or the first thousand of them
    /// and the address of the others.
    pub(crate) async fn profile_of(&mut self, pair: &Pair, followers: u64) -> anyhow::Result<()> {
        let bearer = format!("Bearer {}", pair.access);
        let headers = [(AUTHORIZATION, &*bearer)];
        let path = PERSONAL_AREA;
        let answer = self.rest.send(Method::GET, path, &headers, String::new());
        let answer = answer.await?.expect(StatusCode::OK)?;
        let told = phones(answer.between(r#""followers":["#, "]")?) as u64;
        ensure!(told == followers.min(1_000), "{told} followers are told");
        let more = answer.headers.contains_key(LINK);
        ensure!(more == (followers > 1_000), "a Link that is wrong");
        Ok(())
    }

    /// A page of the own followers.
    pub(crate) async fn followers(
        &mut self,
        pair: &Pair,
        token: &str,
        size: usize,
    ) -> anyhow::Result<Page> {
        let path = format!("{PERSONAL_AREA}followers/?page_size={size}&page_token={token}");
        let bearer = format!("Bearer {}", pair.access);
        let headers = [(AUTHORIZATION, &*bearer)];
        let answer = self.rest.send(Method::GET, &path, &headers, String::new());
        let answer = answer.await?.expect(StatusCode::OK)?;
        let next = answer.between(r#""next_page_token":""#, "\"").ok();
        Ok(Page {
            followers: phones(answer.between(r#""followers":["#, "]")?),
            next: next.map(ToOwned::to_owned),
        })
    }

    /// The own live sessions.
    pub(crate) async fn sessions(&mut self, pair: &Pair) -> anyhow::Result<()> {
        let bearer = format!("Bearer {}", pair.access);
        let headers = [(AUTHORIZATION, &*bearer)];
        let path = "/api/v1/auths/sessions/";
        let answer = self.rest.send(Method::GET, path, &headers, String::new());
        let answer = answer.await?.expect(StatusCode::OK)?;
        answer.between(r#""current":"#, "true").map(drop)
    }

    /// Enters somebody's invite code.
    pub(crate) async fn activate(&mut self, pair: &Pair, code: &str) -> anyhow::Result<()> {
        let bearer = format!("Bearer {}", pair.access);
        let headers = [(AUTHORIZATION, &*bearer)];
        let body = format!(r#"{{"invited_by":"{code}"}}"#);
        let path = PERSONAL_AREA;
        let answer = self.rest.send(Method::PATCH, path, &headers, body).await?;
        answer.expect(StatusCode::OK).map(drop)
    }
}

/// How many numbers a list holds, as JSON has it.
fn phones(list: &str) -> usize {
    list.matches("\"+").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_list_are_counted() {
        for (list, count) in [("", 0), (r#""+1""#, 1), (r#""+1","+2""#, 2)] {
            assert_eq!(phones(list), count);
        }
    }
}
