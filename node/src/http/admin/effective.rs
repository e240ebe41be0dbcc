//! `/api/v1/tenants/{tenant_id}/users/{id}/effective-permissions`: what a user may do, and where
//! each right comes from.

use actors::Error;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use identity::{
    authorize::{
        Holder as _,
        effective::{self, Explained, Origin},
    },
    id::{GroupId, PermissionId, RoleId},
    outcome::Rejection,
    permissions,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{
    admin::{
        Caller, Resource as _, Routes, caller::Read, describe::Operation, operations::Id,
        resource::collection, users::Users,
    },
    error::Failure,
};

/// What a user may do.
#[derive(Serialize, ToSchema)]
#[schema(as = EffectivePermissions)]
struct View {
    /// Everything in the tenant, whatever is listed.
    everything: bool,
    /// False if there are more roles than are followed: what is not listed here does not count.
    complete: bool,
    permissions: Vec<Effective>,
}

/// A permission and where it comes from.
#[derive(Serialize, ToSchema)]
#[schema(as = EffectivePermission)]
struct Effective {
    #[schema(value_type = uuid::Uuid)]
    id: PermissionId,
    name: String,
    sources: Vec<Source>,
}

/// Where a permission comes from.
#[derive(Serialize, ToSchema)]
#[schema(as = PermissionSource)]
struct Source {
    kind: Kind,
    /// The role that names the permission.
    #[schema(value_type = uuid::Uuid)]
    role_id: RoleId,
    /// The role that was assigned: the same, or one that contains it.
    #[schema(value_type = uuid::Uuid)]
    assigned_role_id: RoleId,
    /// The group that has the role assigned: one of the user's, or one above; null if the user has.
    #[schema(value_type = Option<uuid::Uuid>)]
    group_id: Option<GroupId>,
}

/// How a permission reaches a user.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PermissionSourceKind)]
enum Kind {
    /// Through a role of the user itself.
    Direct,
    /// Through a role that a role of the user contains.
    Composite,
    /// Through a role of a group of the user, or of one above.
    Group,
}

fn source(role: RoleId, origin: Origin) -> Source {
    let kind = match origin.group {
        Some(_) => Kind::Group,
        None if role == origin.assigned => Kind::Direct,
        None => Kind::Composite,
    };
    let (assigned_role_id, group_id) = (origin.assigned, origin.group);
    Source { kind, role_id: role, assigned_role_id, group_id }
}

async fn read(caller: Caller<Read<Users>>, id: Id) -> Result<Response, Failure> {
    let (reading, tenant) = (caller.reading(), caller.tenant());
    let view = reading.view()?;
    let user = Users::find(&view, tenant, id.0)?.filter(Users::exists);
    let assigned = user.ok_or(Rejection::NotFound)?.assigned();
    let found = effective::sources(&view, tenant, &assigned).map_err(Error::from)?;
    let Explained { held, mut sources, reached } = found;
    if held.everything() {
        // The built-in role names nothing because it leaves nothing out.
        let all = reached.iter().filter(|(role, _)| role.id == RoleId::ADMINISTRATOR);
        for (role, origin) in all {
            for known in permissions::of_tenant(&view, tenant).map_err(Error::from)? {
                sources.entry(known.id).or_default().push((role.id, *origin));
            }
        }
    }
    let mut shown = Vec::new();
    for (id, sources) in sources {
        let known = permissions::get(&view, tenant, id).map_err(Error::from)?;
        let Some(known) = known else { continue };
        let sources = sources.into_iter().map(|(role, origin)| source(role, origin)).collect();
        shown.push(Effective { id, name: known.name, sources });
    }
    shown.sort_by(|one, other| one.name.cmp(&other.name));
    let (everything, complete) = (held.everything(), !held.unknown());
    Ok(Json(View { everything, complete, permissions: shown }).into_response())
}

/// The routes.
pub fn routes() -> Routes {
    let path = format!("{}/{{id}}/effective-permissions", collection::<Users>());
    let mut reading = Operation::get(path, "users.effective_permissions");
    let view = reading.named::<View>();
    let reading = reading
        .summary("Shows what a user may do, and where each right comes from")
        .answers("200", "They.", view, &[]);
    Routes::default().on(reading, read)
}
