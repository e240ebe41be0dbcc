//! Groups over HTTP: the tree, who is in it, what members get of it, and its limits.

use serde_json::{Value, json};

use crate::{
    api::{Api, id_of, pointers, problem, unique, user},
    licenses,
};

/// A tenant of one's own, in which groups are made.
struct Tree {
    api: Api,
    tenant: String,
}

impl Tree {
    async fn new() -> Self {
        let api = Api::platform().await;
        let tenant = api.own_tenant().await;
        Self { api, tenant }
    }

    fn groups(&self) -> String {
        format!("{}/groups", self.tenant)
    }

    fn of(&self, id: &str) -> String {
        format!("{}/{id}", self.groups())
    }

    async fn group(&self, name: &str, parent: Option<&str>) -> String {
        let body = json!({ "name": name, "parent_id": parent });
        id_of(&self.api.made(&self.groups(), &body).await).to_owned()
    }

    async fn made(&self, resource: &str, body: &Value) -> String {
        let path = format!("{}/{resource}", self.tenant);
        id_of(&self.api.made(&path, body).await).to_owned()
    }

    async fn path_of(&self, id: &str) -> Value {
        self.api.read(&format!("{}/path", self.of(id))).await["path"].clone()
    }

    /// The names of a list of groups.
    async fn names(&self, filter: &str) -> Vec<String> {
        let query = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect::<String>();
        let list = self.api.read(&format!("{}?filter={query}", self.groups())).await;
        let items = list["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }

    async fn members(&self, id: &str) -> Vec<Value> {
        let list = self.api.read(&format!("{}/members", self.of(id))).await;
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["username"].clone()).collect()
    }

    async fn holds(&self, user: &str) -> Vec<Value> {
        let path = format!("{}/users/{user}/effective-permissions", self.tenant);
        let list = self.api.read(&path).await;
        let held = list["permissions"].as_array().unwrap();
        held.iter().map(|permission| permission["name"].clone()).collect()
    }
}

#[tokio::test]
async fn a_tree_is_made_found_by_its_paths_and_moved_as_a_whole() {
    let tree = Tree::new().await;
    let sales = tree.group("Sales", None).await;
    let europe = tree.group("Europe", Some(&sales)).await;
    let alps = tree.group("Alps", Some(&europe)).await;
    let other = tree.group("Other", None).await;
    assert_eq!(tree.path_of(&alps).await, "/Sales/Europe/Alps");
    for (filter, names) in [
        ("path eq \"/Sales\"", vec!["Sales"]),
        ("path eq \"/sales/EUROPE/alps\"", vec!["Alps"]),
        ("path eq \"/Europe\"", vec![]),
        ("path eq \"/Sales/Nobody/Alps\"", vec![]),
        ("path eq \"Sales\"", vec![]),
        ("path eq \"/Sales/\"", vec![]),
        ("path eq \"\"", vec![]),
    ] {
        assert_eq!(tree.names(filter).await, names, "{filter}");
    }
    assert_eq!(tree.names(&format!("parent_id eq \"{sales}\"")).await, ["Europe"]);
    let joined = "?filter=path%20eq%20%22/a%22%20and%20parent_id%20pr";
    let refused = tree.api.get(&format!("{}{joined}", tree.groups())).await;
    assert_eq!((refused.status, pointers(&refused)), (400, vec!["filter".into()]), "{refused:?}");

    let moved = tree.api.patch(&tree.of(&europe), &json!({ "parent_id": other })).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    assert_eq!(tree.path_of(&alps).await, "/Other/Europe/Alps");
    assert_eq!(tree.names("path eq \"/Other/Europe/Alps\"").await, ["Alps"]);
    assert!(tree.names("path eq \"/Sales/Europe/Alps\"").await.is_empty());

    // Two of one name, whatever the case, stand beside each other only below different parents.
    let twin = json!({ "name": "EUROPE", "parent_id": other });
    assert_eq!(tree.api.post(&tree.groups(), &twin).await.status, 409);
    tree.group("Europe", Some(&sales)).await;
    let back = tree.api.patch(&tree.of(&europe), &json!({ "parent_id": sales })).await;
    assert_eq!(problem(&back).0, 409);
}

#[tokio::test]
async fn no_group_is_below_itself_too_deep_or_gone_while_others_need_it() {
    let tree = Tree::new().await;
    let mut chain = vec![tree.group("g1", None).await];
    for depth in 2..=16 {
        let parent = chain.last().unwrap().clone();
        chain.push(tree.group(&format!("g{depth}"), Some(&parent)).await);
    }
    let deeper = json!({ "name": "g17", "parent_id": chain[15] });
    let refused = tree.api.post(&tree.groups(), &deeper).await;
    assert_eq!((refused.status, pointers(&refused)), (422, vec!["/parent_id".into()]));
    for below in [&chain[0], &chain[1], &chain[15]] {
        let cycle = tree.api.patch(&tree.of(&chain[0]), &json!({ "parent_id": below })).await;
        assert_eq!((cycle.status, pointers(&cycle)), (422, vec!["/parent_id".into()]), "{below}");
    }
    let top = tree.group("top", None).await;
    let heavy = tree.api.patch(&tree.of(&chain[0]), &json!({ "parent_id": top })).await;
    assert_eq!((heavy.status, pointers(&heavy)), (422, vec!["/parent_id".into()]));
    assert_eq!(tree.path_of(&chain[1]).await, "/g1/g2", "nothing moved");
    assert_eq!(problem(&tree.api.delete(&tree.of(&chain[0])).await), (409, "conflict".into()));
    assert_eq!(tree.api.delete(&tree.of(&chain[15])).await.status, 204);
    assert_eq!(tree.api.get(&tree.of(&chain[15])).await.status, 404);
    for name in ["", "a/b", " a"] {
        let refused = tree.api.post(&tree.groups(), &json!({ "name": name })).await;
        assert_eq!((refused.status, pointers(&refused)), (422, vec!["/name".into()]), "{name}");
    }
}

#[tokio::test]
async fn members_hold_the_roles_of_their_group_and_of_all_above_as_long_as_they_are_in() {
    let tree = Tree::new().await;
    let role = async |name: &str, permission: &str| {
        let body = json!({ "name": unique(name), "permissions": [permission] });
        tree.made("roles", &body).await
    };
    let (reads, writes) = (role("reads", "users:read").await, role("writes", "users:write").await);
    let above = tree.group("above", None).await;
    let below = tree.group("below", Some(&above)).await;
    for (group, role) in [(&above, &reads), (&below, &writes)] {
        let path = format!("{}/roles", tree.of(group));
        assert_eq!(tree.api.post(&path, &json!({ "roles": [role] })).await.status, 200);
    }
    let (ann, ben) = (user(&unique("ann")), user(&unique("ben")));
    let (ann_id, ben_id) = (tree.made("users", &ann).await, tree.made("users", &ben).await);
    let join = async |group: &str, users: Value| {
        let path = format!("{}/members", tree.of(group));
        tree.api.post(&path, &json!({ "users": users })).await
    };
    assert_eq!(join(&below, json!([ann_id])).await.status, 200);
    assert_eq!(join(&above, json!([ben_id])).await.status, 200);
    assert_eq!(tree.members(&below).await, [ann["username"].clone()]);
    assert_eq!(tree.members(&above).await, [ben["username"].clone()], "without those below");
    assert_eq!(tree.holds(&ann_id).await, ["users:read", "users:write"]);
    assert_eq!(tree.holds(&ben_id).await, ["users:read"]);
    let of_ann = tree.api.read(&format!("{}/users/{ann_id}/groups", tree.tenant)).await;
    assert_eq!(id_of(&of_ann["items"][0]), below);

    let moved = tree.api.patch(&tree.of(&below), &json!({ "parent_id": null })).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    assert_eq!(tree.holds(&ann_id).await, ["users:write"]);
    let leave = format!("{}/members/{ann_id}", tree.of(&below));
    assert_eq!(tree.api.delete(&leave).await.status, 204);
    assert!(tree.holds(&ann_id).await.is_empty() && tree.members(&below).await.is_empty());
    let unknown = join(&below, json!(["0198a000-0000-7000-8000-00000000abcd"])).await;
    assert_eq!((unknown.status, pointers(&unknown)), (422, vec!["/users".into()]));
    let many: Vec<String> =
        (0..101).map(|number| format!("0198a000-0000-7000-8000-{number:012}")).collect();
    assert_eq!(join(&below, json!(many)).await.status, 422);
}

#[tokio::test]
async fn a_hundred_groups_at_once_fill_a_license_exactly() {
    let tree = Tree::new().await;
    let license = json!({ "tier": "starter", "holder": "Acme", "limits": { "groups": 7 } });
    let key = licenses::key(&tree.api, license).await;
    let installed =
        tree.api.post(&format!("{}/license", tree.tenant), &json!({ "key": key })).await;
    assert_eq!(installed.status, 200, "{installed:?}");
    let body = |name: &str| json!({ "name": name });
    let (made, refused) = licenses::hundred(&tree.api, &tree.groups(), body).await;
    assert_eq!((made, refused.len()), (7, 93));
    let told = "the license (starter) allows 7 groups";
    assert!(refused.iter().all(|detail| *detail == told), "{refused:?}");
    let list = tree.api.read(&format!("{}?count=exact", tree.groups())).await;
    assert_eq!(list["total"]["value"], 7);
    let first = tree.of(id_of(&list["items"][0]));
    assert_eq!(tree.api.delete(&first).await.status, 204);
    tree.group("again", None).await;
}
