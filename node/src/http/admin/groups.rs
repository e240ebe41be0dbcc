//! `/api/v1/tenants/{tenant_id}/groups`: a tree of groups, their roles and who is in them
//! (`…/groups/{id}/members`, `…/users/{id}/groups`); `…/groups/{id}/path` says where one stands.

use std::collections::BTreeSet;

use actors::Error;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use identity::{
    authorize::Permission,
    command::Command,
    groups::{self, Group, Settings},
    id::{GroupId, RoleId, TenantId, UserId},
    outcome::{Rejection, Reply},
    roles::Change,
    stamp::Placement,
    table::{Record as _, Tables},
    users::{self as people, User},
};
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi::HttpMethod};

use crate::{
    http::{
        admin::{
            Asking, Caller, Done, Resource, Routes,
            answer::{self, Kind as Answered},
            body::JsonText,
            caller::{Read, Write},
            describe::{self, Operation},
            filter::{Filter, Kind},
            list::{self, Query},
            named,
            operations::{Attempt, Id},
            resource::{Attribute, Column, Comparisons, Place, collection},
            roles::{RoleIds, Roles, keys},
            sets::{self, Last, Set},
            users::{self, Users},
        },
        error::{Class, Failure},
    },
    telemetry::timestamp::Rfc3339,
};

/// The resource.
pub struct Groups;

/// What may be set of a group.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GroupInput)]
pub struct Input {
    /// Unique below its parent, whatever the case of its letters; without `/`.
    name: String,
    /// For people.
    #[serde(default)]
    description: String,
    /// The group above it; none at the top. Another one moves it, and whatever is below it.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    parent_id: Option<GroupId>,
    /// Roles of its members and of those of all groups below: names of built-in ones, or ids.
    #[serde(default, with = "named")]
    #[schema(value_type = Vec<String>)]
    roles: BTreeSet<RoleId>,
}

/// A group, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Group)]
pub struct View {
    #[schema(value_type = uuid::Uuid)]
    id: GroupId,
    name: String,
    description: String,
    #[schema(value_type = Option<uuid::Uuid>)]
    parent_id: Option<GroupId>,
    #[serde(with = "named")]
    #[schema(value_type = Vec<String>)]
    roles: BTreeSet<RoleId>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// One more with every change; the `ETag`.
    revision: u64,
}

/// What a filter calls the names from the top, each after a `/`.
const PATH: &str = "path";

const BY_PLACE: Column = Column { table: Group::TABLE, index: groups::BY_PLACE, unique: true };
const BY_PARENT: Column = Column { table: Group::TABLE, index: groups::BY_PARENT, unique: false };
const OF_GROUP: Column = Column { table: User::TABLE, index: people::BY_GROUP, unique: false };

