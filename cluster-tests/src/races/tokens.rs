//! One code, and one refresh token inside and outside its grace, presented by all at once.

use std::collections::BTreeSet;

use actors::{oauth::token, runtime::timekeeper};
use identity::oauth::error::Code;

use super::{Begun, Race, Tokens, held};
use crate::{Failure, during};

/// Longer than the grace of the demo tenant, milliseconds.
const AFTER_THE_GRACE_MS: u64 = 10_000;

impl Race {
    /// One code: at most one exchange, and its tokens die with the replays.
    pub(super) async fn one_code(&self, fold: usize) -> Result<(), Failure> {
        let Begun { code, .. } = self.begun("openid").await?;
        let ask = |race: Self| {
            let code = code.clone();
            async move { race.redeem(&code).await }
        };
        let answers = self.all_at_once(fold, ask).await?;
        let won: Vec<&token::Answer> = answers.iter().flatten().collect();
        let [won] = won.as_slice() else {
            return Err(format!("one code was exchanged {} times", won.len()));
        };
        all_refused(&answers, fold - 1, Code::InvalidGrant)?;
        if fold > 1 && self.counts(&won.access_token).await {
            return Err("a replayed code's tokens still count".into());
        }
        Ok(())
    }

    /// One refresh token inside the grace: everybody gets the same successor, and it is good.
    pub(super) async fn inside_the_grace(&self, fold: usize) -> Result<(), Failure> {
        let token = self.family(&self.begun("openid").await?).await?;
        let answers = self.refreshed_by_all(fold, &token).await?;
        let mut successors = BTreeSet::new();
        for answer in answers {
            let answer = answer.map_err(during("refresh inside the grace"))?;
            successors.insert(held(&answer)?);
            if !self.counts(&answer.access_token).await {
                return Err("an access token from inside the grace does not count".into());
            }
        }
        match successors.first() {
            Some(one) if successors.len() == 1 => {
                self.refresh(one).await.map(drop).map_err(during("use the successor"))
            }
            _ => Err(format!("the family forked into {}", successors.len())),
        }
    }

    /// One refresh token after its grace: nobody gets anything, and the family has ended.
    pub(super) async fn after_the_grace(&self, fold: usize) -> Result<(), Failure> {
        let token = self.family(&self.begun("openid").await?).await?;
        let first = self.refresh(&token).await.map_err(during("refresh"))?;
        self.clock.advance_ms(AFTER_THE_GRACE_MS);
        // As each second: a node that slept must not trust its time before.
        timekeeper::check_clock(&self.ctx);
        all_refused(&self.refreshed_by_all(fold, &token).await?, fold, Code::InvalidGrant)?;
        if self.counts(&first.access_token).await {
            return Err("an access token of an ended family counts".into());
        }
        match self.refresh(&held(&first)?).await {
            Ok(_) => Err("the successor of an ended family is good".into()),
            Err(_) => Ok(()),
        }
    }

    async fn refreshed_by_all(&self, fold: usize, token: &str) -> Result<Vec<Tokens>, Failure> {
        self.all_at_once(fold, |race| {
            let token = token.to_owned();
            async move { race.refresh(&token).await }
        })
        .await
    }
}

pub(super) fn all_refused(answers: &[Tokens], expected: usize, code: Code) -> Result<(), Failure> {
    let refused = |answer: &&Tokens| match answer {
        Err(actors::Error::OAuth(error)) => error.code == code,
        Ok(_) | Err(_) => false,
    };
    let found = answers.iter().filter(refused).count();
    if found == expected {
        return Ok(());
    }
    let errors: Vec<String> = answers
        .iter()
        .filter_map(|answer| answer.as_ref().err().map(ToString::to_string))
        .collect();
    Err(format!("{found} of {expected} were refused as they should be: {errors:?}"))
}
