//! Lists: pages, cursors, filters.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    api::{Api, id_of, pointers, problem, service, unique, user},
    support::Answer,
};

fn names(page: &Value, member: &str) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

fn filtered(path: &str, filter: &str) -> String {
    let query = crate::support::visitor::encoded(&[("filter", filter)]);
    format!("{path}?{query}")
}

/// The address of the next page, as `Link` says it.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link");
    if link.is_empty() {
        assert_eq!(answer.json()["next_cursor"], Value::Null);
        return None;
    }
    let address = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    assert!(address.ends_with(answer.json()["next_cursor"].as_str().unwrap()), "{link}");
    Some(address[address.find("/api/").unwrap()..].to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_over_250_users_are_complete_while_users_come_and_go() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    let mut running = tokio::task::JoinSet::new();
    for start in 0..10 {
        let (platform, users) = (platform.clone(), users.clone());
        running.spawn(async move {
            for number in 0..25 {
                let name = format!("user-{:03}", start * 25 + number);
                platform.made(&users, &user(&name)).await;
            }
        });
    }
    running.join_all().await;
    let there: BTreeSet<String> = (0..250).map(|number| format!("user-{number:03}")).collect();

    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    let mut path = format!("{users}?limit=100");
    loop {
        let answer = platform.get(&path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let page = names(&answer.json(), "username");
        sizes.push(page.len());
        // Before, on and behind the last entry of this page.
        let last = page.last().unwrap().clone();
        for name in ["a-first".to_owned(), format!("{last}-0"), format!("z-{}", sizes.len())] {
            let name = format!("{name}-{}", sizes.len());
            platform.made(&users, &user(&name)).await;
        }
        // What the next page would begin after goes away.
        let listed = platform.read(&filtered(&users, &format!("username eq \"{last}\""))).await;
        let gone = format!("{users}/{}", id_of(&listed["items"][0]));
        assert_eq!(platform.delete(&gone).await.status, 204);
        seen.extend(page);
        match next(&answer) {
            Some(further) => path = further,
            None => break,
        }
    }
    assert_eq!(&sizes[..2], [100, 100]);
    assert!(seen.is_sorted(), "{seen:?}");
    let distinct: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(distinct.len(), seen.len(), "nothing comes twice");
    assert!(there.is_subset(&distinct), "nothing that was there all along is left out");
    assert!(distinct.contains("user-099-0-1"), "what is added behind the cursor is seen");
    assert!(!distinct.iter().any(|name| name.starts_with("a-first")));
}

#[tokio::test]
async fn a_cursor_counts_for_one_list_only() {
    let platform = Api::platform().await;
    let (one, two) = (platform.own_tenant().await, platform.own_tenant().await);
    for tenant in [&one, &two] {
        for number in 0..4 {
            platform.made(&format!("{tenant}/users"), &user(&format!("a{number}"))).await;
            platform.made(&format!("{tenant}/clients"), &service(&format!("a{number}"))).await;
        }
    }
    let filter = "filter=username%20sw%20%22a%22";
    let page = platform.read(&format!("{one}/users?limit=1&{filter}")).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let good = format!("{one}/users?{filter}&cursor={cursor}");
    assert_eq!(names(&platform.read(&good).await, "username"), ["a1", "a2", "a3"]);

    let mut flipped = cursor.as_bytes().to_vec();
    flipped[30] = if flipped[30] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let other_filter = "filter=username%20sw%20%22a0%22";
    for bad in [
        format!("{one}/users?cursor={cursor}"),
        format!("{one}/users?{other_filter}&cursor={cursor}"),
        format!("{two}/users?{filter}&cursor={cursor}"),
        format!("{one}/clients?cursor={cursor}"),
        format!("{one}/users?{filter}&cursor={flipped}"),
        format!("{one}/users?{filter}&cursor={}", &cursor[..cursor.len() - 4]),
        format!("{one}/users?{filter}&cursor=AAAA"),
        format!("{one}/users?{filter}&cursor=%20"),
    ] {
        let refused = platform.get(&bad).await;
        assert_eq!(problem(&refused), (400, "invalid_request".into()), "{bad}");
        assert_eq!(pointers(&refused), ["cursor"]);
    }
}

#[tokio::test]
async fn users_are_filtered_by_name_and_address() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    for (name, email) in [
        ("anna", "shared@example.org"),
        ("annabel", "Shared@Example.org"),
        ("bert", "shared@example.org.uk"),
    ] {
        platform.made(&users, &json!({ "username": name, "email": email })).await;
    }
    for (filter, expected) in [
        ("username eq \"anna\"", &["anna"][..]),
        ("username eq \"ANNA\"", &["anna"]),
        ("username EQ \"ann\"", &[]),
        ("username sw \"ann\"", &["anna", "annabel"]),
        ("username sw \"\"", &["anna", "annabel", "bert"]),
        ("email eq \"SHARED@example.org\"", &["anna", "annabel"]),
        ("email eq \"shared@example.org.uk\"", &["bert"]),
    ] {
        let mut found = names(&platform.read(&filtered(&users, filter)).await, "username");
        found.sort();
        assert_eq!(found, expected, "{filter}");
    }
    let shared = filtered(&users, "email eq \"shared@example.org\"");
    let first = platform.read(&format!("{shared}&limit=1")).await;
    assert_eq!(first["items"].as_array().unwrap().len(), 1);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = platform.read(&format!("{shared}&cursor={cursor}")).await;
    assert_eq!(second["items"].as_array().unwrap().len(), 1);
    assert_ne!(first["items"], second["items"]);
    assert_eq!(second["next_cursor"], Value::Null);

    let changed = filtered(&users, "username eq \"anna\"");
    let anna = platform.read(&changed).await["items"][0].clone();
    let path = format!("{users}/{}", id_of(&anna));
    assert_eq!(platform.patch(&path, &json!({ "email": null })).await.status, 200);
    let left = platform.read(&filtered(&users, "email eq \"shared@example.org\"")).await;
    assert_eq!(names(&left, "username"), ["annabel"]);
}

