use super::*;

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, value.parse().unwrap());
    }
    headers
}

#[test]
fn a_token_is_found_whatever_the_case_of_its_scheme() {
    for (value, scheme) in [
        ("Bearer a.b-c_d", Scheme::Bearer),
        ("bearer a.b-c_d", Scheme::Bearer),
        ("BEARER  a.b-c_d", Scheme::Bearer),
        ("DPoP a.b-c_d", Scheme::Dpop),
        ("dpop a.b-c_d", Scheme::Dpop),
    ] {
        let headers = headers(&[value]);
        assert_eq!(in_header(&headers).unwrap(), Some((scheme, "a.b-c_d")), "{value}");
    }
    for value in ["Basic YTpi", "Bearer", "a.b"] {
        assert_eq!(in_header(&headers(&[value])).unwrap(), None, "{value}");
    }
    assert_eq!(in_header(&HeaderMap::new()).unwrap(), None);
}

#[test]
fn what_cannot_be_a_token_is_refused() {
    let long = format!("Bearer {}", "a".repeat(TOKEN_MAX + 1));
    for value in ["Bearer a b", "Bearer a,b", "Bearer =", "DPoP a,b", "Bearer \"a\"", &long] {
        let failure = in_header(&headers(&[value])).unwrap_err();
        assert_eq!(failure.class(), Class::INVALID_TOKEN);
    }
    for second in ["Bearer b", "DPoP b"] {
        let failure = in_header(&headers(&["Bearer a", second])).unwrap_err();
        assert_eq!(failure.class(), Class::INVALID_REQUEST);
    }
}

async fn presented(request: Request) -> Result<String, Class> {
    let token = HeaderOrForm::from_request(request, &()).await;
    token.map(|HeaderOrForm(token)| token.token).map_err(|failure| failure.class())
}

#[tokio::test]
async fn a_token_comes_in_one_way_and_never_in_the_address() {
    let post = || Request::post("/").header("content-type", FORM);
    let bearer = ("authorization", "Bearer abc");
    let get = Request::get("/").header(bearer.0, bearer.1).body("".into()).unwrap();
    assert_eq!(presented(get).await, Ok("abc".to_owned()));
    let body = post().body("access_token=abc".into()).unwrap();
    assert_eq!(presented(body).await, Ok("abc".to_owned()));
    let plain = Request::post("/").header(bearer.0, bearer.1).body("".into()).unwrap();
    assert_eq!(presented(plain).await, Ok("abc".to_owned()));

    for scheme in ["Bearer", "DPoP"] {
        let both = post().header("authorization", format!("{scheme} abc"));
        let both = both.body("access_token=abc".into()).unwrap();
        assert_eq!(presented(both).await, Err(Class::INVALID_REQUEST));
    }
    let query = Request::get("/?access_token=abc").body("".into()).unwrap();
    assert_eq!(presented(query).await, Err(Class::INVALID_REQUEST));
    let none = Request::get("/").body("".into()).unwrap();
    assert_eq!(presented(none).await, Err(Class::INVALID_TOKEN));
}

#[tokio::test]
async fn a_bound_token_comes_with_one_proof() {
    let shown = |proofs: &[&str]| {
        let mut request = Request::get("/oauth/userinfo?x=1").header("authorization", "DPoP abc");
        for proof in proofs {
            request = request.header("dpop", *proof);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        async move { AccessToken::from_request_parts(&mut parts, &()).await.unwrap() }
    };
    let token = shown(&["a.b.c"]).await;
    let possession = token.presented().unwrap().possession.unwrap();
    let seen = (possession.proof, possession.method, possession.path);
    assert_eq!(seen, ("a.b.c", "GET", "/oauth/userinfo"));
    for proofs in [&[][..], &["a.b.c", "a.b.c"]] {
        let failure = shown(proofs).await.presented().unwrap_err();
        assert_eq!(failure.class().code, Class::INVALID_DPOP_PROOF.code);
        assert_eq!(failure.class().status, 401);
    }
}
