//! `/api/v1/tenants/{tenant_id}/audit-rules`, and `/api/v1/audit-rules` for the cluster's own
//! trail: how long it is kept.

use actors::Error;
use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use identity::{
    audit::{self, Rules},
    authorize::Permission,
    changes, cluster,
    command::Command,
    outcome::Rejection,
    stamp::Placement,
    table::{self, Record as _},
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::http::{
    admin::{
        Asking, Caller, Needs, Routes,
        body::JsonText,
        describe::{self, Operation},
        etag::{self, IfMatch},
        resource::Place,
    },
    error::Failure,
};

struct Look;

impl Needs for Look {
    const PERMISSION: Permission = audit::READ;
    const PLACE: Place = Place::Tenant;
}

struct Change;

impl Needs for Change {
    const PERMISSION: Permission = audit::WRITE;
    const PLACE: Place = Place::Tenant;
}

struct LookAtCluster;

impl Needs for LookAtCluster {
    const PERMISSION: Permission = audit::READ_CLUSTER;
    const PLACE: Place = Place::Cluster;
}

struct ChangeOfCluster;

impl Needs for ChangeOfCluster {
    const PERMISSION: Permission = audit::WRITE_CLUSTER;
    const PLACE: Place = Place::Cluster;
}

/// How long an audit trail is kept.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AuditRules {
    /// Seconds; older events are removed for good, what is left stays verifiable. Null keeps
    /// everything for ever.
    #[schema(minimum = 86_400, maximum = 3_155_760_000_u32)]
    keep_s: Option<u32>,
}

fn rules<N: Needs>(caller: &Caller<N>) -> Result<Rules, Failure> {
    let (reading, tenant) = (caller.reading(), caller.tenant());
    let found = table::record::<Rules>(&reading.view()?, tenant, tenant.bytes());
    Ok(found.map_err(Error::from)?.unwrap_or_else(|| Rules::of(tenant)))
}

fn shown(rules: &Rules) -> Response {
    let view = AuditRules { keep_s: rules.keep_s };
    ([(header::ETAG, etag::tag(rules.revision()))], axum::Json(view)).into_response()
}

async fn read<N: Needs>(caller: Caller<N>) -> Result<Response, Failure> {
    Ok(shown(&rules(&caller)?))
}

async fn replace<N: Needs>(
    caller: Caller<N>,
    headers: HeaderMap,
    body: JsonText,
) -> Result<Response, Failure> {
    let AuditRules { keep_s } = body.parse()?;
    let before = rules(&caller)?;
    if N::PLACE != Place::Tenant {
        require_level(&caller)?;
    }
    let expected = IfMatch::parse(&headers).expected(before.revision, false)?;
    let Asking { ctx, asker, tenant } = caller.asking(None);
    let command = Command::Audit(audit::Command::SetRules { expected, keep_s });
    let placement = match N::PLACE {
        Place::Cluster | Place::ClusterAlone => Placement::Cluster,
        Place::Tenant => Placement::Tenant(tenant),
    };
    ctx.write(&asker, placement, command).await?;
    Ok(shown(&rules(&caller)?))
}

/// The command is an old one, that programs of before refuse for another reason: a reason that
/// stands in the trail, so that `apply` has to go on giving it.
fn require_level<N: Needs>(caller: &Caller<N>) -> Result<(), Failure> {
    let reading = caller.reading();
    let level = cluster::feature_level(&reading.view()?).map_err(Error::from)?;
    if level < changes::CLUSTER_AUDIT_RULES {
        return Err(Error::from(Rejection::FeatureLevel).into());
    }
    Ok(())
}

/// The routes.
pub(super) fn routes() -> Routes {
    let of_tenant = described("/api/v1/tenants/{tenant_id}/audit-rules", "audit-rules");
    let of_cluster = described("/api/v1/audit-rules", "cluster-audit-rules");
    let ([reading, replacing], [looking, changing]) = (of_tenant, of_cluster);
    Routes::default()
        .on(reading, read::<Look>)
        .on(replacing, replace::<Change>)
        .on(looking, read::<LookAtCluster>)
        .on(changing, replace::<ChangeOfCluster>)
}

fn described(path: &str, name: &str) -> [Operation; 2] {
    let mut reading = Operation::get(path, &format!("{name}.read"));
    let view = reading.named::<AuditRules>();
    let headers = &[describe::ETAG, describe::INDEX];
    let reading = reading.summary("Reads how long the audit trail is kept").answers(
        "200",
        "The rules.",
        view.clone(),
        headers,
    );
    let replacing = Operation::new(HttpMethod::Put, path, &format!("{name}.replace"))
        .summary("Says how long the audit trail is kept")
        .parameter(describe::if_match())
        .body::<AuditRules>()
        .answers("200", "The rules.", view, headers)
        .problems(&["412", "413", "415", "422"]);
    [reading, replacing]
}
