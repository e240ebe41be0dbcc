//! The posted login page.
//!
//! Who may sign in is decided by `actors::oauth::login`; here the form is read, another site's form
//! is refused, and the answer becomes a page or a redirect. The form's `csrf` field is the sealed
//! request itself, which only the browser that got the page can post back. What was typed is never
//! logged.

use actors::{
    Context,
    oauth::login::{self, Answer, Problem, SignedIn, Submission},
    runtime::secret::Password,
};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
    routing::post,
};

use crate::http::{
    cookie,
    error::{Class, Failure},
    extract::{Parameters, Source, Tenant},
    layer::Arrival,
    oauth::{self, authorize, redirect},
    pages::{Brand, Language, LoginPage, LoginProblem},
    refusal,
};

/// Longest user name that is looked at, bytes; real ones are shorter.
const USERNAME_MAX: usize = 256;

/// The login routes of every tenant.
pub fn routes(ctx: Context) -> Router {
    oauth::at(Router::new(), "/login", post(submit)).with_state(ctx)
}

async fn submit(
    State(ctx): State<Context>,
    tenant: Result<Tenant, Failure>,
    arrival: Arrival,
    Source(source): Source,
    headers: HeaderMap,
    form: Result<Parameters, Failure>,
) -> Response {
    let answer = async {
        let tenant = tenant?;
        same_site(&headers, &ctx.settings().external_url)?;
        let form = form?;
        let username = typed_name(&form);
        let submission = Submission {
            username: username.to_owned(),
            password: Password::new(form.get("password").unwrap_or_default().to_owned()),
            form: form.get("csrf").unwrap_or_default().to_owned(),
            browser: cookie::read(&ctx, &headers, cookie::Kind::Browser, tenant.id),
        };
        let answer = login::submit(&ctx, tenant.id, submission, source).await;
        match answer.map_err(busy)? {
            Answer::SignedIn(signed_in) => welcome(&ctx, &tenant, &signed_in),
            Answer::Again(page, problem) => again(&page, &tenant, username, problem),
            Answer::Lost(problem) => Err(lost(problem)),
            Answer::Refused(refusal) => authorize::refused(&ctx, &tenant, &refusal).await,
        }
    };
    answer.await.unwrap_or_else(|failure| refusal::page(failure, &arrival))
}

/// The login page.
pub(in crate::http) fn show(
    page: &login::Page,
    tenant: &Tenant,
    username: &str,
    problem: Option<LoginProblem>,
) -> Response {
    let targets: Vec<&str> = page.form_targets.iter().map(String::as_str).collect();
    let page = LoginPage {
        language: Language::current(page.ui_locales.as_deref()),
        brand: Brand::default(),
        tenant_name: &page.tenant_name,
        client_name: Some(&page.client_name),
        username,
        problem,
        csrf_token: &page.form,
        action: &tenant.path("/login"),
        form_targets: &targets,
    };
    page.respond()
}

/// Refuses a form of another site, as the browser itself tells (Fetch Metadata, else `Origin`). Our
/// pages send no referrer, so their own forms come with `Origin: null`.
fn same_site(headers: &HeaderMap, external_url: &str) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin == "null" || origin == external_url,
        (None, None) => true,
    };
    if ours {
        return Ok(());
    }
    let hint = "the form was sent by another site";
    Err(Failure::new(Class::DENIED).detail(hint).cause("error-cause-other-site"))
}

/// The name as typed, without what no name has.
fn typed_name(form: &Parameters) -> &str {
    let typed = form.get("username").unwrap_or_default();
    typed.get(..typed.floor_char_boundary(USERNAME_MAX)).unwrap_or_default()
}

fn again(
    page: &login::Page,
    tenant: &Tenant,
    username: &str,
    problem: Problem,
) -> Result<Response, Failure> {
    let problem = match problem {
        Problem::WrongCredentials => LoginProblem::WrongCredentials,
        Problem::Incomplete => LoginProblem::Incomplete,
        Problem::Expired => LoginProblem::Expired,
        Problem::Busy => LoginProblem::Busy,
        Problem::NotGenuine => return Err(lost(problem)),
    };
    let mut response = show(page, tenant, username, Some(problem));
    if problem == LoginProblem::Busy {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    Ok(response)
}

/// When no password can be checked, who typed one is told so in people's words.
fn busy(error: actors::Error) -> Failure {
    match error {
        actors::Error::Overloaded { retry_after_s } => Failure::new(Class::UNAVAILABLE)
            .detail("overloaded")
            .cause(LoginProblem::Busy.message())
            .retry_after_s(retry_after_s),
        other => other.into(),
    }
}

/// Nothing is left to show the page again from.
fn lost(problem: Problem) -> Failure {
    let failure = Failure::new(Class::INVALID_REQUEST);
    match problem {
        Problem::Expired => failure
            .detail("the sign-in page was open for too long")
            .cause("error-cause-page-expired"),
        Problem::NotGenuine | Problem::WrongCredentials | Problem::Incomplete | Problem::Busy => {
            failure
                .detail("the sign-in page was not opened by this browser, or cookies are off")
                .cause("error-cause-other-browser")
        }
    }
}

/// Sends a signed-in person back to the client (RFC 6749 §4.1.2, RFC 9207 §2).
fn welcome(ctx: &Context, tenant: &Tenant, signed_in: &SignedIn) -> Result<Response, Failure> {
    let parameters = [
        ("code", Some(signed_in.code.expose())),
        ("state", signed_in.to.client_state.as_deref()),
        ("iss", Some(signed_in.issuer.as_str())),
    ];
    let mut response = redirect::answer(&signed_in.to, &parameters)?;
    if let Some(value) = cookie::set(ctx, cookie::Kind::Session, tenant.id, &signed_in.session) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(pairs: &[(&'static str, &str)]) -> bool {
        let headers = pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
        same_site(&headers.collect(), "https://id.example").is_ok()
    }

    #[test]
    fn only_our_own_form_is_taken() {
        let (site, origin) = ("sec-fetch-site", "origin");
        for ours in [
            &[][..],
            &[(site, "same-origin"), (origin, "null")],
            &[(site, "none")],
            &[(origin, "null")],
            &[(origin, "https://id.example")],
        ] {
            assert!(verdict(ours), "{ours:?}");
        }
        for foreign in [
            &[(site, "cross-site"), (origin, "null")][..],
            &[(site, "same-site"), (origin, "https://id.example")],
            &[(site, "")],
            &[(site, "é")],
            &[(origin, "https://evil.example")],
            &[(origin, "")],
        ] {
            assert!(!verdict(foreign), "{foreign:?}");
        }
    }

    #[test]
    fn a_long_user_name_is_cut() {
        let body = format!("username={}", "%C3%A9".repeat(1_000));
        let form = Parameters::parse(body.as_bytes()).unwrap();
        assert_eq!(typed_name(&form).len(), USERNAME_MAX);
        assert_eq!(typed_name(&Parameters::default()), "");
    }
}