#[tokio::test]
async fn clients_and_tenants_are_filtered_too() {
    let platform = Api::platform().await;
    let clients = format!("{}/clients", platform.own_tenant().await);
    for name in ["App.one", "App.two", "app.three"] {
        platform.made(&clients, &service(name)).await;
    }
    let found = platform.read(&filtered(&clients, "client_id sw \"App\"")).await;
    assert_eq!(names(&found, "client_id"), ["App.one", "App.two"]);
    let found = platform.read(&filtered(&clients, "client_id eq \"vaultara-cli\"")).await;
    assert_eq!(found["items"][0]["built_in"], json!(true));

    let start = unique("filtered");
    for end in ["a", "b"] {
        let body = json!({ "slug": format!("{start}-{end}"), "name": "Filtered" });
        platform.made("/api/v1/tenants", &body).await;
    }
    let path = filtered("/api/v1/tenants", &format!("slug sw \"{start}-\""));
    let found = platform.read(&path).await;
    assert_eq!(names(&found, "slug"), [format!("{start}-a"), format!("{start}-b")]);
    let gone = format!("/api/v1/tenants/{}", id_of(&found["items"][0]));
    assert_eq!(platform.delete(&gone).await.status, 204);
    assert_eq!(names(&platform.read(&path).await, "slug"), [format!("{start}-b")]);
}

#[tokio::test]
async fn what_a_list_does_not_know_it_refuses() {
    let bob = Api::bob().await;
    let users = format!("/api/v1/tenants/{}/users", bob.demo_id().await);
    let long = format!("filter={}", "a".repeat(4_097));
    for (query, pointer) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("offset=10", "offset"),
        ("sort=password", "sort"),
        ("sort=email", "sort"),
        ("sort=%2Busername", "sort"),
        ("sort=created_at&filter=username%20sw%20%22x%22", "sort"),
        ("sort=username&filter=username%20pr%20or%20email%20pr", "sort"),
        ("count=yes", "count"),
        ("count=exact&filter=username%20pr%20and%20email%20pr", "count"),
        ("fields=username,password", "fields"),
        ("filter=password%20eq%20%22x%22", "filter"),
        ("filter=username%20co%20%22x%22", "filter"),
        ("filter=email%20sw%20%22x%22", "filter"),
        ("filter=username%20eq%20%22x%22%20xor%20email%20eq%20%22y%22", "filter"),
        ("filter=not%20(username%20eq%20%22x%22)", "filter"),
        (long.as_str(), "filter"),
    ] {
        let refused = bob.get(&format!("{users}?{query}")).await;
        assert_eq!(problem(&refused), (400, "invalid_request".into()), "{query}");
        assert_eq!(pointers(&refused), [pointer], "{query}");
    }
}

