//! `/api/v1/tenants/{tenant_id}/source-blocks`: networks from which nobody may sign in to a tenant.

use actors::Error;
use identity::{
    authorize::Permission,
    command::Command,
    network::Network,
    outcome::{Rejection, Reply},
    source_blocks::{self, BY_NETWORK, Settings, SourceBlock, SourceBlockId},
    stamp::Placement,
    table::Record as _,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::admin::{
        Asking, Done, Resource, Routes,
        resource::{Attribute, Column, Comparisons, Place},
    },
    telemetry::timestamp::Rfc3339,
};

/// The resource.
pub struct SourceBlocks;

/// What may be set of a source block.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceBlockInput)]
pub struct Input {
    /// Which addresses, as `192.0.2.0/24` or `2001:db8::/32`; a single address is a network of its
    /// own. Unique in the tenant. No bit may be set behind the length, and no address of the
    /// machine itself (`127.0.0.0/8`, `::1`) may be in it.
    #[schema(max_length = 64)]
    network: String,
    /// For administrators; whoever is blocked is not told.
    #[serde(default)]
    #[schema(max_length = 256)]
    reason: String,
    /// When it ends; null means never.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Rfc3339>,
}

/// A source block, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceBlock)]
pub struct View {
    #[schema(value_type = uuid::Uuid)]
    id: SourceBlockId,
    /// In its one spelling, with its length.
    network: String,
    reason: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Rfc3339>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Rfc3339,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Rfc3339,
    /// One more with every change; the `ETag`.
    revision: u64,
}

impl Input {
    fn settings(self) -> Result<Settings, Rejection> {
        let Self { network, reason, ends_at } = self;
        let network = source_blocks::network("/network", &network)?;
        let settings = Settings { network, reason, ends_at_ms: ends_at.map(|Rfc3339(ms)| ms) };
        settings.check()?;
        Ok(settings)
    }
}

const BY_NETWORKS: Column = Column { table: SourceBlock::TABLE, index: BY_NETWORK, unique: true };

/// A network in its one spelling; what is none is nowhere in the index either.
fn spelled(text: &str) -> String {
    text.parse::<Network>().map_or_else(|_| text.to_owned(), |network| network.to_string())
}

impl Resource for SourceBlocks {
    const NAME: &'static str = "source-blocks";
    const ONE: &'static str = "a source block";
    const ABOUT: &'static str = "Networks from which nobody may sign in.";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = source_blocks::READ;
    const WRITE: Permission = source_blocks::WRITE;
    const RESTORABLE: bool = true;
    const ORDER: Column = BY_NETWORKS;
    const ATTRIBUTES: &'static [Attribute] = &[Attribute {
        name: "network",
        column: BY_NETWORKS,
        comparisons: Comparisons::Equal,
        canonical: spelled,
    }];

    type Record = SourceBlock;
    type Input = Input;
    type View = View;

    fn exists(block: &SourceBlock) -> bool {
        block.deleted_at_ms.is_none()
    }

    fn input(block: &SourceBlock) -> Input {
        Input {
            network: block.network.to_string(),
            reason: block.reason.clone(),
            ends_at: block.ends_at_ms.map(Rfc3339),
        }
    }

    fn view(block: &SourceBlock) -> View {
        let Input { network, reason, ends_at } = Self::input(block);
        View {
            id: block.id,
            network,
            reason,
            ends_at,
            created_at: Rfc3339(block.created_at_ms),
            updated_at: Rfc3339(block.updated_at_ms),
            revision: block.revision,
        }
    }

    async fn create(asking: Asking, input: Input) -> Result<Done, Error> {
        let settings = input.settings()?;
        let id = asking.ctx.random().id(SourceBlockId::from_bytes);
        Done::of(&propose(asking, source_blocks::Command::Create { id, settings }).await?)
    }

    async fn update(
        asking: Asking,
        before: SourceBlock,
        expected: Option<u64>,
        input: Input,
    ) -> Result<Done, Error> {
        let (id, settings) = (before.id, input.settings()?);
        let command = source_blocks::Command::Update { id, expected, settings };
        Done::of(&propose(asking, command).await?)
    }

    async fn delete(
        asking: Asking,
        before: SourceBlock,
        expected: Option<u64>,
    ) -> Result<u64, Error> {
        let command = source_blocks::Command::Delete { id: before.id, expected };
        Ok(propose(asking, command).await?.index)
    }
}

async fn propose(asking: Asking, command: source_blocks::Command) -> Result<Reply, Error> {
    let Asking { ctx, asker, tenant } = asking;
    let command = Command::SourceBlocks(command);
    let (_, reply) = ctx.write(&asker, Placement::Tenant(tenant), command).await?;
    Ok(reply)
}

/// The routes.
pub fn routes() -> Routes {
    Routes::of::<SourceBlocks>()
}
