//! What it costs to ask whether somebody may do something: with what roles and groups confer kept
//! in memory, and followed anew.

use std::{collections::BTreeSet, hint::black_box};

use actors::{Asker, Context, tenants::CLI_CLIENT};
use identity::{
    authorize, clients,
    command::Command,
    groups,
    id::{ClientId, GroupId, RoleId, TenantId},
    permissions,
    principal::{ApiScopes, Principal},
    roles::{self, Change},
    stamp::Placement,
    table::{self, Record as _},
    users,
};
use vaultara_cluster_tests::{Failure, during};

use crate::{
    core::user_id,
    figures::{line, per_call_us},
};

/// Groups above each other, and roles in each of them.
const DEPTH: u8 = 5;
const ROLES: u8 = 4;

/// Asks for the first user of a tenant, in the lowest of five groups with four roles each.
pub(crate) async fn measure(ctx: &Context, tenant: TenantId) -> Result<(), Failure> {
    let user = user_id(1);
    let write = async |command: Command| {
        let written = ctx.write(&Asker::system(), Placement::Tenant(tenant), command).await;
        written.map(drop).map_err(during("give rights"))
    };
    let mut parent = None;
    for depth in 1..=DEPTH {
        let mut roles = BTreeSet::new();
        for number in 1..=ROLES {
            let id = RoleId::from_bytes([16 * depth + number; 16]);
            let settings = roles::Settings {
                name: format!("role {depth} {number}"),
                description: String::new(),
                permissions: [permissions::id_of(users::READ)].into(),
                composites: BTreeSet::new(),
            };
            write(Command::Roles(roles::Command::Create { id, settings })).await?;
            roles.insert(id);
        }
        let id = GroupId::from_bytes([depth; 16]);
        let (name, description) = (format!("group {depth}"), String::new());
        let settings = groups::Settings { name, description, parent, roles };
        write(Command::Groups(groups::Command::Create { id, settings })).await?;
        parent = Some(id);
    }
    if let Some(id) = parent {
        let change = Change::Add([user].into());
        write(Command::Groups(groups::Command::Members { id, change })).await?;
    }
    ctx.tenant(tenant).await.map_err(during("read a tenant"))?;
    let reading = ctx.local();
    let view = reading.view().map_err(during("read the state"))?;
    let (table, index) = (clients::Client::TABLE, clients::BY_CLIENT_ID);
    let client = table::unique(&view, tenant, table, index, CLI_CLIENT.as_bytes());
    let client = client.map_err(during("find a client"))?.ok_or("there is no such client")?;
    let scopes = ApiScopes { read: true, write: true, platform: false };
    let client = ClientId::from_bytes(client);
    let who = Principal::User { tenant, user, client, scopes };
    let may = || ctx.require(&view, &who, users::READ, tenant);
    may().map_err(during("ask for a right"))?;
    let kept_us = per_call_us(1.0, || drop(black_box(may())));
    let anew = || authorize::require(&view, &who, users::READ, tenant);
    let anew_us = per_call_us(1.0, || drop(black_box(anew())));
    line(&format!(
        "  rights of a user with {} roles through {DEPTH} groups: {:.0} ns kept, {:.0} ns followed",
        DEPTH * ROLES,
        kept_us * 1e3,
        anew_us * 1e3
    ));
    Ok(())
}