/// Every page of a list, and how many there were.
async fn all(platform: &Api, path: &str, member: &str) -> (Vec<String>, usize) {
    let (mut seen, mut pages, mut path) = (Vec::new(), 0, path.to_owned());
    loop {
        let answer = platform.get(&path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        seen.extend(names(&answer.json(), member));
        pages += 1;
        match next(&answer) {
            Some(further) => path = further,
            None => return (seen, pages),
        }
    }
}

#[tokio::test]
async fn a_list_runs_both_ways_along_every_order_it_has() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    let made = ["m", "c", "z", "a", "k", "b", "y"];
    let mut drawn = Vec::new();
    for name in made.iter().flat_map(|name| [name.to_string(), name.repeat(2)]) {
        let user = platform.made(&users, &json!({ "username": name })).await;
        drawn.push((id_of(&user).to_owned(), name));
    }
    // Ids begin with the time; those of one millisecond are in no order.
    drawn.sort();
    let mut drawn: Vec<String> = drawn.into_iter().map(|(_, name)| name).collect();
    let gone = platform.read(&filtered(&users, "username eq \"kk\"")).await;
    let gone = format!("{users}/{}", id_of(&gone["items"][0]));
    assert_eq!(platform.delete(&gone).await.status, 204);
    drawn.retain(|name| name != "kk");
    let mut sorted = drawn.clone();
    sorted.sort();
    let down = |list: &[String]| list.iter().rev().cloned().collect::<Vec<_>>();
    for (sort, expected) in [
        ("username", sorted.clone()),
        ("-username", down(&sorted)),
        ("created_at", drawn.clone()),
        ("-created_at", down(&drawn)),
    ] {
        for limit in [1, 3, 13, 500] {
            let path = format!("{users}?sort={sort}&limit={limit}");
            assert_eq!(all(&platform, &path, "username").await.0, expected, "{path}");
        }
    }
    let start = filtered(&users, "username sw \"y\"");
    let path = format!("{start}&sort=-username&limit=1");
    assert_eq!(all(&platform, &path, "username").await, (vec!["yy".into(), "y".into()], 2));

    let first = platform.read(&format!("{users}?sort=username&limit=1")).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    for other in ["sort=-username&", "sort=created_at&", ""] {
        let refused = platform.get(&format!("{users}?{other}cursor={cursor}")).await;
        assert_eq!(pointers(&refused), ["cursor"], "{other}");
    }
}

#[tokio::test]
async fn alternatives_and_conjunctions_are_answered_from_indexes() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    for (name, email) in [
        ("ada", Some("x@example.org")),
        ("adam", None),
        ("bea", Some("x@example.org")),
        ("carl", Some("y@example.org")),
        ("dora", None),
    ] {
        platform.made(&users, &json!({ "username": name, "email": email })).await;
    }
    for (filter, expected) in [
        ("email pr", &["ada", "bea", "carl"][..]),
        ("username sw \"ad\" and email pr", &["ada"]),
        ("email eq \"x@example.org\" and username sw \"b\"", &["bea"]),
        ("email eq \"x@example.org\" and username eq \"carl\"", &[]),
        ("username eq \"dora\" or email eq \"y@example.org\"", &["dora", "carl"]),
        // Ada is in both: once.
        ("username sw \"ad\" or email eq \"x@example.org\"", &["ada", "adam", "bea"]),
        (
            "username eq \"adam\" or email pr and username sw \"c\" or username pr",
            &["adam", "carl", "ada", "bea", "dora"],
        ),
    ] {
        for limit in [1, 2, 500] {
            let path = format!("{}&limit={limit}", filtered(&users, filter));
            let (mut found, _) = all(&platform, &path, "username").await;
            let mut expected: Vec<&str> = expected.to_vec();
            if filter.starts_with("email") {
                found.sort();
                expected.sort_unstable();
            }
            assert_eq!(found, expected, "{filter} by {limit}");
        }
    }
}

