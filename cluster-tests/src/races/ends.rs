//! What ends a family, a session or a password, while many go on with it: whoever comes after the
//! answer gets nothing, and what was got before counts no more.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actors::oauth::{revoke, token};
use identity::{
    command::Command,
    principal::Source,
    secret::PasswordHash,
    sessions,
    users::{self, User},
};
use tokio::{sync::Barrier, task::JoinSet};

use super::{Begun, Race, Tokens};
use crate::{Failure, during};

impl Race {
    /// A family is revoked while many refresh.
    pub(super) async fn revocation(&self, fold: usize) -> Result<(), Failure> {
        let token = self.family(&self.begun("openid").await?).await?;
        let end = {
            let (race, token) = (self.clone(), token.clone());
            async move {
                let credentials = Self::credentials();
                let source = Source::default();
                let done =
                    revoke::revoke(&race.ctx, race.tenant, &credentials, Some(&token), source);
                done.await.map_err(during("revoke"))
            }
        };
        let got = self.until_ended(fold, refreshing(token), end).await?;
        self.all_dead(&got).await
    }

    /// A session is ended while many refresh in it.
    pub(super) async fn session_end(&self, fold: usize) -> Result<(), Failure> {
        let begun = self.begun("openid").await?;
        let token = self.family(&begun).await?;
        let (race, id) = (self.clone(), begun.session);
        let end = Command::Sessions(sessions::Command::End { id, expected: None });
        let end = async move { race.write(end).await };
        let got = self.until_ended(fold, refreshing(token), end).await?;
        self.all_dead(&got).await
    }

    /// The password changes while many refresh what outlives the session.
    pub(super) async fn password_change(&self, fold: usize) -> Result<(), Failure> {
        let token = self.family(&self.begun("openid offline_access").await?).await?;
        let (race, change) = (self.clone(), another_password(self.alice()?));
        let end = async move { race.write(change).await };
        self.until_ended(fold, refreshing(token), end).await.map(drop)
    }

    /// The password changes while many, whose old one was found right, are signing in.
    pub(super) async fn password_change_at_login(&self, fold: usize) -> Result<(), Failure> {
        let alice = self.alice()?;
        let revision = alice.credential_revision;
        let (race, change) = (self.clone(), another_password(alice));
        let end = async move { race.write(change).await };
        let sign_in = move |race: Self| async move {
            let Begun { code, .. } = race.login("openid", revision).await?;
            race.redeem(&code).await
        };
        let got = self.until_ended(fold, sign_in, end).await?;
        self.all_dead(&got).await
    }

    async fn all_dead(&self, got: &[token::Answer]) -> Result<(), Failure> {
        for answer in got {
            if self.counts(&answer.access_token).await {
                return Err("an access token counts after the end was answered".into());
            }
        }
        Ok(())
    }

    /// Many ask again and again until they are refused, while what they stand on is ended once.
    async fn until_ended<F>(
        &self,
        fold: usize,
        ask: impl Fn(Self) -> F + Clone + Send + 'static,
        end: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) -> Result<Vec<token::Answer>, Failure>
    where
        F: Future<Output = Tokens> + Send + 'static,
    {
        let ended = Arc::new(AtomicBool::new(false));
        let start = Arc::new(Barrier::new(fold));
        let mut tasks = JoinSet::new();
        for _ in 1..fold {
            let (race, ask) = (self.clone(), ask.clone());
            let (ended, start) = (Arc::clone(&ended), Arc::clone(&start));
            tasks.spawn(async move {
                start.wait().await;
                let mut got = Vec::new();
                loop {
                    let late = ended.load(Ordering::SeqCst);
                    match ask(race.clone()).await {
                        Ok(_) if late => return Err("a token after the end was answered".into()),
                        Ok(answer) => got.push(answer),
                        Err(_) if late => return Ok(got),
                        // Refused before the end was answered: once more, after it.
                        Err(_) => tokio::task::yield_now().await,
                    }
                }
            });
        }
        start.wait().await;
        let done = end.await;
        ended.store(true, Ordering::SeqCst);
        done?;
        let mut all = Vec::new();
        while let Some(got) = tasks.join_next().await {
            let got: Result<Vec<token::Answer>, Failure> = got.map_err(during("ask"))?;
            all.extend(got?);
        }
        Ok(all)
    }
}

type Asked = Pin<Box<dyn Future<Output = Tokens> + Send>>;

/// Presents a refresh token.
fn refreshing(token: String) -> impl Fn(Race) -> Asked + Clone + Send + 'static {
    let token: Arc<str> = token.into();
    move |race| {
        let token = Arc::clone(&token);
        Box::pin(async move { race.refresh(&token).await })
    }
}

/// An administrator's change of nothing but the password.
fn another_password(user: User) -> Command {
    let settings = users::Settings {
        username: user.username,
        email: user.email,
        email_verified: user.email_verified,
        phone_number_verified: user.phone_number_verified,
        profile: user.profile,
        address: user.address,
        enabled: user.enabled,
        roles: user.roles,
    };
    let password = Some(PasswordHash::from_phc("$argon2id$another".into()));
    Command::Users(users::Command::Update { id: user.id, expected: None, settings, password })
}
