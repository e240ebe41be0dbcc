//! The one check of new passwords, and the renewal of their hashes.
//!
//! NIST SP 800-63B-4 §3.1.1.2: length alone counts, no rules of composition; refused is what
//! others try first: common passwords, patterns of the keyboard, and what is known of the account.
//! Everything is judged in the canonical form that is hashed.

mod common;

use std::fmt;

use identity::{
    command::Command,
    id::TenantId,
    outcome::Rejection,
    passwords::{self, Rules},
    secret::PasswordHash,
    stamp::Placement,
    users::{self, User},
};

use crate::{
    context::{Asker, Context},
    error::Error,
    runtime::{
        hasher::{PASSWORD_LEN_MAX, canonical},
        secret::Password,
    },
};

/// The product's own name, as guessers know it.
const PRODUCT: &str = "vaultara";
/// Words shorter than this stand in too many innocent passwords, characters.
const WORD_LEN_MIN: usize = 4;
/// What a password must have besides a known word that is part of a longer one, characters.
const REST_LEN_MIN: usize = 8;

/// Whose password it is to be: what a guesser would try for this account.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Canonical user name.
    pub username: &'a str,
    /// E-mail address; may be empty.
    pub email: &'a str,
    /// Slug of the tenant.
    pub tenant_slug: &'a str,
    /// Name of the tenant.
    pub tenant_name: &'a str,
}

impl Owner<'_> {
    fn words(&self) -> [(&str, Word); 6] {
        let before_at = |text| str::split_once(text, '@').map_or("", |(local, _)| local);
        [
            (self.username, Word::Username),
            (before_at(self.username), Word::Username),
            (before_at(self.email), Word::Email),
            (self.tenant_slug, Word::Tenant),
            (self.tenant_name, Word::Tenant),
            (PRODUCT, Word::Product),
        ]
    }
}

/// A word that everybody knows of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The user name.
    Username,
    /// What stands before the `@` of the e-mail address.
    Email,
    /// Slug or name of the tenant.
    Tenant,
    /// The name of the product.
    Product,
}

/// Which rule a new password breaks. It never repeats what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// It has fewer characters than this.
    TooShort(u16),
    /// It has more than [`PASSWORD_LEN_MAX`] bytes.
    TooLong,
    /// There are control characters in it.
    Control,
    /// There is a word in it that everybody knows of the account.
    Holds(Word),
    /// It is among the first that others would guess.
    Common,
}

impl Violation {
    /// As the rules say it of a field.
    pub fn at(self, field: &str) -> Rejection {
        Rejection::invalid(field, self.to_string())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(least) => write!(f, "must be at least {least} characters"),
            Self::TooLong => write!(f, "must be at most {PASSWORD_LEN_MAX} bytes"),
            Self::Control => f.write_str("must not hold control characters"),
            Self::Holds(Word::Username) => f.write_str("must not hold the user name"),
            Self::Holds(Word::Email) => f.write_str("must not hold the e-mail address"),
            Self::Holds(Word::Tenant) => f.write_str("must not hold the tenant's name"),
            Self::Holds(Word::Product) => f.write_str("must not hold the product's name"),
            Self::Common => f.write_str("is among the first that others would guess"),
        }
    }
}

/// Refuses a new password that the rules do not allow.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(password: &Password, rules: &Rules, owner: Owner<'_>) -> Result<(), Violation> {
    let password = canonical(password);
    let text = password.expose();
    if text.chars().count() < usize::from(rules.length_min) {
        return Err(Violation::TooShort(rules.length_min));
    }
    if text.len() > PASSWORD_LEN_MAX {
        return Err(Violation::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(Violation::Control);
    }
    let lower = Password::new(text.to_lowercase());
    for (word, what) in owner.words() {
        if word.chars().count() >= WORD_LEN_MIN && holds(lower.expose(), &word.to_lowercase()) {
            return Err(Violation::Holds(what));
        }
    }
    if common::guessed_first(lower.expose()) {
        return Err(Violation::Common);
    }
    Ok(())
}

/// Whether a word stands in a text by itself, or little else does: `admin` in `administrator` is
/// another word.
fn holds(text: &str, word: &str) -> bool {
    let rest = text.replace(word, "").chars().count();
    text.match_indices(word).any(|(at, _)| {
        let (before, from) = text.split_at(at);
        let after = from.strip_prefix(word).unwrap_or_default();
        let apart = |c: Option<char>| !c.is_some_and(char::is_alphabetic);
        rest < REST_LEN_MIN || (apart(before.chars().next_back()) && apart(after.chars().next()))
    })
}

