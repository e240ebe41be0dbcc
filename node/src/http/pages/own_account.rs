//! A person's own account: who they are here, their password, where they are signed in, and which
//! applications they let in.
//!
//! Every change is a form of its own, so that all of it works without JavaScript; each carries the
//! token `csrf`. Invariant: nothing on it but what the signed-in person may see of themselves.

use actors::passwords::Word;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::assets;
use super::brand::Brand;
use super::device::Device;
use super::language::Language;
use super::moment::Moment;
use super::policy::ContentPolicy;
use super::profile_field::ProfileField;
use super::scopes::{self, Line};

/// One place where the person is signed in.
pub(crate) struct SessionView<'a> {
    /// The session's id.
    pub(crate) id: &'a str,
    /// What the browser said of itself at sign-in.
    pub(crate) user_agent: &'a str,
    /// The address at sign-in.
    pub(crate) address: &'a str,
    /// When the person signed in.
    pub(crate) signed_in: Moment,
    /// When it was last used.
    pub(crate) last_seen: Moment,
    /// Whether it is the one that looks at the page.
    pub(crate) current: bool,
}

impl SessionView<'_> {
    fn device(&self, language: Language) -> String {
        let Device { browser, system } = Device::of(self.user_agent);
        match (browser, system) {
            (Some(browser), Some(system)) => language
                .fill("account-device", &[("browser", browser.into()), ("system", system.into())]),
            (Some(name), None) | (None, Some(name)) => name.to_owned(),
            (None, None) => language.say("account-device-unknown").into_owned(),
        }
    }

    fn handheld(&self) -> bool {
        Device::of(self.user_agent).handheld()
    }
}

/// One application that the person let in.
pub(crate) struct ConsentView<'a> {
    /// The consent's id.
    pub(crate) id: &'a str,
    /// The application's display name.
    pub(crate) client_name: &'a str,
    /// What it may have.
    pub(crate) scopes: &'a [&'a str],
    /// When the person said so.
    pub(crate) given: Moment,
}

impl<'a> ConsentView<'a> {
    fn lines(&self, language: Language) -> Vec<Line<'a>> {
        scopes::lines(language, self.scopes)
    }
}

/// What was just done, said once at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    ProfileSaved,
    PasswordChanged,
    SessionEnded,
    ConsentRevoked,
    SignedOutElsewhere,
}

impl Done {
    const ALL: [Self; 5] = [
        Self::ProfileSaved,
        Self::PasswordChanged,
        Self::SessionEnded,
        Self::ConsentRevoked,
        Self::SignedOutElsewhere,
    ];

    /// The word for it in the address that the browser is sent to after a form.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::ProfileSaved => "profile",
            Self::PasswordChanged => "password",
            Self::SessionEnded => "session",
            Self::ConsentRevoked => "consent",
            Self::SignedOutElsewhere => "elsewhere",
        }
    }

    /// Reads the word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.word() == word)
    }

    const fn message(self) -> &'static str {
        match self {
            Self::ProfileSaved => "account-done-profile",
            Self::PasswordChanged => "account-done-password",
            Self::SessionEnded => "account-done-session",
            Self::ConsentRevoked => "account-done-consent",
            Self::SignedOutElsewhere => "account-done-elsewhere",
        }
    }
}

/// Why a password was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PasswordProblem {
    /// The present password is wrong.
    Wrong,
    /// It has fewer characters than it must have.
    TooShort(u16),
    /// It is longer than any that is taken.
    TooLong,
    /// There are control characters in it.
    Control,
    /// There is a word in it that everybody knows of the account.
    Holds(Word),
    /// It is on the list of those that are guessed first.
    Common,
    /// The two new ones differ.
    Different,
    /// A field was left empty.
    Incomplete,
    /// No password can be checked right now; the caller adds `Retry-After`.
    Busy,
    /// Too many attempts failed; the caller adds `Retry-After`.
    Throttled,
}

