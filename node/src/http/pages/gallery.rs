//! Every page with sample content, in development mode: for whoever changes how pages look,
//! translates them, or tests that browsers like them.
//!
//! `/gallery/{name}` is the page; `ui_locales` and `Accept-Language` choose its language, `accent`,
//! `radius` and `logo` its brand, `done` and `problem` what a person's own account says. Nothing
//! here reads or writes anything.

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use identity::branding::Colour;

use super::{
    AccountPage, Brand, Claim, ConsentPage, ConsentView, Done, ErrorPage, FormPostPage, HomePage,
    Issuer, Language, LoggedOutPage, LoginPage, LoginProblem, LogoutPage, Moment, OwnAccountPage,
    PasswordForm, PasswordProblem, ProfileField, SessionView, SignInNotice, assets,
};
use crate::config::Mode;
use crate::http::layer::Arrival;

const TENANT: &str = "Demo";
const CLIENT: &str = "Web demo";
const ALICE: &str = "alice";
const TOKEN: &str = "sample";
const HERE: &str = "/gallery/returned";
const CALLBACK: &str = "http://localhost:3000/callback";
const SCOPES: [&str; 5] = ["openid", "profile", "email", "offline_access", "reports:read"];
const LAPTOP: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604";

/// The gallery's route, in development mode alone.
pub(crate) fn routes(mode: Mode) -> Router {
    match mode {
        Mode::Development => Router::new().route("/gallery/{name}", get(show)),
        Mode::Production => Router::new(),
    }
}

async fn show(Path(name): Path<String>, arrival: Arrival, uri: Uri) -> Response {
    let language = arrival.language(None);
    let query = uri.query().unwrap_or_default();
    let brand = brand(query);
    match name.as_str() {
        "home" => home(language, brand),
        "login" => login(language, brand, &[], None),
        "login-notices" => login(language, brand, &notices(), None),
        "login-refused" => login(language, brand, &[], Some(LoginProblem::WrongCredentials)),
        "error" => error(language, brand),
        "form-post" => form_post(language, brand),
        "account" => account(language, brand),
        "consent" => consent(language, brand),
        "logout" => logout(language, brand),
        "logged-out" => logged_out(language, brand),
        "own-account" => own_account(language, brand, query),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn brand(query: &str) -> Brand {
    let mut brand = Brand::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "accent" => brand.accent = Colour::parse(&value).unwrap_or(brand.accent),
            "background" => brand.palette.background = Colour::parse(&value),
            "surface" => brand.palette.surface = Colour::parse(&value),
            "text" => brand.palette.text = Colour::parse(&value),
            "radius" => brand.radius = value.parse().unwrap_or(brand.radius),
            "logo" => brand.logo = Some(assets::icon_path().to_owned()),
            _ => {}
        }
    }
    brand
}

fn done(query: &str) -> Option<Done> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find_map(|(name, value)| Done::parse(&value).filter(|_| name == "done"))
}

fn problem(query: &str) -> Option<PasswordProblem> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, word) = pairs.find(|(name, _)| name == "problem")?;
    match &*word {
        "wrong" => Some(PasswordProblem::Wrong),
        "short" => Some(PasswordProblem::TooShort(15)),
        "common" => Some(PasswordProblem::Common),
        "different" => Some(PasswordProblem::Different),
        "throttled" => Some(PasswordProblem::Throttled),
        _ => None,
    }
}

fn home(language: Language, brand: Brand) -> Response {
    let issuers = [
        Issuer { name: "Master", url: "http://localhost:8080" },
        Issuer { name: TENANT, url: "http://localhost:8080/t/demo" },
    ];
    HomePage { language, brand, issuers: &issuers }.respond()
}

fn notices() -> [SignInNotice; 2] {
    let notice = |text: &str, tag: Option<&str>, warning| SignInNotice {
        text: text.to_owned(),
        tag: tag.map(str::to_owned),
        warning,
    };
    [
        notice("Beware of mails that ask for your password.", Some("en"), true),
        notice("Maintenance on Saturday from 22:00.", Some("en"), false),
    ]
}