/// Checks a new password by the tenant's rules and hashes it, or says which rule it breaks.
///
/// # Errors
/// [`Error::Overloaded`].
pub async fn hashed(
    ctx: &Context,
    tenant: TenantId,
    (username, email): (&str, &str),
    password: Password,
) -> Result<Result<PasswordHash, Violation>, Error> {
    let rules = passwords::rules(&ctx.fresh().await?.view()?, tenant)?;
    let snapshot = ctx.tenant(tenant).await?;
    let owner = Owner {
        username,
        email,
        tenant_slug: &snapshot.tenant.slug,
        tenant_name: &snapshot.tenant.name,
    };
    if let Err(violation) = check(&password, &rules, owner) {
        return Ok(Err(violation));
    }
    Ok(Ok(ctx.hasher().hash(tenant, password).await?))
}

/// Replaces the hash of a password that was just verified against one of yesterday's parameters or
/// of another spelling. Nobody waits for it, and the next sign-in tries again if it fails.
pub fn rehash(ctx: &Context, tenant: TenantId, user: &User, password: Password) {
    let (ctx, id, credential_revision) = (ctx.clone(), user.id, user.credential_revision);
    tokio::spawn(async move {
        let renewed = async {
            let password = ctx.hasher().hash(tenant, password).await?;
            let command = users::Command::Rehash { id, credential_revision, password };
            let placement = Placement::Tenant(tenant);
            ctx.write(&Asker::system(), placement, Command::Users(command)).await
        };
        if let Err(error) = renewed.await {
            tracing::debug!(%error, "a password hash was not renewed");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'static> = Owner {
        username: "alice.liddell@wonder.example",
        email: "queen@wonder.example",
        tenant_slug: "acme",
        tenant_name: "Looking Glass",
    };

    fn verdict(text: &str, length_min: u16) -> Result<(), Violation> {
        let rules = Rules { length_min, ..Rules::default() };
        check(&Password::new(text.into()), &rules, OWNER)
    }

    fn reason(text: &str, length_min: u16) -> String {
        match verdict(text, length_min).map_err(|violation| violation.at("/password")) {
            Err(Rejection::Invalid { field, reason }) if field == "/password" => reason,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn length_counts_in_canonical_characters_and_nothing_else_does() {
        for text in ["fourteen chars", "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}"] {
            assert_eq!(reason(text, 15), "must be at least 15 characters", "{text}");
        }
        for text in [
            "all lower case letters",
            "ALL UPPER CASE LETTERS",
            "582736019845372610",
            "ünïcödé ünd 漢字 😀😀",
            &"long enough, and then some ".repeat(9),
        ] {
            assert_eq!(verdict(text, 15), Ok(()), "{text}");
        }
        assert_eq!(verdict("brandy9x", 8), Ok(()));
        assert_eq!(reason(&"xy z".repeat(65), 15), "must be at most 256 bytes");
        assert_eq!(reason("a tab\tbetween the words", 15), "must not hold control characters");
    }

    #[test]
    fn what_is_known_of_the_account_may_not_be_inside() {
        for (text, what) in [
            ("this is Alice.Liddell speaking", "the user name"),
            ("long live the queen of hearts", "the e-mail address"),
            ("ACME door opener 27", "the tenant's name"),
            ("through the looking glass darkly", "the tenant's name"),
            ("my Vaultara, my castle", "the product's name"),
            ("acmeacmeacme1", "the tenant's name"),
            ("xxacmexx", "the tenant's name"),
            ("27acme27 and acmeism", "the tenant's name"),
            ("\u{ff21}\u{ff23}\u{ff2d}\u{ff25} door opener 27", "the tenant's name"),
        ] {
            assert_eq!(reason(text, 8), format!("must not hold {what}"), "{text}");
        }
        for text in ["the acmeists of moscow", "queenly is as queenly does"] {
            assert_eq!(verdict(text, 15), Ok(()), "{text}");
        }
    }

    #[test]
    fn short_names_forbid_nothing() {
        let owner = Owner { username: "al", email: "", tenant_slug: "x", tenant_name: "Io" };
        let password = Password::new("always examine the radio".into());
        assert_eq!(check(&password, &Rules::default(), owner), Ok(()));
    }
}
