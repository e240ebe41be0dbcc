//! The fields of a profile as the page of a person's own account shows them: standard claims in the
//! words of the catalogue, fields of the tenant in the tenant's own.

use std::borrow::Cow;

use identity::profiles::schema::{Field, Kind};

use super::language::Language;

/// A claim of the profile that the page knows (OpenID Connect Core §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    Name,
    GivenName,
    MiddleName,
    FamilyName,
    Nickname,
    Email,
    PhoneNumber,
    Gender,
    Birthdate,
    Locale,
    Zoneinfo,
}

impl Claim {
    /// Every one, in the order of the page.
    pub(crate) const ALL: [Self; 11] = [
        Self::Name,
        Self::GivenName,
        Self::MiddleName,
        Self::FamilyName,
        Self::Nickname,
        Self::Email,
        Self::PhoneNumber,
        Self::Gender,
        Self::Birthdate,
        Self::Locale,
        Self::Zoneinfo,
    ];

    /// The name of the claim and of its field.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
            Self::Nickname => "nickname",
            Self::Email => "email",
            Self::PhoneNumber => "phone_number",
            Self::MiddleName => "middle_name",
            Self::Gender => "gender",
            Self::Birthdate => "birthdate",
            Self::Locale => "locale",
            Self::Zoneinfo => "zoneinfo",
        }
    }

    /// What is said of a value that breaks its rule.
    pub(crate) const fn problem(self) -> &'static str {
        match self {
            Self::Email => "account-profile-email",
            _ => "account-profile-unfit",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Name => "account-claim-name",
            Self::GivenName => "account-claim-given-name",
            Self::FamilyName => "account-claim-family-name",
            Self::Nickname => "account-claim-nickname",
            Self::Email => "account-claim-email",
            Self::PhoneNumber => "account-claim-phone-number",
            Self::MiddleName => "account-claim-middle-name",
            Self::Gender => "account-claim-gender",
            Self::Birthdate => "account-claim-birthdate",
            Self::Locale => "account-claim-locale",
            Self::Zoneinfo => "account-claim-zoneinfo",
        }
    }

    /// The kind of input and what browsers fill in (HTML §4.10.18.7).
    const fn input(self) -> (&'static str, &'static str) {
        match self {
            Self::Name => ("text", "name"),
            Self::GivenName => ("text", "given-name"),
            Self::FamilyName => ("text", "family-name"),
            Self::Nickname => ("text", "nickname"),
            Self::Email => ("email", "email"),
            Self::PhoneNumber => ("tel", "tel"),
            Self::MiddleName => ("text", "additional-name"),
            Self::Gender => ("text", "sex"),
            Self::Birthdate => ("text", "bday"),
            Self::Locale => ("text", "language"),
            Self::Zoneinfo => ("text", "off"),
        }
    }
}

/// What a line of the profile is about.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A standard claim.
    Claim(Claim),
    /// A field of the tenant, by its name.
    Field(&'a str, &'a Field),
}

impl From<Claim> for Subject<'_> {
    fn from(claim: Claim) -> Self {
        Self::Claim(claim)
    }
}

/// One line of the profile.
pub(crate) struct ProfileField<'a> {
    /// What it is about.
    pub(crate) subject: Subject<'a>,
    /// Its value; may be empty.
    pub(crate) value: &'a str,
    /// Whether the person may change it.
    pub(crate) editable: bool,
    /// The message that says what is wrong with it.
    pub(crate) problem: Option<&'static str>,
}

/// One value that can be chosen.
pub(crate) struct Choice<'a> {
    pub(crate) value: &'a str,
    pub(crate) words: Cow<'a, str>,
    pub(crate) chosen: bool,
}

impl<'a> ProfileField<'a> {
    /// The name of the input.
    pub(super) fn name(&self) -> &'a str {
        match self.subject {
            Subject::Claim(claim) => claim.name(),
            Subject::Field(name, _) => name,
        }
    }

    /// What the page calls it.
    pub(super) fn label(&self, language: Language) -> Cow<'a, str> {
        match self.subject {
            Subject::Claim(claim) => language.say(claim.label()),
            Subject::Field(name, field) => {
                let label = field.labels.get(language.tag());
                Cow::Borrowed(label.map_or(name, String::as_str))
            }
        }
    }

    /// The kind of input and what browsers fill in.
    pub(super) fn input(&self) -> (&'static str, &'static str) {
        match self.subject {
            Subject::Claim(claim) => claim.input(),
            Subject::Field(_, field) => match field.kind {
                Kind::Text | Kind::Boolean | Kind::Choice | Kind::Number => ("text", "off"),
                Kind::Date => ("date", "off"),
                Kind::Email => ("email", "off"),
                Kind::Url => ("url", "off"),
            },
        }
    }

    /// Whether it must not be left empty.
    pub(super) fn required(&self) -> bool {
        self.editable && matches!(self.subject, Subject::Field(_, field) if field.required)
    }

    /// The values to choose from; none for what is typed.
    pub(super) fn choices(&self, language: Language) -> Vec<Choice<'a>> {
        let Subject::Field(_, field) = self.subject else { return Vec::new() };
        let choice = |value: &'a str, words| Choice { value, words, chosen: value == self.value };
        match field.kind {
            Kind::Boolean => vec![
                choice("true", language.say("account-profile-yes")),
                choice("false", language.say("account-profile-no")),
            ],
            Kind::Choice => {
                let values = field.choices.iter().map(String::as_str);
                values.map(|value| choice(value, Cow::Borrowed(value))).collect()
            }
            Kind::Text | Kind::Number | Kind::Date | Kind::Email | Kind::Url => Vec::new(),
        }
    }
}