impl PasswordProblem {
    /// The field it is about, if it is about one.
    const fn field(self) -> Option<&'static str> {
        match self {
            Self::Wrong => Some("password-current"),
            Self::TooShort(_) | Self::TooLong | Self::Control | Self::Holds(_) | Self::Common => {
                Some("password-new")
            }
            Self::Different => Some("password-again"),
            Self::Incomplete | Self::Busy | Self::Throttled => None,
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Throttled => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    fn text(self, language: Language) -> String {
        let message = match self {
            Self::TooShort(least) => {
                let least = u64::from(least).into();
                return language.fill("account-password-short", &[("least", least)]);
            }
            Self::Wrong => "account-password-wrong",
            Self::TooLong => "account-password-long",
            Self::Control => "account-password-control",
            Self::Holds(Word::Username) => "account-password-holds-username",
            Self::Holds(Word::Email) => "account-password-holds-email",
            Self::Holds(Word::Tenant) => "account-password-holds-tenant",
            Self::Holds(Word::Product) => "account-password-holds-product",
            Self::Common => "account-password-common",
            Self::Different => "account-password-different",
            Self::Incomplete => "account-password-incomplete",
            Self::Busy => "login-busy",
            Self::Throttled => "login-throttled",
        };
        language.say(message).into_owned()
    }
}

/// The form that changes a password.
pub(crate) struct PasswordForm {
    /// Fewest characters of a new one.
    pub(crate) length_min: u16,
    /// Why the last attempt failed.
    pub(crate) problem: Option<PasswordProblem>,
}

impl PasswordForm {
    fn concerns(&self, field: &str) -> bool {
        self.problem.is_some_and(|problem| problem.field() == Some(field))
    }

    fn help(&self, language: Language) -> String {
        let least = u64::from(self.length_min);
        language.fill("account-password-help", &[("least", least.into())])
    }
}

/// The page of a person's own account.
#[derive(Template)]
#[template(path = "own_account.html")]
pub(crate) struct OwnAccountPage<'a> {
    /// What it is written in.
    pub(crate) language: Language,
    /// How it looks.
    pub(crate) brand: Brand,
    /// The tenant's display name.
    pub(crate) tenant_name: &'a str,
    /// The path of the page; its forms post below it.
    pub(crate) path: &'a str,
    /// The token that binds the forms to this session.
    pub(crate) csrf_token: &'a str,
    /// Who is signed in.
    pub(crate) username: &'a str,
    /// What was just done.
    pub(crate) done: Option<Done>,
    /// What is known of them; none shows no such part.
    pub(crate) profile: &'a [ProfileField<'a>],
    /// How they change their password; none for an account without one.
    pub(crate) password: Option<PasswordForm>,
    /// Where they are signed in, this browser first.
    pub(crate) sessions: &'a [SessionView<'a>],
    /// What they let in; none where nobody is asked.
    pub(crate) consents: Option<&'a [ConsentView<'a>]>,
}

impl OwnAccountPage<'_> {
    /// The page with its headers; 200, or the status of what was refused.
    pub(crate) fn respond(&self) -> Response {
        let password = self.password.as_ref().and_then(|form| form.problem);
        let status = match password.map(PasswordProblem::status) {
            Some(status) => status,
            None if self.fails() => StatusCode::UNPROCESSABLE_ENTITY,
            None => StatusCode::OK,
        };
        super::respond(self, status, &ContentPolicy::default())
    }

    fn fails(&self) -> bool {
        let password = self.password.as_ref().is_some_and(|form| form.problem.is_some());
        password || self.profile.iter().any(|field| field.problem.is_some())
    }

    fn title(&self) -> String {
        let title = self.language.with("own-account-page-title", "tenant", self.tenant_name);
        if self.fails() {
            return self.language.with("page-title-error", "title", &title);
        }
        title
    }

    fn editable(&self) -> bool {
        self.profile.iter().any(|field| field.editable)
    }
}

#[cfg(test)]
#[path = "own_account_tests.rs"]
mod tests;
