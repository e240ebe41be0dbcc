//! `/api/v1/cluster/settings`: what the cluster is to keep to.

use identity::{
    authorize::Permission,
    command::Command,
    fault::Fault,
    id::TenantId,
    members::{self, Authority},
    secret::Sealed,
    table::Tables,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::admin::{document::Document, resource::Place};

/// The document.
pub struct ClusterSettings;

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClusterSettingsInput)]
pub struct Input {
    /// Fewer voters than this are never left: at most as many as there are.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 64)]
    voters_min: u16,
    /// The zone in which the leader had best stand; null is any.
    #[serde(default)]
    preferred_zone: Option<String>,
}

const fn one() -> u16 {
    1
}

/// What the cluster is to keep to, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = ClusterSettings)]
pub struct View {
    voters_min: u16,
    preferred_zone: Option<String>,
    /// One more with every change and every node that joins; the `ETag`.
    revision: u64,
}

/// Of an authority it is these two fields only.
fn of(voters_min: u16, preferred_zone: Option<String>) -> Authority {
    Authority {
        revision: 0,
        certificate: Vec::new(),
        key: Sealed { key: 0, nonce: [0; 12], bytes: Vec::new() },
        next_node: 0,
        voters_min,
        preferred_zone,
    }
}

impl Document for ClusterSettings {
    const PATH: &'static str = "/api/v1/cluster/settings";
    const NAME: &'static str = "cluster-settings";
    const SAYS: &'static str = "what the cluster is to keep to";
    const PLACE: Place = Place::Cluster;
    const READ: Permission = members::READ;
    const WRITE: Permission = members::WRITE;

    type Record = Authority;
    type Input = Input;
    type View = View;

    fn current(tables: &impl Tables, _: TenantId) -> Result<Authority, Fault> {
        Ok(members::authority(tables)?.unwrap_or_else(|| of(one(), None)))
    }

    fn wanted(_: TenantId, input: Input) -> Authority {
        of(input.voters_min, input.preferred_zone)
    }

    fn set(expected: Option<u64>, wanted: &Authority) -> Command {
        Command::Members(members::Command::SetSettings {
            expected,
            voters_min: wanted.voters_min,
            preferred_zone: wanted.preferred_zone.clone(),
        })
    }

    fn view(authority: &Authority) -> View {
        View {
            voters_min: authority.voters_min,
            preferred_zone: authority.preferred_zone.clone(),
            revision: authority.revision,
        }
    }
}
