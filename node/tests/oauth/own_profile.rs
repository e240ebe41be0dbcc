//! People change at `/account` what their tenant leaves to them.

use actors::Asker;
use identity::{
    command::Command,
    profiles::{
        self,
        schema::{Access, Field, Kind},
    },
    stamp::Placement,
};

use crate::{
    account::OURS,
    support::{
        self, Answer, Content, TestNode, Visitor,
        login::{self, Ask, alice_stays, userinfo},
    },
};

/// The fields of the profile form as the page shows them: name, value, and whether it is fixed.
fn fields(page: &Answer) -> Vec<(String, String, bool)> {
    let form = page.body.split("id=\"profile-form\"").nth(1).unwrap();
    let form = form.split("</form>").next().unwrap();
    let inputs = form.split("<input id=\"profile-").skip(1);
    let attribute = |input: &str, name: &str| {
        input.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    inputs
        .map(|input| input.split('>').next().unwrap())
        .map(|input| {
            (attribute(input, "name"), attribute(input, "value"), input.contains(" readonly"))
        })
        .collect()
}

/// Posts the form that is shown now, with some values changed, as a browser does.
async fn save(node: &TestNode, visitor: &mut Visitor, changes: &[(&str, &str)]) -> Answer {
    let page = visitor.get(&node.demo_at("/account")).await;
    let mut form = vec![("csrf".to_owned(), page.hidden("csrf").to_owned())];
    form.extend(fields(&page).into_iter().map(|(name, value, _)| (name, value)));
    for (name, value) in changes {
        form.retain(|(given, _)| given != name);
        form.push(((*name).to_owned(), (*value).to_owned()));
    }
    let form: Vec<(&str, &str)> =
        form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    visitor.send_form(&node.demo_at("/account/profile"), &OURS, &form).await
}

#[tokio::test]
async fn people_change_their_names_and_applications_see_it_but_not_their_address() {
    let node = support::start(Content::Demo);
    let token = login::tokens(&node).await.text("access_token");
    let (mut here, _) = alice_stays(&Ask::web(&node)).await;
    let page = here.get(&node.demo_at("/account")).await;
    let fixed: Vec<String> =
        fields(&page).into_iter().filter(|field| field.2).map(|field| field.0).collect();
    assert_eq!(fixed, ["email", "phone_number", "gender", "birthdate"]);

    let changes = [("name", " Alice Adams "), ("nickname", ""), ("email", "thief@evil.example")];
    let answer = save(&node, &mut here, &changes).await;
    let location = "/t/demo/account?done=profile";
    assert_eq!((answer.status, answer.header("location")), (303, location), "{answer:?}");
    let page = here.get(&node.at(location)).await;
    assert!(page.body.contains("Your profile was saved."), "{page:?}");
    let claims = userinfo(&node, &token).await.json();
    assert_eq!(claims["name"], "Alice Adams");
    assert_eq!(claims["given_name"], "Alice");
    assert_eq!(claims["email"], "alice@example.org", "what is not theirs is not looked at");
    assert!(claims.get("nickname").is_none(), "{claims}");
    assert_eq!(claims["website"], "https://alice.example");
}

#[tokio::test]
async fn a_value_that_breaks_a_rule_is_shown_again_with_what_is_wrong() {
    let node = support::start(Content::Demo);
    let reading = node.context.local();
    let address = actors::tenants::Address::Slug(actors::demo::TENANT.into());
    let tenant = actors::tenants::find(&reading.view().unwrap(), &address).unwrap();
    let editable = ["name".to_owned(), "email".to_owned()].into();
    let rules = profiles::Command::SetRules { expected: None, editable };
    let rules = Command::Profiles(rules);
    node.context.write(&Asker::system(), Placement::Tenant(tenant), rules).await.unwrap();

    let (mut here, _) = alice_stays(&Ask::web(&node)).await;
    let page = save(&node, &mut here, &[("name", "Alice Adams"), ("email", "nobody")]).await;
    assert_eq!((page.status, page.page()), (422, "own-account"), "{page:?}");
    assert!(page.body.contains("id=\"profile-email-error\">This is not an e-mail address.<"));
    let shown = fields(&page);
    for (name, value) in [("name", "Alice Adams"), ("email", "nobody"), ("nickname", "Al")] {
        assert!(shown.iter().any(|field| field.0 == name && field.1 == value), "{name}: {shown:?}");
    }
    let page = here.get(&node.demo_at("/account")).await;
    let kept = ("name".to_owned(), "Alice Liddell".to_owned(), false);
    assert!(fields(&page).contains(&kept), "nothing was saved: {page:?}");
    assert_eq!(save(&node, &mut here, &[("email", "al@example.org")]).await.status, 303);

    let url = node.demo_at("/account/profile");
    let form = [("csrf", "x"), ("name", "Mallory")];
    let foreign = here.send_form(&url, &[("sec-fetch-site", "cross-site")], &form).await;
    let guessed = here.send_form(&url, &OURS, &form).await;
    for answer in [foreign, guessed] {
        assert_eq!((answer.status, answer.page()), (403, "error"), "{answer:?}");
    }
    let nobody = Visitor::new().send_form(&url, &OURS, &form).await;
    assert_eq!((nobody.status, nobody.header("location")), (303, "/t/demo/account"));
}

#[tokio::test]
async fn fields_of_the_tenant_are_shown_and_saved_as_it_says() {
    let node = support::start(Content::Demo);
    let reading = node.context.local();
    let address = actors::tenants::Address::Slug(actors::demo::TENANT.into());
    let tenant = actors::tenants::find(&reading.view().unwrap(), &address).unwrap();
    let field = |kind, person| Field {
        kind,
        choices: if kind == Kind::Choice {
            ["red".into(), "blue".into()].into()
        } else {
            [].into()
        },
        labels: [("en".into(), "A <label>".into())].into(),
        required: kind == Kind::Choice,
        person,
        administrators_edit: true,
    };
    let fields = [
        ("born".to_owned(), field(Kind::Date, Access::Edit)),
        ("team".to_owned(), field(Kind::Choice, Access::Edit)),
        ("staff_id".to_owned(), field(Kind::Text, Access::Read)),
        ("note".to_owned(), field(Kind::Text, Access::None)),
    ];
    let schema = profiles::Command::SetSchema { expected: None, fields: fields.into() };
    let schema = Command::Profiles(schema);
    node.context.write(&Asker::system(), Placement::Tenant(tenant), schema).await.unwrap();

    let (mut here, _) = alice_stays(&Ask::web(&node)).await;
    let page = here.get(&node.demo_at("/account")).await;
    for text in [
        "<label for=\"profile-born\">A &#60;label&#62;</label>",
        "name=\"born\" type=\"date\"",
        "<select id=\"profile-team\" name=\"team\" dir=\"auto\" required>",
        "<option value=\"blue\">blue</option>",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains("profile-staff_id"), "nobody gave it yet");
    assert!(!page.body.contains("profile-note"));

    let unfit = save(&node, &mut here, &[("team", "green"), ("born", "2000-01-01")]).await;
    assert_eq!((unfit.status, unfit.page()), (422, "own-account"), "{unfit:?}");
    assert!(unfit.body.contains("id=\"profile-team-error\""), "{unfit:?}");
    let missing = save(&node, &mut here, &[("team", "")]).await;
    assert!(missing.status == 422 && missing.body.contains("id=\"profile-team-error\""));
    let theirs = [("team", "blue"), ("born", "2000-02-29"), ("note", "x"), ("staff_id", "1")];
    assert_eq!(save(&node, &mut here, &theirs).await.status, 303);
    let page = here.get(&node.demo_at("/account")).await;
    assert!(page.body.contains("<option value=\"blue\" selected>blue</option>"));
    assert!(page.body.contains("value=\"2000-02-29\""));
    assert!(!page.body.contains("profile-staff_id"), "what is not theirs is not looked at");
}
