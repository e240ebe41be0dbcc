//! The description: committed, served, complete.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use vaultara_node::openapi;

use crate::api::Api;

fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json")
}

#[tokio::test]
async fn the_committed_description_is_the_one_that_is_served() {
    let generated = openapi::text_of(&openapi::document());
    if std::env::var_os("UPDATE_OPENAPI").is_some_and(|value| value == "1") {
        std::fs::write(committed(), &generated).unwrap();
    }
    let text = std::fs::read_to_string(committed()).unwrap_or_default();
    assert!(text == generated, "docs/openapi.json is old: run this with UPDATE_OPENAPI=1");
    let served = Api::anonymous().get("/api/v1/openapi.json").await;
    assert_eq!((served.status, served.header("content-type")), (200, "application/json"));
    assert_eq!(served.body, generated);
}

#[test]
fn every_operation_says_who_may_and_how_it_refuses() {
    let ids = ids();
    assert!(ids.len() >= 100, "{ids:?}");
}

/// The ids of the operations, each of which was looked at.
fn ids() -> BTreeSet<String> {
    let document = serde_json::to_value(openapi::document()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is not unique");
            assert!(operation["security"][0].get("bearer").is_some(), "{method} {path}");
            let permission = operation["x-vaultara-permission"].as_str().unwrap();
            let reads = method == "get" || path.ends_with("/audit-logs/verify");
            assert!(
                permission.ends_with(if reads { ":read" } else { ":write" }),
                "{method} {path}"
            );
            let known = |known: &&identity::authorize::Permission| known.name() == permission;
            let known = identity::command::PERMISSIONS.iter().find(known);
            assert!(known.is_some(), "{permission} can be held by nobody");
            for status in ["400", "401", "403", "404", "default"] {
                let problem = operation["responses"][status]["$ref"].as_str().unwrap();
                assert!(problem.starts_with("#/components/responses/Problem"), "{method} {path}");
            }
        }
    }
    ids
}

#[test]
fn the_cluster_s_operations_are_there() {
    let ids = ids();
    for verb in
        ["status", "members", "promote", "demote", "remove", "drain", "undrain", "transfer_leader"]
    {
        assert!(ids.contains(&format!("cluster.{verb}")), "cluster.{verb}");
    }
    for verb in ["list", "create", "revoke"] {
        assert!(ids.contains(&format!("cluster.token.{verb}")), "cluster.token.{verb}");
    }
    assert!(ids.contains("backup.create") && ids.contains("backup.list"));
    assert!(ids.contains("cluster-settings.read") && ids.contains("cluster-settings.replace"));
}

/// Resources that are made, changed and deleted.
const RESOURCES: [&str; 9] = [
    "tenants",
    "users",
    "clients",
    "client-scopes",
    "roles",
    "permissions",
    "groups",
    "sign-in-notices",
    "source-blocks",
];

#[test]
fn every_operation_that_is_promised_is_there() {
    let ids = ids();
    let expected = ["list", "create", "read", "replace", "patch", "delete"];
    for resource in RESOURCES {
        for verb in expected {
            assert!(ids.contains(&format!("{resource}.{verb}")), "{resource}.{verb}");
        }
    }
    assert!(ids.contains("clients.regenerate_secret"));
    for verb in ["list", "rotate", "revoke"] {
        assert!(ids.contains(&format!("keys.{verb}")), "keys.{verb}");
    }
    for verb in ["list", "read", "delete", "list_of_user", "end_all_of_user"] {
        assert!(ids.contains(&format!("sessions.{verb}")), "{verb}");
    }
    for verb in ["list", "read", "delete", "list_of_user"] {
        assert!(ids.contains(&format!("consents.{verb}")), "{verb}");
    }
    assert!(ids.contains("clients.read_consent_rules"));
    assert!(ids.contains("clients.replace_consent_rules"));
    assert!(ids.contains("clients.read_logout_rules"));
    assert!(ids.contains("clients.replace_logout_rules"));
    assert!(ids.contains("session-rules.read") && ids.contains("session-rules.replace"));
    assert!(ids.contains("password-rules.read") && ids.contains("password-rules.replace"));
    assert!(ids.contains("users.failed_logins") && ids.contains("users.unlock"));
    assert!(ids.contains("profile-rules.read") && ids.contains("profile-rules.replace"));
    assert!(ids.contains("users.import"));
    for verb in ["read", "install", "remove", "limit", "feature"] {
        assert!(ids.contains(&format!("license.{verb}")), "license.{verb}");
    }
    assert!(ids.contains("licenses.generate"));
    for verb in ["read", "replace"] {
        assert!(ids.contains(&format!("rate-limits.{verb}")));
        assert!(ids.contains(&format!("cluster-rate-limits.{verb}")));
    }
    for of in
        ["roles.permissions", "roles.composites", "users.roles", "clients.roles", "groups.roles"]
    {
        let (holder, set) = of.split_once('.').unwrap();
        let one = set.trim_end_matches('s');
        for verb in [format!("list_{set}"), format!("add_{set}"), format!("remove_{one}")] {
            assert!(ids.contains(&format!("{holder}.{verb}")), "{holder}.{verb}");
        }
    }
    assert!(ids.contains("users.effective_permissions"));
    for verb in ["list_members", "add_members", "remove_member", "path"] {
        assert!(ids.contains(&format!("groups.{verb}")), "groups.{verb}");
    }
    assert!(ids.contains("users.list_groups"));
    for resource in ["tenants", "users", "clients"] {
        for verb in ["history", "undo"] {
            assert!(ids.contains(&format!("{resource}.{verb}")), "{resource}.{verb}");
        }
    }
    for verb in ["list", "read", "export", "check"] {
        assert!(ids.contains(&format!("audit-logs.{verb}")), "{verb}");
        assert!(ids.contains(&format!("cluster-audit-logs.{verb}")), "{verb}");
    }
    assert!(ids.contains("changes.list") && ids.contains("all-changes.list"));
    let of_tenant = ["branding", "logo", "languages", "attempt-rules", "profile-schema"];
    for settings in of_tenant.iter().chain(&["audit-rules", "cluster-audit-rules"]) {
        assert!(ids.contains(&format!("{settings}.read")), "{settings}");
        assert!(ids.contains(&format!("{settings}.replace")), "{settings}");
    }
    for kind in RESOURCES {
        assert!(ids.contains(format!("{kind}.restore").as_str()), "{kind}");
    }
    assert_eq!(ids.len(), 179);
}

#[test]
fn every_reference_leads_somewhere() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() >= 10, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                into.insert(reference.clone());
            }
            members.values().for_each(|value| collect(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, into)),
        _ => {}
    }
}