#[tokio::test]
async fn a_list_says_how_long_it_is_as_far_as_it_counts() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    for name in ["one", "two", "three", "twenty"] {
        platform.made(&users, &user(name)).await;
    }
    let gone = platform.read(&filtered(&users, "username eq \"three\"")).await;
    let gone = format!("{users}/{}", id_of(&gone["items"][0]));
    assert_eq!(platform.delete(&gone).await.status, 204);
    let total = |value| json!({ "value": value, "relation": "equal" });
    for (query, expected) in [
        ("limit=1", Value::Null),
        ("limit=1&count=none", Value::Null),
        ("limit=1&count=exact", total(3)),
        ("limit=1&count=estimate", total(3)),
        ("count=exact&sort=-created_at", total(3)),
        ("count=exact&filter=username%20sw%20%22tw%22", total(2)),
        ("count=exact&filter=username%20eq%20%22tw%22", total(0)),
    ] {
        let page = platform.read(&format!("{users}?{query}")).await;
        assert_eq!(page["total"], expected, "{query}");
    }
}

#[tokio::test]
async fn only_the_fields_that_are_asked_for_are_answered() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    let made = platform.made(&users, &user("sparse")).await;
    let path = format!("{users}/{}", id_of(&made));
    let expected = json!({ "id": made["id"], "username": "sparse", "enabled": true });
    let one = platform.get(&format!("{path}?fields=username,enabled")).await;
    assert_eq!((one.status, one.json()), (200, expected.clone()));
    assert_eq!(one.header("etag"), "\"1\"");
    let page = platform.read(&format!("{users}?fields=enabled,username")).await;
    assert_eq!(page["items"], json!([expected]));
    for (path, pointer) in
        [(format!("{path}?fields=nothing"), "fields"), (format!("{path}?as=x"), "as")]
    {
        let refused = platform.get(&path).await;
        assert_eq!(problem(&refused), (400, "invalid_request".into()));
        assert_eq!(pointers(&refused), [pointer]);
    }
}

#[tokio::test]
async fn every_answer_says_how_new_it_is_and_a_request_may_ask_for_it() {
    let platform = Api::platform().await;
    let users = format!("{}/users", platform.own_tenant().await);
    let made = platform.post(&users, &user("placed")).await;
    let index = |answer: &Answer| -> u64 {
        answer.header("vaultara-index").strip_prefix("s0.").unwrap().parse().unwrap()
    };
    let path = format!("{users}/{}", id_of(&made.json()));
    let wanted = made.header("vaultara-index");
    let asking = [("vaultara-min-index", wanted)];
    for path in [&users, &path, &format!("{users}?limit=1")] {
        let read = platform.send(reqwest::Method::GET, path, &asking, None).await;
        assert_eq!(read.status, 200, "{read:?}");
        assert!(index(&read) >= index(&made), "{read:?}");
    }
    let same = [("if-none-match", made.header("etag"))];
    let unchanged = platform.send(reqwest::Method::GET, &path, &same, None).await;
    assert_eq!(unchanged.status, 304);
    assert!(index(&unchanged) >= index(&made));
    for bad in ["s0.18446744073709551615", "s1.1", "12", ""] {
        let asking = [("vaultara-min-index", bad)];
        let refused = platform.send(reqwest::Method::GET, &path, &asking, None).await;
        assert_eq!(problem(&refused), (400, "invalid_request".into()), "{bad}");
        assert_eq!(pointers(&refused), ["Vaultara-Min-Index"]);
    }
    let nobody = Api::anonymous().get(&path).await;
    assert_eq!((nobody.status, nobody.header("vaultara-index")), (401, ""));
}