impl Resource for Groups {
    const NAME: &'static str = "groups";
    const ONE: &'static str = "a group";
    const ABOUT: &'static str =
        "A tree of groups: members hold the roles of theirs and of all above.";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = groups::READ;
    const WRITE: Permission = groups::WRITE;
    const RESTORABLE: bool = true;
    const ORDER: Column = BY_PLACE;
    const ATTRIBUTES: &'static [Attribute] = &[
        Attribute {
            name: "parent_id",
            column: BY_PARENT,
            comparisons: Comparisons::Equal,
            canonical: str::to_ascii_lowercase,
        },
        Attribute {
            name: PATH,
            column: BY_PLACE,
            comparisons: Comparisons::Equal,
            canonical: str::to_owned,
        },
    ];

    type Record = Group;
    type Input = Input;
    type View = View;

    fn exists(group: &Group) -> bool {
        group.live()
    }

    fn input(group: &Group) -> Input {
        let Settings { name, description, parent, roles } = Settings::of(group);
        Input { name, description, parent_id: parent, roles }
    }

    fn view(group: &Group) -> View {
        let Settings { name, description, parent, roles } = Settings::of(group);
        View {
            id: group.id,
            name,
            description,
            parent_id: parent,
            roles,
            created_at: Rfc3339(group.created_at_ms).to_string(),
            updated_at: Rfc3339(group.updated_at_ms).to_string(),
            revision: group.revision,
        }
    }

    /// A path is walked down to the place that the index knows; nothing is at one that is none.
    fn resolved(
        tables: &impl Tables,
        tenant: TenantId,
        filter: &Filter,
    ) -> Result<Filter, Failure> {
        let mut filter = filter.clone();
        let alone = filter.single().is_some();
        for comparison in filter.alternatives.iter_mut().flatten() {
            if comparison.name != PATH {
                continue;
            }
            if !alone {
                return Err(Failure::new(Class::INVALID_REQUEST)
                    .detail("the filter cannot be answered")
                    .field("filter", "compares path alone"));
            }
            if comparison.kind == Kind::Equal {
                let place = groups::place_at(tables, tenant, &comparison.text);
                comparison.text = place.map_err(Error::from)?.unwrap_or_default();
            }
        }
        Ok(filter)
    }

    async fn create(asking: Asking, input: Input) -> Result<Done, Error> {
        let id = asking.ctx.random().id(GroupId::from_bytes);
        let settings = Settings::from(input);
        settings.check()?;
        Done::of(&propose(asking, groups::Command::Create { id, settings }).await?)
    }

    async fn update(
        asking: Asking,
        before: Group,
        expected: Option<u64>,
        input: Input,
    ) -> Result<Done, Error> {
        let (id, settings) = (before.id, Settings::from(input));
        settings.check()?;
        Done::of(&propose(asking, groups::Command::Update { id, expected, settings }).await?)
    }

    async fn delete(asking: Asking, before: Group, expected: Option<u64>) -> Result<u64, Error> {
        Ok(propose(asking, groups::Command::Delete { id: before.id, expected }).await?.index)
    }
}

impl From<Input> for Settings {
    fn from(input: Input) -> Self {
        let Input { name, description, parent_id, roles } = input;
        Self { name, description, parent: parent_id, roles }
    }
}

async fn propose(asking: Asking, command: groups::Command) -> Result<Reply, Error> {
    let Asking { ctx, asker, tenant } = asking;
    let command = Command::Groups(command);
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    Ok(reply)
}

struct OfGroup;

impl Set for OfGroup {
    type Of = Groups;
    type Item = Roles;
    type Ids = RoleIds;
    const NAME: &'static str = "roles";
    const ONE: &'static str = "role";
    const PARAMETER: &'static str = "role_id";

    fn ids(group: &Group) -> Vec<[u8; 16]> {
        keys(&group.roles)
    }

    fn add(group: [u8; 16], ids: RoleIds) -> Command {
        let (id, change) = (GroupId::from_bytes(group), Change::Add(ids.roles));
        Command::Groups(groups::Command::Roles { id, change })
    }

    fn remove(group: [u8; 16], id: [u8; 16]) -> Command {
        let change = Change::Remove(RoleId::from_bytes(id));
        Command::Groups(groups::Command::Roles { id: GroupId::from_bytes(group), change })
    }
}

/// Some users.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserIds {
    /// At most 50.
    #[schema(value_type = Vec<uuid::Uuid>)]
    users: BTreeSet<UserId>,
}

fn group<N>(caller: &Caller<N>, id: Id) -> Result<Group, Failure> {
    let reading = caller.reading();
    let found = Groups::find(&reading.view()?, caller.tenant(), id.0)?.filter(Groups::exists);
    Ok(found.ok_or(Rejection::NotFound)?)
}

/// `GET …/groups/{id}/members`: as users are shown, to who may read them.
async fn list_members(
    caller: Caller<Read<Users>>,
    id: Id,
    query: Query<Users>,
) -> Result<Response, Failure> {
    let group = group(&caller, id)?;
    list::answer(&caller, &query.only("group_id", OF_GROUP, group.id.to_string())?)
}