fn login(
    language: Language,
    brand: Brand,
    notices: &[SignInNotice],
    problem: Option<LoginProblem>,
) -> Response {
    let page = LoginPage {
        language,
        brand,
        tenant_name: TENANT,
        client_name: Some(CLIENT),
        username: if problem.is_some() { ALICE } else { "" },
        notices,
        problem,
        csrf_token: TOKEN,
        action: HERE,
        form_targets: &[],
    };
    page.respond()
}

fn error(language: Language, brand: Brand) -> Response {
    let page = ErrorPage {
        language,
        brand,
        status: StatusCode::BAD_REQUEST,
        code: "invalid_request",
        title: &language.say("error-invalid_request"),
        cause: Some(&language.say("error-cause-redirect-uri")),
        advice: &language.say("error-advice-again"),
        details: Some("the redirect_uri is not registered for this client"),
        request_id: Some("01935f6e-7a30-7d5c-9c5e-2b8f0a6d1c44"),
    };
    page.respond()
}

fn form_post(language: Language, brand: Brand) -> Response {
    let fields = [("code", TOKEN), ("state", TOKEN)];
    let page =
        FormPostPage { language, brand, client_name: CLIENT, action: CALLBACK, fields: &fields };
    page.respond()
}

fn account(language: Language, brand: Brand) -> Response {
    let page = AccountPage {
        language,
        brand,
        tenant_name: TENANT,
        client_name: CLIENT,
        account_name: ALICE,
        csrf_token: TOKEN,
        action: HERE,
        form_targets: &[],
    };
    page.respond()
}

fn consent(language: Language, brand: Brand) -> Response {
    let page = ConsentPage {
        language,
        brand,
        tenant_name: TENANT,
        client_name: CLIENT,
        account_name: ALICE,
        scopes: &SCOPES,
        csrf_token: TOKEN,
        action: HERE,
        form_targets: &[],
    };
    page.respond()
}

fn logout(language: Language, brand: Brand) -> Response {
    let page = LogoutPage {
        language,
        brand,
        tenant_name: TENANT,
        client_name: Some(CLIENT),
        account_name: ALICE,
        csrf_token: TOKEN,
        action: HERE,
        form_targets: &[],
    };
    page.respond()
}

fn logged_out(language: Language, brand: Brand) -> Response {
    let back = Some((CLIENT, "http://localhost:3000/"));
    LoggedOutPage { language, brand, tenant_name: TENANT, back, frames: &[] }.respond()
}

fn own_account(language: Language, brand: Brand, query: &str) -> Response {
    let field = |claim: Claim| ProfileField {
        subject: claim.into(),
        value: match claim {
            Claim::Name => "Alice Adams",
            Claim::GivenName => "Alice",
            Claim::FamilyName => "Adams",
            Claim::Nickname => "",
            Claim::Email => "alice@example.com",
            Claim::PhoneNumber => "+44 20 7946 0000",
            Claim::Locale => "en-GB",
            Claim::Zoneinfo => "Europe/London",
            Claim::MiddleName | Claim::Gender | Claim::Birthdate => "",
        },
        editable: claim != Claim::Email,
        problem: None,
    };
    let session = |id, user_agent, address, hours: u64, current| SessionView {
        id,
        user_agent,
        address,
        signed_in: Moment(1_764_049_564_000 - hours * 3_600_000),
        last_seen: Moment(1_764_049_564_000 - hours * 1_800_000),
        current,
    };
    let page = OwnAccountPage {
        language,
        brand,
        tenant_name: TENANT,
        path: "/gallery/own-account",
        csrf_token: TOKEN,
        username: ALICE,
        done: done(query),
        profile: &Claim::ALL.map(field),
        password: Some(PasswordForm { length_min: 15, problem: problem(query) }),
        sessions: &[
            session("1", LAPTOP, "198.51.100.7", 0, true),
            session("2", PHONE, "2001:db8:85a3::8a2e:370:7334", 20, false),
            session("3", "", "203.0.113.20", 500, false),
        ],
        consents: Some(&[ConsentView {
            id: "1",
            client_name: CLIENT,
            scopes: &SCOPES,
            given: Moment(1_763_000_000_000),
        }]),
    };
    page.respond()
}

#[cfg(test)]
#[path = "gallery_tests.rs"]
mod tests;
