//! `/`: what this server is, for whoever opens it in a browser.
//!
//! Tenants are not public: only the default one is named, and in development mode the others too.

use actors::{Context, tenants, tenants::Address};
use axum::{Router, extract::State, response::Response, routing::get};
use identity::{
    codec,
    fault::Fault,
    id::TenantId,
    table::{Record, Span, Tables},
    tenants::{Directory, State as Standing},
};

use crate::{
    config::Mode,
    http::{
        error::Failure,
        layer::Arrival,
        pages::{Brand, HomePage, Issuer},
        refusal,
    },
};

/// Tenants named at most.
const SHOWN_MAX: usize = 20;

#[derive(Clone)]
struct Home {
    ctx: Context,
    mode: Mode,
}

/// The landing page.
pub fn routes(ctx: Context, mode: Mode) -> Router {
    Router::new().route("/", get(show)).with_state(Home { ctx, mode })
}

async fn show(State(home): State<Home>, arrival: Arrival) -> Response {
    match issuers(&home).await {
        Ok(issuers) => {
            let issuers: Vec<Issuer<'_>> =
                issuers.iter().map(|(name, url)| Issuer { name, url }).collect();
            let language = arrival.language(None);
            HomePage { language, brand: Brand::default(), issuers: &issuers }.respond()
        }
        Err(failure) => refusal::page(failure, &arrival),
    }
}

/// Names and issuers to show, the default tenant first.
async fn issuers(home: &Home) -> Result<Vec<(String, String)>, Failure> {
    let mut ids = Vec::new();
    {
        let reading = home.ctx.local();
        let view = reading.view()?;
        let default = match tenants::find(&view, &Address::Default) {
            Ok(tenant) => tenant,
            Err(actors::Error::Rejected(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        ids.push(default);
        if home.mode == Mode::Development {
            let all = open(&view).map_err(actors::Error::from)?;
            ids.extend(all.into_iter().filter(|tenant| *tenant != default));
        }
    }
    let mut issuers = Vec::new();
    for id in ids {
        let snapshot = home.ctx.tenant(id).await?;
        issuers.push((snapshot.tenant.name.clone(), snapshot.tenant.issuer.clone()));
    }
    Ok(issuers)
}

fn open(tables: &impl Tables) -> Result<Vec<TenantId>, Fault> {
    let span = Span::Records { table: Directory::TABLE, after: None };
    let mut tenants = Vec::new();
    for found in tables.scan(TenantId::CLUSTER, span, SHOWN_MAX, false)? {
        let line: Directory = codec::decode(&found.value)?;
        if line.state == Standing::Open {
            tenants.push(line.id);
        }
    }
    Ok(tenants)
}