/// `POST …/groups/{id}/members`.
async fn add_members(
    caller: Caller<Write<Groups>>,
    id: Id,
    attempt: Attempt,
    body: JsonText,
) -> Result<Response, Failure> {
    let UserIds { users } = body.parse()?;
    let group = attempt.before::<Groups>(&caller, id)?;
    let command = groups::Command::Members { id: group.id, change: Change::Add(users) };
    let reply = propose(attempt.asking(&caller, body.bytes()), command).await?;
    answer::written::<Groups, _>(&caller, &Done::of(&reply)?, Answered::Changed)
}

/// `DELETE …/groups/{id}/members/{user_id}`.
async fn remove_member(
    caller: Caller<Write<Groups>>,
    id: Id,
    Last(user): Last,
) -> Result<Response, Failure> {
    let change = Change::Remove(UserId::from_bytes(user));
    let command = groups::Command::Members { id: GroupId::from_bytes(id.0), change };
    Ok(answer::deleted(propose(caller.asking(None), command).await?.index))
}

/// `GET …/users/{id}/groups`: those it was put into itself.
async fn of_user(caller: Caller<Read<Users>>, id: Id) -> Result<Response, Failure> {
    let user = users::of_path(&caller, id)?;
    let (reading, tenant) = (caller.reading(), caller.tenant());
    let view = reading.view()?;
    let user = Users::find(&view, tenant, user.bytes())?.ok_or(Rejection::NotFound)?;
    let mut items = Vec::new();
    for id in &user.groups {
        let found = Groups::find(&view, tenant, id.bytes())?.filter(Groups::exists);
        items.extend(found.as_ref().map(Groups::view));
    }
    Ok(sets::whole(items))
}

/// Where a group stands.
#[derive(Serialize, ToSchema)]
struct GroupPath {
    /// Names from the top, each after a `/`.
    path: String,
    /// The groups from the top to this one.
    #[schema(value_type = Vec<uuid::Uuid>)]
    ids: Vec<GroupId>,
}

/// `GET …/groups/{id}/path`.
async fn path_of(caller: Caller<Read<Groups>>, id: Id) -> Result<Response, Failure> {
    let group = group(&caller, id)?;
    let reading = caller.reading();
    let mut chain =
        groups::upwards(&reading.view()?, caller.tenant(), group.id).map_err(Error::from)?;
    chain.reverse();
    let path = chain.iter().map(|group| format!("/{}", group.name)).collect();
    let ids = chain.iter().map(|group| group.id).collect();
    Ok(Json(GroupPath { path, ids }).into_response())
}

/// The routes.
pub fn routes() -> Routes {
    let item = format!("{}/{{id}}", collection::<Groups>());
    let members = format!("{item}/members");
    let listing = describe::list_at::<Users>(members.clone(), "groups.list_members")
        .summary("Lists the members of a group, without those of the groups below");
    let mut adding = Operation::new(HttpMethod::Post, members.clone(), "groups.add_members");
    let view = adding.named::<View>();
    let adding = adding
        .summary("Puts users into a group")
        .parameter(describe::idempotency_key())
        .body::<UserIds>()
        .answers("200", "The group.", view, describe::CHANGED)
        .problems(&["413", "415", "422"]);
    let one = format!("{members}/{{user_id}}");
    let removing = Operation::new(HttpMethod::Delete, one, "groups.remove_member")
        .summary("Takes a user out of a group")
        .answers_bare("204", "Taken.", &[describe::INDEX])
        .problems(&["422"]);
    let path = format!("{}/{{id}}/groups", collection::<Users>());
    let mut groups = Operation::get(path, "users.list_groups");
    let page = describe::page::<Groups>(&mut groups);
    let groups = groups.summary("Lists the groups that a user was put into").answers(
        "200",
        "All of them, as one page.",
        page,
        &[],
    );
    let mut place = Operation::get(format!("{item}/path"), "groups.path");
    let shown = place.named::<GroupPath>();
    let place = place.summary("Says where a group stands").answers("200", "It.", shown, &[]);
    Routes::of::<Groups>()
        .merge(sets::routes::<OfGroup>())
        .on(listing, list_members)
        .on(adding, add_members)
        .on(removing, remove_member)
        .on(groups, of_user)
        .on(place, path_of)
}
